"""Many instances: when a run ends, with which exit code, and what a shutdown does. No process, no clock."""

from __future__ import annotations

import pytest

from procman.core.lifecycle.outcome import ASKED, INTERRUPTED, OUTPUT_CLOSED, TERMINATED, Reason
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, Event, State
from procman.core.model.plan import InstancePlan
from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus

CRASH = ExitStatus(code=3)
GOOD = ExitStatus(code=0)


class World:
    """Responds to the supervisor like the engine: what is launched runs until the test ends it."""

    def __init__(self, *names: str, exit_rule: str = "all", mode: str = "on-failure") -> None:
        plans = [
            InstancePlan(name, name.split(".")[0], 1, None, "x", "/", {}, RestartPolicy(mode), StopPolicy(grace=5.0))
            for name in names
        ]
        self.supervisor = Supervisor(plans, exit_rule)
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.killed: list[str] = []
        self.supervisor.start_all(self.now)
        self.perform()

    def perform(self) -> None:
        while actions := self.supervisor.take_actions():
            for action, instance in actions:
                if action == Action.LAUNCH:
                    self.supervisor.spawned(instance, 1, self.now)
                elif action == Action.STOP:
                    self.asked.append(instance.name)
                elif action == Action.KILL:
                    self.killed.append(instance.name)
                else:
                    self.told.append((action, instance.name))

    def end(self, name: str, status: ExitStatus = GOOD) -> None:
        self.supervisor.exited(self.supervisor.instances[name], status, self.now)
        self.perform()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.supervisor.tick(self.now)
        self.perform()

    def crash_for_good(self, name: str, status: ExitStatus = CRASH) -> None:
        while self.state(name) != State.FAILED and not self.supervisor.stopping:
            if self.state(name) == State.BACKOFF:
                self.pass_time(31)
            self.end(name, status)

    def state(self, name: str) -> str:
        return self.supervisor.instances[name].state


def test_all_ends_when_nothing_runs_or_will_run() -> None:
    world = World("web.1", "job.1")
    world.end("job.1")
    assert not world.supervisor.settled
    world.end("web.1")
    assert world.supervisor.settled
    assert world.supervisor.exit_code == 0


def test_who_is_to_be_launched_can_be_taken_before_all_else() -> None:
    supervisor = World("web.1", "worker.1").supervisor
    supervisor.exited(supervisor.instances["web.1"], CRASH, 0.0)
    supervisor.wish(Event.RESTART, [supervisor.instances["web.1"]], 0.0)
    assert [instance.name for instance in supervisor.take_launches()] == ["web.1"]
    assert supervisor.take_launches() == []
    left = [action for action, _ in supervisor.take_actions()]
    assert Action.ANNOUNCE_EXITED in left
    assert Action.LAUNCH not in left


def test_a_backoff_keeps_the_run_alive() -> None:
    world = World("web.1")
    world.end("web.1", CRASH)
    assert world.state("web.1") == State.BACKOFF
    assert not world.supervisor.settled


def test_never_goes_on_with_nothing_left() -> None:
    world = World("job.1", exit_rule="never")
    world.end("job.1")
    assert not world.supervisor.settled
    world.supervisor.stop_all(TERMINATED, 1.0)
    assert world.supervisor.settled


@pytest.mark.parametrize(("status", "code"), [(GOOD, 0), (CRASH, 3), (ExitStatus(signal=9), 137)])
def test_any_stops_all_at_the_first_exit_whatever_its_code(status: ExitStatus, code: int) -> None:
    world = World("web.1", "job.1", exit_rule="any")
    world.end("job.1", status)
    assert world.asked == ["web.1"]
    world.end("web.1", ExitStatus(signal=15))
    assert world.supervisor.settled
    assert world.supervisor.exit_code == code


def test_failure_stops_all_when_one_gave_up_but_not_before() -> None:
    world = World("web.1", "job.1", exit_rule="failure")
    world.end("job.1", CRASH)
    assert world.asked == []
    world.crash_for_good("job.1")
    assert world.asked == ["web.1"]
    world.end("web.1")
    assert world.supervisor.exit_code == 3


def test_the_first_failure_gives_the_code() -> None:
    world = World("a.1", "b.1", mode="never")
    world.end("b.1", ExitStatus(signal=11))
    world.end("a.1", CRASH)
    assert world.supervisor.exit_code == 139


def test_what_came_back_is_no_failure() -> None:
    world = World("web.1")
    world.end("web.1", CRASH)
    world.pass_time(5)
    world.end("web.1", GOOD)
    assert world.supervisor.exit_code == 0


def test_an_interrupt_is_130_and_a_closed_output_141() -> None:
    for reason, code in ((INTERRUPTED, 130), (OUTPUT_CLOSED, 141)):
        world = World("web.1")
        world.supervisor.stop_all(reason, 0.0)
        world.perform()
        world.end("web.1")
        assert world.supervisor.exit_code == code


