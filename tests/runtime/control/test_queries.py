"""The verbs that only answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.transitions import Event, Instance
from procman.core.model.checks import Check
from procman.core.text.protocol import DEFAULT_LINES
from procman.output.sinks.history import History
from procman.runtime.control import log_stream, queries
from procman.runtime.control.wire import decode
from runtime.control.rig import World


def rows(answer: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    assert answer is not None
    return {row["name"]: row for row in answer["instances"]}


def test_hello_describes_the_session(world: World) -> None:
    answer = world.request("hello").answer
    assert answer is not None
    assert (answer["pid"], answer["procfile"], answer["root"]) == (4711, "/app/Procfile", "/app")
    assert answer["stopping"] is None


def test_a_session_says_since_when_it_lasts_in_milliseconds() -> None:
    assert World().session.about()["since"] == 1700000000.123


def test_ps_lists_the_named_instances_in_the_order_of_the_procfile(world: World) -> None:
    assert list(rows(world.request("ps").answer)) == ["web.1", "web.2", "worker.1"]
    assert list(rows(world.request("ps", "worker", "web.2").answer)) == ["web.2", "worker.1"]


def test_ps_shows_a_paused_life_until_it_is_replaced(world: World) -> None:
    world.supervisor.pause(world["web.1"], world.now)
    assert rows(world.request("ps").answer)["web.1"]["state"] == "paused"
    world.end("web.1", code=1)
    world.turn(31)
    assert rows(world.request("ps").answer)["web.1"]["state"] == "running"


def test_why_explains_what_is_here_and_what_was_left_out(world: World) -> None:
    explained = rows(world.request("why", "front").answer)
    assert set(explained) == {"web.1", "web.2", "clock"}
    assert explained["clock"] == {"name": "clock", "state": "absent", "why": "clock was left out"}


def test_why_of_absent_types_alone_lists_no_instances(world: World) -> None:
    assert list(rows(world.request("why", "clock").answer)) == ["clock"]


def test_logs_send_the_history_of_the_named_instances_and_end(world: World) -> None:
    world.hub.history._clock = lambda: 1.0
    world.hub.history.publish("web.1", "stdout", b"one\ntwo\n")
    world.hub.history.publish("worker.1", "stderr", b"three\n")
    first, head, *lines, last = b"".join(world.request("logs", "web").fed).splitlines(keepends=True)
    assert decode(first) == {"cursor": "tag:14", "lost": 0, "missing": 0, "lives": {}}
    assert decode(head) == {"log": "web.1", "stream": "stdout", "time": 1.0, "at": 0, "size": 8}
    assert lines == [b"one\n", b"two\n"]
    assert decode(last) == {"done": True, "code": 0, "cursor": "tag:14"}


def test_an_entry_says_where_others_came_between_its_lines(world: World) -> None:
    world.hub.history._clock = lambda: 1.0
    for name in ("web.1", "worker.1", "web.1"):
        world.hub.history.publish(name, "stdout", b"12\n")
    _, head, *_ = b"".join(world.request("logs", "web", since=10.0**10).fed).splitlines()
    assert decode(head) == {"log": "web.1", "stream": "stdout", "time": 1.0, "at": 0, "marks": [3, 6], "size": 6}


def test_entries_are_sent_in_blocks(world: World) -> None:
    for number in range(100):
        world.hub.history.publish("web.1", "stdout", b"%d\n" % number + b"x" * 5000 + b"\n")
    fed = world.request("logs", "web", since=9.0).fed
    assert max(map(len, fed)) < 2 * log_stream.BLOCK
    assert len(fed) <= 10


def test_followed_logs_go_on_until_the_client_leaves(world: World) -> None:
    client = world.request("logs", "web", follow=True)
    assert [decode(line) for line in b"".join(client.fed).splitlines()[1:]] == [{"live": True}]
    (sink,) = world.sinks
    sink.publish("worker.1", "stdout", b"no\n")
    sink.publish("web.1", "stderr", b"yes\n")
    assert [(record["log"], record["payload"]) for record in client.sent] == [("web.1", b"yes\n")]
    gone: Any = client
    world.session.forget(gone)
    assert world.sinks == []


def test_a_slow_reader_of_logs_is_told_how_many_lines_it_missed(world: World) -> None:
    client = world.request("logs", follow=True)
    (sink,) = world.sinks
    client.full = True
    sink.publish("web.1", "stdout", b"one\ntwo\n")
    sink.announce("three")
    client.full = False
    sink.publish("web.1", "stdout", b"four\n")
    assert client.sent[0] == {"skipped": 3}
    assert client.sent[1]["payload"] == b"four\n"


def test_logs_of_an_unknown_name_are_refused_and_system_is_known(world: World) -> None:
    assert world.request("logs", "system").fed
    for names in (("system", "nothing"), ("nothing",)):
        answer = world.request("logs", *names).answer
        assert answer is not None
        assert answer["error"] == 'there is no process "nothing" in this session'


def test_a_log_sink_looks_once_whether_an_instance_is_meant() -> None:
    asked: list[str] = []
    sent: list[bytes] = []
    client: Any = SimpleNamespace(
        closed=False, full=False, report_skipped=lambda: None, send=lambda _head, lines: sent.append(lines)
    )

    def is_meant(name: str) -> bool:
        asked.append(name)
        return True

    sink = log_stream._ClientSink(client, History(), is_meant)
    sink.publish("web.1", "stdout", b"one\n")
    sink.publish("web.1", "stdout", b"two\n")
    client.closed = True
    sink.publish("web.1", "stdout", b"three\n")
    assert asked == ["web.1"]
    assert sent == [b"one\n", b"two\n"]


def test_ps_describes_the_session_too(world: World) -> None:
    answer = world.request("ps").answer
    assert answer is not None
    assert (answer["pid"], answer["procfile"], answer["session"]) == (4711, "/app/Procfile", "tag")


def test_what_a_signal_has_stopped_is_stopped_and_what_we_have_paused_is_paused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: Any = world.session.children
    children.tree = lambda child, _orphans: [child.pid]
    monkeypatch.setattr(queries, "stat_fields", lambda _pid: [b"T", b"1"])
    world.supervisor.pause(world["web.1"], world.now)
    world.request("stop", "worker", wait=False)
    states = {name: row["state"] for name, row in rows(world.request("ps").answer).items()}
    assert states == {"web.1": "paused", "web.2": "stopped", "worker.1": "stopping"}
    explained = rows(world.request("why", "web").answer)
    assert [row["why"].partition(";")[0] for row in explained.values()] == [
        "paused",
        "stopped by a signal, such as SIGSTOP or SIGTTIN",
    ]


def test_wait_without_names_includes_what_was_started_by_name(world: World) -> None:
    plan = world.source.plan("clock", 1)
    plan.autostart = False
    plan.ready = Check("tcp", "5000")
    instance = world.supervisor.instances["clock.1"] = Instance(plan)
    world.supervisor.wish(Event.START, [instance], world.now)
    world.turn()
    client = world.request("wait")
    assert client.answer is None
    world.ready("clock.1")
    assert client.answer == {"done": True, "code": 0}


@pytest.mark.parametrize(
    ("fields", "since", "count"),
    [
        ({}, None, DEFAULT_LINES),
        ({"lines": 7}, None, 7),
        ({"lines": 0}, None, 0),
        ({"since": 60.0}, 4940.0, None),
        ({"since": 60.0, "lines": 7}, 4940.0, 7),
        ({"after": 0}, None, None),
    ],
)
def test_logs_are_limited_by_lines_or_by_time(
    world: World, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], since: float | None, count: int | None
) -> None:
    recalled: list[tuple[float | None, int | None]] = []

    def recall(_meant: object, since: float | None, count: int | None, *_positions: object) -> list[Any]:
        recalled.append((since, count))
        return []

    world.hub.history.recall = recall
    monkeypatch.setattr(queries, "time", SimpleNamespace(time=lambda: 5000.0, monotonic=lambda: world.now))
    world.request("logs", **fields)
    assert recalled == [(since, count)]
