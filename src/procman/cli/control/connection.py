"""The connection from a command to a running session over its control socket."""

from __future__ import annotations

import os
import sys
import time
from collections import deque

from procman.cli.options.option import Invocation
from procman.core.procfile.formation import flatten, port_variables
from procman.core.text.protocol import REQUEST_LIMIT, ProtocolError
from procman.errors import ProcmanError, UsageError
from procman.runtime.control.endpoint import find, folders, is_safe, socket_paths
from procman.runtime.control.peer import require_awake
from procman.runtime.control.wire import complete_records, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket

    from procman.core.model.settings import Settings
    from procman.runtime.control.wire import Answer

    Record = dict[str, object]

WHICH_SESSION = ("procfile", "root", "socket")  # settings
_CHUNK = 128 << 10  # bytes
HINT_TIMEOUT = 0.5  # seconds; for a session that is only queried for a hint
PORTS_TIMEOUT = 3.0  # seconds; a command that does not wait long enough would use the wrong ports on a busy machine
ANSWER_TIMEOUT = 10.0  # seconds; a session answers in milliseconds
SUSPENDED_CHECK_INTERVAL = 0.5  # seconds without an answer before looking whether the session is suspended
MAX_RECORD = 64 << 20  # bytes of one record, with what belongs to it; a session sends far less
_ANOTHER_VERSION = "it may be something else, or a session of another version (see procman --version)"
CONNECT_RETRY_INTERVAL = 0.05  # seconds, until a session appears
MAX_SESSIONS_IN_HINT = 50  # per folder


class NoSessionError(ProcmanError):
    """No session is listening, or it has ended."""

    exit_code = 1


class SilentError(NoSessionError):
    """A session is there, but does not answer."""


class StrangerError(ProcmanError):
    """What answers is not a session of this procman."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("the program at the socket is not a session that this procman understands", _ANOTHER_VERSION)


class RefusedError(ProcmanError):
    """The session refused the request. It chooses the exit code."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


def own_options(invocation: Invocation) -> dict[str, object]:
    """Return the values of the command's own options, from flags and from their own variables. Raises UsageError."""
    from procman.cli.options.conversion import converted
    from procman.cli.options.session_table import COMMANDS

    given: dict[str, object] = {}
    for option in COMMANDS[invocation.command].options:
        if option.variable and os.environ.get(option.variable):
            given[option.setting] = converted(option, [os.environ[option.variable]], option.variable)
    for option, texts in invocation.given.items():
        if option.setting not in WHICH_SESSION:
            given[option.setting] = converted(option, texts, option.long_flags[0])
    return given


def names_in(invocation: Invocation) -> list[str]:
    """Return the names on the command line; ``web,worker`` is two names."""
    return flatten(invocation.words)


def session_settings(invocation: Invocation) -> Settings:
    """Return the settings that identify the session: Procfile, root and socket, wherever they are set."""
    from procman.cli.options.precedence import settle

    given = {option: texts for option, texts in invocation.given.items() if option.setting in WHICH_SESSION}
    return settle(Invocation(invocation.command, given, ()))


def connect(invocation: Invocation, within: float = 0.0) -> Connection:
    """Connect to the session that the command line identifies; wait up to ``within`` seconds for it to appear.

    Raises NoSessionError if there is none by then.
    """
    settings = session_settings(invocation)
    paths = socket_paths(settings.procfile, settings.root, settings.socket, os.environ)
    until, told = time.monotonic() + within, False
    while (found := find(paths, settings.socket is not None)) is None:
        if time.monotonic() >= until:
            missing = f"{_not_running(settings)}; none has started within {within:g} s" if within else ""
            raise NoSessionError(missing or _not_running(settings), _other_sessions() or "start one with procman start")
        if not told:
            sys.stderr.write(f"procman: {_not_running(settings)}; waiting up to {within:g} s for it to start\n")
            told = True
        time.sleep(CONNECT_RETRY_INTERVAL)
    connection = Connection(found)
    connection.left = max(0.0, until - time.monotonic()) if told else within
    return connection


def _not_running(settings: Settings) -> str:
    if settings.socket:
        return f"no session is listening at {settings.socket}"
    return f"no session of {os.path.abspath(settings.procfile)} is running"


def _other_sessions() -> str:
    """Return a hint that lists the user's other sessions. Most often the user is in the wrong folder."""
    found = []
    for folder in folders(os.environ):
        names = sorted(os.listdir(folder))[:MAX_SESSIONS_IN_HINT] if is_safe(folder) else []
        paths = [f"{folder}/{name}" for name in names]
        found += [_procfile_at(path) for path in paths if not os.path.islink(path)]  # they lead to another folder
    running = ", ".join(sorted(set(filter(None, found))))
    return f"running sessions: {running} (choose one with --procfile)" if running else ""


def _procfile_at(path: str) -> str:
    """Return the Procfile of the session at ``path``, or an empty string if it is gone or suspended."""
    try:
        connection = find([path], given=True)
        about = Connection(connection, HINT_TIMEOUT).request({"verb": "hello"}) if connection is not None else {}
        return str(about.get("procfile", ""))
    except ProcmanError:
        return ""


def variables_of(paths: list[str], given: bool) -> dict[str, str]:
    """Return what a session has decided: PROCMAN_CHECKOUT, and PROCMAN_<TYPE>_PORT and _URL of each type; nothing if
    it does not answer soon.
    """
    try:
        connection = find(paths, given)
        answer = Connection(connection, PORTS_TIMEOUT).request({"verb": "ps"}) if connection is not None else {}
    except (ProcmanError, OSError):
        return {}
    rows = answer.get("instances")
    first = [row for row in rows if row["number"] == 1 and row["port"] is not None] if isinstance(rows, list) else []
    checkout = {"PROCMAN_CHECKOUT": str(answer["checkout"])} if answer.get("checkout") else {}
    return {**checkout, **port_variables({str(row["type"]): int(row["port"]) for row in first})}


