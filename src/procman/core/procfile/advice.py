"""Finds what is doubtful in a command: habits that work differently here, and characters that an editor has put in.

It reports only what is certain, because a false alarm is worse than silence.
"""

from __future__ import annotations

from procman.core.procfile.daemons import daemon
from procman.core.procfile.formation import in_range, whole_number
from procman.core.procfile.shell_line import ShellLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.procfile.shell_line import SimpleCommand, Word
    from procman.errors import Severity

    Advice = tuple[Severity, int, str]  # severity, offset in the command, message

MAX_LENGTH = 10_000  # characters; a longer command is not examined
_VARIABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


def advise(name: str, command: str) -> Iterator[Advice]:
    """Yield what is doubtful in the command of the process type `name`, with its offset in the command."""
    last = len(command) - 1
    if command.endswith("\\"):
        yield "warning", last, "ends in a backslash, but lines are not continued; the command ends here"
    if "\r" in command:
        yield "warning", command.index("\r"), "a carriage return inside the command; lines end with LF or CRLF"
    if name == "release":
        yield (
            "hint",
            0,
            "Heroku runs release only before a deployment, but start runs it every time; -x release leaves it out",
        )
    if len(command) > MAX_LENGTH:
        return
    line = ShellLine(command)
    if line.commands:
        yield from _shape(command, line)
        yield from _daemons(line)
        yield from _ports(name, command, line)


def _shape(command: str, line: ShellLine) -> Iterator[Advice]:
    """Yield what is wrong with the line as a whole."""
    end = len(command[: line.note].rstrip(" \t)"))
    if line.last == "&" and command[end - 1] == "&":
        yield "warning", end - 1, 'ends in "&", so it will be treated as exited immediately'
    if line.open_quote is not None and not any(part in command for part in ("$(", "`", "<<", "$'")):
        yield "warning", line.open_quote, "this quote is never closed, so the shell will reject the line"
    elif _is_one_quoted_word(line):
        message = "the whole command is in quotes, so the shell takes it for the name of one program"
        yield "warning", line.commands[0].words[0].offset, message
    yield from _odd_characters(command, line)
    yield from _bash(line)
    for one in line.foreground():
        if one.before in ("|", "|&") and one.program()[:1] == ["tee"] and "pipefail" not in command:
            message = "tee hides how the process exits, even a crash; log_file in the overlay also writes a file"
            yield "hint", one.words[0].offset, message


def _is_one_quoted_word(line: ShellLine) -> bool:
    """Whether quotes make one word of the whole command; a path may contain spaces."""
    if len(line.commands) > 1 or len(line.commands[0].words) > 1:
        return False
    word = line.commands[0].words[0]
    return word.quoted and " " in word.text.strip() and not word.text.startswith(("/", "./", "../", "~", "$"))


# Characters that look like others -------------------------------------------------------------------------------------

_BLANKS = {
    "\u00a0": "a no-break space",
    "\u202f": "a narrow no-break space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
}
_QUOTES = "\u2018\u2019\u201a\u201c\u201d\u201e"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_PROSE = frozenset(("echo", "printf"))


def _odd_characters(command: str, line: ShellLine) -> Iterator[Advice]:
    """Yield the first character that is not what it looks like to the shell."""
    if command.isascii():
        return
    for one in line.commands:
        if one.program()[:1] and one.program()[0] in _PROSE:
            continue
        for word in one.words:
            for at in word.odd:
                message = _odd(command, word, at)
                if message:
                    yield "warning", at, f"U+{ord(command[at]):04X} is {message}"
                    return


def _odd(command: str, word: Word, at: int) -> str:
    char, before, after = command[at], command[at - 1 : at] if at else "", command[at + 1 : at + 2]
    if char in _BLANKS or char.isspace():
        return f"{_BLANKS.get(char, 'an unusual space')}, which the shell treats as a letter; use a plain space"
    if char in _QUOTES and not (before.isalnum() and after.isalnum()):
        return "a curly quote, which does not quote anything; use \" or '"
    if char in _DASHES and not command[word.offset : at].strip("-") and after.isalnum():
        return "not a hyphen, though it looks like one; options begin with -"
    return ""


# Bash syntax ----------------------------------------------------------------------------------------------------------

_BASH_WORDS = frozenset(("[[", "shopt", "declare", "pushd", "popd", "mapfile", "readarray", "function"))


