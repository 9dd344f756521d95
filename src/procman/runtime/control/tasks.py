"""Requests that take time: wait until instances are up or down, restart them one by one, send events.

A task is checked after an event and at its deadline. Nothing is polled.
"""

from __future__ import annotations

import time as clock

from procman.core.lifecycle.transitions import DOWN, Action, Event, State
from procman.core.procfile.selection import matches
from procman.output.messages.sentences import event_record, failure, sentence
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.runtime.control.client import Client

SETTLING_TIME = 0.5  # seconds that an instance without a readiness check must live to count as ready
EXIT_TIMED_OUT = 124  # as timeout(1)
EXIT_NOT_DONE = 1
MAX_NAMES_SHOWN = 8


class Task:
    """What a client waits for. ``deadline`` is a time of the monotonic clock in seconds, or None."""

    deadline: float | None = None
    hindrances: Callable[[Instance], Sequence[str]] = staticmethod(lambda _instance: ())  # the session gives its own

    def __init__(self, client: Client) -> None:
        self.client = client
        client.task = self

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Note an event of an instance."""

    def check(self, now: float) -> bool:
        """Return whether the task is finished. If so, it has sent the client the last record."""
        return False

    def drop(self) -> None:
        """Clean up: the client is gone, or the session is over."""


class Watch(Task):
    """Sends the client a sentence for each event of some instances, if ``announces``."""

    def __init__(self, client: Client, instances: Sequence[Instance], announces: bool = True) -> None:
        super().__init__(client)
        self.instances = list(instances)
        self._announces = announces

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Send the sentence of the event."""
        if self._announces and instance in self.instances:
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})


class UntilDown(Watch):
    """Waits until all instances are down."""

    def check(self, now: float) -> bool:
        """See Task.check."""
        if any(instance.state not in DOWN for instance in self.instances):
            return False
        self.client.finish()
        return True


class UntilUp(Watch):
    """Waits until all instances are ready or have ended successfully, or until one of them never will.

    ``timeout`` is in seconds.
    """

    def __init__(
        self,
        client: Client,
        supervisor: Supervisor,
        instances: Sequence[Instance],
        timeout: float | None = None,
        announces: bool = True,
    ) -> None:
        super().__init__(client, instances, announces)
        self._supervisor = supervisor
        self._timeout = timeout
        self.deadline = None if timeout is None else clock.monotonic() + timeout

    def check(self, now: float) -> bool:
        """See Task.check."""
        lost = [f"{i.name}: {failure(i)}" for i in self.instances if is_lost(i)]
        missing = [i for i in self.instances if not is_up(i)]
        if lost:
            self.client.refuse("; ".join(lost), "procman logs shows its output", EXIT_NOT_DONE, hang_up=False)
        elif not missing:
            self.client.finish()
        elif self._supervisor.stopping is not None:
            self.client.refuse("the session is stopping", "", EXIT_NOT_DONE, hang_up=False)
        elif self.deadline is not None and self.deadline <= now:
            names = ", ".join(instance.name for instance in missing[:MAX_NAMES_SHOWN])
            message = f"not ready after {self._timeout:g} s: {names}"
            self.client.refuse(message, "procman why shows what they are waiting for", EXIT_TIMED_OUT, hang_up=False)
        else:
            return False
        return True


def is_up(instance: Instance) -> bool:
    """Return whether it is ready or has ended successfully: a migration does not run forever."""
    return instance.state == State.RUNNING or (
        instance.state == State.EXITED and instance.status is not None and _ended_well(instance)
    )


def is_lost(instance: Instance) -> bool:
    """Return whether it is down and will stay down until someone starts it."""
    return instance.state in DOWN and not is_up(instance)


def _ended_well(instance: Instance) -> bool:
    return instance.status is not None and instance.plan.restart.is_success(instance.status.shell_code)


class OneByOne(Watch):
    """Restarts instances one by one, each ready before the next. The first that fails ends the task."""

    def __init__(self, client: Client, supervisor: Supervisor, instances: Sequence[Instance]) -> None:
        super().__init__(client, instances)
        self._supervisor = supervisor
        self._left = list(instances)
        self._current: Instance | None = None

    def check(self, now: float) -> bool:
        """See Task.check."""
        current = self._current
        if current is not None and (current.state == State.BACKOFF or is_lost(current)):
            message = f"{current.name}: {failure(current)}"
            if self._left:
                message += f"; not restarted: {', '.join(instance.name for instance in self._left)}"
            self.client.refuse(message, "", EXIT_NOT_DONE, hang_up=False)
            return True
        if self._supervisor.stopping is not None:
            self.client.refuse("the session is stopping", "", EXIT_NOT_DONE, hang_up=False)
            return True
        if current is not None and not (is_up(current) and self._has_settled(current, now)):
            return False
        if not self._left:
            self.client.finish()
            return True
        self._current = self._left.pop(0)
        self.deadline = None
        self._supervisor.wish(Event.RESTART, [self._current], now)
        return False

    def _has_settled(self, current: Instance, now: float) -> bool:
        """Return whether it has been up for long enough.

        Without a readiness check the only evidence of readiness is that it does not die right away.
        """
        if current.plan.ready is not None or current.started is None or not self._left:
            return True
        self.deadline = current.started + SETTLING_TIME
        return self.deadline <= now


class UntilOver(Task):
    """Waits until the session is over. ``Session.close`` sends the last record."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Send a sentence for each instance that has stopped."""
        if action in (Action.ANNOUNCE_STOPPED, Action.ANNOUNCE_EXITED):
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})


class Events(Task):
    """Sends every event of the named instances, until the client leaves."""

    def __init__(self, client: Client, names: Sequence[str]) -> None:
        super().__init__(client)
        self._names = names

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Send the event, or count it as skipped if the client reads too slowly."""
        if action == Action.PROBE or not is_meant(self._names, instance.name):
            return
        if self.client.full:
            self.client.skipped += 1
            return
        self.client.report_skipped()
        self.client.send(event_record(action, instance, now, utc(clock.time()), self.hindrances))
        if action == Action.ANNOUNCE_STARTED and instance.state == State.RUNNING:  # it has no readiness check to pass
            self.client.send(event_record(Action.ANNOUNCE_READY, instance, now, utc(clock.time()), self.hindrances))


def is_meant(names: Sequence[str], name: str) -> bool:
    """Return whether one of ``names`` means this instance. Without names every instance is meant."""
    return not names or any(matches(pattern, name) for pattern in names)


class Scaled(UntilUp):
    """Waits until the remaining instances are up and the leaving ones are down."""

    def __init__(
        self, client: Client, supervisor: Supervisor, kept: Sequence[Instance], leaving: Sequence[Instance]
    ) -> None:
        super().__init__(client, supervisor, kept)
        self._leaving = list(leaving)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Send the sentences of the leaving instances, too."""
        super().on_event(action, instance, now)
        if instance in self._leaving:
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})

    def check(self, now: float) -> bool:
        """See Task.check."""
        return all(instance.state in DOWN for instance in self._leaving) and super().check(now)