class Connection:
    """A connection to one session. Each record is returned with the bytes that belong to it."""

    left = 0.0  # seconds of the time that the session had to appear; all of it if it was there

    def __init__(self, connection: socket, timeout: float = ANSWER_TIMEOUT) -> None:
        """Raises SuspendedError if the session is suspended. ``timeout``: seconds to wait for an answer."""
        self._socket = connection
        require_awake(connection)
        self._in = bytearray()
        self._needed = 0  # bytes of the next record, as far as that is known
        self._complete: deque[Answer] = deque()
        self._timeout = timeout
        self._socket.settimeout(min(timeout, SUSPENDED_CHECK_INTERVAL))

    def __del__(self) -> None:
        """Close the connection with the last reference to it: commands make several, and keep them in no block."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor to poll for reading."""
        return self._socket.fileno()

    def send(self, record: Record) -> None:
        """Send a request. Raises UsageError if it is too long."""
        line = encode(record)
        if len(line) > REQUEST_LIMIT:
            raise UsageError("this is too long for one request", "name fewer processes")
        try:
            self._socket.sendall(line)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass  # what the session wrote before it left can still be read
        except OSError as error:  # no answer will come
            raise NoSessionError(f"cannot send the request: {(error.strerror or str(error)).lower()}") from None

    def request(
        self, record: Record, on_message: Callable[[str], None] | None = None, unlimited: bool = False
    ) -> Record:
        """Send a request and return the last record of the answer.

        Messages that arrive before it go to ``on_message``. ``unlimited``: wait as long as the request takes.
        Raises RefusedError and NoSessionError.
        """
        self.send(record)
        if unlimited:
            self.wait_without_limit()
        for answer, _ in self.answers():
            if answer.get("done"):
                return require_success(answer)
            if on_message is not None and "say" in answer:
                on_message(str(answer["say"]))
        raise NoSessionError("the session has ended")

    def answers(self) -> Iterator[tuple[Record, bytes]]:
        """Yield each record as it arrives, until the session hangs up. Raises NoSessionError and SuspendedError."""
        last = time.monotonic()
        while True:
            if (complete := self.pop()) is not None:
                yield complete
                while self._complete:  # most have arrived with another one
                    yield self._complete.popleft()
                last = time.monotonic()
                continue
            try:
                if not self.receive():
                    return
            except TimeoutError:
                require_awake(self._socket)
                if time.monotonic() - last >= self._timeout:
                    hint = "it may be suspended; resume it with fg or kill -CONT"  # without /proc that cannot be seen
                    raise SilentError("the session does not answer", hint) from None

    def wait_without_limit(self) -> None:
        """Wait for answers as long as it takes."""
        self._socket.settimeout(None)

    def receive(self) -> bool:
        """Read what has arrived. Return False if the session has hung up."""
        try:
            chunk = self._socket.recv(_CHUNK)
        except TimeoutError:
            raise
        except OSError:
            return False
        self._in += chunk
        return bool(chunk)

    def pop(self) -> tuple[Record, bytes] | None:
        """Return the next complete record and its bytes, or None if it has not arrived yet."""
        if not self._complete and len(self._in) >= self._needed:
            if len(self._in) > MAX_RECORD:
                raise StrangerError
            if b"\n" in self._in:
                self._parse()
        return self._complete.popleft() if self._complete else None

    def _parse(self) -> None:
        """Parse all that has arrived: a memory has thousands of records, and a call for each takes half the time."""
        try:
            found, end, self._needed = complete_records(bytes(self._in), MAX_RECORD)
        except ProtocolError:
            raise StrangerError from None
        self._complete.extend(found)
        del self._in[:end]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def require_success(answer: Record) -> Record:
    """Return the last record of an answer. Raises RefusedError if it is a refusal."""
    if "error" in answer:
        code = answer.get("code")
        raise RefusedError(str(answer["error"]), str(answer.get("hint", "")), code if isinstance(code, int) else 1)
    return answer


def run_request(invocation: Invocation, record: Record, within: float = 0.0) -> int:
    """Send a request to the session of the command line and print its messages, or one JSON object with ``--json``.

    Wait up to ``within`` seconds for the session to appear; that time counts for a timeout in the request.
    """
    connection = connect(invocation, within)
    if connection.left < within:
        record = {**record, "timeout": round(connection.left, 1)}
    return print_answer(connection, record, as_json=bool(own_options(invocation).get("as_json")))


def print_answer(connection: Connection, record: Record, *, as_json: bool) -> int:
    """Send a request on an open connection and print the answer; see ``run_request``. Returns the exit code."""
    messages: list[str] = []
    try:
        answer = connection.request(record, messages.append if as_json else _print, unlimited=True)
    except RefusedError as error:
        if not as_json:
            raise
        print_json({"ok": False, "said": messages, "error": error.message, "hint": error.hint, "code": error.exit_code})
        return error.exit_code
    except NoSessionError:
        if record["verb"] != "stop" or record["names"]:
            raise
        answer = {}  # it was killed, so it has ended, as requested
    if as_json:
        print_json({"ok": True, "said": messages, **{key: value for key, value in answer.items() if key != "done"}})
    return 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(record: object) -> None:
    """Print one object on one line."""
    import json

    _print(json.dumps(record))