def _bash(line: ShellLine) -> Iterator[Advice]:
    """Yield the first bash construct: on most systems, `sh` is another shell."""
    found = list(line.bash)
    for one in line.commands:
        word = next((word for word in one.words if word.text not in ("!", "{", "if", "then", "while", "do")), None)
        if word is None or word.quoted:
            continue
        if word.text == "source":
            yield "hint", word.offset, 'source is a bash command, but sh runs this line; write ". ./FILE"'
            return
        if word.text in _BASH_WORDS:
            found.append((word.offset, word.text))
        elif word.text in ("[", "test") and any(other.text == "==" for other in one.words):
            found.append((word.offset, "== in a test"))
        elif word.text == "set" and any(other.text == "pipefail" for other in one.words):
            found.append((word.offset, "pipefail"))
    if found:
        offset, what = min(found)
        yield "hint", offset, f"{what} is bash syntax, but sh runs this line; write bash -c '…'"


# Daemons --------------------------------------------------------------------------------------------------------------


def _daemons(line: ShellLine) -> Iterator[Advice]:
    for one in line.commands:
        begins = one.program_at()
        for word in one.words[:begins]:
            if word.text == "nohup":
                message = "nohup makes the process ignore hang-ups, so it may outlive the session"
                yield "warning", word.offset, message
    for one in line.foreground():
        found = daemon(one.program())
        if one.words[0].text in ("BACKGROUND=yes", "BACKGROUND=1") and "resque:work" in one.program():
            yield (
                "warning",
                one.words[0].offset,
                "BACKGROUND makes it a daemon, so it will be treated as exited immediately",
            )
        elif found:
            yield "warning", one.words[one.program_at() + found[0]].offset, found[1]


# Ports ----------------------------------------------------------------------------------------------------------------

_EVERYWHERE = ("", "0.0.0.0", "[::]", "*")  # noqa: S104 (words to look for)
_LOWEST = 80  # a smaller number is more likely a number of processes
_PORT_FLAGS = frozenset(("-p", "--port", "-port"))
_MORE_PORT_FLAGS = frozenset(("--server.port", "-Dserver.port", "-Dhttp.port", "--http-port"))
_BIND_FLAGS = frozenset(
    (  # noqa: SIM905
        "-b --bind -l --listen --host --addr --address -addr -listen -http --http --http-socket --http-address -S "
        "--bind-address --listen-address --urls"
    ).split()
)
_ADDRESS = _VARIABLE | frozenset(":.$[]{}-/=")
_VALUED = frozenset(("--settings", "--pythonpath", "-d", "--directory", "-b", "--bind", "-v", "--verbosity"))
_CLIENTS = frozenset(
    (  # noqa: SIM905 (their -p is another server's port, or no port)
        "ssh autossh scp nc curl wget psql pg_isready redis-cli mysql mysqladmin mongo mongosh mkdir cp tsc celery "
        "docker podman docker-compose nerdctl echo printf lsof kill fuser wait-for-it wait-for-it.sh wait-on dockerize"
    ).split()
)
# Programs that do not read PORT, and have a default port unless a flag or an operand sets it.
_DEAF = {
    "uvicorn": ("--port", "--fd", "--uds"),
    "daphne": ("-p", "--port", "-u", "--unix-socket", "-e", "--endpoint", "--fd"),
    "hypercorn": ("-b", "--bind", "-c", "--config", "--insecure-bind", "--quic-bind"),
    "waitress-serve": ("--port", "--listen", "--unix-socket"),
}
_DEAF_COMMANDS = {
    "manage.py": ("runserver", "runserver_plus"),
    "django-admin": ("runserver",),
    "flask": ("run",),
    "artisan": ("serve",),
}


def mentions_port(command: str) -> bool:
    """Whether `command` contains $PORT or ${PORT…}, and not just $PORTAL."""
    return any(part[:1] not in _VARIABLE for part in command.replace("${", "$").split("$PORT")[1:])


def _ports(name: str, command: str, line: ShellLine) -> Iterator[Advice]:
    if mentions_port(command):
        for one in line.commands:
            if any(mentions_port(word.text) for word in one.words):
                yield from _beside_port(one)
                yield from _in_single_quotes(command, one)
    elif name == "web" and not _knows_port(command):
        yield from _without_port(line)


