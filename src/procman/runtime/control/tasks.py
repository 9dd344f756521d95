"""Requests that take time: wait until instances are up or down, restart them one by one, send events.

A task is checked after an event and at its deadline. Nothing is polled.
"""

from __future__ import annotations

import time as clock

from procman.core.lifecycle.transitions import DOWN, Action, Event, State
from procman.core.procfile.selection import matches
from procman.output.messages.sentences import event_record, failure, losses, sentence
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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

    def end(self, code: int) -> None:
        """Send the last record: the session is over, and its exit code is ``code``."""
        self.client.finish({"over": True, "exit": code})

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
    """Waits until all instances are down, or until another request wants one of them up."""

    def check(self, now: float) -> bool:
        """See Task.check."""
        if again := started_again(self.instances):
            self.client.refuse(again, "", EXIT_NOT_DONE, hang_up=False)
        elif all(instance.state in DOWN for instance in self.instances):
            self.client.finish()
        else:
            return False
        return True


class UntilUp(Watch):
    """Waits until all instances are ready or have completed successfully, or until one of them never will.

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
        self._until = self.deadline = None if timeout is None else clock.monotonic() + timeout

    def check(self, now: float) -> bool:
        """See Task.check."""
        if self._supervisor.stopping is not None:
            self.refuse("the session is stopping", "", EXIT_NOT_DONE)
        elif obstacles := self._obstacles():
            died = any(is_lost(one) and not is_stopped(one) for one in self.instances)
            hint = "procman logs shows its output" if died else ""
            self.refuse(obstacles, hint, EXIT_NOT_DONE)
        elif not (missing := [i for i in self.instances if not is_up(i, now)]):
            return self.finish()
        elif self._until is not None and self._until <= now:
            names = ", ".join(instance.name for instance in missing[:MAX_NAMES_SHOWN])
            message = f"not ready after {self._timeout:g} s: {names}"
            self.refuse(message, "procman why shows what they are waiting for", EXIT_TIMED_OUT)
        else:
            times = (self._until, *map(settled_at, missing))
            self.deadline = min((time for time in times if time is not None), default=None)
            return False
        return True

    def refuse(self, message: str, hint: str, code: int) -> None:
        """Send the last record: they are not up, or never will be."""
        self.client.refuse(message, hint, code, hang_up=False)

    def finish(self) -> bool:
        """Send the last record: all instances are up. Return whether that was possible."""
        self.client.finish()
        return True

    def end(self, code: int) -> None:
        """See Task.end: what should be up is not."""
        self.refuse("the session has ended", "", EXIT_NOT_DONE)

    def _obstacles(self) -> str:
        """Return all obstacles as a sentence, each root cause once."""
        found = {one: words for one in self.instances if (words := self.obstacle(one))}
        lost = [one for one, words in found.items() if words == f"{one.name}: {failure(one)}"]
        others = [words for one, words in found.items() if one not in lost]
        return "; ".join([*([losses(lost)] if lost else []), *others])

    def obstacle(self, instance: Instance) -> str:
        """Return why an instance will not be up unless another request helps, as a clause; empty if it may be."""
        if self._supervisor.instances.get(instance.name) is not instance:
            return f"another request scaled {instance.name} away"
        if self._supervisor.is_paused(instance):
            return f"{instance.name} is paused; `procman resume {instance.name}` resumes it"
        if instance.state == State.WAITING and instance.held_up:
            return f"{instance.name} is waiting because {'; '.join(self.hindrances(instance))}"
        if is_stopped(instance):
            return f"another request stopped {instance.name}"
        return f"{instance.name}: {failure(instance)}" if is_lost(instance) else ""


def started_again(instances: Iterable[Instance]) -> str:
    """Return a sentence if another request wants some of the instances up; empty if none does."""
    names = [instance.name for instance in instances if instance.wanted]
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    verb = "was" if len(names) == 1 else "were"
    return f"{', '.join(names[:MAX_NAMES_SHOWN])}{more} {verb} started again by another request" if names else ""


def is_up(instance: Instance, now: float) -> bool:
    """Return whether it is ready or has completed successfully: a migration does not run forever.

    Without a readiness check, the only evidence of readiness is that it does not die right away.
    """
    if instance.state == State.RUNNING:
        settled = settled_at(instance)
        return settled is None or settled <= now
    return has_completed(instance)


def settled_at(instance: Instance) -> float | None:
    """Return when it counts as ready, if nothing but the time is missing."""
    if instance.state != State.RUNNING or instance.plan.ready is not None or instance.started is None:
        return None
    return instance.started + SETTLING_TIME


def has_completed(instance: Instance) -> bool:
    """Return whether it has ended by itself, successfully. A process with a readiness check is not meant to end."""
    status = instance.status
    if instance.state != State.EXITED or instance.stopped or instance.plan.ready is not None or status is None:
        return False
    return instance.plan.restart.is_success(status.shell_code)


def has_to_be_up(instance: Instance) -> bool:
    """Return whether it must be up without being named: it starts with the session, or has been started by name.

    What runs by the clock need not be.
    """
    plan = instance.plan
    return plan.autostart or (plan.schedule is None and (instance.wanted or instance.started is not None))


def is_stopped(instance: Instance) -> bool:
    """Return whether it is down, or about to be, because a request stopped it."""
    return (instance.state == State.STOPPING and not instance.wanted) or (
        instance.state == State.EXITED and (instance.stopped or (instance.held and not has_completed(instance)))
    )


def is_lost(instance: Instance) -> bool:
    """Return whether it is down and will stay down until someone starts it."""
    return instance.state in DOWN and not has_completed(instance)


class OneByOne(UntilUp):
    """Restarts instances one by one, each ready before the next. The first that fails ends the task."""

    def __init__(self, client: Client, supervisor: Supervisor, instances: Sequence[Instance]) -> None:
        super().__init__(client, supervisor, instances)
        self._left = list(instances)
        self._down = {instance for instance in instances if not instance.wanted}
        self._current: Instance | None = None

    def check(self, now: float) -> bool:
        """See Task.check."""
        if self._supervisor.stopping is not None:
            self.client.refuse("the session is stopping", "", EXIT_NOT_DONE, hang_up=False)
            return True
        current = self._current
        if current is not None:
            if message := self._failure_of(current):
                return self._give_up(message)
            if not is_up(current, now):
                self.deadline = settled_at(current)
                return False
        if not self._left:
            return self.finish()
        if message := self._contradiction(self._left[0]):
            return self._give_up(message)
        self._current = self._left.pop(0)
        self._supervisor.wish(Event.RESTART, [self._current], now)
        return False

    def _failure_of(self, current: Instance) -> str:
        crashed = current.state == State.BACKOFF
        return f"{current.name}: {failure(current)}" if crashed else self.obstacle(current)

    def _contradiction(self, coming: Instance) -> str:
        """Return why the next one is not restarted: it was stopped or scaled away since the request."""
        gone = self._supervisor.instances.get(coming.name) is not coming
        stopped = is_stopped(coming) and coming not in self._down
        return self.obstacle(coming) if gone or stopped else ""

    def _give_up(self, message: str) -> bool:
        if self._left:
            message += f"; not restarted: {', '.join(instance.name for instance in self._left)}"
        self.client.refuse(message, "", EXIT_NOT_DONE, hang_up=False)
        return True


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
        if again := started_again(self._leaving):
            self.client.refuse(again, "", EXIT_NOT_DONE, hang_up=False)
            return True
        return super().check(now)

    def finish(self) -> bool:
        """See UntilUp.finish."""
        return all(instance.state in DOWN for instance in self._leaving) and super().finish()
