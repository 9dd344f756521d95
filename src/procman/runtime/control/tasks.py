"""Does: what takes longer than an answer: waits until instances are up or down, restarts them one by one, tells events.

A task is looked at when something has happened or its deadline has come; nothing is polled.
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

SETTLING = 0.5  # seconds that an instance without a readiness check must live to count as ready
TIMED_OUT = 124  # as timeout(1)
EXIT_NOT_DONE = 1


class Task:
    """What a client waits for; ``deadline`` is a time of the monotonic clock, or None."""

    deadline: float | None = None
    hindrances: Callable[[Instance], Sequence[str]] = staticmethod(lambda _instance: ())  # the session gives its own

    def __init__(self, client: Client) -> None:
        self.client = client
        client.task = self

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Something happened to an instance."""

    def check(self, now: float) -> bool:
        """Whether it is finished; then the client has been told."""
        return False

    def drop(self) -> None:
        """The client is gone, or the session is over."""


class Watch(Task):
    """Tells what happens to some instances; see its two kinds."""

    def __init__(self, client: Client, instances: Sequence[Instance], tells: bool = True) -> None:
        super().__init__(client)
        self.instances = list(instances)
        self._tells = tells

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Tell it to who waits."""
        if self._tells and instance in self.instances:
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})


class UntilDown(Watch):
    """Until all of them are at rest."""

    def check(self, now: float) -> bool:
        """See Task.check."""
        if any(instance.state not in DOWN for instance in self.instances):
            return False
        self.client.finish()
        return True


class UntilUp(Watch):
    """Until all of them are ready, or have done what they had to do; or until one of them never will be."""

    def __init__(
        self,
        client: Client,
        supervisor: Supervisor,
        instances: Sequence[Instance],
        timeout: float | None = None,
        tells: bool = True,
    ) -> None:
        super().__init__(client, instances, tells)
        self._supervisor = supervisor
        self._timeout = timeout
        self.deadline = None if timeout is None else clock.monotonic() + timeout

    def check(self, now: float) -> bool:
        """See Task.check."""
        lost = [f"{i.name}: {failure(i)}" for i in self.instances if is_lost(i)]
        missing = [i for i in self.instances if not is_up(i)]
        if lost:
            self.client.refuse("; ".join(lost), "procman logs shows what it said", EXIT_NOT_DONE, hang_up=False)
        elif not missing:
            self.client.finish()
        elif self._supervisor.stopping is not None:
            self.client.refuse("the session is stopping", "", EXIT_NOT_DONE, hang_up=False)
        elif self.deadline is not None and self.deadline <= now:
            names = ", ".join(instance.name for instance in missing[:8])
            words = f"not ready after {self._timeout:g} s: {names}"
            self.client.refuse(words, "procman why says what they wait for", TIMED_OUT, hang_up=False)
        else:
            return False
        return True


def is_up(instance: Instance) -> bool:
    """Ready, or ended as it should: a migration need not run for ever."""
    return instance.state == State.RUNNING or (
        instance.state == State.EXITED and instance.status is not None and _ended_well(instance)
    )


def is_lost(instance: Instance) -> bool:
    """Down, and not up again without somebody's wish."""
    return instance.state in DOWN and not is_up(instance)


def _ended_well(instance: Instance) -> bool:
    return instance.status is not None and instance.plan.restart.is_success(instance.status.shell_code)


class OneByOne(Watch):
    """Restarts them one after the other, each ready before the next; the first that fails ends it."""

    def __init__(self, client: Client, supervisor: Supervisor, instances: Sequence[Instance]) -> None:
        super().__init__(client, instances)
        self._supervisor = supervisor
        self._left = list(instances)
        self._current: Instance | None = None

    def check(self, now: float) -> bool:
        """See Task.check."""
        current = self._current
        if current is not None and (current.state == State.BACKOFF or is_lost(current)):
            words = f"{current.name}: {failure(current)}"
            if self._left:
                words += f"; left as they were: {', '.join(instance.name for instance in self._left)}"
            self.client.refuse(words, "", EXIT_NOT_DONE, hang_up=False)
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
        """Whether it is really up: of one without a readiness check it is only known that it did not die at once."""
        if current.plan.ready is not None or current.started is None or not self._left:
            return True
        self.deadline = current.started + SETTLING
        return self.deadline <= now


class UntilOver(Task):
    """Until the session is over; Control.close tells the end."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Tell who has stopped."""
        if action in (Action.TELL_STOPPED, Action.TELL_EXITED):
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})


class Events(Task):
    """Tells every event of the instances that are meant, until the client leaves."""

    def __init__(self, client: Client, names: Sequence[str]) -> None:
        super().__init__(client)
        self._names = names

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Tell it, unless the client is too slow; then say later how many it has missed."""
        if action == Action.PROBE or not is_meant(self._names, instance.name):
            return
        if self.client.full:
            self.client.skipped += 1
            return
        if self.client.skipped:
            self.client.send({"skipped": self.client.skipped})
            self.client.skipped = 0
        self.client.send(event_record(action, instance, now, utc(clock.time()), self.hindrances))
        if action == Action.TELL_STARTED and instance.state == State.RUNNING:  # there is no check to pass
            self.client.send(event_record(Action.TELL_READY, instance, now, utc(clock.time()), self.hindrances))


def is_meant(names: Sequence[str], name: str) -> bool:
    """Whether one of ``names`` means this instance; without names all are meant."""
    return not names or any(matches(pattern, name) for pattern in names)


class Scaled(UntilUp):
    """Until those who stay are up and those who leave are gone."""

    def __init__(
        self, client: Client, supervisor: Supervisor, kept: Sequence[Instance], leaving: Sequence[Instance]
    ) -> None:
        super().__init__(client, supervisor, kept)
        self._leaving = list(leaving)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Tell of those who leave as well."""
        super().on_event(action, instance, now)
        if instance in self._leaving:
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})

    def check(self, now: float) -> bool:
        """See Task.check."""
        return all(instance.state in DOWN for instance in self._leaving) and super().check(now)