def _beside_port(one: SimpleCommand) -> Iterator[Advice]:
    if one.program()[:1] and one.program()[0] in _CLIENTS:
        return
    for offset, port in _fixed_ports(one):
        yield "warning", offset, f"a fixed port, {port}, besides $PORT; a second instance cannot listen on it"


def _in_single_quotes(command: str, one: SimpleCommand) -> Iterator[Advice]:
    """Yield an address that the shell leaves alone; a whole script in quotes is for another shell."""
    for word in one.words[one.program_at() + 1 :]:
        if command[word.offset] == "'" and mentions_port(word.text) and _ADDRESS.issuperset(word.text):
            yield "hint", word.offset, "$PORT is not expanded in single quotes; use double quotes"


def _knows_port(command: str) -> bool:
    """Whether the line mentions the variable in another way: sets it, unsets it, or lets a program read it."""
    if "_PORT" in command:
        return True
    before, *parts = command.split("PORT")
    for part in parts:
        if before[-1:] not in _VARIABLE and part[:1] not in _VARIABLE:
            return True
        before = part
    return False


def _without_port(line: ShellLine) -> Iterator[Advice]:
    for one in line.foreground():
        words = one.program()
        if not words or words[0] in _CLIENTS:
            continue
        for offset, port in (*_fixed_ports(one), *_operands(one, words)):
            yield "hint", offset, f"web does not use $PORT; it listens on {port}, whatever port it is given"
            return
        if _is_deaf(words):
            offset = one.words[one.program_at()].offset
            commands = _DEAF_COMMANDS.get(words[0], ())
            what = " ".join((words[0], *(word for word in words if word in commands)))
            yield "hint", offset, f"web does not use $PORT; {what} does not read it and uses a port of its own"


def _fixed_ports(one: SimpleCommand) -> Iterator[tuple[int, str]]:
    before = ""
    serves = one.program()[:1] == ["serve"]
    for word in one.words:
        port = _fixed_port("--port" if serves and before == "-l" else before, word.text)
        if port:
            yield word.offset, port
        before = word.text


def _fixed_port(before: str, word: str) -> str:
    """Return the port that `word` fixes, perhaps as the value of the option `before`; or an empty string."""
    option, equals, value = word.partition("=")
    option, value = (option, value) if equals else (before, word)
    if word.startswith("-p") and word[2:].isdigit() and len(word) > 4:  # -p3000
        value = word[2:]
    elif option in _BIND_FLAGS:
        value = value.rpartition(":")[2] if ":" in value or option == "--listen" else ""
    elif option not in _PORT_FLAGS and option not in _MORE_PORT_FLAGS and not (equals and option == "PORT"):
        return ""
    return value if (whole_number(value) or 0) >= _LOWEST and in_range(whole_number(value) or 0) else ""


def _operands(one: SimpleCommand, words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield ports without an option: ``:5000``, ``0.0.0.0:8000``, and that of ``runserver`` and ``http.server``."""
    before, takes_port = "", words[0] == "http.server"
    for word in one.words[one.program_at() + 1 :]:
        host, colon, port = word.text.rpartition(":")
        is_address = bool(colon) and host in _EVERYWHERE and not before.startswith("-")
        is_operand = takes_port and "/" not in host and not word.text.startswith("-") and before not in _VALUED
        if (is_address or is_operand) and (whole_number(port) or 0) >= _LOWEST and in_range(whole_number(port) or 0):
            yield word.offset, port
        takes_port = takes_port or word.text in ("runserver", "runserver_plus")
        before = word.text


def _is_deaf(words: Sequence[str]) -> bool:
    options = {word.partition("=")[0] for word in words[1:]}
    if any(word.startswith("$") for word in words):
        return False
    if words[0] in _DEAF_COMMANDS:
        at = next((i for i, word in enumerate(words) if word in _DEAF_COMMANDS[words[0]]), 0)
        return bool(at) and not _has_port(words[at + 1 :])
    if words[0] == "http.server":
        return not _has_port(words[1:])
    return words[0] in _DEAF and options.isdisjoint(_DEAF[words[0]])


def _has_port(words: Sequence[str]) -> bool:
    """Whether a flag or an operand gives a port, of whatever form."""
    return any(word.startswith(("-p", "--port")) or (not word.startswith("-") and ":" in word) for word in words)
