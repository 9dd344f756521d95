"""The table of one instance: every cell, named histories, and a random walk that looks for gaps."""

from __future__ import annotations

import random

import pytest

from procman.core.lifecycle.transitions import (
    TABLE,
    Action,
    Event,
    Fact,
    ImpossibleEventError,
    Instance,
    State,
    hold_up,
    step,
)
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus

STATES = [value for name, value in vars(State).items() if name.isupper()]
EVENTS = [value for name, value in vars(Event).items() if name.isupper()]
ACTIONS = [value for name, value in vars(Action).items() if name.isupper()]
CRASH = ExitStatus(code=1)
GOOD = ExitStatus(code=0)


def an_instance(mode: str = "on-failure", **policy: float) -> Instance:
    restart = RestartPolicy(mode, **policy)  # type: ignore[arg-type]  # the test names only what it cares about
    return Instance(InstancePlan("web.1", "web", 1, 5000, "x", "/", {}, restart, StopPolicy(grace=5.0)))


def put(instance: Instance, state: str, pid: int | None = 7) -> Instance:
    instance.state = state
    instance.pid = pid if state in (State.RUNNING, State.STOPPING, State.STARTING) else None
    instance.wanted = state in (State.WAITING, State.STARTING, State.RUNNING, State.BACKOFF)
    instance.started = 0.0
    return instance


def test_every_cell_is_spoken_for() -> None:
    assert set(TABLE) == {(state, event) for state in STATES for event in EVENTS}


#            START  STOP  KILL  RESTART SPAWNED SPAWN_FAILED READY EXITED TIMEOUT UNHEALTHY
EXPECTED = {
    State.WAITING: "starting exited exited starting ! ! ! ! failed !",
    State.STARTING: "starting stopping stopping stopping running failed running backoff stopping starting",
    State.RUNNING: "running stopping stopping stopping ! ! running backoff running stopping",
    State.STOPPING: "stopping stopping stopping stopping stopping exited stopping exited stopping stopping",
    State.BACKOFF: "starting exited exited starting ! ! ! ! starting !",
    State.EXITED: "starting exited exited starting ! ! ! ! ! !",
    State.FAILED: "starting failed failed starting ! ! ! ! ! !",
}
WALK = [
    (state, event, after) for state, row in EXPECTED.items() for event, after in zip(EVENTS, row.split(), strict=True)
]


@pytest.mark.parametrize(("state", "event", "after"), WALK)
def test_each_event_leads_to_the_state_of_the_table(state: str, event: str, after: str) -> None:
    instance = put(an_instance(), state)
    if state == State.STOPPING:
        instance.wanted = False
    fact = Fact(1.0, pid=8, status=ExitStatus(code=126) if event == Event.SPAWN_FAILED else CRASH, reason="no")
    if after == "!":
        with pytest.raises(ImpossibleEventError, match=event):
            step(instance, event, fact)
        assert instance.state == state
    else:
        step(instance, event, fact)
        assert instance.state == after


def live(instance: Instance, *events: tuple[str, float], status: ExitStatus = CRASH) -> list[str]:
    """Apply a history of (event, time); return the actions of the last event."""
    actions: tuple[str, ...] = ()
    for event, now in events:
        actions = step(instance, event, Fact(now, pid=9, status=status))
    return list(actions)


def test_a_long_life_comes_back_at_once() -> None:
    instance = an_instance()
    actions = live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 10.0))
    assert actions == [Action.ANNOUNCE_EXITED, Action.ANNOUNCE_RESTARTING]
    assert (instance.delay, instance.deadline) == (0.0, 10.0)


def test_quick_deaths_wait_longer_each_time_and_then_give_up() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 0.5))
    delays = [instance.delay]
    now = 0.5
    while instance.state == State.BACKOFF:
        now += instance.delay
        live(instance, (Event.TIMEOUT, now), (Event.SPAWNED, now), (Event.EXITED, now + 0.5))
        delays.append(instance.delay)
    assert instance.state == State.FAILED
    assert delays[:4] == [1, 2, 4, 8]
    assert instance.restarts == 4


