"""``procman test``: start everything, run one command, stop everything, and return the command's exit status."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time

from procman.cli.commands.launch_hints import launch_hints
from procman.cli.commands.run import run
from procman.cli.control.connection import Connection, NoSessionError, RefusedError, own_options
from procman.cli.control.progress import request_with_progress
from procman.cli.options.option import Invocation
from procman.cli.options.precedence import settle
from procman.core.procfile.formation import port_variables
from procman.errors import EXIT_SOFTWARE, EXIT_USAGE, ProcmanError
from procman.output.sanitize.sanitizer import guarded
from procman.runtime.control.endpoint import find
from procman.runtime.guardian.background import Background
from procman.runtime.guardian.foreground_run import Ending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from procman.cli.control.connection import Record
    from procman.core.model.settings import Settings

READY_TIMEOUT = 60.0  # seconds until every process must be ready
LAST_LINES = 40  # of a failed process
FAILED = 1  # the exit code if the command succeeded, but a process failed
ENDS_WITH_INPUT = "_PROCMAN_ENDS_WITH_INPUT"  # set by the plugin of pytest: stdin is a pipe, in which nothing arrives
CONNECT_RETRY_INTERVAL = 0.01  # seconds, until the session listens
PREFIX = "procman-test-"  # of the folder for its socket and its log
LONGEST_SOCKET = 103  # bytes of its path: unix(7) has 107, macOS four fewer
END_TIMEOUT = 10.0  # seconds, from the moment when it has hung up until its exit status is there


class NotReadyError(ProcmanError):
    """The processes did not become ready, so the command was not run. ``ended``: the exit status of their session.

    That of a refusal is our exit status, too. Any other one came from a process, and could be taken for the command's.
    """

    def __init__(self, message: str, ended: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = ended if ended in (EXIT_USAGE, EXIT_SOFTWARE) else FAILED


def perform(invocation: Invocation) -> int:
    """Start a session in the background, wait until it is ready, run the command, stop the session."""
    ends_with_input = bool(os.environ.pop(ENDS_WITH_INPUT, ""))
    timeout = own_options(invocation).get("ready_timeout", READY_TIMEOUT)
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=_parent_folder())
    socket, log = f"{folder}/sock", f"{folder}/log"
    settings = _settings(invocation, socket)
    stderr = os.dup(2)  # the session's own output goes to the log
    background = Background(lambda: _start(settings, stderr), log, lambda: shutil.rmtree(folder, ignore_errors=True))
    try:
        with _ended_by_input(ends_with_input):
            connection, before = _ready(socket, background, log, timeout, settings)
        code = run(settings, invocation, {**_variables(connection), "PROCMAN_TEST_SOCKET": socket})
        code = _finish(socket, code, before, settings)
        if Ending.by_key:
            raise KeyboardInterrupt
        return code
    finally:
        background.end()
        os.close(stderr)
        shutil.rmtree(folder, ignore_errors=True)


def _parent_folder() -> str:
    """Return the folder for temporary files, unless its path is too long for a socket."""
    usual = tempfile.gettempdir()
    fits = len(os.fsencode(f"{usual}/{PREFIX}12345678/sock")) <= LONGEST_SOCKET
    return usual if fits else "/tmp"  # noqa: S108 (mkdtemp makes a folder there that is ours alone)


def _settings(invocation: Invocation, socket: str) -> Settings:
    """Return the settings of a session with a private socket that keeps running whichever process exits.

    It moves its processes to free ports, unless the user has given another ``--port-conflict`` for this command.
    """
    given = {option: texts for option, texts in invocation.given.items() if option.setting != "ready_timeout"}
    settings = settle(Invocation(invocation.command, given, ()))
    if settings.port_conflict == "warn" and not settings.is_given_directly("port_conflict"):
        settings = settings.but(port_conflict="bump")
    return settings.but(socket=socket, control=True, exit="never", color=False, status=False, pty=False, record="never")


def _start(settings: Settings, stderr: int) -> int:
    from procman.cli.commands.start import start
    from procman.cli.failures import safely
    from procman.runtime.guardian.guardian import guarded

    def on_moved(text: str) -> None:
        os.write(stderr, f"procman: {text}\n".encode("utf-8", "replace"))

    return guarded(lambda: safely(lambda: start(settings, on_moved)), settings.guardian)


@contextlib.contextmanager
def _ended_by_input(is_wanted: bool) -> Iterator[None]:
    """Raise NotReadyError as soon as stdin ends. The kernel reports that by a signal: nothing here reads or polls."""
    if not is_wanted:
        yield
        return
    import fcntl
    import select
    import signal

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if select.select([0], [], [], 0)[0]:
            raise NotReadyError("what started this has ended, so nothing was tested")

    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    before = signal.signal(signal.SIGIO, on_signal)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        on_signal(signal.SIGIO, None)  # it may have ended already
        yield
    finally:
        fcntl.fcntl(0, fcntl.F_SETFL, flags)
        signal.signal(signal.SIGIO, before)


def _ready(
    socket: str, background: Background, log: str, timeout: object, settings: Settings
) -> tuple[Connection, dict[str, int]]:
    """Wait until the session is ready; return a connection to it, and how often each process has failed so far."""
    try:
        connection = _connect(socket, background)
        _wait(connection, socket, timeout, settings)
        return connection, _deaths(_rows(connection))
    except NoSessionError:  # it may have listened before it found out that it cannot start
        limit = time.monotonic() + END_TIMEOUT
        while (code := background.code()) is None:
            if time.monotonic() > limit:
                raise
            time.sleep(CONNECT_RETRY_INTERVAL)
        with open(log, "rb") as file:
            sys.stderr.buffer.write(file.read())
        message = f"the processes could not be started (exit status {code}), so nothing was tested"
        raise NotReadyError(message, code) from None


def _connect(socket: str, background: Background) -> Connection:
    while True:
        found = find([socket], given=True)
        if found is not None:
            return Connection(found)
        if background.code() is not None:
            raise NoSessionError("the session has ended")
        time.sleep(CONNECT_RETRY_INTERVAL)


def _wait(connection: Connection, socket: str, timeout: object, settings: Settings) -> None:
    try:
        request_with_progress(socket, {"verb": "wait", "timeout": timeout}, "waiting for")
    except RefusedError as error:
        _show_failures(connection, settings)
        raise RefusedError(f"{error.message}; nothing was tested", "", error.exit_code) from None


def _variables(connection: Connection) -> dict[str, str]:
    """Return what the session has decided, which the processes themselves get, too: the checkout and the ports."""
    rows = _rows(connection)
    first = [row for row in rows if row["number"] == 1 and row["port"] is not None]
    checkout = {"PROCMAN_CHECKOUT": str(connection.request({"verb": "hello"})["checkout"])}
    return {**checkout, **port_variables({str(row["type"]): int(str(row["port"])) for row in first})}


def _finish(socket: str, code: int, before: dict[str, int], settings: Settings) -> int:
    """Stop the session. Return the command's exit code, but 1 if it is 0 and a process failed: ``before`` or since."""
    try:
        found = find([socket], given=True)
        if found is None:
            raise NoSessionError("the session has ended")
        connection = Connection(found)
        dead = [row for row in _rows(connection) if _died(row)]
        if code or dead:
            _show_failures(connection, settings)
        for row in dead:
            sys.stderr.write(f"procman: {_death(row, before)}\n")
        request_with_progress(socket, {"verb": "stop"}, "stopping")
    except (ProcmanError, OSError) as error:  # whatever happens to the session, the command's exit code is not lost
        sys.stderr.write(f"procman: the session did not last as long as the command: {error}\n")
        return code or FAILED
    return code or (FAILED if dead else 0)


