"""Asks a running session over its control socket; each command of `procman ps`' kind is a neighbor of this file."""

from __future__ import annotations

import os
import sys
import time

from procman.cli.options.option import Invocation
from procman.core.procfile.formation import flatten
from procman.core.text.protocol import REQUEST_LIMIT
from procman.errors import ProcmanError, UsageError
from procman.runtime.control.endpoint import find, folders, is_safe, places
from procman.runtime.control.peer import require_awake
from procman.runtime.control.wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket

    from procman.core.model.settings import Settings

    Record = dict[str, object]

FUNCTIONS = {  # a command → the function that performs it
    "ps": "procman.cli.control.ps:ask",
    "stop": "procman.cli.control.stop:ask",
    "restart": "procman.cli.control.restart:ask",
    "scale": "procman.cli.control.scale:ask",
    "signal": "procman.cli.control.signal_:ask",
    "pause": "procman.cli.control.pause:ask",
    "resume": "procman.cli.control.pause:ask",
    "logs": "procman.cli.control.logs:ask",
    "attach": "procman.cli.control.attach:ask",
    "wait": "procman.cli.control.wait:ask",
    "why": "procman.cli.control.why:ask",
    "events": "procman.cli.control.events:ask",
    "test": "procman.cli.commands.test:ask",
}
_PLACE = ("procfile", "root", "socket")
_CHUNK = 65536
ASIDE = 0.1  # seconds for a session that is only asked for a hint
ANSWER_WITHIN = 10.0  # seconds; a session answers in milliseconds
LOOK_AGAIN = 0.5  # seconds without an answer until it is looked whether the session was suspended


class NoSessionError(ProcmanError):
    """Nobody answers."""

    exit_code = 1


class RefusedError(ProcmanError):
    """The session says no, with its own exit code."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


def perform(invocation: Invocation) -> int:
    """Run one of the commands for a running session; returns the exit code. With --json an error is an object, too."""
    from importlib import import_module

    module, _, name = FUNCTIONS[invocation.command].partition(":")
    ask: Callable[[Invocation], int] = getattr(import_module(module), name)
    try:
        return ask(invocation)
    except ProcmanError as error:
        if all(option.setting != "as_json" for option in invocation.given):
            raise
        show_json({"ok": False, "error": error.message, "hint": error.hint, "code": error.exit_code})
        return error.exit_code


def extras(invocation: Invocation) -> dict[str, object]:
    """What the command's own options say, and the variables that only they have. Raises UsageError."""
    from procman.cli.options.precedence import converted
    from procman.cli.options.table import COMMANDS

    given: dict[str, object] = {}
    for option in COMMANDS[invocation.command].options:
        if option.variable and os.environ.get(option.variable):
            given[option.setting] = converted(option, [os.environ[option.variable]], option.variable)
    for option, texts in invocation.given.items():
        if option.setting not in _PLACE:
            given[option.setting] = converted(option, texts, option.long_flags[0])
    return given


def names(invocation: Invocation) -> list[str]:
    """The words of the command line; ``web,worker`` are two."""
    return flatten(invocation.words)


def settings_of(invocation: Invocation) -> Settings:
    """The settings that say which session is meant: Procfile, root and socket, from all their places."""
    from procman.cli.options.precedence import settle

    given = {option: texts for option, texts in invocation.given.items() if option.setting in _PLACE}
    return settle(Invocation(invocation.command, given, ()))


def connect(invocation: Invocation) -> Connection:
    """A connection to the session that the command line means. Raises NoSessionError."""
    settings = settings_of(invocation)
    paths = places(settings.procfile, settings.root, settings.socket, os.environ)
    found = find(paths, settings.socket is not None)
    if found is None:
        raise NoSessionError(_nobody(settings), _others() or "procman start begins one")
    return Connection(found)


def _nobody(settings: Settings) -> str:
    if settings.socket:
        return f"no session listens at {settings.socket}"
    return f"no session of {os.path.abspath(settings.procfile)} is running"


def _others() -> str:
    """Where else a session of ours runs: most often the user is in another folder."""
    found = []
    for folder in folders(os.environ):
        names = sorted(os.listdir(folder))[:50] if is_safe(folder) else []
        found += [_place_of(f"{folder}/{name}") for name in names]
    return f"sessions run of {', '.join(sorted(filter(None, found)))}: name one with --procfile" if any(found) else ""


