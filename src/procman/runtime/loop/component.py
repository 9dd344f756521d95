"""What the engine drives: components. They are opened, notified of events, woken at their deadlines, and closed.

The control socket, probes, the status line, systemd's notifications: each is a component. The engine does not know
them by name.
"""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import InstancePlan
    from procman.runtime.system.poller import Poller

    class Component(Protocol):
        """Anything that the engine can drive, even from another ring; QuietComponent explains each call."""

        def open(self, poller: Poller) -> None: ...
        def on_event(self, action: str, instance: Instance, now: float) -> None: ...
        def next_deadline(self) -> float | None: ...
        def tick(self, now: float) -> None: ...
        def is_timing(self) -> bool: ...
        def stand_still(self, seconds: float) -> None: ...
        def close(self, now: float, code: int) -> None: ...


class QuietComponent:
    """Does nothing at every call; subclasses override what they need. Times are seconds of the monotonic clock."""

    def open(self, poller: Poller) -> None:
        """The loop begins: descriptors may be added to its poller."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Something happened to `instance`: one of the TELL actions, or PROBE."""

    def next_deadline(self) -> float | None:
        """Return when `tick` must be called at the latest, or None."""
        return None

    def tick(self, now: float) -> None:
        """One turn of the loop is over."""

    def is_timing(self) -> bool:
        """Return whether the time that a process takes is being measured."""
        return False

    def stand_still(self, seconds: float) -> None:
        """Everything was suspended for that long: deadlines of processes move on."""

    def close(self, now: float, code: int) -> None:
        """The run is over and no child is left; `code` is its exit code."""


class OnRequest(QuietComponent):
    """Performs an action at the end of the turn in which it was requested, when no descriptor waits to be served."""

    def __init__(self, action: Callable[[Poller], None]) -> None:
        self._action = action
        self._requested = False
        self._poller: Poller | None = None

    def open(self, poller: Poller) -> None:
        """Remember the poller."""
        self._poller = poller

    def request(self) -> None:
        """Have the action performed in this turn."""
        self._requested = True

    def tick(self, now: float) -> None:
        """Perform the action, if it was requested."""
        if self._requested:
            assert self._poller is not None
            self._requested = False
            self._action(self._poller)


class LazyComponent(QuietComponent):
    """Creates its component with `make()` when the first instance that needs it starts.

    Files can be reloaded while a session runs, so it is not known at the start whether one will be needed.
    """

    def __init__(self, is_wanted: Callable[[InstancePlan], bool], make: Callable[[], Component]) -> None:
        self._is_wanted = is_wanted
        self._make = make
        self._component: Component | None = None
        self._poller: Poller | None = None

    def open(self, poller: Poller) -> None:
        """Remember the poller."""
        self._poller = poller

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Create the component if this instance is the first that needs it, then pass the event on."""
        if self._component is None and action == Action.ANNOUNCE_STARTED and self._is_wanted(instance.plan):
            assert self._poller is not None
            self._component = self._make()
            self._component.open(self._poller)
        if self._component is not None:
            self._component.on_event(action, instance, now)

    def next_deadline(self) -> float | None:
        """Return the component's deadline, once it exists."""
        return None if self._component is None else self._component.next_deadline()

    def tick(self, now: float) -> None:
        """See QuietComponent.tick."""
        if self._component is not None:
            self._component.tick(now)

    def is_timing(self) -> bool:
        """See QuietComponent.is_timing."""
        return self._component is not None and self._component.is_timing()

    def stand_still(self, seconds: float) -> None:
        """See QuietComponent.stand_still."""
        if self._component is not None:
            self._component.stand_still(seconds)

    def close(self, now: float, code: int) -> None:
        """See QuietComponent.close."""
        if self._component is not None:
            self._component.close(now, code)
