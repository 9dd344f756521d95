"""Dependencies: orders, cycles, and whole runs from start to end. No process, no clock."""

from __future__ import annotations

import random

import pytest

from procman.core.lifecycle.order import Order, longest_paths
from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import ALIVE, Action, Event, Instance, State
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency, find_cycle
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus

CRASH = ExitStatus(code=3)
GOOD = ExitStatus(code=0)
TERM = ExitStatus(signal=15)


def a_plan(name: str, *needs: str, ready: bool = False, mode: str = "on-failure", grace: float = 6.0) -> InstancePlan:
    """Return a plan; `needs` are written ``db`` or ``migrate:completed_successfully``."""
    plan = InstancePlan(
        name, name.partition(".")[0], 1, None, "x", "/", {}, RestartPolicy(mode), StopPolicy(grace=grace)
    )
    plan.depends_on = tuple(Dependency(*need.split(":")) for need in needs)  # type: ignore[arg-type]  # no timeout in them
    plan.ready = Check("tcp", "x", timeout=60.0) if ready else None
    return plan


class World:
    """Responds to the supervisor like the engine; an instance that is stopping ends when the test ends it."""

    def __init__(self, *plans: InstancePlan, exit_rule: str = "all") -> None:
        self.supervisor = Supervisor(plans, exit_rule)
        self.now = 0.0
        self.launched: list[str] = []
        self.asked: list[str] = []
        self.killed: list[str] = []
        self.supervisor.start_all(0.0)
        self.perform()

    def perform(self) -> None:
        while actions := self.supervisor.take_actions():
            for action, instance in actions:
                if action == Action.LAUNCH and instance.state != State.STARTING:
                    self.supervisor.spawn_failed(instance, "stopped before it was started", None, self.now)
                elif action == Action.LAUNCH:
                    self.launched.append(instance.name)
                    self.supervisor.spawned(instance, 1, self.now)
                elif action == Action.STOP:
                    self.asked.append(instance.name)
                elif action == Action.KILL:
                    self.killed.append(instance.name)

    def ready(self, name: str) -> None:
        self.supervisor.ready(self.supervisor.instances[name], self.now)
        self.perform()

    def end(self, name: str, status: ExitStatus = GOOD) -> None:
        self.supervisor.exited(self.supervisor.instances[name], status, self.now)
        self.perform()

    def wish(self, event: str, *names: str) -> None:
        self.supervisor.wish(event, [self.supervisor.instances[name] for name in names], self.now)
        self.perform()

    def hold(self, *names: str) -> None:
        self.supervisor.hold([self.supervisor.instances[name] for name in names], self.now)
        self.perform()

    def words(self, name: str) -> list[str]:
        return self.supervisor.hindrances(self.supervisor.instances[name])

    def stop(self) -> None:
        self.supervisor.stop_all(ASKED, self.now)
        self.perform()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.supervisor.tick(self.now)
        self.perform()

    def state(self, name: str) -> str:
        return self.supervisor.instances[name].state

    def failure(self, name: str) -> str:
        return self.supervisor.instances[name].failure


# Starting ---------------------------------------------------------------------------------------------------------


def test_a_dependant_waits_until_all_instances_of_the_type_are_ready() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True), a_plan("db.2", ready=True))
    assert world.launched == ["db.1", "db.2"]
    assert world.state("web.1") == State.WAITING
    world.ready("db.1")
    assert world.state("web.1") == State.WAITING
    world.ready("db.2")
    assert world.state("web.1") == State.RUNNING


def test_started_does_not_wait_for_readiness() -> None:
    world = World(a_plan("web.1", "db:started"), a_plan("db.1", ready=True))
    assert world.launched == ["db.1", "web.1"]


def test_a_migration_is_waited_for_to_its_end() -> None:
    world = World(a_plan("web.1", "migrate:completed_successfully"), a_plan("migrate.1"))
    assert world.launched == ["migrate.1"]
    world.end("migrate.1")
    assert world.launched == ["migrate.1", "web.1"]


