"""Parses a Procfile: process types in order, and every problem with its line and column."""

from __future__ import annotations

from procman.core.model.procfile import ProcessType, Procfile
from procman.core.procfile.formation import port_variable
from procman.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What `\\s` matches in ASCII, as in the patterns of Foreman and similar tools. str.strip() would also remove U+2028 and
# other blanks of Unicode, which belong to the command.
BLANKS = " \t\r\f\v"
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BOM = b"\xef\xbb\xbf"
_LOOK_ALIKES = frozenset(
    "\uff1a\ua789\u2010\u2011\u2013\u2014\u2212\u201c\u201d\u2018\u2019"
)  # of a colon, a hyphen, a quote
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def parse_procfile(data: bytes, name: str = "Procfile") -> Procfile:
    """Parse the bytes of a Procfile. Invalid text never raises; it becomes `problems`."""
    if data.startswith(_UTF16):
        return Procfile(name, (), (Problem("error", 1, 1, "this is UTF-16, not UTF-8: save the file as UTF-8"),))
    parser = _Parser()
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        parser.feed(number, line)
    return Procfile(name, tuple(parser.types.values()), parser.all_problems(), _advise)


def _advise(types: Iterable[ProcessType]) -> Iterator[Problem]:
    from procman.core.procfile.advice import advise

    for type_ in types:
        for severity, offset, message in advise(type_.name, type_.command):
            yield Problem(severity, type_.line, type_.column + offset, message)


class _Parser:
    """The process types and problems found so far. A line never depends on a later one."""

    __slots__ = ("problems", "types", "variables")

    def __init__(self) -> None:
        self.types: dict[str, ProcessType] = {}
        self.problems: list[Problem] = []
        self.variables: dict[str, ProcessType] = {}

    def feed(self, number: int, data: bytes) -> None:
        """Parse the line `number`: a process, a comment, an empty line, or a problem."""
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
        elif command.startswith("#"):
            self._error(number, column, f'"{name}" has no command, only a comment')
        elif "\0" in command:
            self._error(number, column + command.index("\0"), "a command cannot contain a NUL byte")
        elif name in self.types:
            self._error(number, 1, f'"{name}" is already defined on line {self.types[name].line}')
        else:
            self._add(ProcessType(name, command, number, len(self.types), column))

    def _add(self, type_: ProcessType) -> None:
        self.types[type_.name] = type_
        first = self.variables.setdefault(port_variable(type_.name), type_)
        if first is not type_:
            message = f'"{first.name}" (line {first.line}) already has the variable {port_variable(type_.name)}'
            self.problems.append(
                Problem("warning", type_.line, 1, f'"{type_.name}" gets no port variable, because {message}')
            )
        if type_.name == "all":
            self.problems.append(
                Problem("warning", type_.line, 1, '"all" means every type in --formation; choose another name')
            )

    def _error(self, line: int, column: int, message: str) -> None:
        self.problems.append(Problem("error", line, column, message))

    def all_problems(self) -> tuple[Problem, ...]:
        if not self.types and not self.problems:
            self._error(1, 1, "no process is defined; define one with a line such as `web: python app.py`")
        return tuple(sorted(self.problems, key=lambda problem: (problem.line, problem.column)))


def _unparsable(line: str) -> tuple[int, str]:
    """Return why `line` is not a process line, and in which column."""
    end = next((i for i, char in enumerate(line) if char not in _NAME), len(line))
    name, char = line[:end], line[end : end + 1]
    if not name and char in BLANKS:
        name, colon, _ = line.lstrip(BLANKS).partition(":")
        if colon and name and _NAME.issuperset(name):
            return 1, "spaces before the name; a process line starts in the first column"
        return 1, "no process name here; write `name: command`, or begin a comment with #"
    if not name and char == ":":
        return 1, 'no process name before ":"'
    if char == "=" and name:
        return end + 1, f'expected ":" after "{name}", found "="; variables belong in .env'
    if char in BLANKS:  # the end of the line too
        return end + 1, f'expected ":" right after "{name}"; a process line is `name: command`'
    return end + 1, f'{_shown(char)} cannot be in a process name; use letters, digits, "_" and "-"'


def _shown(char: str) -> str:
    code = f"U+{ord(char):04X}"
    if char in _LOOK_ALIKES:
        return f'"{char}" ({code})'
    return f'"{char}"' if char.isprintable() else code
