"""Many instances: when a run ends, with which exit code, and what a shutdown does. No process, no clock."""

from __future__ import annotations

import pytest

from procman.core.lifecycle.outcome import ASKED, INTERRUPTED, OUTPUT_CLOSED, TERMINATED, Reason, failure_code
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, Event, Instance, State
from procman.core.model.checks import Check
from procman.core.model.dependency import COMPLETED, Dependency
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
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


def a_checked_world() -> tuple[World, Instance]:
    """A process with a readiness check of 4 s and health checks every 10 s, just started."""
    world = World("web.1")
    world.supervisor.stop_all(ASKED, 0.0)
    plan = InstancePlan("web.1", "web", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy(grace=5.0))
    plan.ready, plan.health = Check("tcp", "", timeout=4.0), Check("tcp", "", interval=10.0, threshold=2)
    world.supervisor = Supervisor([plan])
    world.supervisor.start_all(0.0)
    world.told.clear()
    world.perform()
    return world, world.supervisor.instances["web.1"]


def test_the_time_of_a_pause_is_not_charged() -> None:
    world, web = a_checked_world()
    world.pass_time(1)
    world.supervisor.pause(web, world.now)
    assert web.deadline is None
    world.pass_time(100)
    world.supervisor.resume(web, world.now)
    assert web.deadline == 101 + 3
    world.supervisor.ready(web, world.now)
    world.supervisor.unhealthy(web, "no answer", world.now)
    world.supervisor.pause(web, world.now)
    world.supervisor.unhealthy(web, "no answer", world.now)
    world.pass_time(50)
    world.supervisor.resume(web, world.now)
    assert web.failed_probes == 0
    assert world.supervisor.next_deadline() == 151 + 10
    world.perform()
    assert [action for action, _ in world.told if action in ("paused", "resumed")] == ["paused", "resumed"] * 2


def test_what_is_stopped_or_ends_is_paused_no_longer() -> None:
    world, web = a_checked_world()
    world.supervisor.pause(web, world.now)
    world.supervisor.wish(Event.RESTART, [web], world.now)
    grace_ends = web.deadline
    assert grace_ends is not None
    world.supervisor.pause(web, world.now)  # its grace runs
    assert (web.paused, web.deadline) == (False, grace_ends)
    world.end("web.1")
    world.supervisor.pause(web, world.now)
    world.end("web.1", CRASH)
    assert (web.paused, web.time_left, web.state) == (False, None, State.BACKOFF)


def test_time_in_which_everything_stood_still_moves_every_deadline() -> None:
    world, web = a_checked_world()
    world.supervisor.stand_still(60.0)
    assert world.supervisor.next_deadline() == web.deadline == 64.0
    world.pass_time(63)
    assert web.state == State.STARTING


def test_a_life_that_ends_before_it_was_ready_has_failed_whatever_its_code() -> None:
    world, web = a_checked_world()
    world.end("web.1", GOOD)
    assert (web.state, web.failure, web.quick_deaths) == (State.BACKOFF, "ended before it was ready", 1)
    world.pass_time(2)
    world.supervisor.ready(web, world.now)
    world.end("web.1", GOOD)
    assert web.state == State.EXITED


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
    supervisor.pause(web, 0.0)
    assert (supervisor.is_paused(web), supervisor.is_paused(worker)) == (True, False)
    supervisor.resume(web, 0.0)
    assert not supervisor.is_paused(web)


def test_a_pause_ends_with_the_life_that_was_paused() -> None:
    world = World("web.1")
    web = world.supervisor.instances["web.1"]
    world.supervisor.pause(web, 0.0)
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
    world.supervisor.pause(web, 0.0)
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


def test_the_name_of_what_was_scaled_away_is_told_once_it_is_at_rest() -> None:
    world = World("web.1", "worker.1")
    removed: list[str] = []
    world.supervisor.on_removed = removed.append
    world.supervisor.retire([world.supervisor.instances["web.1"]], world.now)
    assert removed == []
    world.end("web.1")
    assert removed == ["web.1"]


def test_a_kill_before_the_shutdown_does_not_count_in_its_exit_code() -> None:
    world = World("web.1", "worker.1")
    world.supervisor.wish(Event.RESTART, [world.supervisor.instances["web.1"]], world.now)
    world.pass_time(5.0)
    assert world.killed == ["web.1"]
    world.end("web.1")
    world.supervisor.stop_all(TERMINATED, world.now)
    world.perform()
    world.end("web.1")
    world.end("worker.1")
    assert world.supervisor.exit_code == 0


