"""The verb behind ``up``: what it starts, what it waits for, and what its last record says."""

from __future__ import annotations

import pytest

from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.transitions import Event, State
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy
from procman.core.model.status import ExitStatus
from procman.errors import UsageError
from procman.runtime.control.tasks import EXIT_TIMED_OUT, SETTLING_TIME
from runtime.control.rig import FakeClient, World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@pytest.fixture
def world() -> World:
    return World()


def names(client: FakeClient) -> list[str]:
    assert client.answer is not None
    return [row["name"] for row in client.answer["instances"]]


def answer(client: FakeClient) -> dict[str, Any]:
    assert client.answer is not None
    return client.answer


def test_what_is_up_is_reported_and_left_alone(world: World) -> None:
    pids = [instance.pid for instance in world.supervisor.instances.values()]
    client = world.request("ensure")
    assert (names(client), answer(client)["code"]) == (["web.1", "web.2", "worker.1"], 0)
    assert (answer(client)["pid"], answer(client)["over"]) == (4711, False)
    assert [instance.pid for instance in world.supervisor.instances.values()] == pids
    assert client.said == []


def test_what_the_user_has_stopped_is_started_again(world: World) -> None:
    world.request("stop", "web.2")
    world.end("web.2")
    client = world.request("ensure")
    assert client.answer is None
    world.turn(SETTLING_TIME)
    assert names(client) == ["web.1", "web.2", "worker.1"]
    assert world["web.2"].state == State.RUNNING


def test_what_has_completed_is_not_missing(world: World) -> None:
    world.end("worker.1", code=0)
    client = world.request("ensure")
    assert answer(client)["code"] == 0
    assert (world["worker.1"].state, world["worker.1"].pid) == (State.EXITED, None)


def test_what_starts_only_by_name_is_left_out_until_it_has(world: World) -> None:
    world["worker.1"].plan.autostart = False
    world.request("stop", "worker")
    world.end("worker.1")
    world["worker.1"].started = None
    assert names(world.request("ensure")) == ["web.1", "web.2"]
    named = world.request("ensure", "worker")
    world.turn(SETTLING_TIME)
    assert names(named) == ["worker.1"]


def test_a_type_that_was_left_out_is_added_by_name(world: World) -> None:
    client = world.request("ensure", "clock=2")
    world.turn(SETTLING_TIME)
    assert names(client) == ["clock.1", "clock.2"]
    assert names(world.request("ensure", "clock=2")) == ["clock.1", "clock.2"]


def test_a_line_that_is_new_in_the_procfile_is_missing(world: World) -> None:
    world.source.new = {"clock": 2}
    client = world.request("ensure")
    world.turn(SETTLING_TIME)
    assert names(client) == ["web.1", "web.2", "worker.1", "clock.1", "clock.2"]
    assert [world[name].state for name in ("clock.1", "clock.2")] == [State.RUNNING] * 2


def test_a_new_line_is_not_started_if_names_were_given(world: World) -> None:
    world.source.new = {"clock": 1}
    assert names(world.request("ensure", "web")) == ["web.1", "web.2"]
    assert "clock.1" not in world.supervisor.instances


def test_a_new_line_that_was_scaled_away_stays_away(world: World) -> None:
    world.source.new = {"clock": 1}
    world.request("ensure")
    world.request("scale", "clock=0")
    world.end("clock.1")
    assert names(world.request("ensure")) == ["web.1", "web.2", "worker.1"]


def test_a_type_that_has_left_the_procfile_is_named_and_keeps_running(world: World) -> None:
    world.source.lines = ("web",)
    client = world.request("ensure")
    (said,) = client.said
    assert said.startswith("warning: worker is no longer in the Procfile; `procman scale worker=0` removes it")
    assert (names(client), world["worker.1"].state) == (["web.1", "web.2", "worker.1"], State.RUNNING)
    assert world.request("ensure", "web").said == []


def test_a_procfile_that_cannot_be_read_says_nothing_of_what_has_left_it(world: World) -> None:
    world.source.lines = ()
    assert world.request("ensure").said == []


def test_files_with_a_mistake_are_named_and_what_runs_is_reported(world: World) -> None:
    world.source.trouble = UsageError("Procfile:3:1: a mistake", "a hint")
    client = world.request("ensure")
    assert client.said == ["warning: Procfile:3:1: a mistake"]
    assert (names(client), answer(client)["code"]) == (["web.1", "web.2", "worker.1"], 0)


