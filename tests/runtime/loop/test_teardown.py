"""The steps from an ended leader to the report of its end, with children and pumps that only record what they are
given.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from procman.core.lifecycle.instance import Instance, State
from procman.core.model.status import ExitStatus
from procman.runtime.loop.teardown import LEFTOVER_GRACE, LOOK_INTERVAL, OUTPUT_LIMIT, STUCK_LIMIT, Teardowns
from runtime.fakes import a_plan


class Child:
    def __init__(self, name: str, group_asked: bool = False) -> None:
        self.name = name
        self.pid = os.getpid()  # one that we may signal
        self.pty = None
        self.status: object = None
        self.asked: list[int] = []  # the processes that alone have got the stop signal
        self.group_asked = group_asked


class World:
    """What teardowns act upon: the leftovers of each child, pumps that are full, and all calls."""

    def __init__(self) -> None:
        self.left: dict[str, list[int]] = {}
        self.full: set[str] = set()
        self.calls: list[tuple[Any, ...]] = []
        self.now = 100.0
        self.teardowns = Teardowns(self, self, self.finished)  # type: ignore[arg-type]

    def begin(self, name: str, pumps: str = "o", *, state: str = State.EXITED, asked: bool = False) -> Instance:
        instance = Instance(a_plan(name))
        instance.state = state
        self.teardowns.begin(Child(name, asked), instance, list(pumps), 100.0)  # type: ignore[arg-type]
        return instance

    def proceed(self, now: float) -> list[Any]:
        """Return the calls of one step, without those that read a pump."""
        self.calls.clear()
        self.now = now
        self.teardowns.proceed(now)
        return [call for call in self.calls if call[0] != "drain"]

    # The children

    def orphans(self) -> list[int]:
        return [pid for pids in self.left.values() for pid in pids]

    def leftovers(self, child: Child, _orphans: list[int]) -> list[int]:
        return self.left.get(child.name, [])

    def kill(self, _child: Child, pids: list[int]) -> None:
        self.calls.append(("kill", *pids))

    def stop_leftovers(self, _child: Child, pids: list[int], number: int, *, group_too: bool) -> None:
        self.calls.append(("stop", *pids, number, group_too))

    def send_stop(self, child: Child, number: int) -> None:
        self.calls.append(("stop group", child.name, number))

    def spare(self, pids: list[int]) -> None:
        self.calls.append(("spare", *pids))

    def announce(self, _text: str) -> None:
        self.calls.append(("announce",))

    def abandon(self, child: Child) -> None:
        self.calls.append(("abandon", child.name))

    def reap(self, child: Child) -> None:
        self.calls.append(("reap", child.name))

    def finished(self, child: Child, instance: Instance) -> None:
        assert self.teardowns.next_deadline() is None or child.name not in self.left
        self.calls.append(("finished", child.name, instance.name))

    # The pumps

    def drain(self, pump: str, until: float) -> bool:
        assert until > self.now  # else nothing is read
        self.calls.append(("drain", pump))
        return pump not in self.full

    def remove(self, pump: str) -> None:
        self.calls.append(("remove", pump))

    def hang_up(self, pump: str) -> None:
        self.calls.append(("hang up", pump))


@pytest.fixture
def world() -> World:
    return World()


def test_a_leader_without_leftovers_is_reaped_and_then_told(world: World) -> None:
    world.begin("web.1", "oe")
    assert world.proceed(100.0) == [
        ("remove", "o"),
        ("remove", "e"),
        ("reap", "web.1"),
        ("finished", "web.1", "web.1"),
    ]
    assert world.proceed(101.0) == []


def test_a_new_life_may_be_torn_down_as_soon_as_the_end_is_told(world: World) -> None:
    again = iter([True, False])

    def finished(_child: object, _instance: object) -> None:
        if next(again):
            world.begin("web.1")

    world.teardowns = Teardowns(world, world, finished)  # type: ignore[arg-type]
    world.begin("web.1")
    assert world.proceed(100.0)[-1] == ("reap", "web.1")
    assert world.proceed(100.0)[-1] == ("reap", "web.1")


def test_the_last_output_of_leftovers_is_read_before_the_pumps_go(world: World) -> None:
    world.begin("web.1")
    world.left = {"web.1": [7]}
    world.proceed(100.0)
    world.left = {}
    world.proceed(100.1)
    assert world.calls[:3] == [("drain", "o"), ("drain", "o"), ("remove", "o")]


def test_leftovers_are_stopped_with_their_group_once_and_killed_after_their_grace(world: World) -> None:
    world.begin("web.1")
    world.left = {"web.1": [7, 8]}
    assert world.proceed(100.0) == [("stop", 7, 8, 15, True)]
    assert world.teardowns.next_deadline() == 100.0 + LEFTOVER_GRACE
    assert world.proceed(100.1) == [("stop", 7, 8, 15, False)]
    assert world.teardowns.next_deadline() == 100.0 + LEFTOVER_GRACE  # a step does not make it longer
    assert world.proceed(100.0 + LEFTOVER_GRACE) == [("kill", 7, 8)]


def test_a_group_that_was_signalled_already_is_left_out(world: World) -> None:
    world.begin("web.1", asked=True)
    world.left = {"web.1": [7]}
    assert world.proceed(100.0) == [("stop", 7, 15, False)]


def test_leftovers_of_a_stopped_instance_wait_for_the_supervisor(world: World) -> None:
    world.begin("web.1", state=State.STOPPING)
    world.left = {"web.1": [7]}
    assert world.proceed(100.0) == [("stop", 7, 15, True)]
    assert world.teardowns.next_deadline() is None
    world.teardowns.kill("web.1")
    world.teardowns.kill("unknown.1")
    assert world.proceed(100.1) == [("kill", 7)]


def test_leftovers_of_a_killed_instance_have_no_grace(world: World) -> None:
    world.begin("web.1", state=State.STOPPING).killed = True
    world.left = {"web.1": [7]}
    assert world.proceed(100.0) == [("kill", 7)]


def test_what_survives_a_kill_is_given_up_once_and_named(world: World) -> None:
    world.begin("web.1").killed = True
    world.left = {"web.1": [7, 8]}
    world.proceed(100.0)
    assert world.teardowns.next_deadline() == 100.0 + STUCK_LIMIT
    assert world.proceed(100.0 + STUCK_LIMIT - 0.1) == [("kill", 7, 8)]
    assert world.proceed(100.0 + STUCK_LIMIT) == [
        ("spare", 7, 8),
        ("announce",),
        ("remove", "o"),
        ("reap", "web.1"),
        ("finished", "web.1", "web.1"),
    ]


def test_a_time_of_standing_still_is_not_charged_to_leftovers_and_stuck_leaders(world: World) -> None:
    world.left = {"web.1": [7], "db.1": [8]}
    world.begin("web.1")
    world.begin("db.1", state=State.STOPPING)  # its own grace is the supervisor's
    world.teardowns.expect(Child("job.1"), Instance(a_plan("job.1")), [], 100.0)  # type: ignore[arg-type]
    world.proceed(100.0)
    world.teardowns.stand_still(60.0)
    assert world.teardowns.next_deadline() == 160.0 + LEFTOVER_GRACE
    assert ("kill", 7) not in world.proceed(160.0)
    assert ("kill", 7) in world.proceed(160.0 + LEFTOVER_GRACE)
    assert ("abandon", "job.1") not in world.proceed(160.0 + STUCK_LIMIT - 0.1)
    assert ("abandon", "job.1") in world.proceed(160.0 + STUCK_LIMIT)


def test_the_nearest_deadline_counts(world: World) -> None:
    world.left = {"web.1": [7], "job.1": [9]}
    world.begin("web.1")
    world.proceed(100.0)
    world.begin("job.1")
    world.proceed(100.1)
    assert world.teardowns.next_deadline() == 100.0 + LEFTOVER_GRACE


@pytest.mark.parametrize("full", ["o", "e"])
def test_a_crash_waits_for_every_full_output(world: World, full: str) -> None:
    world.begin("web.1", "oe")
    world.full = {full}
    assert world.proceed(100.0 + 10 * OUTPUT_LIMIT) == []
    assert world.teardowns.next_deadline() is None
    world.full = set()
    assert world.proceed(100.1)[-1] == ("finished", "web.1", "web.1")


def test_the_end_of_a_stopped_instance_waits_for_a_full_output_only_a_moment(world: World) -> None:
    world.begin("web.1", state=State.STOPPING)
    world.full = {"o"}
    assert world.proceed(100.0) == []
    assert world.teardowns.next_deadline() == 100.0 + OUTPUT_LIMIT
    assert world.proceed(100.0 + OUTPUT_LIMIT)[-1] == ("finished", "web.1", "web.1")


def test_what_leftovers_write_delays_nothing(world: World) -> None:
    world.begin("web.1", state=State.STOPPING)
    world.left = {"web.1": [7]}
    world.proceed(100.0)
    world.full = {"o"}
    assert world.teardowns.next_deadline() is None
    world.left = {}
    assert world.proceed(100.1)[-1] == ("finished", "web.1", "web.1")


def test_who_waits_for_its_output_does_not_keep_the_others(world: World) -> None:
    world.begin("web.1", "o")
    world.begin("job.1", "e")
    world.full = {"o"}
    assert world.proceed(100.0)[-1] == ("finished", "job.1", "job.1")


def test_where_processes_cannot_be_seen_a_group_is_looked_at_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procman.runtime.loop.teardown.PEEKS", False)
    world.begin("web.1", state=State.STOPPING)
    world.left = {"web.1": [7]}
    world.orphans = list  # type: ignore[method-assign]
    assert world.proceed(100.0) == [("stop", 7, 15, True)]
    assert world.teardowns.next_deadline() == 100.0 + LOOK_INTERVAL
    world.left = {}
    assert world.proceed(100.1)[-1] == ("finished", "web.1", "web.1")


@pytest.mark.parametrize(
    ("terminal", "ours", "hung_up"),
    [(True, False, ["o", "e"]), (True, True, []), (False, False, [])],
)
def test_only_a_process_that_cannot_be_signalled_is_hung_up_on(
    world: World, monkeypatch: pytest.MonkeyPatch, terminal: bool, ours: bool, hung_up: list[str]
) -> None:
    def kill(_pid: int, _number: int) -> None:
        if not ours:
            raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    child: Any = Child("web.1")
    child.pty = object() if terminal else None
    pumps: Any = ["o", "e"]
    world.teardowns.expect(child, Instance(a_plan("web.1")), pumps, 100.0)
    assert world.calls == [("hang up", pump) for pump in hung_up]


def test_a_leader_that_survives_its_kill_is_given_up(world: World) -> None:
    child: Any = Child("web.1")
    pumps: Any = ["o"]
    world.teardowns.expect(child, Instance(a_plan("web.1")), pumps, 100.0)
    assert world.teardowns.next_deadline() == 100.0 + STUCK_LIMIT
    assert world.proceed(100.0 + STUCK_LIMIT - 0.1) == []
    assert world.proceed(100.0 + STUCK_LIMIT) == [
        ("spare", child.pid),
        ("announce",),
        ("remove", "o"),
        ("abandon", "web.1"),
        ("finished", "web.1", "web.1"),
    ]
    assert world.calls[2] == ("drain", "o")
    assert child.status == ExitStatus(signal=9)
    assert world.teardowns.next_deadline() is None


def test_a_leader_that_ends_after_its_kill_is_torn_down_as_usual(world: World) -> None:
    child: Any = Child("web.1")
    pumps: Any = ["o"]
    instance = Instance(a_plan("web.1"))
    world.teardowns.expect(child, instance, pumps, 100.0)
    world.teardowns.begin(child, instance, pumps, 101.0)
    assert world.teardowns.next_deadline() is None
    assert world.proceed(101.0)[-1] == ("finished", "web.1", "web.1")
    assert world.proceed(100.0 + STUCK_LIMIT) == []


def test_the_group_of_a_program_that_was_asked_alone_is_asked_when_it_has_ended(world: World) -> None:
    instance = Instance(a_plan("web.1"))
    child = Child("web.1")
    child.asked = [child.pid]
    world.teardowns.begin(child, instance, [], 100.0)  # type: ignore[arg-type]
    assert world.calls == [("stop group", "web.1", 15)]
    assert child.group_asked
