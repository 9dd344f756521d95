"""Asks: ``procman stop``: stop processes, or the session."""

from __future__ import annotations

from procman.cli.control.connection import extras, names, wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation


def ask(invocation: Invocation) -> int:
    """Stop what is named; without names everything."""
    wait = extras(invocation).get("wait", True)
    return wish(invocation, {"verb": "stop", "names": names(invocation), "wait": wait})