def _place_of(path: str) -> str:
    """The Procfile of the session at ``path``; empty for one that is gone, or suspended."""
    try:
        connection = find([path], given=True)
        about = Connection(connection, ASIDE).ask({"verb": "hello"}) if connection is not None else {}
        return str(about.get("procfile", ""))
    except ProcmanError:
        return ""


class Connection:
    """One conversation. Records come with the bytes that belong to them."""

    def __init__(self, connection: socket, patience: float = ANSWER_WITHIN) -> None:
        """Raises SuspendedError when who listens is seen to sleep."""
        require_awake(connection)
        self._socket = connection
        self._in = bytearray()
        self._patience = patience
        self._socket.settimeout(min(patience, LOOK_AGAIN))

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._socket.fileno()

    def send(self, record: Record) -> None:
        """Ask something. Raises UsageError when it is too long, NoSessionError when nobody is there any more."""
        line = encode(record)
        if len(line) > REQUEST_LIMIT:
            raise UsageError("that is more than a session takes at once", "name fewer processes")
        try:
            self._socket.sendall(line)
        except OSError:
            pass  # what it had to say before it left can still be read

    def ask(self, record: Record, say: Callable[[str], None] | None = None, patient: bool = False) -> Record:
        """Ask, pass on what is said meanwhile, and return the last record. Raises RefusedError, NoSessionError."""
        self.send(record)
        if patient:
            self._socket.settimeout(None)
        for answer, _ in self.answers():
            if answer.get("done"):
                return accepted(answer)
            if say is not None and "say" in answer:
                say(str(answer["say"]))
        raise NoSessionError("the session has ended")

    def answers(self) -> Iterator[tuple[Record, bytes]]:
        """Each record as it comes, until the session hangs up. Raises NoSessionError, SuspendedError."""
        last = time.monotonic()
        while True:
            while (complete := self.take()) is not None:
                yield complete
                last = time.monotonic()
            try:
                if not self.receive():
                    return
            except TimeoutError:
                require_awake(self._socket)
                if time.monotonic() - last >= self._patience:
                    hint = "it may be suspended: fg, or kill -CONT"  # not seen where there is no /proc
                    raise NoSessionError("the session does not answer", hint) from None

    def be_patient(self) -> None:
        """Wait for answers as long as it takes."""
        self._socket.settimeout(None)

    def receive(self) -> bool:
        """Read what has come; False when the session has hung up."""
        try:
            chunk = self._socket.recv(_CHUNK)
        except TimeoutError:
            raise
        except OSError:
            return False
        self._in += chunk
        return bool(chunk)

    def take(self) -> tuple[Record, bytes] | None:
        """The next complete record with its bytes, if it is here."""
        end = self._in.find(b"\n") + 1
        if not end:
            return None
        record = decode(self._in[:end])
        assert isinstance(record, dict)
        size = record.get("size", 0)
        assert isinstance(size, int)
        if len(self._in) < end + size:
            return None
        payload = bytes(self._in[end : end + size])
        del self._in[: end + size]
        return record, payload

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def accepted(answer: Record) -> Record:
    """The last record of an answer. Raises RefusedError for a refusal."""
    if "error" in answer:
        code = answer.get("code")
        raise RefusedError(str(answer["error"]), str(answer.get("hint", "")), code if isinstance(code, int) else 1)
    return answer


def wish(invocation: Invocation, record: Record) -> int:
    """Ask for something to be done, and show what is said about it, or with --json one object at the end."""
    return fulfil(connect(invocation), record, as_json=bool(extras(invocation).get("as_json")))


def fulfil(connection: Connection, record: Record, *, as_json: bool) -> int:
    """See ``wish``; of a session that was found already."""
    said: list[str] = []
    try:
        answer = connection.ask(record, said.append if as_json else _say, patient=True)
    except RefusedError as error:
        if not as_json:
            raise
        show_json({"ok": False, "said": said, "error": error.message, "hint": error.hint, "code": error.exit_code})
        return error.exit_code
    if as_json:
        show_json({"ok": True, "said": said, **{key: value for key, value in answer.items() if key != "done"}})
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show_json(record: object) -> None:
    """Print one object on one line."""
    import json

    _say(json.dumps(record))
