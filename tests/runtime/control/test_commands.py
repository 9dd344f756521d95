"""The verbs that change what is running, against a real supervisor without processes."""

from __future__ import annotations

from typing import Any

import pytest

from procman.core.lifecycle.transitions import State
from procman.core.model.checks import Check
from procman.runtime.control.commands import resize_by_itself
from procman.runtime.control.session import NotRunningError
from procman.runtime.control.tasks import SETTLING_TIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.control.rig import World


def names(world: World) -> list[str]:
    return list(world.supervisor.instances)


def test_stop_answers_when_the_last_of_them_is_down(world: World) -> None:
    client = world.request("stop", "web")
    assert world.stopped == ["web.1", "web.2"]
    assert client.answer is None
    world.end("web.2")
    assert client.answer is None
    world.end("web.1")
    assert client.answer == {"done": True, "code": 0}
    assert world["worker.1"].state == State.RUNNING


def test_stop_without_waiting_answers_immediately(world: World) -> None:
    assert world.request("stop", "web.1", wait=False).answer == {"done": True, "code": 0}
    assert world["web.1"].state == State.STOPPING


def test_stop_without_names_ends_the_session(world: World) -> None:
    client = world.request("stop")
    assert world.supervisor.stopping is not None
    for name in names(world):
        world.end(name)
    assert len(client.said) == 3
    assert client.answer is None  # the session is not over before its leftovers are gone
    world.session.close(world.now, 0)
    assert client.answer == {"done": True, "code": 0, "over": True, "exit": 0}


def test_a_stopping_session_starts_nothing(world: World) -> None:
    world.request("stop")
    for verb, name in (("start", "web"), ("restart", "web"), ("scale", "web=3")):
        answer = world.request(verb, name).answer
        assert answer is not None
        assert answer["error"].startswith("the session is stopping: ")
        assert answer["code"] == 2
    assert names(world) == ["web.1", "web.2", "worker.1"]


def test_start_brings_up_what_is_down_and_reports_what_is_not(world: World) -> None:
    world.request("stop", "web.1")
    world.end("web.1")
    client = world.request("start", "web")
    assert world["web.1"].state == State.RUNNING
    assert client.said[0] == f"web.2 is already running (pid {world['web.2'].pid})"
    assert client.answer is None
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}


def test_start_adds_a_process_type_that_was_left_out(world: World) -> None:
    client = world.request("start", "clock")
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}
    assert names(world)[-1] == "clock.1"


def test_start_of_a_group_adds_its_types_that_were_left_out(world: World) -> None:
    world.request("start", "front")
    assert "clock.1" in names(world)


def test_start_with_a_count_never_removes_instances(world: World) -> None:
    world.request("start", "web=1", "worker=2")
    assert names(world) == ["web.1", "web.2", "worker.1", "worker.2"]


@pytest.mark.parametrize("word", ["worker+1", "web-1", "worker=x", "worker=", "=2"])
def test_start_refuses_what_is_neither_a_name_nor_a_count(world: World, word: str) -> None:
    answer = world.request("start", word).answer
    assert answer is not None
    assert f'"{word}"' in answer["error"]
    assert names(world) == ["web.1", "web.2", "worker.1"]


def test_an_unknown_name_is_refused_with_a_near_one(world: World) -> None:
    for verb in ("start", "stop", "restart", "pause", "why", "wait", "events"):
        answer = world.request(verb, "wbe").answer
        assert answer is not None
        assert "wbe" in answer["error"]
        assert "web" in answer["hint"]
    assert world.stopped == []


def test_a_type_that_was_left_out_can_only_be_started(world: World) -> None:
    answer = world.request("restart", "clock").answer
    assert answer is not None
    assert answer["error"] == "clock is not part of this session: clock was left out"
    assert answer["hint"] == "procman start clock adds it"


def test_restart_waits_for_the_next_life(world: World) -> None:
    before = world["web.1"].pid
    client = world.request("restart", "web.1")
    assert client.answer is None
    world.end("web.1")
    assert world["web.1"].pid != before
    assert client.answer is None
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}


def test_restart_follows_the_files_and_says_what_changed(world: World) -> None:
    world.source.commands["web"] = "y"
    client = world.request("restart", "web.1", wait=False)
    assert client.said == ["web: command is now y"] == world.announced
    assert world["web.1"].plan.command == "y"
    assert world["web.2"].plan.command == "x"


def test_a_rolling_restart_takes_one_at_a_time(world: World) -> None:
    world.source.ready["web"] = Check("tcp", "5000")
    client = world.request("restart", "web", rolling=True)
    assert world.stopped == ["web.1"]
    world.end("web.1")
    assert world.stopped == ["web.1"]  # it is not ready yet
    world.ready("web.1")
    assert world.stopped == ["web.1", "web.2"]
    world.end("web.2")
    assert client.answer is None
    world.ready("web.2")
    assert client.answer == {"done": True, "code": 0}


def test_a_rolling_restart_waits_where_there_is_no_readiness_check(world: World) -> None:
    world.request("restart", "web", rolling=True)
    world.end("web.1")
    assert world.stopped == ["web.1"]
    world.turn(0.4)
    assert world.stopped == ["web.1"]
    world.turn(0.1)
    assert world.stopped == ["web.1", "web.2"]


