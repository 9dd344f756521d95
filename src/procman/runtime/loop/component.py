"""Does nothing until somebody is wanted at the engine's table: then it brings him, and passes everything on to him.

A plan can be read anew while it runs, so nobody knows at the start whether checks or watched files will be part of it.
"""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action
from procman.runtime.loop.guest import QuietGuest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.lifecycle.transitions import Instance
    from procman.core.planner import InstancePlan
    from procman.runtime.loop.guest import Guest
    from procman.runtime.system.poller import Poller


class Latecomer(QuietGuest):
    """A seat for whom ``make`` makes, taken when an instance starts whose plan wants him."""

    def __init__(self, is_wanted: Callable[[InstancePlan], bool], make: Callable[[], Guest]) -> None:
        self._is_wanted = is_wanted
        self._make = make
        self._guest: Guest | None = None
        self._poller: Poller | None = None

    def open(self, poller: Poller) -> None:
        """Remember the poller."""
        self._poller = poller

    def note(self, action: str, instance: Instance, now: float) -> None:
        """Bring him when it is time; then he is told."""
        if self._guest is None and action == Action.TELL_STARTED and self._is_wanted(instance.plan):
            assert self._poller is not None
            self._guest = self._make()
            self._guest.open(self._poller)
        if self._guest is not None:
            self._guest.note(action, instance, now)

    def next_deadline(self) -> float | None:
        """His, once he is here."""
        return None if self._guest is None else self._guest.next_deadline()

    def tick(self, now: float) -> None:
        """Called once a turn."""
        if self._guest is not None:
            self._guest.tick(now)

    def close(self, now: float, code: int) -> None:
        """The run is over."""
        if self._guest is not None:
            self._guest.close(now, code)
