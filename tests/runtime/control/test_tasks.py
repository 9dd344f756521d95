"""Requests that take time: they end at an event or at their deadline, and never twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.transitions import Action, Instance, State
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy
from procman.core.model.status import ExitStatus
from procman.runtime.control.tasks import MAX_NAMES_SHOWN, SETTLING_TIME, is_stopped, is_up, settled_at, started_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.control.rig import FakeClient, World

CHECK = Check("tcp", "5000")


def wait_for_ready(world: World, timeout: float | None = 3.0) -> FakeClient:
    """Start a clock with a readiness check, and wait for everything."""
    world.source.ready["clock"] = CHECK
    world.request("start", "clock", wait=False)
    return world.request("wait", timeout=timeout)


def test_wait_answers_immediately_if_everything_is_up(world: World) -> None:
    assert world.request("wait", timeout=0.0).answer == {"done": True, "code": 0}


def test_wait_answers_when_the_last_one_is_ready_and_sends_no_sentences(world: World) -> None:
    client = wait_for_ready(world)
    assert client.sent == []
    world.ready("clock.1")
    assert client.sent == [{"done": True, "code": 0}]


def test_wait_ends_at_its_deadline_and_names_what_is_missing(world: World) -> None:
    client = wait_for_ready(world)
    world.turn(2.9)
    assert client.answer is None
    world.turn(0.1)
    assert client.answer is not None
    assert client.answer["error"] == "not ready after 3 s: clock.1"
    assert client.answer["code"] == 124
    world.ready("clock.1")
    assert len(client.sent) == 1


def test_wait_without_a_timeout_has_no_deadline(world: World) -> None:
    client = wait_for_ready(world, None)
    assert world.session.next_deadline() is None
    world.turn(1e6)
    assert client.answer is None


def test_wait_counts_an_instance_that_ended_successfully_as_up(world: World) -> None:
    client = wait_for_ready(world)
    world.end("worker.1")
    world.ready("clock.1")
    assert client.answer == {"done": True, "code": 0}


def refusal(client: FakeClient) -> str:
    """Return the error of an answer that reports a failure."""
    assert client.answer is not None
    assert client.answer["code"] == 1
    return str(client.answer["error"])


@pytest.mark.parametrize("verb", ["start", "restart", "wait"])
def test_what_another_request_stops_is_not_up_whatever_its_code(world: World, verb: str) -> None:
    world.request("restart", "worker", wait=False)
    client = world.request(verb, "worker")
    world.request("stop", "worker", wait=False)
    assert refusal(client) == "another request stopped worker.1"
    world.end("worker.1", code=0)
    assert refusal(world.request("wait", "worker")) == "another request stopped worker.1"


def test_what_has_a_readiness_check_and_ended_is_not_up(world: World) -> None:
    world.source.ready["clock"] = CHECK
    client = world.request("start", "clock")
    world.ready("clock.1")
    world.end("clock.1", code=0)
    assert client.answer == {"done": True, "code": 0}
    assert refusal(world.request("wait", "clock")) == "clock.1 exited with code 0"


def test_what_dies_at_once_is_never_answered_as_up(world: World) -> None:
    client = world.request("start", "clock")
    world.turn(SETTLING_TIME - 0.1)
    world.end("clock.1", code=1)
    world.turn(0.5)
    assert client.answer is None
    world.turn(3)
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}


def test_stop_ends_when_another_request_starts_it_again(world: World) -> None:
    client = world.request("stop", "web")
    world.end("web.1")
    world.request("start", "web.2", wait=False)
    assert refusal(client) == "web.2 was started again by another request"
    client = world.request("stop", "web")
    world.end("web.2")
    world.request("start", "web.2", wait=False)
    assert client.answer == {"done": True, "code": 0}


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ("worker=0", "worker=1", "worker.1 was started again by another request"),
        ("web=1", "web=3", "web.2 was started again by another request"),
        ("web=4", "web=3", "another request stopped web.4"),
    ],
)
def test_scale_ends_when_another_request_scales_back(world: World, first: str, second: str, error: str) -> None:
    client = world.request("scale", first)
    world.request("scale", second, wait=False)
    assert refusal(client) == error
    assert sum("done" in record for record in client.sent) == 1


def test_scale_sends_the_sentences_of_those_that_come_stay_and_leave(world: World) -> None:
    client = world.request("scale", "web=1")
    before = len(client.said)
    world.end("worker.1", code=1)
    world.end("web.2")
    assert [said.split()[0] for said in client.said[before:]] == ["web.2"]
    assert client.answer == {"done": True, "code": 0}


def test_what_was_scaled_away_meanwhile_is_not_up(world: World) -> None:
    client = world.request("start", "clock")
    world.supervisor.retire([world["clock.1"]], world.now)
    world.end("clock.1")
    assert "clock.1" in refusal(client)


def test_a_rolling_restart_ends_at_what_another_request_stops(world: World) -> None:
    client = world.request("restart", "web", rolling=True)
    world.request("stop", "web.2", wait=False)
    world.end("web.1")
    world.end("web.2")
    world.turn(SETTLING_TIME)
    assert refusal(client) == "another request stopped web.2; not restarted: web.2"
    client = world.request("restart", "web", rolling=True)
    world.end("web.1")
    world.turn(SETTLING_TIME)
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}  # it was down before, so it was asked for


def test_a_rolling_restart_waits_for_the_last_one_to_settle(world: World) -> None:
    client = world.request("restart", "worker", rolling=True)
    world.end("worker.1")
    assert client.answer is None
    world.end("worker.1", code=3)
    assert refusal(client) == "worker.1: exited with code 3"


def test_what_is_paused_is_not_up(world: World) -> None:
    client = wait_for_ready(world, None)
    world.supervisor.pause(world["clock.1"], world.now)
    assert refusal(world.request("wait", "clock")) == "clock.1 is paused; `procman resume clock.1` resumes it"
    assert client.answer is None or "paused" in refusal(client)


def test_wait_without_names_leaves_out_what_starts_only_by_name(world: World) -> None:
    plan = world.source.plan("clock", 1)
    plan.autostart = False
    world.supervisor.instances["clock.1"] = Instance(plan)
    for _ in range(2):  # also when nothing has happened since the last answer
        assert world.request("wait").answer == {"done": True, "code": 0}
    assert "clock.1" in refusal(world.request("wait", "clock"))


def test_a_wait_for_what_depends_on_something_stopped_ends(world: World) -> None:
    plan = world.source.plan("clock", 1)
    plan.depends_on = (Dependency("worker"),)
    world.supervisor.add([plan], world.now)
    world.turn()
    world.request("stop", "worker", wait=False)
    world.end("clock.1", code=1)
    world.turn(2)
    assert refusal(world.request("wait", "clock")) == "clock.1 is waiting because worker.1 is stopping"
    world.end("worker.1")
    assert (
        refusal(world.request("wait", "clock"))
        == "clock.1 is waiting because worker.1 is stopped; `procman start worker` starts it"
    )


def test_what_waits_for_its_dependency_may_be_up_later(world: World) -> None:
    plan = world.source.plan("clock", 1)
    plan.depends_on = (Dependency("worker"),)
    world.source.ready["worker"] = CHECK
    world.request("restart", "worker", wait=False)
    world.supervisor.add([plan], world.now)
    world.turn()
    client = world.request("wait", "clock")
    assert world["clock.1"].state == State.WAITING
    assert client.answer is None
    world.end("worker.1")
    world.ready("worker.1")
    world.turn(SETTLING_TIME)
    assert client.answer == {"done": True, "code": 0}


def test_the_end_of_the_session_is_no_success_of_what_should_be_up(world: World) -> None:
    clients = [wait_for_ready(world, None), world.request("restart", "web", rolling=True)]
    world.session.close(world.now, 0)
    assert [refusal(client) for client in clients] == ["the session has ended"] * 2


def test_wait_ends_when_one_of_them_will_never_be_up(world: World) -> None:
    client = wait_for_ready(world, None)
    for _ in range(5):
        world.end("worker.1", code=3)
        world.turn(31)
        if client.answer:
            break
    assert client.answer is not None
    assert client.answer["error"].startswith("worker.1 ")
    assert client.answer["code"] == 1


def test_wait_ends_with_the_session(world: World) -> None:
    client = wait_for_ready(world)
    world.supervisor.stop_all(ASKED, world.now)
    world.turn()
    assert client.answer is not None
    assert client.answer["error"] == "the session is stopping"


def test_start_sends_the_sentences_of_its_own_instances_only(world: World) -> None:
    world.source.ready["clock"] = CHECK
    client = world.request("start", "clock")
    world.end("web.1", code=1)
    world.ready("clock.1")
    assert len(client.said) == 2
    assert all(said.startswith("clock.1 ") for said in client.said)


def test_events_are_records_of_the_named_instances(world: World) -> None:
    client = world.request("events", "web")
    world.end("worker.1")
    assert client.sent == []
    world.end("web.1", code=2)
    assert client.sent[0]["event"] == "exited"
    assert {record["instance"] for record in client.sent} == {"web.1"}


def test_events_have_a_ready_for_instances_without_a_check(world: World) -> None:
    client = world.request("events")
    world.request("scale", "web=3")
    assert [record["event"] for record in client.sent if record["instance"] == "web.3"] == ["started", "ready"]


def test_events_have_one_ready_for_instances_with_a_check(world: World) -> None:
    world.source.ready["clock"] = CHECK
    client = world.request("events")
    world.request("start", "clock")
    assert [record["event"] for record in client.sent] == ["started"]
    world.ready("clock.1")
    assert [record["event"] for record in client.sent] == ["started", "ready"]
    world.supervisor.pause(world["clock.1"], world.now)
    world.turn()
    assert [record["event"] for record in client.sent] == ["started", "ready", "paused"]


def test_a_slow_reader_of_events_is_told_how_many_it_missed(world: World) -> None:
    client, other = world.request("events", "web"), world.request("events", "web")
    client.full = True
    world.end("web.1", code=2)
    missed = client.skipped
    assert missed == len(other.sent) > 0
    assert client.sent == []
    client.full = False
    world.end("web.2", code=2)
    assert client.sent[0] == {"skipped": missed}
    assert client.sent[1]["instance"] == "web.2"


def test_a_connection_has_one_task_at_a_time(world: World) -> None:
    client = world.request("events")
    world.request("ps", client=client)
    assert client.answer is not None
    assert client.answer["error"] == "this connection is busy with another request"
    world.request("events", client=client)
    assert client.sent[-2:] == 2 * [client.answer]
    world.session.forget(client)  # type: ignore[arg-type]
    sent = len(client.sent)
    world.end("web.1", code=2)
    assert len(client.sent) == sent


def test_a_client_that_is_gone_is_forgotten(world: World) -> None:
    client = world.request("events")
    gone: object = client
    world.session.forget(gone)  # type: ignore[arg-type]
    world.end("web.1")
    assert client.sent == []


def test_the_end_of_the_session_answers_every_client(world: World) -> None:
    events, stopping = world.request("events"), world.request("stop")
    sent = len(events.sent)
    world.session.close(world.now, 3)
    assert events.sent[sent:] == [stopping.answer] == [{"done": True, "code": 0, "over": True, "exit": 3}]


@pytest.mark.parametrize(
    ("count", "more"), [(1, " was"), (MAX_NAMES_SHOWN, " were"), (MAX_NAMES_SHOWN + 2, " and 2 more were")]
)
def test_of_many_that_were_started_again_only_some_are_named(count: int, more: str) -> None:
    instances: Any = [SimpleNamespace(name=f"web.{number}", wanted=number <= count) for number in range(1, 20)]
    names = ", ".join(f"web.{number}" for number in range(1, min(count, MAX_NAMES_SHOWN) + 1))
    assert started_again(instances) == f"{names}{more} started again by another request"


def test_of_many_that_are_not_ready_only_some_are_named(world: World) -> None:
    world.source.ready["clock"] = CHECK
    world.request("start", f"clock={MAX_NAMES_SHOWN + 1}", wait=False)
    client = world.request("wait", timeout=3.0)
    world.turn(3.0)
    assert client.answer is not None
    assert client.answer["error"].endswith(f", clock.{MAX_NAMES_SHOWN}")


def test_only_for_what_died_the_output_is_recommended(world: World) -> None:
    world.request("stop", "worker", wait=False)
    stopping = world.request("wait", "worker").answer
    world.end("worker.1")
    stopped = world.request("wait", "worker").answer
    plan = world.source.plan("clock", 1)
    plan.restart = RestartPolicy("never")
    world.supervisor.add([plan], world.now)
    world.turn()
    world.end("clock.1", code=1)
    died = world.request("wait", "clock").answer
    hints = [answer["hint"] for answer in (stopping, stopped, died) if answer is not None]
    assert hints == ["", "", "procman logs shows its output"]


@pytest.mark.parametrize(
    ("action", "sentences"),
    [(Action.ANNOUNCE_STOPPED, 1), (Action.ANNOUNCE_EXITED, 1), (Action.ANNOUNCE_STOPPING, 0), (Action.PROBE, 0)],
)
def test_whoever_stops_the_session_reads_about_each_end_only(world: World, action: str, sentences: int) -> None:
    client = world.request("stop")
    before = len(client.said)
    world.session.on_event(action, world["web.1"], world.now)
    assert len(client.said) - before == sentences


def test_a_probe_is_not_an_event(world: World) -> None:
    client = world.request("events")
    world.session.on_event(Action.PROBE, world["web.1"], world.now)
    assert client.sent == []


def test_an_instance_counts_as_ready_exactly_when_it_has_settled(world: World) -> None:
    instance = world["web.1"]
    settled = settled_at(instance)
    assert settled is not None
    assert (is_up(instance, settled), is_up(instance, settled - 0.001)) == (True, False)


def test_a_task_is_checked_only_after_its_sentences_were_sent(world: World) -> None:
    client = world.request("stop", "web.1")
    world.supervisor.exited(world["web.1"], ExitStatus(code=0), world.now)
    world.session.tick(world.now)
    assert client.answer is None
    world.turn()
    assert client.said
    assert client.answer is not None


@pytest.mark.parametrize(
    ("state", "wanted", "stopped", "held", "code", "expected"),
    [
        (State.STOPPING, False, False, False, None, True),
        (State.STOPPING, True, False, False, None, False),  # it is restarted
        (State.RUNNING, False, False, False, None, False),
        (State.EXITED, False, False, False, 0, False),
        (State.EXITED, False, True, False, 0, True),
        (State.EXITED, False, True, True, 0, True),
        (State.EXITED, False, False, True, 0, False),  # it had completed when the user stopped it
        (State.EXITED, False, False, True, 1, True),
        (State.EXITED, False, False, False, 1, False),
        (State.FAILED, False, False, True, 1, False),
    ],
)
def test_what_a_request_has_stopped(
    world: World, state: str, wanted: bool, stopped: bool, held: bool, code: int | None, expected: bool
) -> None:
    instance = Instance(world.source.plan("web", 1))
    instance.state, instance.wanted, instance.stopped, instance.held = state, wanted, stopped, held
    instance.status = None if code is None else ExitStatus(code=code)
    assert is_stopped(instance) is expected