def test_a_start_that_the_user_wished_counts_as_a_restart_but_the_first_does_not() -> None:
    instance = an_instance("never")
    live(instance, (Event.START, 0))
    assert instance.restarts == 0
    live(instance, (Event.SPAWNED, 0), (Event.EXITED, 1))
    live(instance, (Event.RESTART, 2), (Event.SPAWNED, 2))  # it had failed
    assert instance.restarts == 1
    live(instance, (Event.STOP, 3), (Event.EXITED, 4), (Event.START, 5), (Event.SPAWNED, 5))
    assert instance.restarts == 2


def test_ten_good_seconds_clear_the_record() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 1), (Event.TIMEOUT, 2), (Event.SPAWNED, 2))
    assert instance.quick_deaths == 1
    live(instance, (Event.EXITED, 12.0))
    assert (instance.quick_deaths, instance.delay) == (0, 0.0)


@pytest.mark.parametrize("code", [126, 127])
def test_what_cannot_run_is_not_tried_again(code: int) -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0))
    actions = live(instance, (Event.EXITED, 0.1), status=ExitStatus(code=code))
    assert instance.state == State.FAILED
    assert actions[-1] == Action.ANNOUNCE_FAILED


def test_a_success_rests_unless_it_is_always_restarted() -> None:
    for mode, after in (("on-failure", State.EXITED), ("never", State.EXITED), ("always", State.BACKOFF)):
        instance = an_instance(mode)
        live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 1), status=GOOD)
        assert instance.state == after, mode


def test_success_never_spends_the_budget() -> None:
    instance = an_instance("always")
    live(instance, (Event.START, 0))
    for now in range(20):
        live(instance, (Event.SPAWNED, now), (Event.EXITED, now + 0.5), (Event.TIMEOUT, now + 1), status=GOOD)
    assert instance.state == State.STARTING


def test_a_crash_without_restarts_fails() -> None:
    instance = an_instance("never")
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 100))
    assert instance.state == State.FAILED


def test_the_end_of_the_grace_kills() -> None:
    instance = an_instance()
    assert live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.STOP, 1)) == [
        Action.ANNOUNCE_STOPPING,
        Action.STOP,
    ]
    assert (instance.deadline, instance.last_deadline) == (3.5, 6.0)
    assert live(instance, (Event.TIMEOUT, 3.5)) == [Action.STOP_REST]
    assert (instance.deadline, instance.last_deadline) == (6.0, 6.0)
    assert live(instance, (Event.TIMEOUT, 6.0)) == [Action.KILL]
    assert instance.deadline is None


@pytest.mark.parametrize("stop", [StopPolicy(to="group"), StopPolicy(command="./stop")])
def test_what_is_asked_in_one_step_has_one_deadline(stop: StopPolicy) -> None:
    instance = an_instance()
    instance.plan.stop = stop
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.STOP, 1))
    assert instance.deadline == 6.0
    assert live(instance, (Event.TIMEOUT, 6.0)) == [Action.KILL]


def test_a_restart_is_a_stop_that_goes_on_wanting_it() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.RESTART, 1))
    assert live(instance, (Event.EXITED, 2)) == [Action.ANNOUNCE_STOPPED, Action.LAUNCH]


def test_a_stop_between_launch_and_spawn_is_not_forgotten() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.STOP, 0))
    assert live(instance, (Event.SPAWNED, 0)) == [Action.STOP]


def test_a_kill_between_launch_and_spawn_is_not_forgotten() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.KILL, 0))
    assert live(instance, (Event.SPAWNED, 0)) == [Action.KILL]


def test_a_shortage_is_tried_again_and_a_missing_program_is_not() -> None:
    for status, after in ((None, State.BACKOFF), (ExitStatus(code=127), State.FAILED)):
        instance = an_instance()
        live(instance, (Event.START, 0))
        step(instance, Event.SPAWN_FAILED, Fact(0, status=status, reason="Cannot allocate memory"))
        assert instance.state == after
        assert instance.failure == "Cannot allocate memory"


# Readiness and health -------------------------------------------------------------------------------------------


def a_checked_instance(timeout: float | None = 60.0, **policy: float) -> Instance:
    instance = an_instance(**policy)  # type: ignore[arg-type]  # the mode is not among them
    instance.plan.ready = Check("tcp", "127.0.0.1:1", timeout=timeout)
    return instance


