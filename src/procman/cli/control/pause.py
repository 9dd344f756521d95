"""Asks: ``procman pause`` and ``procman resume``: processes stop where they are, and go on."""

from __future__ import annotations

from procman.cli.control.connection import names, wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation


def ask(invocation: Invocation) -> int:
    """Pause or resume what is named; without names everything."""
    return wish(invocation, {"verb": invocation.command, "names": names(invocation)})
