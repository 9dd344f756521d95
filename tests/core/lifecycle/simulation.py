"""A world for the supervisor: a simulated kernel, engine and clock, without a process.

The world spawns children that become ready or do not, crash, ignore the stop signal, end late or cannot be spawned.
Every choice comes from one seed. When the world is calm, children stay up.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, Instance, State
from procman.core.model.checks import Check
from procman.core.model.dependency import COMPLETED, READY, STARTED, SUCCEEDED, Dependency
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.status import CANNOT_RUN, ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Job = tuple[float, int, Callable[..., None], tuple[object, ...]]

KILL_TIME = 0.1  # seconds from SIGKILL to the report of the end, at most
SPAWN_TIME = 0.05  # seconds from the decision to the spawn, at most
TYPES = ("db", "api", "web", "job")  # each may depend on those before it
TERM, KILLED = ExitStatus(signal=15), ExitStatus(signal=9)
ENDINGS = [ExitStatus(code=0), ExitStatus(code=3), ExitStatus(code=3), ExitStatus(signal=11), ExitStatus(code=127)]


class Child:
    """A process of the simulated kernel; times are seconds on its clock."""

    def __init__(self, instance: Instance, pid: int, now: float) -> None:
        self.instance = instance
        self.plan = instance.plan
        self.pid = pid
        self.born = now
        self.ready: float | None = None
        self.obeys: float | None = None  # seconds from the stop signal to the end; None if it ignores it
        self.kill_at: float | None = None  # when its grace is over; None before the stop signal
        self.rest_at: float | None = None  # when half of its grace is over
        self.ended: ExitStatus | None = None
        self.owed: ExitStatus | None = None  # how it would have ended while it was paused
        self.paused = False
        self.sick = 0  # failed health checks in a row


class Ledger:
    """What the restart policy allows one instance, counted independently of the supervisor."""

    def __init__(self) -> None:
        self.quick_deaths = 0

    def verdict(self, plan: InstancePlan, child: Child, condemned: bool, now: float) -> tuple[str, float]:
        """Return the state that must follow the end of a life that should have continued, and the seconds to wait."""
        assert child.ended is not None
        policy, code = plan.restart, child.ended.shell_code
        success = code in policy.success_codes and not condemned and child.ready is not None
        if success and policy.mode != "always":
            return State.EXITED, 0.0
        if policy.mode == "never" or (condemned and plan.health is not None and plan.health.on_fail == "fail"):
            return State.FAILED, 0.0
        if child.ready is not None and now - child.born >= policy.min_uptime:
            self.quick_deaths = 0
            return State.BACKOFF, 0.0
        if not condemned and code in CANNOT_RUN:
            return State.FAILED, 0.0
        return self.after_quick_death(policy, success)

    def after_quick_death(self, policy: RestartPolicy, success: bool = False) -> tuple[str, float]:
        self.quick_deaths = min(self.quick_deaths + 1, policy.max_restarts)
        if self.quick_deaths == policy.max_restarts and not success:
            return State.FAILED, 0.0
        return State.BACKOFF, min(policy.backoff * 2 ** (self.quick_deaths - 1), policy.backoff_max)


class World:
    """A supervisor, an engine that does what it decides, and the children it has."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.calm = False
        self.log: list[str] = []
        self.jobs: list[Job] = []
        self.numbers = itertools.count(1)
        self.children: dict[str, Child] = {}  # by instance, until the supervisor knows their end
        self.launching: set[str] = set()
        self.decided = 0  # actions that were decided in this turn and are noted
        self.graces: dict[Instance, float] = {}  # when the grace of a stop ends, by the plan when it was decided
        self.ledgers: dict[Instance, Ledger] = {}
        self.killed_by_user: set[str] = set()
        self.ends, self.told = Counter[str](), Counter[str]()
        self.stopped_by_user: set[str] = set()
        self.stopped_at: float | None = None
        self.last_kill: float | None = None  # in a shutdown: when the longest grace is over
        self.must_end_by: float | None = None
        self.killed = False
        self.signals: dict[str, Callable[[Instance], None]] = {
            Action.LAUNCH: self.on_launch,
            Action.STOP: self.on_stop,
            Action.STOP_REST: self.on_stop_rest,
            Action.KILL: self.on_kill,
        }
        self.rules = {name: self.random_rules(name) for name in TYPES[: self.chance.randint(1, 4)]}
        plans = [self.plan(name, n) for name in self.rules for n in range(1, self.chance.randint(0, 2) + 1)]
        self.supervisor = Supervisor(plans, self.chance.choice(["all", "all", "any", "failure", "never"]))

    # Plans --------------------------------------------------------------------------------------------------------

    def random_rules(self, name: str) -> InstancePlan:
        """Return a plan for one type; its instances share the rules."""
        pick = self.chance.choice
        restart = RestartPolicy(
            pick(["on-failure", "on-failure", "always", "never"]), pick([1, 2, 4]), pick([3.0, 10.0]), 1.0, 4.0
        )
        plan = InstancePlan(name, name, 1, None, "x", "/", {}, restart, StopPolicy(grace=pick([0.5, 2.0, 5.0])))
        plan.ready = pick([None, None, Check("tcp", "", timeout=pick([None, 4.0]))])
        health = Check("tcp", "", interval=2.0, threshold=pick([1, 2]), on_fail=pick(["restart", "fail", "none"]))
        plan.health = pick([None, None, health])
        plan.can_die = self.chance.random() < 0.1
        plan.autostart = self.chance.random() < 0.8
        earlier = TYPES[: TYPES.index(name)]
        conditions = [READY, READY, STARTED, COMPLETED, SUCCEEDED]
        plan.depends_on = tuple(
            Dependency(other, pick(conditions), pick([None, None, 6.0])) for other in earlier if pick([True, False])
        )
        return plan

    def plan(self, type_name: str, number: int) -> InstancePlan:
        rules = self.rules[type_name]
        plan = InstancePlan(
            f"{type_name}.{number}", type_name, number, None, "x", "/", {}, rules.restart, rules.stop,
            TYPES.index(type_name),
        )  # fmt: skip
        for key in ("ready", "health", "can_die", "autostart", "depends_on"):
            setattr(plan, key, getattr(rules, key))
        return plan

    # The clock ----------------------------------------------------------------------------------------------------

    def note(self, words: str) -> None:
        self.log.append(f"{self.now:8.3f} {words}")

    def at(self, delay: float, job: Callable[..., None], *arguments: object) -> None:
        """Schedule a job in ``delay`` seconds."""
        heapq.heappush(self.jobs, (self.now + delay, next(self.numbers), job, arguments))

    def check(self) -> None:
        """Check what must hold after every step of the clock."""

    @property
    def over(self) -> bool:
        """Whether the engine would leave its loop."""
        return self.supervisor.settled and not self.launching

    def advance(self, until: float) -> None:
        """Let time pass from one deadline or event to the next."""
        while not self.over:
            due = self.supervisor.next_deadline()
            nearest = min(until, until if due is None else due, self.jobs[0][0] if self.jobs else until)
            self.now = max(self.now, nearest)
            if self.now >= until:
                return
            while self.jobs and self.jobs[0][0] <= self.now:
                _, _, job, arguments = heapq.heappop(self.jobs)
                job(*arguments)
            for _ in range(2):  # what the first stops may have no grace left
                self.supervisor.tick(self.now)
                self.perform()
            self.check()

    # The engine ---------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Do what the supervisor decided, as the engine would."""
        if self.supervisor.stopping is not None and self.stopped_at is None:
            self.note_stopping()
        self.note_decisions()
        while actions := self.supervisor.take_actions():
            self.decided = 0
            for action, instance in actions:
                self.note(f"{instance.name} {action} [{instance.state}]")
                if action in self.signals:
                    self.signals[action](instance)
                elif action == Action.PROBE:
                    self.at(0.1, self.answer_probe, self.children[instance.name])
                else:
                    self.on_announcement(action, instance)
            self.note_decisions()
        self.on_performed()

    def note_decisions(self) -> None:
        """Note what was decided while its reasons hold: the next request of the same turn may contradict it."""
        for action, instance in self.supervisor._actions[self.decided :]:
            self.on_decision(action, instance)
        self.decided = len(self.supervisor._actions)

    def on_decision(self, action: str, instance: Instance) -> None:
        if action == Action.LAUNCH and instance.state == State.STARTING:
            assert all(self.meets(other, need) for other, need in self.needs(instance)), "started before what it needs"
        elif action == Action.STOP:
            self.graces[instance] = self.grace_ends(instance)

    def on_announcement(self, action: str, instance: Instance) -> None:
        if action in (Action.ANNOUNCE_EXITED, Action.ANNOUNCE_STOPPED):
            self.told[instance.name] += 1

    def on_performed(self) -> None:
        """Note what has changed, now that all that was decided is done."""

    def on_launch(self, instance: Instance) -> None:
        assert instance.name not in self.launching, "a second launch before the answer to the first"
        self.launching.add(instance.name)
        self.at(self.chance.choice([0.0, 0.0, SPAWN_TIME]), self.launch, instance)

    def launch(self, instance: Instance) -> None:
        """Answer a launch, once: by a child, or by the reason why there is none."""
        self.launching.remove(instance.name)
        ledger, policy, now = self.ledger(instance), instance.plan.restart, self.now
        if instance.state != State.STARTING:
            self.ends[instance.name] += 1  # it is told although nothing had begun
            self.supervisor.spawn_failed(instance, "stopped before it was started", None, now)
        elif not self.calm and self.chance.random() < 0.1:
            status = self.chance.choice([None, ExitStatus(code=127)])
            state, delay = (State.FAILED, 0.0) if status else ledger.after_quick_death(policy)
            self.supervisor.spawn_failed(instance, "cannot start", status, now)
            self.expect(instance, state, delay)
        else:
            self.spawn(instance)
        self.perform()

    def spawn(self, instance: Instance) -> None:
        assert instance.name not in self.children, "two lives at once"
        assert self.supervisor.stopping is None, "a life began after the stop of everything"
        child = Child(instance, next(self.numbers), self.now)
        self.children[instance.name] = child
        self.supervisor.spawned(instance, child.pid, self.now)
        if child.plan.ready is None:
            child.ready = self.now
        elif self.calm or self.chance.random() < 0.7:
            self.at(0.5 if self.calm else self.chance.choice([0.5, 3.0, 6.0]), self.pass_readiness, child)
        child.obeys = self.chance.choice([0.0, 0.3, 0.3, 1.0, 3.0, None])
        if not self.calm and self.chance.random() < 0.7:
            self.at(self.chance.choice([0.0, 0.2, 2.0, 5.0, 12.0]), self.end, child, self.chance.choice(ENDINGS))

    def on_stop(self, instance: Instance) -> None:
        child = self.children.get(instance.name)
        if child is None or child.ended is not None:
            return
        assert child.kill_at is None, "asked to stop twice in one life"
        self.resume(child)
        if instance.killed:  # in the same moment
            return
        assert instance.last_deadline == self.graces[instance], "a grace too short, or too long"
        if self.stopped_at == self.now and instance.name not in self.stopped_by_user:
            assert not any(need.type == child.plan.type for need in self.needs_of_children()), "stopped while in use"
        child.kill_at = instance.last_deadline
        child.rest_at = instance.deadline if instance.grace_left else None
        if child.obeys is not None:
            self.at(child.obeys, self.end, child, TERM)

    def on_stop_rest(self, instance: Instance) -> None:
        child = self.children.get(instance.name)
        if child is not None and child.ended is None and not instance.killed:
            assert child.rest_at == self.now, "the rest is asked before half of the grace, or after, or twice"
            child.rest_at = None

    def note_stopping(self) -> None:
        """Note when everything must have ended: at the end of the longest grace."""
        graces = [one.plan.stop.grace for one in self.supervisor.instances.values() if one.pid is not None]
        self.stopped_at = self.now
        self.last_kill = self.now + max(graces, default=0.0)
        stopping = [one.last_deadline for one in self.supervisor.instances.values() if one.state == State.STOPPING]
        self.must_end_by = max([self.last_kill, *(due for due in stopping if due is not None)]) + KILL_TIME + SPAWN_TIME

    def grace_ends(self, instance: Instance) -> float:
        """Return when the grace of an instance that is stopped now ends; in a shutdown all share the longest one."""
        own = self.now + instance.plan.stop.grace
        return own if self.last_kill is None else min(own, self.last_kill)

    def needs_of_children(self) -> Iterable[Dependency]:
        return (need for child in self.children.values() for need in child.instance.plan.depends_on)

    def on_kill(self, instance: Instance) -> None:
        self.killed = True
        child = self.children.get(instance.name)
        if child is None or child.ended is not None:
            return
        if instance.name not in self.killed_by_user:
            assert child.kill_at == self.now, "killed before its grace was over, or after"
        self.resume(child)
        self.at(self.chance.choice([0.0, KILL_TIME / 2]), self.end, child, KILLED)

    # The kernel ---------------------------------------------------------------------------------------------------

    def end(self, child: Child, status: ExitStatus) -> None:
        """End a child, unless it has ended already; what it leaves behind takes a moment to end, too."""
        if child.paused and status is not KILLED:
            child.owed = status
        elif child.ended is None:
            child.ended = status
            self.note(f"{child.instance.name} ends: {status.words()}")
            self.at(self.chance.choice([0.0, KILL_TIME / 2]), self.report_end, child)

    def report_end(self, child: Child) -> None:
        instance = child.instance
        assert child.ended is not None
        del self.children[instance.name]
        self.ends[instance.name] += 1
        expected = self.after_life(child)
        self.killed_by_user.discard(instance.name)
        self.supervisor.exited(instance, child.ended, self.now)
        self.expect(instance, *expected)
        self.perform()

    def after_life(self, child: Child) -> tuple[str, float]:
        """Return what must follow: the state, and the seconds of backoff."""
        instance = child.instance
        if self.supervisor.stopping is not None or not instance.wanted:
            return State.EXITED, 0.0
        if instance.state == State.STOPPING and not instance.condemned:
            return State.STARTING, 0.0
        return self.ledger(instance).verdict(instance.plan, child, instance.condemned, self.now)

    def expect(self, instance: Instance, state: str, delay: float) -> None:
        """Check what a death led to; a rule that ends the run may have changed it since."""
        if self.supervisor.stopping is not None:
            return
        if state == State.STARTING and not all(self.meets(other, need) for other, need in self.needs(instance)):
            return
        assert instance.state == state, f"{instance.name} is {instance.state}, not {state}"
        assert state != State.BACKOFF or instance.deadline == self.now + delay

    def pass_readiness(self, child: Child) -> None:
        if child.ended is None and not child.paused:
            was = child.instance.state
            if was == State.STARTING:
                child.ready = self.now
            self.supervisor.ready(child.instance, self.now)
            assert child.instance.state == (State.RUNNING if was == State.STARTING else was)
            self.perform()

    def answer_probe(self, child: Child) -> None:
        if child.ended is not None or child.instance.state != State.RUNNING:
            return
        if self.calm or self.chance.random() < 0.6:
            child.sick = 0
            self.supervisor.probed(child.instance, "")
            return
        child.sick += not child.paused  # what is paused does not answer, and is not to blame
        self.supervisor.unhealthy(child.instance, "no answer", self.now)
        health = child.instance.plan.health  # None if a shutdown keeps it from the restart by its new plan
        blamed = health is not None and health.on_fail != "none" and child.sick == health.threshold
        condemned = blamed and not child.paused
        assert child.instance.state == (State.STOPPING if condemned else State.RUNNING)
        self.perform()

    def pause(self, child: Child) -> None:
        if child.ended is None and child.instance.state in (State.STARTING, State.RUNNING):
            child.paused = True
            self.supervisor.pause(child.instance, self.now)

    def resume(self, child: Child) -> None:
        child.sick = 0 if child.paused else child.sick
        child.paused = False
        self.supervisor.resume(child.instance, self.now)
        if child.owed is not None:
            self.end(child, child.owed)

    def resume_all(self) -> None:
        for child in list(self.children.values()):
            self.resume(child)

    # What is known ------------------------------------------------------------------------------------------------

    def ledger(self, instance: Instance) -> Ledger:
        return self.ledgers.setdefault(instance, Ledger())

    def needs(self, instance: Instance) -> Iterable[tuple[Instance, Dependency]]:
        for need in instance.plan.depends_on:
            for other in self.supervisor.instances.values():
                if other.plan.type == need.type:
                    yield other, need

    def meets(self, other: Instance, need: Dependency) -> bool:
        if other.state == State.FAILED:
            return need.condition == COMPLETED and other.status is not None
        if need.condition == READY:
            return other.state == State.RUNNING
        if need.condition == STARTED:
            return other.pid is not None or other.status is not None
        if other.state != State.EXITED or other.status is None:
            return False
        return need.condition == COMPLETED or other.plan.restart.is_success(other.status.shell_code)
