"""Whole runs: the supervisor against a simulated kernel and clock, in thousands of random histories.

A user starts, stops, holds, restarts, kills, pauses, scales and reloads at random, while children crash and hang. After
a while the world calms down: children stay up, and the user waits. Then everything is stopped. The rules always hold.

A history that breaks one prints its seed and what happened; SIMULATION_SEED=17 runs that one alone.
"""

from __future__ import annotations

import os

import pytest

from core.lifecycle.simulation import KILL_TIME, SPAWN_TIME, TYPES, World
from procman.core.lifecycle.outcome import TERMINATED
from procman.core.lifecycle.transitions import DOWN, Action, Event, Instance, State
from procman.core.model.dependency import COMPLETED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.dependency import Dependency

HISTORIES, PER_TEST = 3000, 250
BUSY, CALM = 40.0, 80.0  # seconds of random requests, and of rest, on the simulated clock
REQUESTS = ("start", "stop", "restart", "kill", "hold", "add", "retire", "replan", "pause", "resume")


class History(World):
    """The user's requests, and the rules that must hold."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.wished: dict[str, bool | None] = {}  # whether the user wants it up; None where that is open
        self.wait_limits: dict[str, float | None] = {}
        self.held_by_user: set[Instance] = set()  # stopped by name, and not started since
        self.held_up: set[Instance] = set()  # they wait for one of those, directly or not

    # The user -----------------------------------------------------------------------------------------------------

    def request(self) -> None:
        """Make a random request; sometimes several clients make one for the same instances, in one turn of the loop."""
        everybody = list(self.supervisor.instances.values())
        some = self.chance.sample(everybody, self.chance.randint(0, len(everybody)))
        for _ in range(self.chance.choice([1, 1, 1, 2, 2, 3])):
            self.ask([one for one in some if self.supervisor.instances.get(one.name) is one])
            self.note_decisions()
            self.note_held_up()
        self.perform()

    def ask(self, some: list[Instance]) -> None:
        kind = self.chance.choice(REQUESTS)
        self.note(f"> {kind} {' '.join(instance.name for instance in some)}")
        if kind in (Event.START, Event.RESTART):
            self.start(kind, some)
        elif kind in ("stop", "hold", "kill"):
            self.stop(kind, some)
        elif kind == "pause":
            for child in [self.children[one.name] for one in some if one.name in self.children]:
                self.pause(child)
        elif kind == "resume":
            self.resume_all()
        else:
            self.change(kind, some)

    def start(self, event: str, some: list[Instance]) -> None:
        before = {instance: instance.state for instance in self.supervisor.instances.values()}
        self.supervisor.wish(event, some, self.now)
        if self.supervisor.stopping is None:
            self.held_by_user.difference_update(some)
            self.wished.update(dict.fromkeys((instance.name for instance in some), True))
            assert not any(instance.state == State.FAILED for instance in some), "it failed before it could begin"
        self.note_fresh_starts(before, [instance for instance in some if event == Event.RESTART])

    def note_fresh_starts(self, before: dict[Instance, str], restarted: list[Instance]) -> None:
        """A request clears the record of quick deaths; what others need was started with them, and its fate is open."""
        for instance, state in before.items():
            begins = state in (*DOWN, State.BACKOFF) and instance.state in (State.STARTING, State.WAITING)
            if begins or (instance in restarted and state in (State.STARTING, State.RUNNING)):
                self.ledger(instance).quick_deaths = 0
            if begins:
                self.held_by_user.discard(instance)
            if begins and not self.wished.get(instance.name):
                self.wished[instance.name] = None

    def stop(self, kind: str, some: list[Instance]) -> None:
        self.wished.update(dict.fromkeys((instance.name for instance in some), False))
        self.stopped_by_user.update(instance.name for instance in some)
        if kind == "hold":
            self.held_by_user.update(some)
            self.supervisor.hold(some, self.now)
            assert all(self.supervisor.is_held(instance) for instance in some)
            return
        if kind == "kill":
            self.killed_by_user.update(instance.name for instance in some if instance.name in self.children)
        self.supervisor.wish(kind, some, self.now)

    def change(self, kind: str, some: list[Instance]) -> None:
        """Scale a type up or down, or let the next lives follow another plan."""
        name = self.chance.choice(list(self.rules))
        if kind == "add" and self.supervisor.stopping is None:
            before = {instance: instance.state for instance in self.supervisor.instances.values()}
            chosen = self.supervisor.add([self.plan(name, self.chance.randint(1, 3))], self.now)
            self.held_by_user.difference_update(chosen)
            self.wished.update(dict.fromkeys((instance.name for instance in chosen), True))
            self.note_fresh_starts(before, [])
        elif kind == "retire" and self.supervisor.stopping is None:
            self.wished.update(dict.fromkeys((instance.name for instance in some), False))
            self.held_by_user.update(some)
            self.supervisor.retire(some, self.now)
        elif kind == "replan":
            self.rules[name] = self.random_rules(name)
            concerned = [one for one in self.supervisor.instances.values() if one.plan.type == name]
            for instance in concerned:
                self.supervisor.replan(instance, self.plan(name, instance.plan.number))
            self.start(Event.RESTART, concerned)

    # What the user holds ------------------------------------------------------------------------------------------

    def on_decision(self, action: str, instance: Instance) -> None:
        super().on_decision(action, instance)
        if action == Action.ANNOUNCE_WAITING:
            self.limit_wait(instance)
        elif action == Action.ANNOUNCE_FAILED and instance.failure.startswith("not started because "):
            lost = {one for one, need in self.needs(instance) if one.state in DOWN and not self.meets(one, need)}
            to_blame = {one for one in lost if one.state == State.FAILED or one not in self.held_by_user}
            assert to_blame, "it failed because the user stopped what it needs"

    def limit_wait(self, instance: Instance) -> None:
        """Note by when its wait must be over, unless the user holds what it waits for."""
        limits = [d.timeout for d in instance.plan.depends_on if d.timeout is not None]
        self.wait_limits[instance.name] = self.now + min(limits) if limits else None

    def on_performed(self) -> None:
        self.note_held_up()

    def note_held_up(self) -> None:
        """Note which instances wait for something that the user stopped; when that is over, their wait begins again."""
        waiting = [one for one in self.supervisor.instances.values() if one.state == State.WAITING]
        up: set[Instance] = set()
        for _ in TYPES:  # the longest chain of dependencies
            up |= {one for one in waiting if any(self.holds(other, need, up) for other, need in self.needs(one))}
        for one in waiting:
            if one in self.held_up - up:
                self.limit_wait(one)
        self.held_up = up

    def holds(self, other: Instance, need: Dependency, held_up: set[Instance]) -> bool:
        stopped = other.state == State.EXITED or (other.state == State.STOPPING and need.condition != COMPLETED)
        return not self.meets(other, need) and (other in held_up or (other in self.held_by_user and stopped))

    # The rules ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold at every moment, once everything that was decided is done."""
        everybody = self.supervisor.instances.values()
        deadlines = [instance.deadline for instance in everybody if instance.deadline is not None]
        due = self.supervisor.next_deadline()
        assert due is None or due > self.now, "a deadline that has passed: the loop would spin"
        assert self.supervisor.holds_back or due == min(deadlines, default=None), "a deadline that nobody waits for"
        for instance in everybody:
            self.check_instance(instance)
        if self.must_end_by is not None:
            assert self.now <= self.must_end_by, "it should have ended by now"

    def check_instance(self, instance: Instance) -> None:
        child = self.children.get(instance.name)
        assert (instance.pid is not None) == (child is not None)
        if child is not None:
            assert instance.pid == child.pid
            assert self.supervisor.is_paused(instance) == child.paused
            assert not child.paused or instance.deadline is None, "the time of a pause is charged"
        if instance.state == State.FAILED and not instance.plan.can_die:
            assert self.supervisor.stopping or self.supervisor.exit_rule in ("all", "never"), "a failure ends this run"
        if instance.state == State.STARTING and child is None:
            assert instance.name in self.launching, "nobody launches it"
        if instance.state == State.STOPPING and child is not None and child.ended is None:
            assert child.kill_at is not None or instance.killed, "it was never asked to stop"
        if instance.state == State.WAITING:
            limit = None if instance in self.held_up else self.wait_limits[instance.name]
            assert instance.held_up == (instance in self.held_up)
            assert limit is None or self.now < limit, "it waits for too long"
            assert not all(self.meets(other, need) for other, need in self.needs(instance)), "it waits for nothing"

    def check_wishes(self) -> None:
        """What must hold at rest: the user has got what was requested, or there is a reason."""
        for name, up in self.wished.items():
            instance = self.supervisor.instances.get(name)
            if up is False:
                assert instance is None or instance.state in DOWN, f"{name} was stopped, and is {instance.state}"
            elif up:
                assert instance is not None, f"{name} was wanted, and is gone"
                self.check_reason(instance)
        for instance in self.supervisor.instances.values():
            if instance.state in DOWN:
                assert self.told[instance.name] == self.ends[instance.name], "an end was told twice, or never"

    def check_reason(self, instance: Instance) -> None:
        """An instance that was wanted up is up, waits for a reason, or has ended as its policy says."""
        if instance.state == State.EXITED:
            assert instance.status is not None, "it never ran"
            assert instance.status.shell_code in instance.plan.restart.success_codes
        elif instance.state == State.FAILED:
            assert instance.failure or instance.status is not None
        else:
            assert instance.state in (State.RUNNING, State.WAITING), f"{instance.name} is {instance.state} in the end"

    # The story ----------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """A busy time, a calm one, and the end."""
        before = {instance: instance.state for instance in self.supervisor.instances.values()}
        self.supervisor.start_all(self.now)
        self.wished = {name: True for name, instance in self.supervisor.instances.items() if instance.plan.autostart}
        self.note_fresh_starts(before, [])
        self.perform()
        for _ in range(self.chance.randint(0, 20)):
            self.at(self.chance.random() * BUSY, self.request)
        if self.chance.random() < 0.2:
            self.at(self.chance.random() * BUSY, self.stop_all)
        self.advance(BUSY)
        self.calm_down()
        self.advance(BUSY + CALM)
        if self.supervisor.stopping is None:
            self.check_wishes()
            if not self.over:
                self.stop_all()
        self.advance(BUSY + 2 * CALM)
        self.check_end()

    def calm_down(self) -> None:
        self.calm = True
        self.resume_all()
        for child in list(self.children.values()):
            self.at(0.5, self.pass_readiness, child)
        self.perform()

    def stop_all(self) -> None:
        """Stop everything, gently; sometimes a second signal kills."""
        if self.supervisor.stopping is None:
            self.note("> stop all")
            self.supervisor.stop_all(TERMINATED, self.now)
            if self.chance.random() < 0.2:
                self.at(self.chance.random(), self.kill_all)
            self.perform()

    def kill_all(self) -> None:
        self.note("> kill all")
        self.killed = True
        self.killed_by_user.update(self.children)
        self.supervisor.kill_all(TERMINATED, self.now)
        self.perform()
        self.must_end_by = self.now + KILL_TIME + SPAWN_TIME
        assert not self.supervisor.holds_back

    def check_end(self) -> None:
        assert self.over, "it does not end"
        assert not self.children, "it ended before its children"
        everybody = self.supervisor.instances.values()
        assert all(instance.state in DOWN for instance in everybody)
        if self.supervisor.stopping is None:
            assert self.supervisor.exit_rule != "never", "only a stop ends it"
            assert not any(self.supervisor.is_held(instance) for instance in everybody), "the user may start it again"
        elif self.supervisor.stopping is TERMINATED and not self.killed:
            assert self.supervisor.exit_code == 0


def seeds() -> list[range]:
    """All seeds in portions, or the one that the environment names."""
    if chosen := os.environ.get("SIMULATION_SEED"):
        return [range(int(chosen), int(chosen) + 1)]
    return [range(first, first + PER_TEST) for first in range(0, HISTORIES, PER_TEST)]


@pytest.mark.parametrize("portion", seeds(), ids=str)
def test_the_rules_hold_in_every_history(portion: range) -> None:
    for seed in portion:
        history = History(seed)
        try:
            history.live()
        except Exception as error:
            events = "\n".join(history.log[-60:])
            pytest.fail(f"SIMULATION_SEED={seed}: {error!r}\n{events}")
