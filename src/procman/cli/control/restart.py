"""Asks: ``procman restart``: stop and start again, all at once or one by one."""

from __future__ import annotations

from procman.cli.control.connection import extras, names, wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation


def ask(invocation: Invocation) -> int:
    """Restart what is named; without names everything."""
    given = extras(invocation)
    record = {"verb": "restart", "names": names(invocation), "wait": given.get("wait", True)}
    return wish(invocation, {**record, "rolling": bool(given.get("rolling"))})