def test_completed_does_not_ask_for_success() -> None:
    world = World(a_plan("web.1", "job:completed"), a_plan("job.1", mode="never"))
    world.end("job.1", CRASH)
    assert world.state("web.1") == State.RUNNING


def test_a_failed_dependency_leaves_its_dependants_down_and_they_say_why() -> None:
    world = World(
        a_plan("web.1", "api"), a_plan("api.1", "migrate:completed_successfully"), a_plan("migrate.1", mode="never")
    )
    world.end("migrate.1", CRASH)
    assert (world.state("api.1"), world.state("web.1")) == (State.FAILED, State.FAILED)
    assert world.failure("api.1") == "not started because migrate.1 failed: exited with code 3"
    assert world.failure("web.1") == world.failure("api.1"), "the root cause is named, not the chain"
    assert world.launched == ["migrate.1"]
    assert world.supervisor.settled
    assert world.supervisor.exit_code == 3


def test_a_dependency_that_ends_before_it_is_ready_is_no_success() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True))
    world.end("db.1", GOOD)
    assert world.words("web.1") == ["db.1 is about to be restarted: ended before it was ready"]
    for _ in range(4):
        world.pass_time(40)
        world.end("db.1", GOOD)
    assert world.failure("web.1") == "not started because db.1 failed: ended before it was ready"
    assert world.supervisor.exit_code == 1


def test_a_job_that_is_waited_for_as_if_it_ran_is_told_how_to_wait_for_its_end() -> None:
    world = World(a_plan("web.1", "job", "db"), a_plan("job.1"), a_plan("db.1", ready=True))
    world.end("job.1", GOOD)
    hint = '(to wait until it completes, use job = "completed_successfully")'
    assert world.failure("web.1") == f"not started because job.1 is not running: exited with code 0 {hint}"


def test_a_crash_of_the_dependency_is_waited_out() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True))
    world.end("db.1", CRASH)
    assert world.supervisor.hindrances(world.supervisor.instances["web.1"]) == [
        "db.1 is about to be restarted: exited with code 3"
    ]
    world.pass_time(2)
    world.ready("db.1")
    assert world.state("web.1") == State.RUNNING


def test_a_dependant_that_crashes_with_its_dependency_spends_no_budget_while_that_is_down() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True))
    world.ready("db.1")
    world.end("db.1", CRASH)
    world.end("web.1", CRASH)
    world.pass_time(2)
    assert world.state("web.1") == State.WAITING
    world.ready("db.1")
    assert world.state("web.1") == State.RUNNING


def test_the_patience_of_a_dependency_ends() -> None:
    plan = a_plan("web.1")
    plan.depends_on = (Dependency("db", timeout=10.0),)
    world = World(plan, a_plan("db.1", ready=True))
    assert world.supervisor.next_deadline() == 10.0
    world.pass_time(10)
    assert (world.state("web.1"), world.state("db.1")) == (State.FAILED, State.STARTING)
    assert world.failure("web.1") == "not started in time: db.1 is not ready"


def test_what_does_not_start_by_itself_starts_with_what_needs_it() -> None:
    lazy, lone = a_plan("db.1"), a_plan("console.1")
    lazy.autostart = lone.autostart = False
    world = World(a_plan("web.1", "db"), lazy, lone)
    assert world.launched == ["db.1", "web.1"]
    assert world.state("console.1") == State.EXITED


def test_a_start_by_name_brings_up_what_was_stopped_below_it() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True))
    world.ready("db.1")
    world.wish(Event.STOP, "web.1", "db.1")
    world.end("db.1", TERM)
    world.end("web.1", TERM)
    world.wish(Event.START, "web.1")
    assert (world.state("web.1"), world.state("db.1")) == (State.WAITING, State.STARTING)