def test_a_retired_instance_takes_its_pause_with_it() -> None:
    world = World("web.1", "worker.1")
    supervisor, web = world.supervisor, world.supervisor.instances["web.1"]
    supervisor.pause(web, 0.0)
    supervisor.retire([web], world.now)
    world.end("web.1")
    world.supervisor.add([web.plan], world.now)
    world.perform()  # the world gives every child the pid 1
    assert not supervisor.is_paused(supervisor.instances["web.1"])


def a_supervisor(*names: str, exit_rule: str = "all", **more: object) -> Supervisor:
    """Return a supervisor whose instances run; `more` are attributes of their plans."""
    plans = []
    for name in names:
        kind, _, number = name.partition(".")
        plan = InstancePlan(name, kind, int(number), None, "x", "/", {}, RestartPolicy(), StopPolicy(grace=5.0))
        for key, value in more.items():
            setattr(plan, key, value)
        plans.append(plan)
    supervisor = Supervisor(plans, exit_rule)
    supervisor.start_all(0.0)
    for instance in supervisor.instances.values():
        if instance.plan.autostart:
            supervisor.spawned(instance, 7, 0.0)
    supervisor.take_actions()
    return supervisor


def told(supervisor: Supervisor) -> list[str]:
    return [action for action, _ in supervisor.take_actions()]


def test_only_what_autostarts_is_started() -> None:
    assert a_supervisor("web.1", autostart=False).instances["web.1"].state == State.EXITED
    assert a_supervisor("web.1").instances["web.1"].state == State.RUNNING


def test_failed_checks_in_a_row_condemn_and_a_passed_one_begins_anew() -> None:
    supervisor = a_supervisor("web.1", health=Check("tcp", "localhost:1", threshold=3))
    web = supervisor.instances["web.1"]
    for _ in range(2):
        supervisor.unhealthy(web, "refused", 1.0)
    assert (web.failed_probes, web.trouble, web.state) == (2, "refused", State.RUNNING)
    supervisor.probed(web, "")
    assert (web.failed_probes, web.trouble) == (0, "")
    for _ in range(3):
        assert web.state == State.RUNNING
        supervisor.unhealthy(web, "refused", 2.0)
    assert (web.state, web.condemned) == (State.STOPPING, True)
    assert "refused" in web.failure
    supervisor.unhealthy(web, "again", 3.0)
    assert (web.failed_probes, web.trouble) == (3, "refused")


def test_an_unhealthy_one_that_may_be_so_is_announced_once() -> None:
    supervisor = a_supervisor("web.1", health=Check("tcp", "localhost:1", threshold=2, on_fail="none"))
    web = supervisor.instances["web.1"]
    for _ in range(5):
        supervisor.unhealthy(web, "refused", 1.0)
    assert told(supervisor) == [Action.ANNOUNCE_UNHEALTHY]
    assert web.state == State.RUNNING
    supervisor = a_supervisor("web.1")
    supervisor.unhealthy(supervisor.instances["web.1"], "refused", 1.0)
    assert supervisor.instances["web.1"].failed_probes == 0


def test_what_can_die_neither_ends_the_run_nor_gives_its_code() -> None:
    for rule in ("any", "failure", "all"):
        supervisor = a_supervisor("web.1", "db.1", exit_rule=rule, can_die=True, restart=RestartPolicy("never"))
        supervisor.exited(supervisor.instances["web.1"], CRASH, 1.0)
        assert supervisor.stopping is None
        assert supervisor.exit_code == 0


@pytest.mark.parametrize("rule", ["any", "failure"])
def test_a_failure_ends_the_run_by_either_rule_and_gives_its_code(rule: str) -> None:
    supervisor = a_supervisor("web.1", "db.1", exit_rule=rule)
    supervisor.instances["db.1"].plan.restart = RestartPolicy("never")
    supervisor.exited(supervisor.instances["db.1"], CRASH, 1.0)
    assert supervisor.stopping is not None
    assert supervisor.stopping.cause == (Action.ANNOUNCE_FAILED, "db.1")
    assert supervisor.exit_code == 3


def test_a_first_exit_that_counts_as_success_is_no_failure() -> None:
    supervisor = a_supervisor("web.1", "db.1", exit_rule="any", restart=RestartPolicy(success_codes=(0, 3)))
    supervisor.exited(supervisor.instances["web.1"], CRASH, 1.0)
    assert supervisor.stopping is not None
    assert supervisor.exit_code == 0


