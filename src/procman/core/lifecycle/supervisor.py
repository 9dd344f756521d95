"""Decides for many instances: start, stop, restart, when the run is over, and with which exit code.

Wishes and facts go in, together with the time; `take_actions` gives back what the engine shall do. The supervisor
never logs, waits or signals.
"""

from __future__ import annotations

from procman.core.lifecycle.instance import sort_instances
from procman.core.lifecycle.outcome import Outcome, Reason, failure_code
from procman.core.lifecycle.transitions import DOWN, Action, Event, Fact, Instance, State, step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procman.core.lifecycle.order import Order
    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus


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
        self.outcome = Outcome()
        self._jitter = jitter
        self._order: Order | None = None
        self._changed: list[Instance] = []  # whose news those who wait for them have not heard yet
        self._later: dict[str, float] = {}  # to be stopped when nobody uses them any more, or then at the latest
        self._until: float | None = None  # when the last of a shutdown in order is killed
        self._held: set[str] = set()  # stopped by name: the user may start them again
        self._paused: dict[str, int] = {}  # instance → the pid that was paused
        self._retiring: set[str] = set()  # to be forgotten when they are at rest
        self._actions: list[tuple[str, Instance]] = []
        self._deadline: float | None = None
        self._deadline_known = True
        self._note_dependencies(self.instances.values())

    def _note_dependencies(self, instances: Iterable[Instance]) -> None:
        """Learn what they depend on. Nothing is imported or looked at where nothing depends on anything."""
        types = {dependency.type for instance in instances for dependency in instance.plan.depends_on}
        if types and self._order is None:
            from procman.core.lifecycle.order import Order

            self._order = Order(self.instances)
        if self._order is not None:
            self._order.needed_types |= types

    # Wishes -----------------------------------------------------------------------------------------------------

    def start_all(self, now: float) -> None:
        """Bring up every instance that starts by itself, and what it depends on."""
        self.wish(Event.START, [i for i in self.instances.values() if i.plan.autostart], now)

    def wish(self, event: str, instances: Iterable[Instance], now: float) -> None:
        """Apply START, STOP, KILL or RESTART to `instances`; once everything is stopping nothing starts any more."""
        if event not in (Event.START, Event.RESTART):
            for instance in list(instances):
                self._step(instance, event, Fact(now, until=self._until))
        elif self.stopping is None:
            self._bring_up(event, list(instances), now)

    def _bring_up(self, event: str, chosen: list[Instance], now: float) -> None:
        """Start or restart `chosen`, and start what they need; each after those that it depends on itself."""
        needed = dict.fromkeys([] if self._order is None else self._order.needed_by(chosen))
        for instance in chosen if self._order is None else self._order.sorted([*needed, *chosen]):
            if self.stopping is not None:  # a failure of what waited for the last one ended the run
                return
            self._held.discard(instance.name)
            self._retiring.discard(instance.name)
            self._step(instance, Event.START if instance in needed else event, Fact(now))

    def stop_all(self, reason: Reason, now: float) -> None:
        """Freeze starts, cancel every backoff and ask all to stop; a second call changes nothing.

        What others depend on is asked when they have ended. All share one deadline, the longest grace from now.
        """
        if self.stopping is not None:
            return
        self.stopping = reason
        if self._order is not None:
            self._until, self._later = self._order.postponed(now)
            for name in self._later:  # one that dies before its turn stays down
                self.instances[name].wanted = False
        self.wish(Event.STOP, [i for i in self.instances.values() if i.name not in self._later], now)

    def kill_all(self, reason: Reason, now: float) -> None:
        """Stop without grace."""
        self.stopping = self.stopping or reason
        self.outcome.stopped_in_time = False
        self._later.clear()
        self.wish(Event.KILL, self.instances.values(), now)

    def hold(self, instances: Iterable[Instance], now: float) -> None:
        """Stop `instances` because the user said so by name: they stay his to start again, so the run goes on."""
        chosen = list(instances)
        self._held.update(instance.name for instance in chosen)
        self.wish(Event.STOP, chosen, now)

    def pause(self, instance: Instance) -> None:
        """Note that the child of `instance` was paused (SIGSTOP). Its next life is not paused."""
        if instance.pid is not None:
            self._paused[instance.name] = instance.pid

    def resume(self, instance: Instance) -> None:
        """Note that the child of `instance` was resumed (SIGCONT)."""
        self._paused.pop(instance.name, None)

    def add(self, plans: Iterable[InstancePlan], now: float) -> list[Instance]:
        """Bring up what `plans` say: new instances, and those that are here already; returns them."""
        chosen = [self.instances.setdefault(plan.name, Instance(plan)) for plan in plans]
        sort_instances(self.instances)
        self._retiring.difference_update(instance.name for instance in chosen)
        self._note_dependencies(chosen)
        self.wish(Event.START, chosen, now)
        return chosen

    def replan(self, instance: Instance, plan: InstancePlan) -> None:
        """Let the next life of `instance` follow another plan; this one goes on as it is."""
        instance.plan = plan
        self._note_dependencies((instance,))

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

    def probed(self, instance: Instance, words: str) -> None:
        """A check passed (no words), or a readiness check did not yet."""
        instance.trouble = words
        instance.failed_probes = 0

    def unhealthy(self, instance: Instance, words: str, now: float) -> None:
        """A health check failed; so many of them in a row condemn the instance, if its plan says so."""
        health = instance.plan.health
        if health is None or instance.state != State.RUNNING:
            return
        instance.trouble = words
        instance.failed_probes += 1
        if instance.failed_probes == health.threshold:
            if health.on_fail == "none":
                self._actions.append((Action.TELL_UNHEALTHY, instance))
            else:
                self._step(instance, Event.UNHEALTHY, Fact(now, reason=f"unhealthy: {words}"))

    def exited(self, instance: Instance, status: ExitStatus, now: float) -> None:
        """A life ended, all its output is read and nothing of it is left."""
        unasked = instance.state != State.STOPPING
        self._step(instance, Event.EXITED, Fact(now, status=status, jitter=self._jitter()))
        if unasked and self.exit_rule == "any" and self.stopping is None and not self._may_end(instance):
            if not instance.plan.restart.is_success(status.shell_code):
                self.outcome.note_failure(status.shell_code)
            self.stop_all(Reason(f"{instance.name} {status.words()}"), now)

    def tick(self, now: float) -> None:
        """Let every deadline that has passed take effect."""
        due = self.next_deadline()
        if due is None or due > now:
            return
        for instance in list(self.instances.values()):
            if instance.deadline is not None and instance.deadline <= now:
                self._step(instance, Event.TIMEOUT, Fact(now, jitter=self._jitter()))
        self._release([name for name, latest in self._later.items() if latest <= now], now)

    def next_deadline(self) -> float | None:
        """The nearest deadline of all instances, or None. Remembered until something happens."""
        if not self._deadline_known:
            deadlines = [i.deadline for i in self.instances.values() if i.deadline is not None]
            self._deadline = min((*deadlines, *self._later.values()), default=None)
            self._deadline_known = True
        return self._deadline

    def is_held(self, instance: Instance) -> bool:
        """Whether the user has stopped it by name."""
        return instance.name in self._held

    def is_paused(self, instance: Instance) -> bool:
        """Whether the present child of `instance` is paused; one that replaced a paused child is not."""
        return instance.pid is not None and self._paused.get(instance.name) == instance.pid

    def take_actions(self) -> list[tuple[str, Instance]]:
        """The actions decided since the last call, in order."""
        actions, self._actions = self._actions, []
        return actions

    def take_launches(self) -> list[Instance]:
        """Of what `take_actions` would give only whom to launch; the rest stays."""
        actions, self._actions = self._actions, [pair for pair in self._actions if pair[0] != Action.LAUNCH]
        return [instance for action, instance in actions if action == Action.LAUNCH]

    @property
    def has_news(self) -> bool:
        """Whether something was decided that the engine has not heard yet."""
        return bool(self._actions)

    @property
    def settled(self) -> bool:
        """Whether the run is over: all are at rest, and the exit rule lets it end."""
        if self._actions:
            return False
        for instance in self.instances.values():  # asked at every turn; cheaper than any()
            if instance.state not in DOWN:
                return False
        return self.stopping is not None or not (self.exit_rule == "never" or self._held or not self.instances)

    @property
    def waiting_for(self) -> list[Instance]:
        """Who has not stopped yet."""
        return [i for i in self.instances.values() if i.state not in DOWN]

    @property
    def holds_back(self) -> bool:
        """Whether some are not asked to stop yet, because others still use them."""
        return bool(self._later)

    def may_restart_by_itself(self, instance: Instance) -> bool:
        """Whether a changed file may restart it: not if the user stopped it, or it was never started."""
        return instance.name not in self._held and (instance.wanted or instance.started is not None)

    def hindrances(self, instance: Instance) -> list[str]:
        """Why an instance cannot start, in words, one for each that it waits for: `db.1 is not ready: …`."""
        return [] if self._order is None else [one.words for one in self._order.hindrances(instance)]

    @property
    def exit_code(self) -> int:
        """What the run ends with."""
        return self.outcome.exit_code(self.stopping)

    # The inside -------------------------------------------------------------------------------------------------

    def _step(self, instance: Instance, event: str, fact: Fact) -> None:
        fact.blocked = self.hindrances(instance)
        actions = step(instance, event, fact)
        self._deadline_known = False
        for action in actions:
            self._actions.append((action, instance))
            if action == Action.KILL:
                self.outcome.stopped_in_time = False
            elif action == Action.TELL_FAILED:
                self._failed(instance, fact)
        if self._order is not None:
            self._spread(self._order, instance, fact.now)
        self._forget_retired(instance)

    def _forget_retired(self, instance: Instance) -> None:
        if instance.name in self._retiring and instance.state in DOWN:
            self._retiring.discard(instance.name)
            self._held.discard(instance.name)
            self._paused.pop(instance.name, None)
            if self._later.pop(instance.name, None) is not None:
                self._deadline_known = False
            del self.instances[instance.name]

    def _spread(self, order: Order, instance: Instance, now: float) -> None:
        """Let those who wait for `instance` hear of its news, then those who wait for them; in turn, not nested."""
        self._changed.append(instance)
        if len(self._changed) > 1:
            return
        while self._changed:
            news = self._changed[0]
            waiting = order.waiting_for(news) if self.stopping is None else []
            for one in waiting:
                if verdict := order.verdict(one):
                    self._step(one, verdict[0], Fact(now, reason=verdict[1]))
            if self._later and news.state in DOWN:
                self._release([name for name in self._later if not order.in_use(self.instances[name])], now)
            del self._changed[0]

    def _release(self, names: list[str], now: float) -> None:
        """Stop these now: their turn has come."""
        for name in names:
            if self._later.pop(name, None) is not None:
                self._deadline_known = False
                self._step(self.instances[name], Event.STOP, Fact(now, until=self._until))

    def _failed(self, instance: Instance, fact: Fact) -> None:
        if instance.plan.can_die:
            return
        if self.stopping is None:
            self.outcome.note_failure(failure_code(instance))
        if self.exit_rule in ("failure", "any"):
            self.stop_all(Reason(f"{instance.name} failed"), fact.now)

    def _may_end(self, instance: Instance) -> bool:
        """Whether its end does not concern the run: it was said so, or others wait for it to complete."""
        if instance.plan.can_die:
            return True
        success = instance.status is not None and instance.plan.restart.is_success(instance.status.shell_code)
        return success and self._order is not None and self._order.ends_as_planned(instance.plan.type)