def test_what_is_started_for_others_waits_for_what_is_started_with_it() -> None:
    api = a_plan("api.1", "db")
    api.autostart = False
    world = World(a_plan("db.1", ready=True), api, a_plan("web.1", "api"))
    assert (world.state("api.1"), world.state("web.1")) == (State.WAITING, State.WAITING)
    world.ready("db.1")
    assert world.launched == ["db.1", "api.1", "web.1"]


def test_once_a_failure_ends_the_run_the_rest_of_a_request_is_not_started() -> None:
    plans = [a_plan("db.1", ready=True), a_plan("clock.1"), a_plan("job.1"), a_plan("web.1", "db")]
    world = World(*plans, exit_rule="failure")
    world.end("clock.1")
    world.end("job.1")
    launched = list(world.launched)
    world.supervisor.replan(world.supervisor.instances["web.1"], a_plan("web.1", "db", "job"))
    world.wish(Event.RESTART, "db.1", "clock.1")
    assert world.state("web.1") == State.FAILED
    assert world.launched == launched


def test_a_migration_that_is_done_is_not_done_again() -> None:
    world = World(a_plan("web.1", "migrate:completed_successfully"), a_plan("migrate.1"))
    world.end("migrate.1")
    world.wish(Event.RESTART, "web.1")
    world.end("web.1", TERM)
    assert world.launched == ["migrate.1", "web.1", "web.1"]


def test_a_dependency_that_the_user_stops_is_waited_for_and_brings_its_dependants_back() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True), exit_rule="failure")
    world.hold("db.1")
    assert world.words("web.1") == ["db.1 is stopping"]
    world.end("db.1", TERM)
    assert world.words("web.1") == ["db.1 is stopped; `procman start db` starts it"]
    assert (world.state("web.1"), world.supervisor.stopping) == (State.WAITING, None)
    assert not world.supervisor.settled
    world.wish(Event.START, "db.1")
    world.ready("db.1")
    assert world.state("web.1") == State.RUNNING


@pytest.mark.parametrize("rule", ["all", "any", "failure", "never"])
def test_a_dependant_that_dies_while_its_dependency_is_stopped_waits(rule: str) -> None:
    web = a_plan("web.1", "db")
    web.can_die = rule == "any"  # any other end is what that rule is about
    world = World(web, a_plan("db.1"), exit_rule=rule)
    world.hold("db.1")
    world.end("db.1", GOOD)
    world.end("web.1", CRASH)
    world.pass_time(2)
    assert (world.state("web.1"), world.supervisor.stopping) == (State.WAITING, None)
    world.wish(Event.START, "db.1")
    assert world.state("web.1") == State.RUNNING


def test_a_job_that_the_user_stops_before_it_has_succeeded_is_waited_for() -> None:
    world = World(a_plan("web.1", "job:completed_successfully"), a_plan("job.1"), exit_rule="failure")
    world.hold("job.1")
    world.end("job.1", TERM)
    assert world.state("web.1") == State.WAITING
    world.wish(Event.START, "job.1")
    world.end("job.1")
    assert world.state("web.1") == State.RUNNING


def test_the_patience_of_a_dependency_begins_again_when_the_user_starts_it_also_behind_another() -> None:
    web = a_plan("web.1")
    web.depends_on = (Dependency("api", timeout=10.0),)
    world = World(web, a_plan("api.1", "db"), a_plan("db.1", ready=True))
    world.pass_time(8)
    world.hold("db.1")
    assert world.supervisor.instances["web.1"].deadline is None
    world.end("db.1", TERM)
    world.pass_time(100)
    world.wish(Event.START, "db.1")
    assert world.supervisor.instances["web.1"].deadline == 118.0
    world.pass_time(10)
    assert world.state("web.1") == State.FAILED