def test_a_fresh_session_is_waited_for_and_nothing_is_started_twice(world: World) -> None:
    world.supervisor.wish(Event.STOP, [world["web.1"]], world.now)
    client = world.request("ensure", fresh=True)
    assert world["web.1"].wanted is False
    assert client.answer is not None or world.session.tasks


def test_the_code_is_that_of_the_first_failure_and_its_card_comes_along() -> None:
    world = World()
    world.session.cards = {"web.2": ["web.2 FAILED: exited with code 3", "    boom"]}
    client = FakeClient()
    world.source.ready["web"] = Check("tcp", "localhost:1")
    world.request("restart", "web.2", wait=False)
    world.end("web.2", code=0)
    world.request("ensure", client=client)
    while world["web.2"].state != State.FAILED:
        if world["web.2"].pid is not None:
            world.end("web.2", code=3)
        world.turn(30.0)
    last = answer(client)
    assert (last["code"], last["ready"]) == (3, False)
    assert last["cards"] == [["web.2 FAILED: exited with code 3", "    boom"]]
    assert "web.2 exited with code 3" in last["error"]


def test_what_is_not_ready_in_time_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.runtime.control.tasks.clock.monotonic", lambda: world.now)
    world.source.ready["web"] = Check("tcp", "localhost:1")
    world.request("restart", "web.1", wait=False)
    world.end("web.1", code=0)
    client = world.request("ensure", timeout=2.0)
    world.turn(1.0)
    assert client.answer is None
    world.turn(1.5)
    assert (answer(client)["code"], answer(client)["error"]) == (EXIT_TIMED_OUT, "not ready after 2 s: web.1")


def test_without_waiting_the_answer_comes_at_once(world: World) -> None:
    world.request("stop", "web.2")
    world.end("web.2")
    client = world.request("ensure", wait=False)
    assert (names(client), answer(client)["ready"]) == (["web.1", "web.2", "worker.1"], False)


def test_the_end_of_the_session_is_awaited_and_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.runtime.control.tasks.clock.monotonic", lambda: world.now)
    world.source.ready["web"] = Check("tcp", "localhost:1")
    world.request("restart", "web.1", wait=False)
    world.end("web.1", code=0)
    client = world.request("ensure", timeout=5.0)
    world.supervisor.stop_all(ASKED, world.now)
    world.turn()
    world.turn(60.0)  # its own time limit is over, too
    assert client.answer is None
    world.session.close(world.now, 0)
    assert (answer(client)["over"], answer(client)["code"]) == (True, 1)
    assert answer(client)["error"] == "the session has ended: stop requested"
    assert world.request("ensure").answer == {
        "done": True,
        "error": "the session is stopping: stop requested",
        "hint": "",
        "code": 2,
    }


def test_a_failure_is_answered_with_its_own_card(world: World) -> None:
    world["web.2"].plan.restart = RestartPolicy("never")
    world.cards.update({"web.2": ["web.2 failed"], "worker.1": ["of another"]})
    world.end("web.2", code=7)
    client = world.request("ensure", fresh=True)
    assert (answer(client)["cards"], answer(client)["code"]) == ([["web.2 failed"]], 7)


# What it leaves alone, and what it says ---------------------------------------------------------------------------


def let_worker_wait(world: World) -> None:
    """Let worker.1 wait for web.1, which does not become ready."""
    world.source.ready["web"] = Check("tcp", "localhost:1")
    plan = world.source.plan("worker", 1)
    plan.depends_on = (Dependency("web"),)
    world.supervisor.replan(world["worker.1"], plan)
    world.request("restart", "web.1", wait=False)
    world.end("web.1")
    world.supervisor.wish(Event.RESTART, [world["worker.1"]], world.now)
    world.turn()
    world.end("worker.1")
    assert (world["web.1"].state, world["worker.1"].state) == (State.STARTING, State.WAITING)


@pytest.mark.parametrize("names", [(), ("worker",), ("worker=1",), ("work*",), ("worker.1", "web")])
def test_what_is_on_its_way_is_left_alone_but_for_what_it_waits_for(names: tuple[str, ...], world: World) -> None:
    let_worker_wait(world)
    world.source.commands["worker"] = "another"
    world.announced.clear()
    client = world.request("ensure", *names)
    waits = [said for said in client.said if "worker.1" in said]
    if names != ("worker=1",):  # a count reads the plans again
        assert world.announced == []
        assert waits == client.said
    assert len(waits) == 1
    assert "waiting" in waits[0]
    assert "web.1" in waits[0]


