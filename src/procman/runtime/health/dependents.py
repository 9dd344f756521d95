"""Restarts the instances whose dependency has been restarted, if their overlay says ``restart = true``."""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action, Event, State
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub

_UP = (State.STARTING, State.RUNNING)


class Dependents(QuietComponent):
    """The restarts that follow from others.

    It exists from the moment when the first dependent has started. Its dependencies were up by then, so an instance
    that starts now for the first time is one more, as after `scale`, and restarts nothing.
    """

    def __init__(self, supervisor: Supervisor, hub: Hub) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._known = {one.name for one in supervisor.instances.values() if one.started is not None}
        self._renewed: dict[str, Instance] = {}  # a type, and its instance that has started last
        self._due: float | None = None

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Note that an instance has a new life. Each event may be the one that a restart waits for."""
        if action == Action.ANNOUNCE_STARTED:
            if instance.name in self._known:
                self._renewed[instance.plan.type] = instance
            self._known.add(instance.name)
        if self._renewed:
            self._due = now

    def next_deadline(self) -> float | None:
        """Return the time of the last event, if it has not been acted upon."""
        return self._due

    def tick(self, now: float) -> None:
        """Restart the dependents whose dependencies are all up again."""
        if self._due is None:
            return
        self._due = None
        for type_, cause in list(self._renewed.items()):
            left = [one for one in self._supervisor.instances.values() if self._is_older(one, cause)]
            due = [one for one in left if not self._supervisor.hindrances(one)]
            if len(due) == len(left):
                del self._renewed[type_]
            for one in due:
                self._hub.announce(f"{one.name} restarts, because {cause.name} was restarted")
            self._supervisor.wish_by_itself(Event.RESTART, due, now)

    def _is_older(self, one: Instance, cause: Instance) -> bool:
        """Return whether an instance depends on the type of ``cause``, and its life began before that of ``cause``."""
        if one.state not in _UP or one.started is None or cause.started is None or one.started >= cause.started:
            return False
        wants = any(needed.restart and needed.type == cause.plan.type for needed in one.plan.depends_on)
        return wants and self._supervisor.may_restart_by_itself(one)