def test_a_requested_end_does_not_end_the_run() -> None:
    supervisor = a_supervisor("web.1", "db.1", exit_rule="any")
    supervisor.wish(Event.RESTART, [supervisor.instances["web.1"]], 1.0)
    supervisor.exited(supervisor.instances["web.1"], CRASH, 2.0)
    assert supervisor.stopping is None


def test_what_fails_while_everything_stops_does_not_change_the_code() -> None:
    supervisor = a_supervisor("web.1", "db.1", exit_rule="any", restart=RestartPolicy("never"))
    supervisor.stop_all(Reason("enough"), 1.0)
    for instance in supervisor.instances.values():
        supervisor.exited(instance, CRASH, 2.0)
    assert supervisor.exit_code == 0
    assert supervisor.stopping is not None
    assert supervisor.stopping.words == "enough"


def test_a_kill_before_the_shutdown_is_not_its_fault_but_one_in_it_is() -> None:
    supervisor = a_supervisor("web.1", "db.1")
    web, db = supervisor.instances.values()
    supervisor.wish(Event.KILL, [web], 1.0)
    supervisor.exited(web, CRASH, 2.0)
    assert supervisor.outcome.stopped_in_time
    supervisor.stop_all(TERMINATED, 3.0)
    for _ in range(2):
        supervisor.tick(100.0)
    assert db.killed
    assert not supervisor.outcome.stopped_in_time
    assert supervisor.exit_code == 143


def test_a_kill_keeps_the_first_reason_and_is_never_in_time() -> None:
    supervisor = a_supervisor("web.1")
    supervisor.stop_all(TERMINATED, 1.0)
    supervisor.kill_all(INTERRUPTED, 2.0)
    assert supervisor.stopping is TERMINATED
    assert supervisor.exit_code == 143
    supervisor = a_supervisor("web.1")
    supervisor.kill_all(INTERRUPTED, 2.0)
    assert supervisor.exit_code == 130


def test_what_the_user_stopped_keeps_the_run_and_is_started_by_him_alone() -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    assert supervisor.may_restart_by_itself(web)
    supervisor.hold([web], 1.0)
    supervisor.exited(web, GOOD, 2.0)
    told(supervisor)
    assert supervisor.is_held(web)
    assert not supervisor.settled
    assert not supervisor.may_restart_by_itself(web)
    supervisor.wish(Event.START, [web], 3.0)
    assert not supervisor.is_held(web)
    assert supervisor.may_restart_by_itself(web)


def test_what_never_started_does_not_restart_by_itself() -> None:
    supervisor = a_supervisor("web.1", autostart=False)
    assert not supervisor.may_restart_by_itself(supervisor.instances["web.1"])


def test_a_run_is_over_when_all_rest_and_their_ends_are_told() -> None:
    supervisor = a_supervisor("web.1", "db.1")
    web, db = supervisor.instances.values()
    supervisor.hold([web], 1.0)
    supervisor.exited(web, GOOD, 2.0)
    supervisor.exited(db, GOOD, 2.0)
    assert supervisor.has_news
    told(supervisor)
    assert not supervisor.settled  # one is held
    supervisor.stop_all(TERMINATED, 3.0)
    told(supervisor)
    assert supervisor.settled
    assert not a_supervisor().settled  # instances may be added


def test_a_retired_instance_is_removed_when_it_is_at_rest_and_not_before() -> None:
    supervisor = a_supervisor("web.1", "web.2")
    web = supervisor.instances["web.2"]
    supervisor.retire([web], 1.0)
    assert web.held
    assert "web.2" in supervisor.instances
    supervisor.exited(web, GOOD, 2.0)
    assert list(supervisor.instances) == ["web.1"]
    supervisor.exited(supervisor.instances["web.1"], GOOD, 3.0)
    supervisor.retire([supervisor.instances["web.1"]], 4.0)
    assert list(supervisor.instances) == []


@pytest.mark.parametrize("how", ["add", "restart"])
def test_an_instance_that_is_wanted_again_is_not_removed(how: str) -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    supervisor.retire([web], 1.0)
    supervisor.add([web.plan], 1.5) if how == "add" else supervisor.wish(Event.RESTART, [web], 1.5)
    supervisor.exited(web, GOOD, 2.0)
    assert supervisor.instances["web.1"].state == State.STARTING


