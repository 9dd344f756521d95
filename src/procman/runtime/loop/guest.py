"""Does nothing by itself: what a guest at the engine's table can do.

Control sockets, probes, a status line, systemd's notifications: each is a guest. The engine opens them, tells them what
happens, wakes them at their deadline and closes them; it never learns their names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procman.core.lifecycle.transitions import Instance
    from procman.runtime.system.poller import Poller

    class Guest(Protocol):
        """Whoever sits at the table, also one of another ring; see QuietGuest for what each call means."""

        def open(self, poller: Poller) -> None: ...
        def note(self, action: str, instance: Instance, now: float) -> None: ...
        def next_deadline(self) -> float | None: ...
        def tick(self, now: float) -> None: ...
        def close(self, now: float, code: int) -> None: ...


class QuietGuest:
    """Does nothing at every call; the others override what they care for. Times are seconds of the monotonic clock."""

    def open(self, poller: Poller) -> None:
        """The loop begins: descriptors may be added to its poller."""

    def note(self, action: str, instance: Instance, now: float) -> None:
        """Something happened to `instance`: one of the TELL actions, or PROBE."""

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest, or None."""
        return None

    def tick(self, now: float) -> None:
        """Called once a turn."""

    def close(self, now: float, code: int) -> None:
        """The run is over and nothing of it is left; `code` is what it ends with."""
