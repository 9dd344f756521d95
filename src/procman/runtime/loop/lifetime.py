"""Ends the session after the time that the user gave it (`--for 2h`)."""

from __future__ import annotations

import time

from procman.core.lifecycle.outcome import TIME_OVER
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor


class Lifetime(QuietComponent):
    """Stops everything once, ``seconds`` after it was made. Time in which the session is suspended counts."""

    def __init__(self, supervisor: Supervisor, seconds: float) -> None:
        self._supervisor = supervisor
        self._until: float | None = time.monotonic() + seconds

    def next_deadline(self) -> float | None:
        """Return the end of the session."""
        return self._until

    def tick(self, now: float) -> None:
        """Stop everything when the time is over."""
        if self._until is not None and self._until <= now:
            self._until = None
            self._supervisor.stop_all(TIME_OVER, now)
