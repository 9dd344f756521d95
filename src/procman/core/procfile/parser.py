"""Decides what the text of a Procfile means: process types in order, and every problem with its place."""

from __future__ import annotations

from procman.core.procfile.advice import advise
from procman.core.procfile.ports import port_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Severity = Literal["error", "warning", "hint"]

# What `\\s` means to the peers' patterns in ASCII. Not str.strip(): it also takes U+2028 and other blanks of Unicode,
# which belong to the command.
BLANKS = " \t\r\f\v"
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


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
    if data.startswith(_UTF16):
        return Procfile(name, (), (Problem("error", 1, 1, "this is UTF-16, not UTF-8: save the file as UTF-8"),))
    parser = _Parser()
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        parser.feed(number, line)
    return Procfile(name, tuple(parser.types.values()), parser.all_problems())


class _Parser:
    """The types and problems found so far; a line never depends on the one after it."""

    __slots__ = ("problems", "types", "variables")

    def __init__(self) -> None:
        self.types: dict[str, ProcessType] = {}
        self.problems: list[Problem] = []
        self.variables: dict[str, ProcessType] = {}

    def feed(self, number: int, data: bytes) -> None:
        """Take the line ``number``: a process, a comment, nothing, or a problem."""
        try:
            line = data.decode().rstrip(BLANKS)
        except UnicodeDecodeError as error:
            column = len(data[: error.start].decode()) + 1
            self._error(number, column, f"not UTF-8: the byte 0x{data[error.start]:02x}")
            return
        if line.lstrip(BLANKS)[:1] not in {"", "#"}:
            self._process(number, line)

    def _process(self, number: int, line: str) -> None:
        name, colon, rest = line.partition(":")
        if not colon or not name or not _NAME.issuperset(name):
            self._error(number, *_unparsable(line))
            return
        command = rest.lstrip(BLANKS)
        column = len(line) - len(command) + 1
        if not command:
            self._error(number, column, f'"{name}" has no command')
        elif "\0" in command:
            self._error(number, column + command.index("\0"), "a NUL byte: no command can hold one")
        elif name in self.types:
            self._error(number, 1, f'"{name}" is already defined on line {self.types[name].line}')
        else:
            self._add(ProcessType(name, command, number, len(self.types)), column)

    def _add(self, type_: ProcessType, column: int) -> None:
        self.types[type_.name] = type_
        first = self.variables.setdefault(port_variable(type_.name), type_)
        if first is not type_:
            message = f'"{first.name}" (line {first.line}) has the variable {port_variable(type_.name)} already'
            self.problems.append(Problem("warning", type_.line, 1, f'"{type_.name}" goes without: {message}'))
        if type_.name == "all":
            self.problems.append(Problem("warning", type_.line, 1, '"all" means every type in --formation: rename it'))
        for severity, offset, message in advise(type_.name, type_.command):
            self.problems.append(Problem(severity, type_.line, column + offset, message))

    def _error(self, line: int, column: int, message: str) -> None:
        self.problems.append(Problem("error", line, column, message))

    def all_problems(self) -> tuple[Problem, ...]:
        if not self.types and not self.problems:
            self._error(1, 1, "no process is defined: a line such as `web: python app.py` defines one")
        return tuple(sorted(self.problems, key=lambda problem: (problem.line, problem.column)))


def _unparsable(line: str) -> tuple[int, str]:
    """Return the column and the reason why ``line`` is no process line."""
    end = next((i for i, char in enumerate(line) if char not in _NAME), len(line))
    name, char = line[:end], line[end : end + 1]
    if not name and char in BLANKS:
        return 1, "blanks before the name: a process line starts in the first column"
    if not name and char == ":":
        return 1, 'no process name before ":"'
    if char == "=" and name:
        return end + 1, f'expected ":" after "{name}", found "=": variables belong in .env'
    if char in BLANKS:  # the end of the line too
        return end + 1, f'expected ":" right after "{name}": a process line is `name: command`'
    return end + 1, f'{_shown(char)} cannot be in a process name: use letters, digits, "_" and "-"'


def _shown(char: str) -> str:
    return f'"{char}"' if char.isprintable() else f"U+{ord(char):04X}"
