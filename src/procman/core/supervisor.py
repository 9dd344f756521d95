"""Decides for many instances: start, stop, restart, when the run is over, and with which exit code.

Wishes and facts go in, together with the time; `take_actions` gives back what the engine shall do. The supervisor
never logs, waits or signals.
"""

from __future__ import annotations

from procman.core.lifecycle import DOWN, Action, Event, Fact, Instance, State, step
from procman.errors import (
    EXIT_CANNOT_EXECUTE,
    EXIT_HANGUP,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_OUTPUT_CLOSED,
    EXIT_TERMINATED,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procman.core.plan import InstancePlan
    from procman.core.status import ExitStatus

EXIT_RULES = ("all", "any", "failure", "never")


class Reason:
    """Why everything is stopped: words for the user, and the exit code that follows from it, if one does."""

    __slots__ = ("code", "words")

    def __init__(self, words: str, code: int | None = None) -> None:
        self.words = words
        self.code = code

    def __repr__(self) -> str:
        return f"Reason({self.words!r}, {self.code})"


INTERRUPTED = Reason("interrupted", EXIT_INTERRUPTED)
QUIT = Reason("quit", 131)  # 128 + SIGQUIT
TERMINATED = Reason("terminated", EXIT_TERMINATED)
HUNG_UP = Reason("terminal hung up", EXIT_HANGUP)
OUTPUT_CLOSED = Reason("nobody reads the output any more", EXIT_OUTPUT_CLOSED)
GUARDIAN_DIED = Reason("the guardian was killed", EXIT_TERMINATED)
ASKED = Reason("asked to stop", EXIT_OK)


class Supervisor:
    """The instances of one run, by name, in the Procfile's order.

    `exit_rule` says when one exit ends the run: ``all`` (nothing runs or will run), ``any`` (the first exit),
    ``failure`` (the first FAILED) or ``never``. `jitter` gives a factor around 1 for each backoff.
    """

    def __init__(
        self, plans: Iterable[InstancePlan], exit_rule: str = "all", jitter: Callable[[], float] = lambda: 1.0
    ) -> None:
        self.instances = {plan.name: Instance(plan) for plan in plans}
        self.exit_rule = exit_rule
        self.stopping: Reason | None = None
        self.stopped_in_time = True  # nothing had to be killed
        self.first_failure: Instance | None = None
        self._failure_code = EXIT_OK
        self._jitter = jitter
        self._held: set[str] = set()  # stopped by name: the user may start them again
        self._retiring: set[str] = set()  # to be forgotten when they are at rest
        self._actions: list[tuple[str, Instance]] = []
        self._deadline: float | None = None
        self._deadline_known = True

    # Wishes -----------------------------------------------------------------------------------------------------

    def start_all(self, now: float) -> None:
        """Bring up every instance."""
        self.wish(Event.START, self.instances.values(), now)

    def wish(self, event: str, instances: Iterable[Instance], now: float) -> None:
        """Apply START, STOP, KILL or RESTART to `instances`; once everything is stopping nothing starts any more."""
        if self.stopping and event in (Event.START, Event.RESTART):
            return
        for instance in list(instances):
            if event in (Event.START, Event.RESTART):
                self._held.discard(instance.name)
            self._step(instance, event, Fact(now))

    def stop_all(self, reason: Reason, now: float) -> None:
        """Freeze starts, cancel every backoff and ask all to stop; a second call changes nothing."""
        if self.stopping is None:
            self.stopping = reason
            self.wish(Event.STOP, self.instances.values(), now)

    def kill_all(self, reason: Reason, now: float) -> None:
        """Stop without grace."""
        self.stopping = self.stopping or reason
        self.stopped_in_time = False
        self.wish(Event.KILL, self.instances.values(), now)

    def hold(self, instances: Iterable[Instance], now: float) -> None:
        """Stop `instances` because the user said so by name: they stay his to start again, so the run goes on."""
        chosen = list(instances)
        self._held.update(instance.name for instance in chosen)
        self.wish(Event.STOP, chosen, now)

    def add(self, plans: Iterable[InstancePlan], now: float) -> list[Instance]:
        """Bring up what `plans` say: new instances, and those that are here already; returns them."""
        chosen = [self.instances.setdefault(plan.name, Instance(plan)) for plan in plans]
        self._retiring.difference_update(instance.name for instance in chosen)
        self.wish(Event.START, chosen, now)
        return chosen

    def retire(self, instances: Iterable[Instance], now: float) -> None:
        """Stop `instances` and forget each as soon as it is at rest."""
        chosen = list(instances)
        self._retiring.update(instance.name for instance in chosen)
        self.wish(Event.STOP, chosen, now)
        for instance in chosen:
            self._forget_retired(instance)

    # Facts ------------------------------------------------------------------------------------------------------

    def spawned(self, instance: Instance, pid: int, now: float) -> None:
        """A life began."""
        self._step(instance, Event.SPAWNED, Fact(now, pid=pid))

    def spawn_failed(self, instance: Instance, reason: str, status: ExitStatus | None, now: float) -> None:
        """It could not be spawned; `status` is None when trying again may help."""
        self._step(instance, Event.SPAWN_FAILED, Fact(now, reason=reason, status=status, jitter=self._jitter()))

    def ready(self, instance: Instance, now: float) -> None:
        """Its readiness check passed."""
        self._step(instance, Event.READY, Fact(now))

    def exited(self, instance: Instance, status: ExitStatus, now: float) -> None:
        """A life ended, all its output is read and nothing of it is left."""
        unasked = instance.state != State.STOPPING
        self._step(instance, Event.EXITED, Fact(now, status=status, jitter=self._jitter()))
        if unasked and self.exit_rule == "any" and self.stopping is None:
            self._note_failure(instance, status.shell_code)
            self.stop_all(Reason(f"{instance.name} {status.words()}"), now)

    def tick(self, now: float) -> None:
        """Let every deadline that has passed take effect."""
        due = self.next_deadline()
        if due is None or due > now:
            return
        for instance in list(self.instances.values()):
            if instance.deadline is not None and instance.deadline <= now:
                self._step(instance, Event.TIMEOUT, Fact(now))

    # Questions --------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """The nearest deadline of all instances, or None. Remembered until something happens."""
        if not self._deadline_known:
            deadlines = [i.deadline for i in self.instances.values() if i.deadline is not None]
            self._deadline = min(deadlines, default=None)
            self._deadline_known = True
        return self._deadline

    def take_actions(self) -> list[tuple[str, Instance]]:
        """The actions decided since the last call, in order."""
        actions, self._actions = self._actions, []
        return actions

    @property
    def settled(self) -> bool:
        """Whether the run is over: all are at rest, and the exit rule lets it end."""
        if self._actions or any(i.state not in DOWN for i in self.instances.values()):
            return False
        return self.stopping is not None or not (self.exit_rule == "never" or self._held or not self.instances)

    @property
    def waiting_for(self) -> list[Instance]:
        """Who has not stopped yet."""
        return [i for i in self.instances.values() if i.state not in DOWN]

    @property
    def exit_code(self) -> int:
        """What the run ends with: the reason's code where the user ended it, else the first failure's."""
        if self.stopping is None or self.stopping.code is None:
            return self._failure_code
        if self.stopping is TERMINATED and self.stopped_in_time:
            return EXIT_OK
        return self.stopping.code

    # The inside -------------------------------------------------------------------------------------------------

    def _step(self, instance: Instance, event: str, fact: Fact) -> None:
        actions = step(instance, event, fact)
        self._deadline_known = False
        for action in actions:
            self._actions.append((action, instance))
            if action == Action.KILL:
                self.stopped_in_time = False
            elif action == Action.TELL_FAILED:
                self._failed(instance, fact)
        self._forget_retired(instance)

    def _forget_retired(self, instance: Instance) -> None:
        if instance.name in self._retiring and instance.state in DOWN:
            self._retiring.discard(instance.name)
            self._held.discard(instance.name)
            del self.instances[instance.name]

    def _failed(self, instance: Instance, fact: Fact) -> None:
        self._note_failure(instance, instance.status.shell_code if instance.status else EXIT_CANNOT_EXECUTE)
        if self.exit_rule in ("failure", "any"):
            self.stop_all(Reason(f"{instance.name} failed"), fact.now)

    def _note_failure(self, instance: Instance, code: int) -> None:
        if self.first_failure is None and self.stopping is None and code != EXIT_OK:
            self.first_failure = instance
            self._failure_code = code