def _rows(connection: Connection) -> list[Record]:
    rows = connection.request({"verb": "ps"})["instances"]
    assert isinstance(rows, list)
    return rows


def _deaths(rows: list[Record]) -> dict[str, int]:
    return {str(row["name"]): int(str(row["crashes"])) for row in rows}


def _died(row: Record) -> bool:
    """Return whether a process has failed in this session, even if it is running again."""
    return not row["can_die"] and bool(row["state"] in ("failed", "backoff") or row["crashes"])


def _death(row: Record, before: dict[str, int]) -> str:
    early = before.get(str(row["name"]), 0) > 0 and row["state"] not in ("failed", "backoff")
    how = f": {row['exit']}" if row["exit"] else ""
    return f"{row['name']} ended {'before it was ready' if early else 'while the command ran'}{how}"


def _show_failures(connection: Connection, settings: Settings) -> None:
    """Print the last lines of every process that failed or was restarted."""
    rows = _rows(connection)
    hints = launch_hints(rows, settings)
    for row in rows:
        if not _died(row) and not row["code"]:
            continue
        name = str(row["name"])
        sys.stderr.write(f"--- {name}: {row['exit'] or row['state']}\n")
        connection.send({"verb": "logs", "names": [name], "lines": LAST_LINES})
        for record, lines in connection.answers():
            if record.get("done"):
                break
            sys.stderr.buffer.write(guarded(lines) if sys.stderr.isatty() else lines)
        if name in hints:
            sys.stderr.write(f"hint: {hints[name]}\n")
    sys.stderr.flush()
