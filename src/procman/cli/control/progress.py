"""Shows on stderr, if that is a terminal, what a command is waiting for."""

from __future__ import annotations

import os
import select
import sys
import time

from procman.cli.control.connection import Connection, NoSessionError, require_success
from procman.core.lifecycle.transitions import State
from procman.core.text.printable import printable
from procman.core.text.values import format_duration
from procman.errors import ProcmanError
from procman.runtime.control.endpoint import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record

INTERVAL = 0.5  # seconds between two looks at what is missing
CLEAR = "\r\x1b[K"
MAX_NAMES = 5
_AT_REST = (State.RUNNING, State.EXITED)


def request_with_progress(socket: str, record: Record, verb: str) -> Record:
    """Send a request that takes time to the session at ``socket``, and return the last record of its answer.

    While it lasts, a line on the terminal says what is ``verb`` ("waiting for"). Raises RefusedError, NoSessionError.
    """
    connection = _connection(socket)
    if not (sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"):
        return connection.request(record, unlimited=True)
    connection.send(record)
    began = time.monotonic()
    try:
        while (answer := _last_record(connection)) is None:
            _show(f"procman: {verb} {_missing(socket)} ({format_duration(time.monotonic() - began)})")
    finally:
        _show("")
    return require_success(answer)


def _connection(socket: str) -> Connection:
    found = find([socket], given=True)
    if found is None:
        raise NoSessionError("the session has ended")
    return Connection(found)


def _last_record(connection: Connection) -> Record | None:
    """Return the last record of the answer, or None if it has not arrived within the interval."""
    end = time.monotonic() + INTERVAL
    while True:
        while (complete := connection.pop()) is not None:
            if complete[0].get("done"):
                return complete[0]
        left = end - time.monotonic()
        if left <= 0 or not select.select([connection], [], [], left)[0]:
            return None
        if not connection.receive():
            raise NoSessionError("the session has ended")


def _missing(socket: str) -> str:
    """Return the instances that are on their way up or down, and what the first of them says about it."""
    try:
        rows = _connection(socket).request({"verb": "why"})["instances"]
    except ProcmanError:
        return "the session"
    assert isinstance(rows, list)
    missing = [row for row in rows if row["state"] not in _AT_REST] or [row for row in rows if row["pid"]]
    names = ", ".join(str(row["name"]) for row in missing[:MAX_NAMES])
    more = f" and {len(missing) - MAX_NAMES} more" if len(missing) > MAX_NAMES else ""
    return f"{names}{more}: {missing[0]['why']}" if missing else "the session"


def _show(text: str) -> None:
    try:
        columns = os.get_terminal_size(2).columns or 80
    except OSError:
        columns = 80
    text = printable(text)
    text = text if len(text) < columns else f"{text[: columns - 2]}…"
    sys.stderr.flush()
    sys.stderr.buffer.write(f"{CLEAR}{text}".encode("utf-8", "replace"))  # as text, the escape would be made visible
    sys.stderr.buffer.flush()
