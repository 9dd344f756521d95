"""Decides what the text of a Procfile means: process types in order, and every problem with its place."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Severity = Literal["error", "warning", "hint"]


class ProcessType:
    """A named line: its command, its line (from 1) and its index among the types of the file (from 0)."""

    __slots__ = ("command", "index", "line", "name")

    def __init__(self, name: str, command: str, line: int, index: int) -> None:
        self.name = name
        self.command = command
        self.line = line
        self.index = index

    def __repr__(self) -> str:
        return f"ProcessType({self.name!r}, {self.command!r}, {self.line}, {self.index})"


class Problem:
    """Something wrong in a file; ``line`` and ``column`` count from 1, the column in characters."""

    __slots__ = ("column", "line", "message", "severity")

    def __init__(self, severity: Severity, line: int, column: int, message: str) -> None:
        self.severity = severity
        self.line = line
        self.column = column
        self.message = message

    def __repr__(self) -> str:
        return f"Problem({self.severity!r}, {self.line}, {self.column}, {self.message!r})"

    def at(self, name: str) -> str:
        """Return the line to show: ``Procfile:3:1: error: …``."""
        return f"{name}:{self.line}:{self.column}: {self.severity}: {self.message}"


class Procfile:
    """The parsed file: its name as shown to the user, its process types in order, its problems in order."""

    __slots__ = ("name", "problems", "process_types")

    def __init__(self, name: str, process_types: tuple[ProcessType, ...], problems: tuple[Problem, ...] = ()) -> None:
        self.name = name
        self.process_types = process_types
        self.problems = problems

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep it from being started."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems worth a line at start; hints are not."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the process types, in the file's order."""
        return tuple(type_.name for type_ in self.process_types)

    def get(self, name: str) -> ProcessType | None:
        """Return the process type called ``name``, or None."""
        return next((type_ for type_ in self.process_types if type_.name == name), None)


def parse_procfile(data: bytes, name: str = "Procfile") -> Procfile:
    """Parse the bytes of a Procfile; never raises on bad text, all of it is in ``problems``."""
    raise NotImplementedError