def test_what_is_scaled_away_before_it_was_launched_does_not_lengthen_a_wait() -> None:
    web = a_plan("web.1")
    web.depends_on = (Dependency("db", "completed", 6.0),)
    world = World(web, a_plan("db.1"))
    world.pass_time(2.0)
    world.supervisor.retire(world.supervisor.add([a_plan("db.2")], world.now), world.now)
    world.perform()
    assert "db.2" not in world.supervisor.instances
    assert world.supervisor.instances["web.1"].deadline == 6.0


def test_nobody_gives_up_on_what_the_same_request_starts() -> None:
    world = World(a_plan("job.1", "api", "web:completed"), a_plan("api.1", ready=True))
    world.hold("api.1")
    world.end("api.1", TERM)
    world.supervisor.add([a_plan("web.1", "api")], world.now)
    world.perform()
    assert [world.state(name) for name in ("api.1", "web.1", "job.1")] == [
        State.STARTING,
        State.WAITING,
        State.WAITING,
    ]


def test_what_is_scaled_away_is_waited_for_no_longer() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True), a_plan("db.2", ready=True), exit_rule="failure")
    world.ready("db.1")
    world.supervisor.retire([world.supervisor.instances["db.2"]], world.now)
    world.perform()
    assert world.state("web.1") == State.WAITING
    world.end("db.2", TERM)
    assert world.state("web.1") == State.RUNNING


@pytest.mark.parametrize("way", ["retire", "hold", "stop", "kill"])
def test_one_request_starts_nothing_that_needs_what_it_also_stops(way: str) -> None:
    web = a_plan("web.1", "job:completed", "db")
    world = World(web, a_plan("job.1"), a_plan("db.1"))
    world.end("job.1", CRASH)
    stopped = [world.supervisor.instances[name] for name in ("job.1", "db.1")]
    if way == "retire":
        world.supervisor.retire(stopped, world.now)
    elif way == "hold":
        world.supervisor.hold(stopped, world.now)
    else:
        world.supervisor.wish(way, stopped, world.now)
    assert world.state("web.1") == State.WAITING


def test_a_changed_file_does_not_start_a_dependency_that_the_user_stopped() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1"))
    world.hold("db.1")
    world.end("db.1", TERM)
    world.supervisor.wish_by_itself(Event.RESTART, [world.supervisor.instances["web.1"]], world.now)
    world.perform()
    world.end("web.1", TERM)
    assert (world.state("web.1"), world.state("db.1")) == (State.WAITING, State.EXITED)


def test_what_the_clock_starts_does_not_start_a_dependency_that_the_user_stopped() -> None:
    web = a_plan("web.1", "db")
    web.autostart = False
    world = World(web, a_plan("db.1"))
    world.hold("db.1")
    world.end("db.1", TERM)
    world.supervisor.wish_by_itself(Event.START, [world.supervisor.instances["web.1"]], world.now)
    world.perform()
    assert (world.state("web.1"), world.state("db.1")) == (State.WAITING, State.EXITED)
    world.supervisor.add([web], world.now)
    world.perform()
    assert (world.state("web.1"), world.state("db.1")) == (State.RUNNING, State.RUNNING)


def test_a_job_that_others_wait_for_may_end_under_the_rule_of_foreman() -> None:
    world = World(a_plan("web.1", "migrate:completed_successfully"), a_plan("migrate.1", mode="never"), exit_rule="any")
    world.end("migrate.1")
    assert world.state("web.1") == State.RUNNING
    assert world.supervisor.stopping is None


def test_what_can_die_ends_nothing_and_is_no_failure() -> None:
    for rule in ("any", "failure", "all"):
        plan = a_plan("css.1", mode="never")
        plan.can_die = True
        world = World(a_plan("web.1"), plan, exit_rule=rule)
        world.end("css.1", CRASH)
        assert world.supervisor.stopping is None
        assert world.supervisor.exit_code == 0


# Stopping ---------------------------------------------------------------------------------------------------------


