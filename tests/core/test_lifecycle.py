"""The table of one instance: every cell, named histories, and a random walk that looks for holes."""

from __future__ import annotations

import random

import pytest

from procman.core.lifecycle import TABLE, Action, Event, Fact, ImpossibleEventError, Instance, State, step
from procman.core.plan import InstancePlan
from procman.core.policy import RestartPolicy, StopPolicy
from procman.core.status import ExitStatus

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


#            START  STOP  KILL  RESTART SPAWNED SPAWN_FAILED READY EXITED TIMEOUT
EXPECTED = {
    State.WAITING: "starting exited exited starting ! ! ! ! failed",
    State.STARTING: "starting stopping stopping stopping running failed running backoff stopping",
    State.RUNNING: "running stopping stopping stopping ! ! running backoff running",
    State.STOPPING: "stopping stopping stopping stopping stopping exited stopping exited stopping",
    State.BACKOFF: "starting exited exited starting ! ! ! ! starting",
    State.EXITED: "starting exited exited starting ! ! ! ! !",
    State.FAILED: "starting failed failed starting ! ! ! ! !",
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
    """Play a history of (event, time); returns the actions of the last event."""
    actions: tuple[str, ...] = ()
    for event, now in events:
        actions = step(instance, event, Fact(now, pid=9, status=status))
    return list(actions)


def test_a_long_life_comes_back_at_once() -> None:
    instance = an_instance()
    actions = live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.EXITED, 10.0))
    assert actions == [Action.TELL_EXITED, Action.TELL_RESTARTING]
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
    assert delays[:5] == [1, 2, 4, 8, 16]
    assert instance.restarts == 5


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
    assert actions[-1] == Action.TELL_FAILED


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
    assert live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.STOP, 1)) == [Action.TELL_STOPPING, Action.ASK]
    assert instance.deadline == 6.0
    assert live(instance, (Event.TIMEOUT, 6.0)) == [Action.KILL]
    assert instance.deadline is None


def test_a_restart_is_a_stop_that_goes_on_wanting_it() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.SPAWNED, 0), (Event.RESTART, 1))
    assert live(instance, (Event.EXITED, 2)) == [Action.TELL_STOPPED, Action.LAUNCH]


def test_a_stop_between_launch_and_spawn_is_not_forgotten() -> None:
    instance = an_instance()
    live(instance, (Event.START, 0), (Event.STOP, 0))
    assert live(instance, (Event.SPAWNED, 0)) == [Action.ASK]


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


@pytest.mark.parametrize("seed", range(40))
def test_a_random_walk_finds_no_hole(seed: int) -> None:
    """Whatever is wished, with a world that answers as the real one does, the instance settles when it is stopped."""
    chance = random.Random(seed)
    instance = an_instance(chance.choice(["on-failure", "always", "never"]))
    now, alive, launches = 0.0, False, 0
    for _ in range(400):
        now += chance.random() * 6
        event = chance.choice([Event.START, Event.STOP, Event.KILL, Event.RESTART, Event.EXITED, Event.TIMEOUT])
        if event == Event.EXITED and not alive:
            continue
        if event == Event.TIMEOUT:
            if instance.deadline is None:
                continue
            now = max(now, instance.deadline)
        pending = list(step(instance, event, Fact(now, status=chance.choice([CRASH, GOOD]))))
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
            elif action in (Action.ASK, Action.KILL):
                assert alive
        assert (instance.pid is not None) == alive
    step(instance, Event.STOP, Fact(now))
    if alive:
        step(instance, Event.EXITED, Fact(now, status=GOOD))
    assert instance.at_rest
