"""Asks: ``procman wait``: until processes are ready."""

from __future__ import annotations

from procman.cli.control.connection import extras, names, wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation

PATIENCE = 60.0  # seconds


def ask(invocation: Invocation) -> int:
    """Wait for what is named; without names for everything."""
    timeout = extras(invocation).get("patience", PATIENCE)
    return wish(invocation, {"verb": "wait", "names": names(invocation), "timeout": timeout})
