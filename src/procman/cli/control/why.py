"""Asks: ``procman why``: the reason why a process is as it is."""

from __future__ import annotations

import sys

from procman.cli.control.connection import connect, extras, names, show_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation

_DOWN = ("backoff", "failed", "exited")


def ask(invocation: Invocation) -> int:
    """Say it for each instance that is named; without names for all."""
    answer = connect(invocation).ask({"verb": "why", "names": names(invocation)})
    rows = answer["instances"]
    assert isinstance(rows, list)
    for row in rows:
        row["why"] += _about_port(row)
    if extras(invocation).get("as_json"):
        show_json(rows)
    else:
        sys.stdout.writelines(f"{row['name']}: {row['why']}\n" for row in rows)
    return 0


def _about_port(row: Record) -> str:
    """Who has its port, for one that did not come up: looked up here, so that the session need not wait for it."""
    from procman.runtime.system.port_owner import busy_ports, owner

    port = row.get("port")
    if row["state"] not in _DOWN or not isinstance(port, int) or port not in busy_ports((port,)):
        return ""
    return f"; its port {port} is taken by {owner(port)}"