def test_with_a_readiness_check_it_starts_until_it_is_ready() -> None:
    instance = a_checked_instance()
    assert live(instance, (Event.START, 0), (Event.SPAWNED, 1)) == [Action.ANNOUNCE_STARTED]
    assert (instance.state, instance.deadline, instance.ready_at) == (State.STARTING, 61.0, None)
    assert live(instance, (Event.READY, 3)) == [Action.ANNOUNCE_READY]
    assert (instance.state, instance.deadline, instance.ready_at) == (State.RUNNING, None, 3)


def test_one_that_is_never_ready_is_a_failed_life_and_spends_the_budget() -> None:
    instance = a_checked_instance(timeout=60.0, max_restarts=2)
    now, lives = 0.0, 0
    live(instance, (Event.START, now))
    while instance.state != State.FAILED:
        lives += 1
        live(instance, (Event.SPAWNED, now))
        instance.trouble = "connection refused"
        assert live(instance, (Event.TIMEOUT, now + 60)) == [Action.ANNOUNCE_UNHEALTHY, Action.STOP]
        live(instance, (Event.EXITED, now + 61), status=GOOD)
        now += 100
        if instance.state == State.BACKOFF:
            live(instance, (Event.TIMEOUT, now))
    assert lives == 2
    assert instance.failure == "not ready after 60 s: connection refused"


def test_a_long_life_that_never_was_ready_is_a_quick_death() -> None:
    instance = a_checked_instance(timeout=None)
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 500))
    assert (instance.state, instance.quick_deaths, instance.delay) == (State.BACKOFF, 1, 1.0)


def test_an_unhealthy_one_is_stopped_and_judged_as_a_death() -> None:
    instance = an_instance()
    instance.plan.health = Check("tcp", "127.0.0.1:1", interval=7.0)
    live(instance, (Event.START, 0), (Event.SPAWNED, 0))
    assert instance.deadline == 7.0
    assert live(instance, (Event.TIMEOUT, 7.0)) == [Action.PROBE]
    assert instance.deadline == 14.0
    assert live(instance, (Event.UNHEALTHY, 20.0)) == [Action.ANNOUNCE_UNHEALTHY, Action.STOP]
    assert live(instance, (Event.EXITED, 21.0), status=GOOD) == [Action.ANNOUNCE_EXITED, Action.ANNOUNCE_RESTARTING]
    assert instance.delay == 0.0


def test_an_unhealthy_one_fails_when_it_shall() -> None:
    instance = an_instance()
    instance.plan.health = Check("tcp", "127.0.0.1:1", on_fail="fail")
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.UNHEALTHY, 20.0), (Event.EXITED, 21.0))
    assert instance.state == State.FAILED


def test_a_restart_by_the_user_overrules_the_verdict() -> None:
    instance = a_checked_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.TIMEOUT, 60), (Event.RESTART, 61))
    assert live(instance, (Event.EXITED, 62)) == [Action.ANNOUNCE_STOPPED, Action.LAUNCH]


def test_who_is_not_wanted_any_more_stays_down_when_it_dies() -> None:
    instance = an_instance("always")
    live(instance, (Event.START, 0), (Event.SPAWNED, 0))
    instance.wanted = False
    assert live(instance, (Event.EXITED, 1)) == [Action.ANNOUNCE_EXITED]
    assert instance.state == State.EXITED


def test_success_can_have_other_codes_and_signals() -> None:
    for status in (ExitStatus(code=3), ExitStatus(signal=15)):
        instance = an_instance()
        instance.plan.restart.success_codes = (0, 3, 143)
        live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 1), status=status)
        assert instance.state == State.EXITED


def test_what_is_blocked_waits_and_launches_when_it_is_free() -> None:
    instance = an_instance()
    instance.plan.depends_on = (Dependency("db", timeout=30.0), Dependency("cache", timeout=20.0))
    blocked = Fact(1.0)
    blocked.blocked = ["db.1 is not ready"]
    assert step(instance, Event.START, blocked) == (Action.ANNOUNCE_WAITING,)
    assert (instance.state, instance.deadline) == (State.WAITING, 21.0)
    assert step(instance, Event.START, blocked) == ()
    assert live(instance, (Event.START, 2)) == [Action.LAUNCH]


