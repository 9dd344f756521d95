"""Names the processes that a killed session left behind."""

from __future__ import annotations

import time

from procman.runtime.guardian.leftovers import find_leftovers
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.runtime.system.poller import Poller

MAX_SHOWN = 5  # leftovers that `start` names
DELAY = 0.1  # seconds after the start until the look: not before the children are up


class LeftoverNotice(QuietComponent):
    """Names leftovers once, soon after the start: one of them may hold a port that an instance needs."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._due: float | None = None

    def open(self, poller: Poller) -> None:
        """Start the delay."""
        self._due = time.monotonic() + DELAY

    def next_deadline(self) -> float | None:
        """Return when to look; None once that is done."""
        return self._due

    def tick(self, now: float) -> None:
        """Look, and announce what was found."""
        if self._due is None or self._due > now:
            return
        self._due = None
        found = find_leftovers()
        if found:
            more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
            names = ", ".join(map(str, found[:MAX_SHOWN]))
            self._announce(
                f"warning: left over from a session that was killed: {names}{more}; `procman prune` ends them"
            )
