"""Asks: ``procman signal``: a signal to the programs."""

from __future__ import annotations

from procman.cli.control.connection import wish
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation


def ask(invocation: Invocation) -> int:
    """Send the signal of the first word to those of the others."""
    if len(invocation.words) < 2:
        raise UsageError("which signal, and to whom?", "as in: procman signal USR1 web")
    return wish(invocation, {"verb": "signal", "text": invocation.words[0], "names": list(invocation.words[1:])})