def test_the_members_of_a_group_say_what_they_wait_for_too(world: World) -> None:
    let_worker_wait(world)
    world["worker.1"].plan.groups = ("front",)
    groups: dict[str, tuple[str, ...]] = {"front": ("web", "worker")}
    world.source.groups = lambda: groups  # type: ignore[method-assign]  # the files have changed
    client = world.request("ensure", "front")
    assert [said for said in client.said if "worker.1 is waiting" in said]


def test_what_others_wait_for_is_not_said(world: World) -> None:
    let_worker_wait(world)
    client = world.request("ensure", "web.2")
    assert client.said == []


def test_names_count_in_a_fresh_session_too(world: World) -> None:
    client = world.request("ensure", "worker", fresh=True)
    assert names(client) == ["worker.1"]


def test_the_warnings_of_a_fresh_start_are_sent_without_colors(world: World) -> None:
    lines = [b"\x1b[33mwarning: a port is taken\x1b[0m", b"started", b"warning: \xff"]
    world.hub.history.last = lambda _name, count: lines[-count:]
    assert world.request("ensure").said == []
    assert world.request("ensure", fresh=True).said == ["warning: a port is taken", "warning: \ufffd"]


def test_what_was_started_by_name_belongs_to_the_session(world: World) -> None:
    let_worker_wait(world)
    worker = world["worker.1"]
    worker.plan.autostart, worker.started = False, None
    assert "worker.1" in names(world.request("ensure", wait=False))  # it is wanted
    world.request("stop", "worker")
    assert "worker.1" not in names(world.request("ensure", wait=False))
    worker.started = world.now
    assert "worker.1" in names(world.request("ensure", wait=False))


def test_what_starts_with_the_session_belongs_to_it_even_if_it_has_never_run(world: World) -> None:
    let_worker_wait(world)
    world["worker.1"].started = None
    world.request("stop", "worker")
    assert "worker.1" in names(world.request("ensure", wait=False))


def test_what_is_paused_is_reported_as_paused(world: World) -> None:
    world.supervisor.pause(world["worker.1"], world.now)
    client = world.request("ensure")
    assert [row["state"] for row in answer(client)["instances"]] == ["running", "running", "paused"]
    assert "worker.1 is paused" in answer(client)["error"]


# Codes and cards --------------------------------------------------------------------------------------------------


def test_the_first_failure_counts_not_the_first_name(world: World) -> None:
    world.cards.update({"web.1": ["web.1 failed"], "web.2": ["web.2 failed"]})
    for name, code in (("web.2", 5), ("web.1", 6)):
        world.turn(1.0)
        world[name].plan.restart = RestartPolicy("never")
        world.end(name, code=code)
    client = world.request("ensure", fresh=True)
    assert (answer(client)["code"], answer(client)["cards"]) == (5, [["web.2 failed"], ["web.1 failed"]])


@pytest.mark.parametrize("has_ended", [False, True])
def test_what_another_request_has_stopped_is_no_failure(has_ended: bool, world: World) -> None:
    world.cards["web.1"] = ["an old one"]
    world.request("stop", "web.1", wait=False)
    if has_ended:
        world.end("web.1", code=9)
    client = world.request("ensure", fresh=True)
    assert (answer(client)["code"], answer(client)["cards"]) == (1, [])
    assert answer(client)["error"] == "another request stopped web.1"


def test_a_session_that_ends_gives_its_own_code_and_the_cards(world: World) -> None:
    world.cards["web.2"] = ["web.2 failed"]
    world["web.2"].plan.restart = RestartPolicy("never")
    world.source.ready["web"] = Check("tcp", "localhost:1")
    world.request("restart", "web.1", wait=False)
    world.end("web.1")
    client = world.request("ensure")
    world.supervisor.exited(world["web.2"], ExitStatus(code=7), world.now)
    world.supervisor.stop_all(ASKED, world.now)
    world.turn()
    assert client.answer is None
    world.session.close(world.now, 130)
    assert (answer(client)["code"], answer(client)["over"]) == (130, True)
    assert answer(client)["cards"] == [["web.2 failed"]]


def test_a_session_that_ends_with_everything_up_has_no_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.runtime.control.tasks.clock.monotonic", lambda: world.now + SETTLING_TIME)
    world.request("restart", "worker", wait=False)
    world.end("worker.1")
    client = world.request("ensure", "worker")
    assert client.answer is None
    world.session.close(world.now, 0)
    assert "error" not in answer(client)
    assert (answer(client)["ready"], answer(client)["over"]) == (True, True)