def test_a_backoff_that_ends_while_it_is_blocked_waits() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 1))
    fact = Fact(2.0)
    fact.blocked = ["db.1 is not ready"]
    step(instance, Event.TIMEOUT, fact)
    assert (instance.state, instance.restarts, instance.quick_deaths) == (State.WAITING, 1, 1)


def an_instance_of_chance(chance: random.Random) -> Instance:
    instance = an_instance(chance.choice(["on-failure", "always", "never"]))
    if chance.random() < 0.5:
        instance.plan.ready = Check("tcp", "", timeout=chance.choice([None, 4.0]))
    if chance.random() < 0.5:
        instance.plan.health = Check("tcp", "", interval=2.0, on_fail=chance.choice(["restart", "fail"]))
    if chance.random() < 0.5:
        instance.plan.depends_on = (Dependency("db", timeout=chance.choice([None, 5.0])),)
    return instance


@pytest.mark.parametrize("seed", range(80))
def test_a_random_walk_finds_no_hole(seed: int) -> None:
    """After any wishes, in a world that responds like the real one, the instance settles once it is stopped."""
    chance = random.Random(seed)
    instance = an_instance_of_chance(chance)
    now, alive, launches = 0.0, False, 0
    wishes = [Event.START, Event.STOP, Event.KILL, Event.RESTART]
    for _ in range(400):
        now += chance.random() * 6
        event = chance.choice([*wishes, Event.EXITED, Event.TIMEOUT, Event.READY, Event.UNHEALTHY])
        if event in (Event.EXITED, Event.READY, Event.UNHEALTHY) and not alive:
            continue
        if event == Event.TIMEOUT:
            if instance.deadline is None:
                continue
            now = max(now, instance.deadline)
        fact = Fact(now, status=chance.choice([CRASH, GOOD]), reason="because")
        fact.blocked = ["db.1 is not ready"] if instance.plan.depends_on and chance.random() < 0.3 else []
        pending = list(step(instance, event, fact))
        alive = alive and event != Event.EXITED
        while pending:
            action = pending.pop(0)
            assert action in ACTIONS
            if action == Action.LAUNCH:
                assert not alive, "two lives at once"
                launches += 1
                failed = chance.random() < 0.2
                alive = not failed
                answer = Event.SPAWN_FAILED if failed else Event.SPAWNED
                pending += step(instance, answer, Fact(now, pid=launches))
            elif action in (Action.STOP, Action.KILL):
                assert alive
        assert (instance.pid is not None) == alive
    step(instance, Event.STOP, Fact(now))
    if alive:
        step(instance, Event.EXITED, Fact(now, status=GOOD))
    assert instance.at_rest


def noted(instance: Instance, *names: str) -> tuple[object, ...]:
    """Return these attributes."""
    return tuple(getattr(instance, name) for name in names)


def test_a_new_life_begins_without_a_trace_of_the_last_one() -> None:
    instance = put(an_instance(), State.EXITED)
    instance.killed = instance.condemned = True
    instance.failure = instance.trouble = "old"
    instance.failed_probes = 2
    instance.ready_at = instance.deadline = 1.0
    assert live(instance, (Event.START, 5.0)) == [Action.LAUNCH]
    assert (instance.killed, instance.condemned, instance.wanted) == (False, False, True)
    assert (instance.failure, instance.trouble, instance.failed_probes) == ("", "", 0)
    assert noted(instance, "ready_at", "deadline") == (None, None)


def test_a_child_that_was_spawned_has_no_end_yet() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0.0), (Event.SPAWNED, 1.0), (Event.EXITED, 3.0))
    assert (instance.pid, instance.started, instance.ended, instance.status) == (None, 1.0, 3.0, CRASH)
    live(instance, (Event.TIMEOUT, 4.0), (Event.SPAWNED, 5.0))
    assert (instance.pid, instance.started, instance.ended, instance.status) == (9, 5.0, None, None)
    assert instance.ready_at == 5.0


