"""Requests to the session that change something or take a while: each has a connection and a thread of its own."""

from __future__ import annotations

import threading

from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procman.cli.control.connection import Connection, Record

CARD_LINES = 20


def in_background(work: Callable[[], None], report: Callable[[str], None]) -> None:
    """Do some work in a thread; its error, if there is one, goes to ``report``."""

    def run() -> None:
        try:
            work()
        except ProcmanError as error:
            report(f"{error.message}; {error.hint}" if error.hint else error.message)
        except (OSError, AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
            report(f"that did not work: {error!r}")

    threading.Thread(target=run, name="session-request", daemon=True).start()


def perform(find: Callable[[], Connection], record: Record, on_message: Callable[[str], None]) -> None:
    """Send a request and wait for its end; what the session says goes to ``on_message``. Raises ProcmanError."""
    connection = find()
    try:
        connection.request(record, on_message, unlimited=True)
    finally:
        connection.close()


def explain(find: Callable[[], Connection], names: Sequence[str]) -> list[str]:
    """Return why these instances are in their states, and of a single one its latest lines. Raises ProcmanError."""
    from procman.cli.control.log_query import Query
    from procman.cli.control.log_source import live_output
    from procman.cli.tui.log_text import plain

    connection = find()
    try:
        rows = connection.request({"verb": "why", "names": list(names)})["instances"]
        assert isinstance(rows, list)
        card = [f"{row['name']}: {row['why']}" for row in rows]
        if len(rows) == 1:
            query = Query(list(names))
            query.lines = CARD_LINES
            lines = [line for _, lines in live_output(connection, query) for line in lines[:-1].split(b"\n")]
            card += ["", *(plain(line) for line in lines[-CARD_LINES:])]
        return card
    finally:
        connection.close()
