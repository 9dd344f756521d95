"""Decides what in a command deserves a word of warning; it knows habits, not the shell's grammar."""

from __future__ import annotations

from procman.core.procfile.ports import in_range, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.procfile.parser import Severity

    Advice = tuple[Severity, int, str]  # severity, offset in the command, message

_SEPARATORS = frozenset(("&&", "||", ";", "|", "&"))
_WRAPPERS = frozenset(("exec", "env", "time", "command", "nice", "sudo"))
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_OFF = frozenset(("no", "off", "false", "0"))
_STAYS = frozenset(("--no-daemon", "--no-detach", "--nodaemon", "--foreground"))
_DAEMON = frozenset(("--daemon", "--daemonize", "--daemonise"))
# Programs whose short flag sends them to the background. Only what is known for sure: a false alarm is worse than none.
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
    """Yield what is doubtful in the command of the process type ``name``, each with its offset in the command."""
    last = len(command) - 1
    if command.endswith("\\"):
        yield "warning", last, "ends in a backslash: lines are not continued, the command ends here"
    if command.endswith("&") and not command.endswith(("&&", "\\&")):
        yield "warning", last, 'ends in "&": it goes to the background and counts as ended at once'
    if "\r" in command:
        yield "warning", command.index("\r"), "a carriage return inside the command: lines end at LF or CRLF"
    words = _words(command)
    yield from _daemons(words)
    if mentions_port(command):
        yield from _fixed_ports(words)
    elif name == "web" and "PROCMAN_WEB_PORT" not in command:
        yield "hint", 0, "web never mentions $PORT: does it listen on the port it is given?"


def mentions_port(command: str) -> bool:
    """Tell whether ``command`` holds $PORT or ${PORT…}, and not merely $PORTAL."""
    return any(part[:1] not in _NAME for part in command.replace("${", "$").split("$PORT")[1:])


def _words(command: str) -> list[tuple[int, str]]:
    """Split at blanks, quotes or not; keep where each word begins."""
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
            yield "warning", offset, "nohup hides the hang-up from the process: it may survive the session"
        if (word in flags or word.partition("=")[0] in _DAEMON) and _is_meant(words, position):
            yield "warning", offset, f"{word} makes it a daemon: it leaves and counts as ended at once"
        begins = word in _SEPARATORS or word.endswith(";") or (begins and _precedes_command(word))
        flags = () if begins else flags or _DAEMON_FLAGS.get(word.rpartition("/")[2], ())


def _precedes_command(word: str) -> bool:
    variable, equals, _ = word.partition("=")
    return word in _WRAPPERS or (bool(equals) and _NAME.issuperset(variable))


def _is_meant(words: list[tuple[int, str]], position: int) -> bool:
    """Tell whether the flag at ``position`` is neither switched off by its value nor by a later flag."""
    _, equals, value = words[position][1].partition("=")
    after = [word for _, word in words[position + 1 :]]
    following = value if equals else after[0] if after else ""
    return following not in _OFF and _STAYS.isdisjoint(after)


def _fixed_ports(words: list[tuple[int, str]]) -> Iterator[Advice]:
    before = ""
    for offset, word in words:
        port = _fixed_port(before, word)
        if port:
            yield "warning", offset, f"a fixed port, {port}, beside $PORT: a second instance cannot have it"
        before = word


def _fixed_port(before: str, word: str) -> str:
    """Return the port that ``word`` fixes, perhaps as the value of the option ``before``, or nothing."""
    option, equals, value = word.partition("=")
    option, value = (option, value) if equals else (before, word)
    if option in _BIND_FLAGS:
        value = value.rpartition(":")[2] if ":" in value else ""
    elif option not in _PORT_FLAGS and not (equals and option == "PORT"):
        return ""
    return value if in_range(whole_number(value) or 0) else ""
