"""The supervisor of all instances: it starts, stops and restarts them, and decides when the run ends and how.

Wishes and facts go in, together with the time; `take_actions` returns what the engine has to do. The supervisor never
logs, waits or signals.
"""

from __future__ import annotations

from procman.core.lifecycle.instance import sort_instances
from procman.core.lifecycle.outcome import Outcome, Reason, failure_code
from procman.core.lifecycle.transitions import DOWN, Action, Event, Fact, Instance, State, hold_up, step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procman.core.lifecycle.order import Order
    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus


class Supervisor:
    """The instances of one run, by name, in the Procfile's order.

    `exit_rule` says what ends the run: ``all`` (nothing runs or will run), ``any`` (the first exit), ``failure`` (the
    first FAILED) or ``never``. `jitter` returns a factor around 1 for each backoff.
    """

    def __init__(
        self, plans: Iterable[InstancePlan], exit_rule: str = "all", jitter: Callable[[], float] = lambda: 1.0
    ) -> None:
        self.instances = {plan.name: Instance(plan) for plan in plans}
        self.exit_rule = exit_rule
        self.stopping: Reason | None = None
        self.outcome = Outcome()
        self.revision = 0  # counts the steps of all instances: if it has not changed, neither have they
        self.on_removed: Callable[[str], None] = lambda _name: None  # gets the name of what was scaled away
        self.awaited_by: list[Callable[[Instance], bool]] = []  # each says whether it can still start what is down
        self._jitter = jitter
        self._order: Order | None = None
        self._changed: list[Instance] = []  # instances whose dependents have not been checked since they changed
        self._later: dict[str, float] = {}  # stopped once nothing uses them, or at that time at the latest
        self._until: float | None = None  # the time when an ordered shutdown kills what is left
        self._retiring: set[str] = set()  # removed once they are at rest
        self._actions: list[tuple[str, Instance]] = []
        self._deadline: float | None = None
        self._deadline_known = True
        self._note_dependencies(self.instances.values())

    def _note_dependencies(self, instances: Iterable[Instance]) -> None:
        """Note the types they depend on. Without any dependency `order` is not even imported."""
        types = {dependency.type for instance in instances for dependency in instance.plan.depends_on}
        if types and self._order is None:
            from procman.core.lifecycle.order import Order

            self._order = Order(self.instances)
        if self._order is not None:
            self._order.needed_types |= types

    # Wishes -----------------------------------------------------------------------------------------------------

    def start_all(self, now: float) -> None:
        """Start every instance that autostarts, and its dependencies."""
        self.wish(Event.START, [i for i in self.instances.values() if i.plan.autostart], now)

    def wish(self, event: str, instances: Iterable[Instance], now: float) -> None:
        """Apply START, STOP, KILL or RESTART to `instances`. During a shutdown nothing starts."""
        if event in (Event.START, Event.RESTART):
            self._bring_up(event, list(instances), now)
        else:
            self._step_all([(instance, event) for instance in instances], now)

    def wish_by_itself(self, event: str, instances: Iterable[Instance], now: float) -> None:
        """Apply START or RESTART, which the user did not request: dependencies stopped by name stay stopped."""
        self._bring_up(event, list(instances), now, held_too=False)

    def _bring_up(self, event: str, chosen: list[Instance], now: float, held_too: bool = True) -> None:
        """Start or restart `chosen` after the dependencies they need. Those stopped by name start if `held_too`."""
        if self.stopping is not None:
            return
        needed = dict.fromkeys([] if self._order is None else self._order.needed_by(chosen, held_too))
        everything = chosen if self._order is None else self._order.sorted([*needed, *chosen])
        for instance in everything:
            instance.held = False
            self._retiring.discard(instance.name)
        self._step_all([(one, Event.START if one in needed else event) for one in everything], now)

    def _step_all(self, steps: list[tuple[Instance, str]], now: float) -> None:
        """Take all steps of a wish, then check what waits for one of them: it may wait for another one, too."""
        is_checking = bool(self._changed)
        self._changed += [instance for instance, _ in steps[:1]]  # so the steps themselves check nothing
        for instance, event in steps:
            self._step(instance, event, Fact(now))
        if not is_checking:
            self._check_waiting(now)

    def stop_all(self, reason: Reason, now: float) -> None:
        """Begin the shutdown: no more starts, every backoff is cancelled, and all stop. A second call changes nothing.

        An instance stops after those that depend on it. All share one deadline, the longest grace from now.
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
        """Kill everything now, without grace."""
        self.stopping = self.stopping or reason
        self.outcome.stopped_in_time = False
        self._later.clear()
        self.wish(Event.KILL, self.instances.values(), now)

    def hold(self, instances: Iterable[Instance], now: float) -> None:
        """Stop `instances` that the user named. The user may start them again, so the run continues without them."""
        chosen = list(instances)
        for instance in chosen:
            instance.held = True
        self.wish(Event.STOP, chosen, now)

    def pause(self, instance: Instance, now: float) -> None:
        """Note that the child of `instance` was paused (SIGSTOP). Its deadline is suspended with it."""
        if instance.paused or instance.state not in (State.STARTING, State.RUNNING) or instance.pid is None:
            return
        instance.paused = True
        self._suspend_deadline(instance, now)
        self._announce(Action.ANNOUNCE_PAUSED, instance)

    def resume(self, instance: Instance, now: float) -> None:
        """Note that the child of `instance` was resumed (SIGCONT): its deadline moves on by the pause."""
        if not instance.paused:
            return
        instance.paused = False
        instance.failed_probes = 0
        if instance.time_left is not None:
            instance.deadline, instance.time_left = now + instance.time_left, None
        self._announce(Action.ANNOUNCE_RESUMED, instance)

    def stand_still(self, seconds: float) -> None:
        """Move every deadline on: all processes, or procman itself, were suspended for that long."""
        for instance in self.instances.values():
            if instance.deadline is not None:
                instance.deadline += seconds
        self._later = {name: latest + seconds for name, latest in self._later.items()}
        self._until = None if self._until is None else self._until + seconds
        self._deadline_known = False

    def add(self, plans: Iterable[InstancePlan], now: float, held_too: bool = True) -> list[Instance]:
        """Start the instances of `plans`, new ones and existing ones, and return them. `held_too`: see `_bring_up`."""
        chosen = [self.instances.setdefault(plan.name, Instance(plan)) for plan in plans]
        sort_instances(self.instances)
        self._note_dependencies(chosen)
        self._bring_up(Event.START, chosen, now, held_too)
        return chosen

    def replan(self, instance: Instance, plan: InstancePlan) -> None:
        """Give `instance` a plan for its next life. The present life is not affected."""
        instance.plan = plan
        self._note_dependencies((instance,))

    def retire(self, instances: Iterable[Instance], now: float) -> None:
        """Stop `instances` and remove each as soon as it is at rest."""
        chosen = list(instances)
        self._retiring.update(instance.name for instance in chosen)
        self.hold(chosen, now)

    # Facts ------------------------------------------------------------------------------------------------------

    def spawned(self, instance: Instance, pid: int, now: float) -> None:
        """Note that a life began."""
        self._step(instance, Event.SPAWNED, Fact(now, pid=pid))

    def spawn_failed(self, instance: Instance, reason: str, status: ExitStatus | None, now: float) -> None:
        """Note that it could not be spawned. `status` is None if a retry may help."""
        self._step(instance, Event.SPAWN_FAILED, Fact(now, reason=reason, status=status, jitter=self._jitter()))

    def ready(self, instance: Instance, now: float) -> None:
        """Note that its readiness check passed."""
        self._step(instance, Event.READY, Fact(now))

    def probed(self, instance: Instance, trouble: str) -> None:
        """Note that a check passed (`trouble` is empty), or why a readiness check has not passed yet."""
        instance.trouble = trouble
        instance.failed_probes = 0

    def postpone(self, instance: Instance, seconds: float) -> None:
        """Move the deadline of `instance` on, since the user holds its process."""
        if instance.deadline is not None:
            instance.deadline += seconds
            self._deadline_known = False

    def unhealthy(self, instance: Instance, trouble: str, now: float) -> None:
        """Note that a health check failed. The plan says how many in a row condemn the instance, if any do."""
        health = instance.plan.health
        if health is None or instance.state != State.RUNNING or instance.paused:
            return
        instance.trouble = trouble
        instance.failed_probes += 1
        if instance.failed_probes == health.threshold:
            if health.on_fail == "none":
                self._actions.append((Action.ANNOUNCE_UNHEALTHY, instance))
            else:
                self._step(instance, Event.UNHEALTHY, Fact(now, reason=f"unhealthy: {trouble}"))

    def overdue(self, instance: Instance, reason: str, now: float) -> None:
        """Condemn a life that has lasted too long."""
        if instance.state == State.RUNNING and not instance.paused:
            self._step(instance, Event.UNHEALTHY, Fact(now, reason=reason))

    def exited(self, instance: Instance, status: ExitStatus, now: float) -> None:
        """Note that a life ended: all its output is read, and none of its processes is left."""
        unrequested = instance.state != State.STOPPING
        self._step(instance, Event.EXITED, Fact(now, status=status, jitter=self._jitter()))
        if unrequested and self.exit_rule == "any" and self.stopping is None and not self._may_end(instance):
            if not instance.plan.restart.is_success(status.shell_code):
                self.outcome.note_failure(status.shell_code)
            cause = (Action.ANNOUNCE_EXITED, instance.name)
            self.stop_all(Reason(f"{instance.name} {status.words()}", cause=cause), now)

    def tick(self, now: float) -> None:
        """Apply every deadline that has passed."""
        due = self.next_deadline()
        if due is None or due > now:
            return
        for instance in list(self.instances.values()):
            if instance.deadline is not None and instance.deadline <= now:
                self._step(instance, Event.TIMEOUT, Fact(now, jitter=self._jitter()))
        self._release([name for name, latest in self._later.items() if latest <= now], now)

    def next_deadline(self) -> float | None:
        """Return the nearest deadline of all instances, or None. It is cached until something happens."""
        if not self._deadline_known:
            deadlines = [i.deadline for i in self.instances.values() if i.deadline is not None]
            self._deadline = min((*deadlines, *self._later.values()), default=None)
            self._deadline_known = True
        return self._deadline

    def is_timing(self) -> bool:
        """Whether an instance has a limited time for something: to become ready, or to stop."""
        timed = (
            i.deadline is not None and i.state not in (State.RUNNING, State.BACKOFF) for i in self.instances.values()
        )
        return bool(self._later) or any(timed)

    def is_held(self, instance: Instance) -> bool:
        """Whether the user stopped it by name."""
        return instance.held

    def is_leaving(self, instance: Instance) -> bool:
        """Whether it was scaled away, and is removed once it is at rest."""
        return instance.name in self._retiring

    def is_paused(self, instance: Instance) -> bool:
        """Whether the present child of `instance` is paused; one that replaced a paused child is not."""
        return instance.paused

    def take_actions(self) -> list[tuple[str, Instance]]:
        """Return the actions decided since the last call, in order."""
        actions, self._actions = self._actions, []
        return actions

    def take_launches(self) -> list[Instance]:
        """Return only the instances to launch; the other actions stay for `take_actions`."""
        actions, self._actions = self._actions, [pair for pair in self._actions if pair[0] != Action.LAUNCH]
        return [instance for action, instance in actions if action == Action.LAUNCH]

    @property
    def has_news(self) -> bool:
        """Whether there are actions that the engine has not taken yet."""
        return bool(self._actions)

    @property
    def settled(self) -> bool:
        """Whether the run is over: all are at rest, and the exit rule lets it end."""
        if self._actions:
            return False
        held = False
        for instance in self.instances.values():  # runs in every turn of the loop; cheaper than any()
            if instance.state not in DOWN:
                return False
            held = held or instance.held
        if self.stopping is not None:
            return True
        stays = self.exit_rule == "never" or held or not self.instances
        return not (stays or any(any(map(may_start, self.instances.values())) for may_start in self.awaited_by))

    @property
    def waiting_for(self) -> list[Instance]:
        """The instances that are not down yet."""
        return [i for i in self.instances.values() if i.state not in DOWN]

    @property
    def holds_back(self) -> bool:
        """Whether some instances are not being stopped yet, because others still use them."""
        return bool(self._later)

    def may_restart_by_itself(self, instance: Instance) -> bool:
        """Whether a changed file may restart it: not if the user stopped it, nor if it never started."""
        return not instance.held and (instance.wanted or instance.started is not None)

    def hindrances(self, instance: Instance) -> list[str]:
        """Return why an instance cannot start, a clause for each instance it waits for: `db.1 is not ready: …`."""
        return [] if self._order is None else [one.words for one in self._order.hindrances(instance)]

    @property
    def exit_code(self) -> int:
        """The exit code of the run."""
        return self.outcome.exit_code(self.stopping)

    # Internals -------------------------------------------------------------------------------------------------

    def _step(self, instance: Instance, event: str, fact: Fact) -> None:
        if self._order is not None:
            found = self._order.hindrances(instance)
            fact.blocked = [one.words for one in found]
            fact.held_up = any(one.held for one in found)
        fact.until = self._until
        actions = step(instance, event, fact)
        self.revision += 1
        self._deadline_known = False
        if instance.paused:
            self._keep_paused(instance, fact.now)
        for action in actions:
            self._actions.append((action, instance))
            if action == Action.KILL and self.stopping is not None:  # an earlier stop or restart does not count
                self.outcome.stopped_in_time = False
            elif action == Action.ANNOUNCE_FAILED:
                self._failed(instance, fact)
        self._forget_retired(instance)
        self._changed.append(instance)
        if len(self._changed) == 1:
            self._check_waiting(fact.now)

    def _keep_paused(self, instance: Instance, now: float) -> None:
        """Suspend the new deadline of a paused instance, too. What ends or is stopped is not paused any more."""
        if instance.state not in (State.STARTING, State.RUNNING):
            instance.paused = False
            instance.time_left = None
        elif instance.deadline is not None:
            self._suspend_deadline(instance, now)

    def _suspend_deadline(self, instance: Instance, now: float) -> None:
        instance.time_left = None if instance.deadline is None else max(0.0, instance.deadline - now)
        instance.deadline = None

    def _announce(self, action: str, instance: Instance) -> None:
        self.revision += 1
        self._deadline_known = False
        self._actions.append((action, instance))

    def _forget_retired(self, instance: Instance) -> None:
        """Remove a retiring instance that is at rest. What waited for it no longer does."""
        if instance.name in self._retiring and instance.state in DOWN:
            self._retiring.discard(instance.name)
            self._later.pop(instance.name, None)
            del self.instances[instance.name]
            self.on_removed(instance.name)

    def _check_waiting(self, now: float) -> None:
        """Check the instances that wait for what changed, then those that wait for them; a queue avoids nesting."""
        if (order := self._order) is None:
            self._changed.clear()
            return
        while changed := set(self._changed):
            count = len(self._changed)
            for one in order.waiting_for(changed) if self.stopping is None else ():
                if verdict := order.verdict(one):
                    self._step(one, verdict[0], Fact(now, reason=verdict[1]))
                elif hold_up(one, order.is_held_up(one), now):
                    self._changed.append(one)
            if self._later and any(one.state in DOWN for one in changed):
                self._release([name for name in self._later if not order.in_use(self.instances[name])], now)
            del self._changed[:count]

    def _release(self, names: list[str], now: float) -> None:
        """Stop the instances that were held back, if they have not been stopped yet."""
        for name in names:
            if self._later.pop(name, None) is not None:
                self._step(self.instances[name], Event.STOP, Fact(now))

    def _failed(self, instance: Instance, fact: Fact) -> None:
        if instance.plan.can_die:
            return
        if self.stopping is None:
            self.outcome.note_failure(failure_code(instance))
        if self.exit_rule in ("failure", "any"):
            cause = (Action.ANNOUNCE_FAILED, instance.name)
            self.stop_all(Reason(f"{instance.name} failed", cause=cause), fact.now)

    def _may_end(self, instance: Instance) -> bool:
        """Whether its end may not end the run: it can die, or it succeeded and others wait for it to complete."""
        if instance.plan.can_die:
            return True
        success = instance.status is not None and instance.plan.restart.is_success(instance.status.shell_code)
        return success and self._order is not None and self._order.ends_as_planned(instance.plan.type)
