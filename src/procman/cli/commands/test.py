"""``procman test``: start everything, run one command, stop everything, and return the command's exit status."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time

from procman.cli.commands.run import run
from procman.cli.control.connection import Connection, RefusedError, own_options
from procman.cli.options.option import Invocation
from procman.cli.options.precedence import settle
from procman.errors import ProcmanError
from procman.output.sanitize.sanitizer import guarded
from procman.runtime.control.endpoint import find
from procman.runtime.guardian.background import Background

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.core.model.settings import Settings

READY_TIMEOUT = 60.0  # seconds until every process must be ready
LAST_LINES = 40  # of a failed process
CONNECT_RETRY_INTERVAL = 0.01  # seconds, until the session listens


class NotReadyError(ProcmanError):
    """The processes did not become ready, so the command was not run."""

    exit_code = 1


def perform(invocation: Invocation) -> int:
    """Start a session in the background, wait until it is ready, run the command, stop the session."""
    timeout = own_options(invocation).get("ready_timeout", READY_TIMEOUT)
    folder = tempfile.mkdtemp(prefix="procman-test-")
    socket, log = f"{folder}/sock", f"{folder}/log"
    settings = _settings(invocation, socket)
    background = Background(lambda: _start(settings), log)
    try:
        connection = _connect(socket, background, log)
        _wait(connection, timeout)
        code = run(settings, invocation.words, _ports(connection))
        _stop(socket, code)
        return code
    finally:
        background.end()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(invocation: Invocation, socket: str) -> Settings:
    """Return the settings of a session with a private socket that keeps running whichever process exits."""
    given = {option: texts for option, texts in invocation.given.items() if option.setting != "ready_timeout"}
    settings = settle(Invocation(invocation.command, given, ()))
    return settings.but(socket=socket, control=True, exit="never", color=False, status=False, pty=False)


def _start(settings: Settings) -> int:
    from procman.cli.commands.start import start
    from procman.cli.failures import safely
    from procman.runtime.guardian.guardian import guarded

    return guarded(lambda: safely(lambda: start(settings)), settings.guardian)


def _connect(socket: str, background: Background, log: str) -> Connection:
    while True:
        found = find([socket], given=True)
        if found is not None:
            return Connection(found)
        code = background.code()
        if code is not None:
            with open(log, "rb") as file:
                sys.stderr.buffer.write(file.read())
            raise NotReadyError(f"the processes could not be started (exit status {code}), so nothing was tested")
        time.sleep(CONNECT_RETRY_INTERVAL)


def _wait(connection: Connection, timeout: object) -> None:
    try:
        connection.request({"verb": "wait", "timeout": timeout}, unlimited=True)
    except RefusedError as error:
        _show_failures(connection)
        raise RefusedError(f"{error.message}; so nothing was tested", "", error.exit_code) from None


def _ports(connection: Connection) -> dict[str, str]:
    """Return the variables with the processes' ports, which the processes themselves get, too."""
    rows = _rows(connection)
    first = [row for row in rows if row["number"] == 1 and row["port"] is not None]
    return {f"PROCMAN_{str(row['type']).upper().replace('-', '_')}_PORT": str(row["port"]) for row in first}


def _stop(socket: str, code: int) -> None:
    found = find([socket], given=True)
    if found is None:
        return
    connection = Connection(found)
    if code:
        _show_failures(connection)
    connection.request({"verb": "stop"}, unlimited=True)


def _rows(connection: Connection) -> list[Record]:
    rows = connection.request({"verb": "ps"})["instances"]
    assert isinstance(rows, list)
    return rows


def _show_failures(connection: Connection) -> None:
    """Print the last lines of every process that failed or was restarted."""
    for row in _rows(connection):
        if row["state"] not in ("failed", "backoff") and not row["restarts"] and not row["code"]:
            continue
        sys.stderr.write(f"--- {row['name']}: {row['exit'] or row['state']}\n")
        connection.send({"verb": "logs", "names": [row["name"]], "lines": LAST_LINES})
        for record, lines in connection.answers():
            if record.get("done"):
                break
            sys.stderr.buffer.write(guarded(lines) if sys.stderr.isatty() else lines)
    sys.stderr.flush()