def chain() -> World:
    world = World(a_plan("web.1", "api"), a_plan("api.1", "db"), a_plan("db.1"), a_plan("css.1"))
    assert set(world.launched) == set(world.supervisor.instances)
    return world


def test_a_shutdown_goes_in_reverse_order() -> None:
    world = chain()
    world.stop()
    assert world.asked == ["web.1", "css.1"]
    assert world.supervisor.holds_back
    world.end("web.1", TERM)
    assert world.asked == ["web.1", "css.1", "api.1"]
    world.end("api.1", TERM)
    world.end("css.1", TERM)
    world.end("db.1", TERM)
    assert world.asked == ["web.1", "css.1", "api.1", "db.1"]
    assert world.supervisor.settled


def test_who_does_not_stop_delays_the_others_by_their_share_only_and_all_end_at_one_deadline() -> None:
    world = chain()
    world.stop()
    assert world.supervisor.next_deadline() == 2.0
    world.pass_time(2)
    assert world.asked == ["web.1", "css.1", "api.1"]
    world.pass_time(2)
    assert world.asked == ["web.1", "css.1", "api.1", "db.1"]
    assert world.killed == []
    world.pass_time(2)
    assert sorted(world.killed) == ["api.1", "css.1", "db.1", "web.1"]


def test_what_turns_unhealthy_before_its_turn_shares_the_deadline() -> None:
    db = a_plan("db.1")
    db.health = Check("tcp", "x", threshold=1)
    world = World(a_plan("web.1", "db"), db)
    world.stop()
    world.pass_time(1)
    world.supervisor.unhealthy(world.supervisor.instances["db.1"], "no answer", world.now)
    world.perform()
    assert world.supervisor.instances["db.1"].last_deadline == 6.0


def test_what_dies_while_its_turn_has_not_come_stays_down() -> None:
    world = chain()
    world.stop()
    world.end("db.1", CRASH)
    assert world.state("db.1") == State.EXITED
    world.pass_time(40)
    assert world.launched.count("db.1") == 1


def test_what_retires_while_a_shutdown_saves_it_for_later_is_forgotten() -> None:
    world = World(a_plan("db.1"), a_plan("web.1", "db"))
    world.stop()
    world.supervisor.retire([world.supervisor.instances["db.1"]], world.now)
    world.perform()
    for name in ("db.1", "web.1"):
        world.end(name, TERM)
    assert world.supervisor.settled
    assert world.supervisor.next_deadline() is None


def test_a_kill_waits_for_nobody() -> None:
    world = chain()
    world.stop()
    world.supervisor.kill_all(ASKED, world.now)
    world.perform()
    assert sorted(world.killed) == ["api.1", "css.1", "db.1", "web.1"]


def test_a_stop_while_some_still_wait_starts_nothing() -> None:
    world = World(a_plan("web.1", "db"), a_plan("db.1", ready=True))
    world.stop()
    world.end("db.1", TERM)
    assert world.launched == ["db.1"]
    assert world.supervisor.settled
    assert world.supervisor.exit_code == 0


# Graphs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({}, []),
        ({"a": ("b",), "b": ()}, []),
        ({"a": ("a",)}, ["a"]),
        ({"a": ("b",), "b": ("c",), "c": ("b",)}, ["b", "c"]),
        ({"a": ("b",), "b": ("nobody",)}, []),
        ({"a": ("x", "b"), "b": ("x", "a"), "x": ("y",), "y": ()}, ["a", "b"]),
    ],
)
def test_cycles_are_found(edges: dict[str, tuple[str, ...]], cycle: list[str]) -> None:
    assert find_cycle(edges) == cycle


def test_a_chain_of_ten_thousand_is_no_problem() -> None:
    edges: dict[str, tuple[str, ...]] = {str(number): (str(number + 1),) for number in range(10_000)}
    assert longest_paths(edges)["0"] == 9_999


