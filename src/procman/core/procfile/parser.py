"""Parses a Procfile: process types in order, and every problem with its line and column."""

from __future__ import annotations

from procman.core.model.procfile import ProcessType, Procfile
from procman.core.procfile.ports import in_range, port_variable, whole_number
from procman.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.errors import Severity

    Advice = tuple[Severity, int, str]  # severity, offset in the command, message

# What `\\s` matches in ASCII, as in the patterns of Foreman and similar tools. str.strip() would also remove U+2028 and
# other blanks of Unicode, which belong to the command.
BLANKS = " \t\r\f\v"
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def parse_procfile(data: bytes, name: str = "Procfile") -> Procfile:
    """Parse the bytes of a Procfile. Bad text never raises; it becomes `problems`."""
    if data.startswith(_UTF16):
        return Procfile(name, (), (Problem("error", 1, 1, "this is UTF-16, not UTF-8: save the file as UTF-8"),))
    parser = _Parser()
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        parser.feed(number, line)
    return Procfile(name, tuple(parser.types.values()), parser.all_problems())


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
        elif "\0" in command:
            self._error(number, column + command.index("\0"), "a NUL byte: a command cannot contain one")
        elif name in self.types:
            self._error(number, 1, f'"{name}" is already defined on line {self.types[name].line}')
        else:
            self._add(ProcessType(name, command, number, len(self.types)), column)

    def _add(self, type_: ProcessType, column: int) -> None:
        self.types[type_.name] = type_
        first = self.variables.setdefault(port_variable(type_.name), type_)
        if first is not type_:
            message = f'"{first.name}" (line {first.line}) already has the variable {port_variable(type_.name)}'
            self.problems.append(Problem("warning", type_.line, 1, f'"{type_.name}" does not get one: {message}'))
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
    """Return why `line` is not a process line, and in which column."""
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


# Habits that deserve a warning ------------------------------------------------------------

_SEPARATORS = frozenset(("&&", "||", ";", "|", "&"))
_WRAPPERS = frozenset(("exec", "env", "time", "command", "nice", "sudo"))
_VARIABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_OFF = frozenset(("no", "off", "false", "0"))
_STAYS = frozenset(("--no-daemon", "--no-detach", "--nodaemon", "--foreground"))
_DAEMON = frozenset(("--daemon", "--daemonize", "--daemonise"))
# Flags that send a program to the background. Only certain ones: a false alarm is worse than no warning.
_DAEMON_FLAGS = {
    "celery": ("-D", "--detach"),
    "docker": ("-d", "--detach"),
    "docker-compose": ("-d", "--detach"),
    "gunicorn": ("-D",),
    "haproxy": ("-D",),
    "memcached": ("-d",),
    "mongod": ("--fork",),
    "pg_ctl": ("start",),
    "php-fpm": ("-D",),
    "podman": ("-d", "--detach"),
    "puma": ("-d",),
    "sidekiq": ("-d",),
    "thin": ("-d",),
    "unicorn": ("-D",),
}
_PORT_FLAGS = frozenset(("-p", "--port"))
_BIND_FLAGS = frozenset(("-b", "--bind", "-l", "--listen", "--host", "--addr", "--address"))


def advise(name: str, command: str) -> Iterator[Advice]:
    """Yield what is doubtful in the command of the process type `name`, with its offset in the command.

    This knows habits, not the shell's grammar.
    """
    last = len(command) - 1
    if command.endswith("\\"):
        yield "warning", last, "ends in a backslash: lines are not continued, the command ends here"
    if command.endswith("&") and not command.endswith(("&&", "\\&")):
        yield "warning", last, 'ends in "&": it will be treated as exited immediately'
    if "\r" in command:
        yield "warning", command.index("\r"), "a carriage return inside the command: lines end at LF or CRLF"
    words = _words(command)
    yield from _daemons(words)
    if mentions_port(command):
        yield from _fixed_ports(words)
    elif name == "web" and "PROCMAN_WEB_PORT" not in command:
        yield "hint", 0, "web never mentions $PORT: does it listen on the port it is given?"


def mentions_port(command: str) -> bool:
    """Whether `command` contains $PORT or ${PORT…}, and not just $PORTAL."""
    return any(part[:1] not in _VARIABLE for part in command.replace("${", "$").split("$PORT")[1:])


def _words(command: str) -> list[tuple[int, str]]:
    """Split at blanks, even within quotes; return each word with its offset."""
    words, at = [], 0
    for word in command.split():
        at = command.index(word, at)
        words.append((at, word))
        at += len(word)
    return words


def _daemons(words: list[tuple[int, str]]) -> Iterator[Advice]:
    flags: tuple[str, ...] = ()
    begins = True
    for position, (offset, word) in enumerate(words):
        if begins and word == "nohup":
            yield "warning", offset, "nohup hides the hang-up from the process: it may outlive the session"
        if (word in flags or word.partition("=")[0] in _DAEMON) and _is_meant(words, position):
            yield "warning", offset, f"{word} makes it a daemon: it will be treated as exited immediately"
        begins = word in _SEPARATORS or word.endswith(";") or (begins and _precedes_command(word))
        flags = () if begins else flags or _DAEMON_FLAGS.get(word.rpartition("/")[2], ())


def _precedes_command(word: str) -> bool:
    variable, equals, _ = word.partition("=")
    return word in _WRAPPERS or (bool(equals) and _VARIABLE.issuperset(variable))


def _is_meant(words: list[tuple[int, str]], position: int) -> bool:
    """Whether neither its value nor a later flag switches off the flag at `position`."""
    _, equals, value = words[position][1].partition("=")
    after = [word for _, word in words[position + 1 :]]
    following = value if equals else after[0] if after else ""
    return following not in _OFF and _STAYS.isdisjoint(after)


def _fixed_ports(words: list[tuple[int, str]]) -> Iterator[Advice]:
    before = ""
    for offset, word in words:
        port = _fixed_port(before, word)
        if port:
            yield "warning", offset, f"a fixed port, {port}, besides $PORT: a second instance cannot listen on it"
        before = word


def _fixed_port(before: str, word: str) -> str:
    """Return the port that `word` fixes, perhaps as the value of the option `before`; or an empty string."""
    option, equals, value = word.partition("=")
    option, value = (option, value) if equals else (before, word)
    if option in _BIND_FLAGS:
        value = value.rpartition(":")[2] if ":" in value else ""
    elif option not in _PORT_FLAGS and not (equals and option == "PORT"):
        return ""
    return value if in_range(whole_number(value) or 0) else ""