@pytest.mark.parametrize("state", [State.WAITING, State.BACKOFF])
@pytest.mark.parametrize("event", [Event.STOP, Event.KILL])
def test_one_without_a_child_is_at_rest_as_soon_as_it_is_stopped(state: str, event: str) -> None:
    instance = put(an_instance(), state)
    instance.deadline = 9.0
    assert live(instance, (event, 5.0)) == [Action.ANNOUNCE_CANCELLED]
    assert noted(instance, "state", "wanted", "deadline") == (State.EXITED, False, None)


@pytest.mark.parametrize(("status", "after"), [(GOOD, State.EXITED), (ExitStatus(code=127), State.FAILED)])
def test_one_that_is_down_is_not_wanted_and_has_no_deadline(status: ExitStatus, after: str) -> None:
    instance = put(an_instance(), State.RUNNING)
    instance.deadline = 9.0
    live(instance, (Event.EXITED, 5.0), status=status)
    assert noted(instance, "state", "wanted", "deadline") == (after, False, None)


def test_a_stop_whose_time_is_over_ends_then() -> None:
    instance = put(an_instance(), State.RUNNING)
    step(instance, Event.STOP, Fact(10.0, until=9.0))
    assert (instance.deadline, instance.grace_left) == (9.0, 0.0)


def test_the_first_half_of_the_grace_is_for_the_program_and_the_second_for_the_rest() -> None:
    instance = put(an_instance(), State.RUNNING)
    assert live(instance, (Event.STOP, 10.0)) == [Action.ANNOUNCE_STOPPING, Action.STOP]
    assert (instance.deadline, instance.grace_left, instance.last_deadline) == (12.5, 2.5, 15.0)
    assert live(instance, (Event.TIMEOUT, 12.5)) == [Action.STOP_REST]
    assert (instance.deadline, instance.grace_left, instance.killed) == (15.0, 0.0, False)
    assert live(instance, (Event.TIMEOUT, 15.0)) == [Action.KILL]
    assert (instance.deadline, instance.killed) == (None, True)


def test_one_that_is_killed_at_once_has_no_grace_left() -> None:
    instance = put(an_instance(), State.RUNNING)
    live(instance, (Event.STOP, 10.0))
    assert live(instance, (Event.KILL, 11.0)) == [Action.KILL]
    assert (instance.state, instance.deadline, instance.grace_left) == (State.STOPPING, None, 0.0)
    assert (instance.killed, instance.wanted) == (True, False)


def test_once_it_has_stopped_nothing_of_the_stop_is_left() -> None:
    instance = put(an_instance(), State.RUNNING)
    assert live(instance, (Event.STOP, 10.0), (Event.EXITED, 11.0)) == [Action.ANNOUNCE_STOPPED]
    assert (instance.pid, instance.deadline, instance.grace_left) == (None, None, 0.0)


def test_a_restart_counts_as_one_and_forgives_quick_deaths() -> None:
    instance = put(an_instance(), State.RUNNING)
    instance.quick_deaths = 3
    actions = live(instance, (Event.RESTART, 10.0), (Event.EXITED, 11.0))
    assert actions == [Action.ANNOUNCE_STOPPED, Action.LAUNCH]
    assert (instance.restarts, instance.quick_deaths, instance.state) == (1, 0, State.STARTING)


def test_a_kill_is_not_undone_by_the_restart_before_it() -> None:
    instance = put(an_instance(), State.RUNNING)
    live(instance, (Event.RESTART, 10.0), (Event.KILL, 10.1), (Event.EXITED, 10.2))
    assert (instance.state, instance.wanted) == (State.EXITED, False)


def test_a_backoff_is_noted_with_its_jitter() -> None:
    instance = put(an_instance(), State.RUNNING)
    instance.quick_deaths = 2
    step(instance, Event.EXITED, Fact(5.0, status=CRASH, jitter=1.5))
    assert (instance.state, instance.quick_deaths) == (State.BACKOFF, 3)
    assert instance.delay == instance.plan.restart.delay(3) * 1.5 == 6.0
    assert instance.deadline == 11.0