def test_a_thousand_instances_come_up_in_order() -> None:
    plans = [a_plan(f"p{number}.1", *([f"p{number - 1}"] if number else [])) for number in range(1000)]
    random.Random(1).shuffle(plans)
    world = World(*plans)
    assert world.launched == [f"p{number}.1" for number in range(1000)]


def test_an_instance_with_a_new_plan_waits_for_its_new_dependency() -> None:
    world = World(a_plan("db.1", ready=True), a_plan("web.1"))
    web = world.supervisor.instances["web.1"]
    world.wish(Event.STOP, "web.1")
    world.end("web.1", TERM)
    world.supervisor.replan(web, a_plan("web.1", "db"))
    world.wish(Event.START, "web.1")
    assert world.state("web.1") == State.WAITING
    world.ready("db.1")
    assert world.launched == ["db.1", "web.1", "web.1"]


# One question at a time -------------------------------------------------------------------------------------------


def an_order(*plans: InstancePlan, **states: str) -> tuple[Order, dict[str, Instance]]:
    """Return the order of instances that are RUNNING unless `states` says otherwise."""
    instances = {plan.name: Instance(plan) for plan in plans}
    order = Order(instances)
    for instance in instances.values():
        instance.state = states.get(instance.plan.type, State.RUNNING)
        instance.pid = 7 if instance.state in ALIVE else None
        order.needed_types |= {dependency.type for dependency in instance.plan.depends_on}
    return order, instances


def test_what_waits_for_an_instance_is_what_depends_on_it_and_the_instance_itself() -> None:
    plans = [a_plan("web.1", "db"), a_plan("api.1", "db"), a_plan("job.1"), a_plan("db.1"), a_plan("web.2", "mq")]
    order, instances = an_order(*plans, web=State.WAITING, job=State.WAITING)
    assert [one.name for one in order.waiting_for({instances["db.1"]})] == ["web.1"]
    assert [one.name for one in order.waiting_for({instances["job.1"]})] == ["job.1"]
    assert order.waiting_for({instances["api.1"]}) == []
    instances["db.1"].state = State.WAITING
    assert [one.name for one in order.waiting_for({instances["db.1"]})] == ["web.1", "db.1"]


def test_one_that_is_held_holds_up_what_needs_it_whatever_else_is_needed() -> None:
    order, instances = an_order(
        a_plan("web.1", "db", "mq"), a_plan("db.1"), a_plan("mq.1"), db=State.EXITED, mq=State.STARTING
    )
    assert not order.is_held_up(instances["web.1"])
    instances["db.1"].held = True
    assert order.is_held_up(instances["web.1"])
    assert not order.is_held_up(instances["db.1"])


@pytest.mark.parametrize(
    ("state", "db", "verdict"),
    [
        (State.WAITING, State.RUNNING, (Event.START, "")),
        (State.WAITING, State.STARTING, None),
        (State.WAITING, State.FAILED, (Event.TIMEOUT, "not started because db.1 failed; db.2 failed")),
        (State.RUNNING, State.RUNNING, None),
        (State.RUNNING, State.FAILED, None),
        (State.EXITED, State.RUNNING, None),
    ],
)
def test_a_wait_ends_when_nothing_is_in_its_way_or_nothing_can_help(
    state: str, db: str, verdict: tuple[str, str] | None
) -> None:
    order, instances = an_order(a_plan("web.1", "db"), a_plan("db.1"), a_plan("db.2"), web=state, db=db)
    assert order.verdict(instances["web.1"]) == verdict


def test_a_failure_ends_a_wait_for_something_that_may_still_come() -> None:
    plans = [a_plan("web.1", "mq", "db"), a_plan("db.1"), a_plan("mq.1")]
    order, instances = an_order(*plans, web=State.WAITING, mq=State.STARTING, db=State.FAILED)
    assert order.verdict(instances["web.1"]) == (Event.TIMEOUT, "not started because db.1 failed")
