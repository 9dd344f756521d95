"""Asks: ``procman scale``: more or fewer instances of a process type."""

from __future__ import annotations

from procman.cli.control.connection import extras, wish
from procman.core.procfile.formation import flatten
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation


def ask(invocation: Invocation) -> int:
    """Change counts: ``web=3``, ``worker+1``, ``web-1``."""
    changes = flatten(invocation.words)
    if not changes:
        raise UsageError("scale what?", "as in: procman scale web=3 worker+1")
    wait = extras(invocation).get("wait", True)
    return wish(invocation, {"verb": "scale", "names": changes, "wait": wait})