@pytest.mark.parametrize("reason", [TERMINATED, ASKED], ids=str)
def test_a_terminated_run_is_0_in_time_and_143_when_it_had_to_be_killed(reason: Reason) -> None:
    world = World("web.1")
    world.supervisor.stop_all(reason, 0.0)
    world.perform()
    in_time = world.supervisor.exit_code
    world.pass_time(5.0)
    assert world.killed == ["web.1"]
    world.end("web.1", ExitStatus(signal=9))
    assert (in_time, world.supervisor.exit_code) == (0, 143)


def test_a_shutdown_asks_all_at_once_and_starts_nothing_any_more() -> None:
    world = World("a.1", "b.1", "c.1")
    world.end("b.1", CRASH)
    world.supervisor.stop_all(TERMINATED, world.now)
    world.perform()
    assert world.asked == ["a.1", "c.1"]
    assert world.state("b.1") == State.EXITED
    world.supervisor.wish(Event.START, world.supervisor.instances.values(), world.now)
    world.pass_time(100)
    assert world.state("b.1") == State.EXITED


def test_a_second_stop_changes_nothing_and_a_kill_does_not_wait() -> None:
    world = World("a.1")
    world.supervisor.stop_all(INTERRUPTED, 0.0)
    world.supervisor.stop_all(TERMINATED, 1.0)
    world.perform()
    assert world.asked == ["a.1"]
    world.supervisor.kill_all(INTERRUPTED, 1.0)
    world.perform()
    assert world.killed == ["a.1"]
    world.end("a.1", ExitStatus(signal=9))
    assert world.supervisor.exit_code == 130


def test_the_nearest_deadline_is_the_one_to_sleep_until() -> None:
    world = World("a.1", "b.1")
    assert world.supervisor.next_deadline() is None
    world.end("a.1", CRASH)
    world.pass_time(0.5)
    world.end("b.1", CRASH)
    assert world.supervisor.next_deadline() == 1.0
    world.pass_time(0.5)
    assert world.state("a.1") == State.RUNNING
    assert world.supervisor.next_deadline() == 1.5


def test_what_is_added_stands_where_the_procfile_has_it() -> None:
    def plan(name: str, index: int) -> InstancePlan:
        kind, _, number = name.partition(".")
        return InstancePlan(name, kind, int(number), None, "x", "/", {}, RestartPolicy(), StopPolicy(), index=index)

    supervisor = Supervisor([plan("web.1", 0), plan("worker.1", 2)])
    held_by_others = supervisor.instances
    supervisor.add([plan("web.2", 0), plan("clock.1", 1)], 0.0)
    assert list(held_by_others) == ["web.1", "web.2", "clock.1", "worker.1"]


def test_a_pause_lasts_until_it_is_resumed() -> None:
    supervisor = World("web.1", "worker.1").supervisor
    web, worker = supervisor.instances.values()
    supervisor.pause(web)
    assert (supervisor.is_paused(web), supervisor.is_paused(worker)) == (True, False)
    supervisor.resume(web)
    assert not supervisor.is_paused(web)


def test_a_pause_ends_with_the_life_that_was_paused() -> None:
    world = World("web.1")
    web = world.supervisor.instances["web.1"]
    world.supervisor.pause(web)
    world.end("web.1", CRASH)
    assert not world.supervisor.is_paused(web)
    world.supervisor.wish(Event.START, [web], world.now)
    world.supervisor.take_actions()
    world.supervisor.spawned(web, 2, world.now)
    assert not world.supervisor.is_paused(web)


def test_an_instance_without_a_child_cannot_be_paused() -> None:
    world = World("web.1")
    web = world.supervisor.instances["web.1"]
    world.end("web.1")
    world.supervisor.pause(web)
    world.supervisor.wish(Event.START, [web], world.now)
    world.perform()
    assert not world.supervisor.is_paused(web)


def test_what_is_started_again_while_it_leaves_stays() -> None:
    world = World("web.1", "worker.1")
    web = world.supervisor.instances["web.1"]
    world.supervisor.retire([web], world.now)
    world.supervisor.wish(Event.START, [web], world.now)
    world.end("web.1")
    assert world.state("web.1") == State.RUNNING
    world.end("web.1", GOOD)
    assert world.state("web.1") == State.EXITED


def test_a_retired_instance_takes_its_pause_with_it() -> None:
    world = World("web.1", "worker.1")
    supervisor, web = world.supervisor, world.supervisor.instances["web.1"]
    supervisor.pause(web)
    supervisor.retire([web], world.now)
    world.end("web.1")
    world.supervisor.add([web.plan], world.now)
    world.perform()  # the world gives every child the pid 1
    assert not supervisor.is_paused(supervisor.instances["web.1"])