def test_a_failed_spawn_is_a_life_without_length() -> None:
    instance = an_instance()
    live(instance, (Event.START, 1.0))
    step(instance, Event.SPAWN_FAILED, Fact(2.0, reason="no memory"))
    assert (instance.state, instance.failure) == (State.BACKOFF, "no memory")
    assert (instance.started, instance.ended, instance.status, instance.uptime(9.0)) == (2.0, 2.0, None, 0.0)


def test_a_spawn_that_fails_for_one_that_is_not_wanted_is_no_failure() -> None:
    instance = put(an_instance(), State.STARTING, pid=None)
    instance.wanted = False
    step(instance, Event.SPAWN_FAILED, Fact(2.0, reason="no", status=ExitStatus(code=127)))
    assert instance.state == State.EXITED
    instance = put(an_instance(), State.STOPPING, pid=None)
    step(instance, Event.SPAWN_FAILED, Fact(2.0, reason="stopped first"))
    assert (instance.state, instance.failure) == (State.EXITED, "stopped first")


def test_a_readiness_check_has_its_limit_and_readiness_ends_the_trouble() -> None:
    instance = an_instance()
    instance.plan.ready = Check("tcp", "localhost:1", timeout=60.0)
    instance.plan.health = Check("tcp", "localhost:1", interval=10.0)
    live(instance, (Event.START, 0.0), (Event.SPAWNED, 1.0))
    assert (instance.state, instance.deadline, instance.ready_at) == (State.STARTING, 61.0, None)
    instance.trouble = "connection refused"
    assert live(instance, (Event.READY, 5.0)) == [Action.ANNOUNCE_READY]
    assert (instance.trouble, instance.ready_at, instance.deadline) == ("", 5.0, 15.0)
    assert live(instance, (Event.TIMEOUT, 15.0)) == [Action.PROBE]
    assert instance.deadline == 25.0


def test_one_that_is_not_ready_in_time_says_after_how_long_and_why() -> None:
    instance = an_instance()
    instance.plan.ready = Check("tcp", "localhost:1", timeout=2.0)
    live(instance, (Event.START, 0.0), (Event.SPAWNED, 1.0))
    instance.trouble = "connection refused"
    assert live(instance, (Event.TIMEOUT, 3.0)) == [Action.ANNOUNCE_UNHEALTHY, Action.STOP]
    assert instance.condemned
    assert "2 s" in instance.failure
    assert "connection refused" in instance.failure


def test_a_start_in_the_midst_of_a_stop_is_a_restart_without_a_verdict() -> None:
    instance = put(an_instance(), State.RUNNING)
    step(instance, Event.UNHEALTHY, Fact(1.0, reason="unhealthy"))
    assert instance.condemned
    live(instance, (Event.STOP, 2.0), (Event.START, 3.0))
    assert (instance.wanted, instance.condemned) == (True, False)


def test_the_shortest_limit_of_a_wait_counts_and_rests_while_the_user_holds_up() -> None:
    instance = an_instance()
    instance.plan.depends_on = (Dependency("a", timeout=30.0), Dependency("b", timeout=20.0), Dependency("c"))
    fact = Fact(1.0)
    fact.blocked = ["a.1 is not ready"]
    assert step(instance, Event.START, fact) == (Action.ANNOUNCE_WAITING,)
    assert (instance.state, instance.deadline, instance.held_up) == (State.WAITING, 21.0, False)
    assert step(instance, Event.START, fact) == ()
    assert not hold_up(instance, False, 5.0)
    assert hold_up(instance, True, 5.0)
    assert (instance.deadline, instance.held_up) == (None, True)
    assert hold_up(instance, False, 6.0)
    assert (instance.deadline, instance.held_up) == (26.0, False)
    assert not hold_up(put(instance, State.RUNNING), True, 7.0)


def test_a_wait_that_is_given_up_says_why() -> None:
    for reason, failure in (
        ("not started because db.1 failed", "not started because db.1 failed"),
        ("", "db.1 is not ready"),
    ):
        instance = put(an_instance(), State.WAITING)
        fact = Fact(1.0, reason=reason)
        fact.blocked = ["db.1 is not ready"]
        assert step(instance, Event.TIMEOUT, fact) == (Action.ANNOUNCE_FAILED,)
        assert failure in instance.failure
        assert (instance.wanted, instance.deadline) == (False, None)


