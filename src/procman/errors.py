"""The exceptions, the exit codes, and the problems that an exception can carry.

    ProcmanError            70  a bug in procman, or an error without a better code
    ├── UsageError           2  the command line
    │   └── ConfigError      2  a file is missing, unreadable or wrong
    │       └── ProcfileError 2  a Procfile has errors; carries the problems
    └── CommandError   126/127  a command cannot be run, as in a shell

Errors are raised where they are found and shown once, in `cli`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    Severity = Literal["error", "warning", "hint"]

EXIT_OK = 0
EXIT_PROBLEMS = 1
EXIT_FAILURE = 1  # for an instance that failed without an exit code of its own
EXIT_USAGE = 2
EXIT_SOFTWARE = 70  # sysexits.h: EX_SOFTWARE
EXIT_CANNOT_EXECUTE = 126
EXIT_NOT_FOUND = 127
EXIT_HANGUP = 129
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_CLOSED = 141  # 128 + SIGPIPE
EXIT_TERMINATED = 143


class Problem:
    """A mistake in a file. `line` and `column` count from 1; the column counts characters."""

    __slots__ = ("column", "line", "message", "severity")

    def __init__(self, severity: Severity, line: int, column: int, message: str) -> None:
        self.severity = severity
        self.line = line
        self.column = column
        self.message = message

    def __repr__(self) -> str:
        return f"Problem({self.severity!r}, {self.line}, {self.column}, {self.message!r})"

    def at(self, name: str) -> str:
        """Return the line to show, for the file `name`: ``Procfile:3:1: error: …``."""
        return f"{name}:{self.line}:{self.column}: {self.severity}: {self.message}"


class ProcmanError(Exception):
    """A message of one sentence for the user, a hint about what to do, and the exit code of the command."""

    exit_code = EXIT_SOFTWARE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ProcmanError):
    """The command line is wrong, or asks for something impossible."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A file that the command needs is missing, unreadable or wrong."""


class ProcfileError(ConfigError):
    """The Procfile has errors. `problems` holds all of them, and its warnings."""

    def __init__(self, message: str, problems: Sequence[Problem], hint: str = "") -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class CommandError(ProcmanError):
    """A command cannot be run: 127 if it is not found, 126 if it may not be executed."""

    def __init__(self, message: str, exit_code: int, hint: str = "") -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
