"""Asks: ``procman events``: what happens to processes, as it happens."""

from __future__ import annotations

import sys
from datetime import datetime

from procman.cli.control.connection import accepted, connect, extras, names, show_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation


def ask(invocation: Invocation) -> int:
    """Show events until the session ends."""
    as_json = bool(extras(invocation).get("as_json"))
    connection = connect(invocation)
    connection.send({"verb": "events", "names": names(invocation)})
    connection.be_patient()
    for record, _ in connection.answers():
        if record.get("done"):
            accepted(record)
            return 0
        if as_json:
            show_json(record)
        elif "words" in record:
            here = datetime.fromisoformat(str(record["time"])).astimezone()
            sys.stdout.write(f"{here:%H:%M:%S} {record['words']}\n")
            sys.stdout.flush()
    return 0