def test_crashes_are_counted_apart_from_restarts_and_the_last_exit_is_kept() -> None:
    instance = an_instance()
    now = 0.0

    def live(*events: str, status: ExitStatus | None = None) -> None:
        nonlocal now
        now += 60.0
        for event in events:
            step(instance, event, Fact(now, pid=8, status=status, reason="unhealthy"))

    live(Event.START, Event.SPAWNED)
    live(Event.RESTART, Event.EXITED, Event.SPAWNED, status=ExitStatus(signal=15))
    assert (instance.restarts, instance.crashes, instance.asked) == (1, 0, True)
    live(Event.EXITED, Event.TIMEOUT, Event.SPAWNED, status=CRASH)
    assert (instance.restarts, instance.crashes, instance.asked) == (2, 1, False)
    assert (instance.status, instance.last) == (None, CRASH)
    live(Event.UNHEALTHY, Event.EXITED, Event.TIMEOUT, Event.SPAWNED, status=GOOD)
    assert (instance.restarts, instance.crashes, instance.last_failure) == (3, 2, "unhealthy")
    live(Event.EXITED, status=GOOD)
    assert (instance.crashes, instance.last, instance.last_failure) == (2, GOOD, "")


@pytest.mark.parametrize("state", [State.WAITING, State.BACKOFF])
def test_one_that_was_stopped_without_a_child_is_down_because_of_that(state: str) -> None:
    instance = put(an_instance(), state)
    live(instance, (Event.STOP, 5.0))
    assert instance.stopped
    live(instance, (Event.START, 6.0))
    assert not instance.stopped


def test_a_restart_of_one_that_was_to_stay_down_brings_it_up() -> None:
    instance = put(an_instance(), State.RUNNING)
    instance.wanted = False  # a shutdown has postponed its stop
    live(instance, (Event.RESTART, 5.0))
    assert instance.wanted


@pytest.mark.parametrize("grace", [float("inf"), 0.0])
def test_a_grace_without_a_middle_has_one_step(grace: float) -> None:
    instance = put(an_instance(), State.RUNNING)
    instance.plan.stop.grace = grace
    live(instance, (Event.STOP, 5.0))
    assert (instance.deadline, instance.grace_left) == (5.0 + grace, 0.0)


@pytest.mark.parametrize(("event", "action"), [(Event.STOP, Action.STOP), (Event.KILL, Action.KILL)])
def test_a_child_that_comes_up_while_it_is_stopped_is_known(event: str, action: str) -> None:
    instance = an_instance()
    live(instance, (Event.START, 1.0), (event, 2.0))
    assert instance.pid is None
    assert live(instance, (Event.SPAWNED, 3.0)) == [action]
    assert noted(instance, "pid", "started", "ended", "status") == (9, 3.0, None, None)


def test_a_program_that_cannot_be_run_has_an_end_like_one_that_has_run() -> None:
    instance = an_instance()
    instance.asked = True
    live(instance, (Event.START, 1.0))
    missing = ExitStatus(code=127)
    step(instance, Event.SPAWN_FAILED, Fact(2.0, reason="not found", status=missing))
    assert noted(instance, "state", "status", "last", "last_failure") == (State.FAILED, missing, missing, "not found")
    assert noted(instance, "asked", "crashes") == (False, 1)


def test_a_shortage_is_no_end_and_no_crash() -> None:
    instance = an_instance()
    live(instance, (Event.START, 1.0))
    step(instance, Event.SPAWN_FAILED, Fact(2.0, reason="no memory"))
    assert noted(instance, "status", "last", "last_failure", "crashes") == (None, None, "no memory", 0)


def test_a_life_that_ends_well_before_it_was_ready_is_one_crash() -> None:
    instance = an_instance()
    instance.plan.ready = Check("tcp", "localhost:1")
    live(instance, (Event.START, 0.0), (Event.SPAWNED, 1.0), (Event.EXITED, 2.0), status=GOOD)
    assert noted(instance, "crashes", "failure", "last_failure") == (1, *["ended before it was ready"] * 2)