def test_a_rolling_restart_ends_with_the_first_failure(world: World) -> None:
    client = world.request("restart", "web", rolling=True)
    world.end("web.1")
    world.end("web.1", code=3)
    assert client.answer is not None
    assert client.answer["error"] == "web.1: exited with code 3; not restarted: web.2"
    assert client.answer["code"] == 1
    assert world.stopped == ["web.1"]


def test_scale_up_waits_for_the_new_and_scale_down_for_the_end_of_the_old(world: World) -> None:
    client = world.request("scale", "web=3")
    assert client.answer is None
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}
    assert "web.3" in names(world)
    client = world.request("scale", "web-2")
    assert world.stopped == ["web.2", "web.3"]
    world.end("web.2")
    assert client.answer is None
    world.end("web.3")
    assert client.answer == {"done": True, "code": 0}
    assert names(world) == ["web.1", "worker.1"]


def test_scale_of_a_group_changes_each_of_its_types(world: World) -> None:
    world.request("scale", "front+1")
    assert names(world) == ["web.1", "web.2", "web.3", "worker.1", "clock.1"]


def test_changes_of_one_type_add_up(world: World) -> None:
    world.request("scale", "worker+1", "worker+2")
    assert [name for name in names(world) if name.startswith("worker")] == [f"worker.{n}" for n in range(1, 5)]


def test_an_instance_that_is_scaled_away_can_come_back(world: World) -> None:
    world.request("scale", "web=1")
    world.request("scale", "web=2")
    world.end("web.2")
    assert world["web.2"].state == State.RUNNING


@pytest.mark.parametrize("code", [0, 127])
def test_what_scales_by_itself_leaves_those_alone_that_are_down(world: World, code: int) -> None:
    world.end("web.1", code)
    resize_by_itself(world.session, "web", 4, world.announced.append)
    world.turn()
    assert [world[f"web.{number}"].state == State.RUNNING for number in range(1, 5)] == [False, True, True, True]
    resize_by_itself(world.session, "web", 2, world.announced.append)
    world.turn()
    assert world.stopped == ["web.3", "web.4"]
    resize_by_itself(world.session, "web", 3, world.announced.append)  # before the old ones have ended
    world.end("web.3")
    world.end("web.4")
    assert names(world) == ["web.1", "web.2", "web.3", "worker.1"]
    assert world["web.3"].state == State.RUNNING
    client = world.request("scale", "web=2")
    assert world["web.1"].state == State.RUNNING, client.sent


def test_scale_without_changes_is_refused(world: World) -> None:
    answer = world.request("scale").answer
    assert answer is not None
    assert answer["error"] == "missing process type and count"


def test_there_is_room_for_all_instances_before_any_is_added(world: World) -> None:
    rooms: list[tuple[int, int]] = []
    children: Any = world.session.children
    children.limit.make_room = lambda count: rooms.append((count, len(names(world))))
    world.hub.history.make_room = lambda count: rooms.append((count, len(names(world))))
    world.session.make_room(5)
    assert rooms == [(8, 3)] * 2
    rooms.clear()
    world.request("scale", "clock=4")
    assert rooms == [(7, 3)] * 2


def test_a_mistyped_name_is_refused_and_not_the_correct_one_beside_it(world: World) -> None:
    answer = world.request("stop", "web", "wbe").answer
    assert answer is not None
    assert answer["error"] == 'there is no process "wbe" in this session'


def test_an_instance_whose_child_has_just_ended_is_not_running(world: World) -> None:
    children: Any = world.session.children
    children.of = lambda _name: None
    with pytest.raises(NotRunningError):
        world.session.alive(("web",))


def test_what_is_being_stopped_is_not_called_running_by_start(world: World) -> None:
    world.request("stop", "web.1", wait=False)
    client = world.request("start", "web.1", wait=False)
    assert not any("already running" in sentence for sentence in client.said)
    world.end("web.1")
    assert world["web.1"].state == State.RUNNING


def test_start_leaves_the_plan_of_what_is_running_alone(world: World) -> None:
    world.source.commands["web"] = "y"
    world.request("stop", "web.1")
    world.end("web.1")
    world.request("start", "web", wait=False)
    assert [world[name].plan.command for name in ("web.1", "web.2")] == ["y", "x"]


def test_the_description_of_a_stopping_session_says_why(world: World) -> None:
    assert world.session.about()["stopping"] is None
    world.request("stop")
    stopping = world.supervisor.stopping
    assert stopping is not None
    assert world.session.about()["stopping"] == stopping.words


def test_nothing_is_added_if_one_of_the_new_ports_belongs_to_another_instance(world: World) -> None:
    answer = world.request("scale", "web=101").answer  # web.101 would get the port of worker.1
    assert answer is not None
    assert "worker.1" in answer["error"]
    assert names(world) == ["web.1", "web.2", "worker.1"]


def test_a_type_that_was_left_out_stays_out_with_a_count_of_none(world: World) -> None:
    assert world.request("start", "clock=0", wait=False).answer == {"done": True, "code": 0}
    assert names(world) == ["web.1", "web.2", "worker.1"]


def test_scaling_one_type_does_not_start_what_is_down_of_another(world: World) -> None:
    world.request("stop", "worker", wait=False)
    world.end("worker.1")
    world.request("scale", "web=3")
    assert "web.3" in names(world)
    assert world["worker.1"].state == State.EXITED


def test_scaling_to_the_count_that_is_there_reads_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise AssertionError("nothing is added")

    monkeypatch.setattr(world.source, "instances", fail)
    answer = world.request("scale", "web=2").answer
    assert answer == {"done": True, "code": 0}