def test_dependencies_of_a_new_plan_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for how in ("replan", "add"):
        supervisor = a_supervisor("web.1", "db.1")
        web, db = supervisor.instances.values()
        supervisor.wish(Event.STOP, [web, db], 1.0)
        for instance in (web, db):
            supervisor.exited(instance, GOOD, 2.0)
        told(supervisor)
        plan = InstancePlan("web.1", "web", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
        plan.depends_on = (Dependency("db"),)
        if how == "replan":
            supervisor.replan(web, plan)
            supervisor.wish(Event.START, [web], 3.0)
        else:
            plan.name, plan.number = "web.2", 2
            (web,) = supervisor.add([plan], 3.0)
        assert web.state == State.WAITING, how


def test_a_deadline_that_is_reached_is_due_and_one_that_is_not_is_left() -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    supervisor.exited(web, CRASH, 1.0)
    due = supervisor.next_deadline()
    assert due == web.deadline
    assert due is not None
    supervisor.tick(due - 0.001)
    assert web.state == State.BACKOFF
    supervisor.tick(due)
    assert web.state == State.STARTING
    assert supervisor.next_deadline() is None


def test_a_pause_is_that_of_the_present_child() -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    assert not supervisor.is_paused(web)
    supervisor.pause(web, 0.0)
    assert supervisor.is_paused(web)


def ordered_supervisor(exit_rule: str = "all") -> Supervisor:
    """Return a web that depends on a db, both running."""
    supervisor = a_supervisor("db.1", "web.1", exit_rule=exit_rule)
    plan = supervisor.instances["web.1"].plan
    plan.depends_on = (Dependency("db"),)
    supervisor.replan(supervisor.instances["web.1"], plan)
    return supervisor


def test_what_others_use_is_stopped_after_them_and_killed_with_them() -> None:
    supervisor = ordered_supervisor()
    db, web = supervisor.instances.values()
    supervisor.stop_all(TERMINATED, 1.0)
    assert (web.state, db.state, db.wanted) == (State.STOPPING, State.RUNNING, False)
    assert supervisor.holds_back
    supervisor.kill_all(TERMINATED, 2.0)
    assert not supervisor.holds_back
    assert (web.killed, db.killed) == (True, True)


def test_a_crash_of_what_waits_for_its_stop_does_not_change_the_code() -> None:
    supervisor = ordered_supervisor("any")
    db, _ = supervisor.instances.values()
    supervisor.stop_all(Reason("enough"), 1.0)
    assert db.state == State.RUNNING
    supervisor.exited(db, CRASH, 2.0)
    assert supervisor.exit_code == 0
    assert db.state == State.EXITED


def test_a_kill_that_finds_nobody_is_not_in_time_either() -> None:
    supervisor = a_supervisor("web.1", autostart=False)
    supervisor.kill_all(TERMINATED, 2.0)
    assert not supervisor.outcome.stopped_in_time


def test_a_run_is_not_over_before_its_last_news_are_taken() -> None:
    supervisor = a_supervisor("web.1")
    supervisor.exited(supervisor.instances["web.1"], GOOD, 1.0)
    assert not supervisor.settled
    told(supervisor)
    assert supervisor.settled


@pytest.mark.parametrize(("status", "ends"), [(GOOD, False), (CRASH, True)])
def test_a_first_exit_that_others_wait_for_ends_the_run_only_if_it_failed(status: ExitStatus, ends: bool) -> None:
    supervisor = ordered_supervisor("any")
    db, web = supervisor.instances.values()
    web.plan.depends_on = (Dependency("db", COMPLETED),)
    supervisor.exited(db, status, 1.0)
    assert (supervisor.stopping is not None) is ends


def test_a_condemned_life_fails_with_code_1_whatever_its_own_was() -> None:
    web = a_supervisor("web.1").instances["web.1"]
    web.status = ExitStatus(code=143)
    assert failure_code(web) == 143
    web.condemned = True
    assert failure_code(web) == 1
    web.condemned, web.status = False, GOOD
    assert failure_code(web) == 1
    web.status = None
    assert failure_code(web) == 126
    web.started = None
    assert failure_code(web) == 1


def test_only_what_is_paused_can_be_resumed() -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    web.failed_probes = 2
    before = supervisor.revision
    supervisor.resume(web, 1.0)
    assert (told(supervisor), web.failed_probes, supervisor.revision) == ([], 2, before)


def test_readiness_in_a_pause_starts_the_time_to_the_next_check_when_it_is_resumed() -> None:
    world, web = a_checked_world()
    world.supervisor.pause(web, 1.0)
    world.supervisor.ready(web, 2.0)
    assert (web.state, web.deadline, web.time_left) == (State.RUNNING, None, 10.0)
    assert world.supervisor.next_deadline() is None
    world.supervisor.resume(web, 50.0)
    assert (world.supervisor.next_deadline(), web.time_left) == (60.0, None)


def test_a_pause_without_a_deadline_or_behind_it_leaves_no_time() -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    supervisor.pause(web, 1.0)
    assert (web.deadline, web.time_left) == (None, None)
    supervisor.resume(web, 2.0)
    assert (web.deadline, web.time_left) == (None, None)
    world, web = a_checked_world()
    world.supervisor.pause(web, 9.0)  # its check was due at 4
    assert web.time_left == 0.0


def test_a_deadline_moves_on_while_the_user_holds_the_process() -> None:
    world, web = a_checked_world()
    assert world.supervisor.next_deadline() == 4.0
    world.supervisor.postpone(web, 2.5)
    assert world.supervisor.next_deadline() == web.deadline == 6.5
    web.deadline = None
    world.supervisor.postpone(web, 2.5)
    assert web.deadline is None


def test_time_in_which_everything_stood_still_moves_an_ordered_shutdown_on() -> None:
    supervisor = ordered_supervisor()
    db, web = supervisor.instances.values()
    supervisor.stop_all(TERMINATED, 1.0)  # both have until 6, and the second one is stopped at 3.5 at the latest
    web.deadline = None
    assert supervisor.next_deadline() == 3.5
    supervisor.stand_still(100.0)
    assert supervisor.next_deadline() == 103.5
    supervisor.tick(103.4)
    assert db.state == State.RUNNING
    supervisor.tick(103.5)
    assert (db.state, db.last_deadline) == (State.STOPPING, 106.0)


@pytest.mark.parametrize("awaited", ["db.1", "web.1", ""])
def test_a_run_waits_for_what_something_can_still_start(awaited: str) -> None:
    supervisor = a_supervisor("db.1", "web.1")
    supervisor.awaited_by.append(lambda instance: instance.name == awaited)
    for instance in supervisor.instances.values():
        supervisor.exited(instance, GOOD, 1.0)
    told(supervisor)
    assert supervisor.settled is (awaited == "")


def test_what_is_waited_for_is_what_is_not_down() -> None:
    supervisor = a_supervisor("db.1", "web.1", "job.1")
    db, web, job = supervisor.instances.values()
    db.state, web.state, job.state = State.FAILED, State.BACKOFF, State.EXITED
    assert supervisor.waiting_for == [web]


def test_what_is_about_to_start_for_the_first_time_may_restart_by_itself() -> None:
    supervisor = a_supervisor("web.1", autostart=False)
    web = supervisor.instances["web.1"]
    web.wanted = True
    assert supervisor.may_restart_by_itself(web)
    web.wanted, web.started = False, 1.0
    assert supervisor.may_restart_by_itself(web)
    web.held = True
    assert not supervisor.may_restart_by_itself(web)


def test_the_limit_of_a_wait_does_not_run_while_the_user_holds_one_of_the_dependencies() -> None:
    supervisor = a_supervisor("db.1", "mq.1", "web.1")
    db, mq, web = supervisor.instances.values()
    web.plan.depends_on = (Dependency("mq", timeout=9.0), Dependency("db", timeout=9.0))
    supervisor.replan(web, web.plan)
    supervisor.hold([web, db], 1.0)
    for instance in (web, db):
        supervisor.exited(instance, GOOD, 2.0)
    mq.state = State.STARTING
    db.state = State.STOPPING
    supervisor.add([web.plan], 3.0)
    assert (web.state, web.held_up, web.deadline) == (State.WAITING, True, None)


def test_each_step_is_counted() -> None:
    supervisor = a_supervisor("web.1")
    web = supervisor.instances["web.1"]
    before = supervisor.revision
    supervisor.pause(web, 1.0)
    supervisor.resume(web, 2.0)
    supervisor.exited(web, CRASH, 3.0)
    assert supervisor.revision == before + 3
    supervisor.next_deadline()
    told(supervisor)
    assert supervisor.revision == before + 3
