"""Requests that take time: they end at an event or at their deadline, and never twice."""

from __future__ import annotations

from procman.core.lifecycle.outcome import ASKED
from procman.core.model.checks import Check

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
    world.request("stop", "worker", wait=False)
    world.end("worker.1")
    world.ready("clock.1")
    assert client.answer == {"done": True, "code": 0}


def test_wait_ends_when_one_of_them_will_never_be_up(world: World) -> None:
    client = wait_for_ready(world, None)
    for _ in range(5):
        world.end("worker.1", code=3)
        world.turn(31)
        if client.answer:
            break
    assert client.answer is not None
    assert client.answer["error"].startswith("worker.1: ")
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


def test_a_slow_reader_of_events_is_told_how_many_it_missed(world: World) -> None:
    client = world.request("events", "web")
    client.full = True
    world.end("web.1", code=2)
    missed = client.skipped
    assert missed > 0
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


def test_a_client_that_is_gone_is_forgotten(world: World) -> None:
    client = world.request("events")
    gone: object = client
    world.session.forget(gone)  # type: ignore[arg-type]
    world.end("web.1")
    assert client.sent == []


def test_the_end_of_the_session_answers_every_client(world: World) -> None:
    events, waiting = world.request("events"), wait_for_ready(world, None)
    sent = len(events.sent)
    world.session.close(world.now, 3)
    assert events.sent[sent:] == [waiting.answer] == [{"done": True, "code": 0, "over": True, "exit": 3}]
