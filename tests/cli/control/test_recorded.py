"""Recorded sessions are read, whatever has become of their files."""

from __future__ import annotations

import json
import os
import random

import pytest

from procman.cli.control.log_query import Query
from procman.cli.control.log_source import of_previous_life
from procman.cli.control.recorded import Recording
from procman.cli.control.recorded_sessions import _cells, _row
from procman.core.text.record_format import header, tag_of
from procman.errors import ProcmanError, UsageError
from procman.output.hub import Hub
from procman.output.sink import Sink
from procman.output.sinks.history import History
from procman.output.sinks.record import Record
from procman.output.sinks.record_files import RecordFiles, recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

ABOUT = {
    "session": "a-1",
    "procfile": "/app/Procfile",
    "root": "/app",
    "socket": None,
    "began": 1000.0,
    "names": ["web.1", "db.1"],
    "groups": {"web": ["front"]},
}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Made:
    """A session that is recorded, in files that can be damaged."""

    def __init__(self, folder: Path, limit: int = 1 << 20) -> None:
        self.folder = folder
        self.clock = Clock()
        self.hub = Hub(Sink(), history=History(1, self.clock))
        files = RecordFiles(str(folder), "app", 1, "a-1")
        self.record = Record(files, self.hub.history, ABOUT, limit, lambda _text: None, self.clock)
        self.hub.add(self.record)

    def publish(self, name: str, *lines: str) -> None:
        for line in lines:
            self.clock.now += 1.0
            self.hub.publish(name, "stdout", f"{line}\n".encode())
            self.record.flush(0.0)

    def recording(self) -> Recording:
        (files,) = recorded(str(self.folder))
        return Recording(files)

    def lines(self, query: Query | None = None) -> list[str]:
        return shown(self.recording(), query or Query([]))


def shown(recording: Recording, query: Query) -> list[str]:
    return [line for _, lines in recording.output(query) for line in lines.decode().splitlines()]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_names_and_positions_choose(made: Made) -> None:
    made.publish("web.1", "a", "b")
    made.publish("db.1", "c")
    query = Query(["db"])
    assert made.lines(query) == ["c"]
    query = Query([])
    query.after = 2
    assert made.lines(query) == ["b", "c"]
    query.after = 3  # in the middle of a line
    assert made.lines(query) == ["c"]
    query.after = 0
    assert [record["at"] for record, _ in made.recording().output(query, to=4)] == [0, 2]


def test_the_last_lines_are_found_without_the_rest(tmp_path: Path) -> None:
    made = Made(tmp_path, limit=16 << 20)
    made.publish("db.1", "first")
    for number in range(100):
        made.publish("web.1", f"{number}{'x' * 30_000}")
    recording = made.recording()
    tail = [lines for _, lines in recording.tail(Query([]), 3)]
    assert tail[-1].startswith(b"99x")
    assert 3 <= len(tail) < 20
    assert [lines for _, lines in recording.tail(Query(["db"]), 3)] == [b"first\n"]
    assert len(list(recording.tail(Query([]), 1000))) == 101


def test_a_gap_is_reported_to_those_that_ask_with_a_cursor(made: Made) -> None:
    made.publish("web.1", "a")
    made.hub.remove(made.record)
    made.publish("web.1", "lost")
    made.hub.add(made.record)
    made.publish("web.1", "b")
    query = Query([])
    assert made.lines(query) == ["a", "b"]
    query.after = 0
    assert [record.get("skipped") for record, _ in made.recording().output(query)] == [None, 5, None]
    made.hub.remove(made.record)
    made.publish("web.1", "lost again")
    made.record.end(0, "")
    *_, (last, _) = made.recording().output(query)
    assert last == {"skipped": 11, "unit": "bytes", "cursor": "a-1:20"}
    assert [record.get("skipped") for record, _ in made.recording().output(query, to=9)] == [None, 5, None]


def test_the_end_is_known(made: Made) -> None:
    made.publish("web.1", "a")
    ending = made.recording().ending()
    assert (ending.code, ending.is_running, ending.time) == (None, True, 1001.0)
    made.record.end(3, "interrupted")
    ending = made.recording().ending()
    assert (ending.code, ending.reason, ending.is_running) == (3, "interrupted", False)


def test_previous_lives_are_known_over_a_change_of_files(tmp_path: Path) -> None:
    made = Made(tmp_path, limit=4000)
    made.hub.child_started("web.1", 1)
    made.publish("web.1", "first")
    made.hub.child_started("web.1", 2)
    for number in range(6):
        made.publish("web.1", f"{number}{'x' * 500}")
    made.hub.child_started("web.1", 3)
    made.publish("web.1", "last")
    recording, query = made.recording(), Query([])
    found = list(of_previous_life(recording.output(query), recording.lives(query)))
    assert [lines[:1] for _, lines in found] == [b"0", b"1", b"2", b"3", b"4", b"5"][-len(found) :]
    with pytest.raises(ProcmanError, match="no previous life"):
        list(of_previous_life(iter(()), recording.lives(Query(["db"]))))


def test_names_are_those_of_the_session(made: Made) -> None:
    made.hub.child_started("mail.1", 1)
    made.record.flush(0.0)
    recording = made.recording()
    assert recording.require_names(["web", "front", "system", "m*"]) == ["web", "web", "system", "m*"]
    with pytest.raises(UsageError, match='no process "back" in the recorded session a-1'):
        recording.require_names(["web", "back"])
    with pytest.raises(UsageError) as raised:
        recording.require_names(["wbe"])
    assert raised.value.hint == 'did you mean "web"?'


def test_another_procfile_with_the_same_short_name_is_another(made: Made) -> None:
    recording = made.recording()
    assert recording.is_of("/app/Procfile", "/app")
    assert not recording.is_of("/app/Procfile", "/other")


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_are_read_without_an_error(tmp_path: Path, seed: int) -> None:
    made = Made(tmp_path, limit=3000)
    made.hub.child_started("web.1", 1)
    made.publish("web.1", *(f"{number}{'x' * 50}" for number in range(40)))
    made.record.end(0, "")
    chance = random.Random(seed)
    for path in tmp_path.iterdir():
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice((0, 1, 5, 50))):
            data[chance.randrange(len(data))] = chance.choice((0, 10, 30, 32, 48, 57, 123, 255))
        if chance.random() < 0.5:
            del data[chance.randrange(len(data)) :]
        if chance.random() < 0.2:
            data[:0] = os.urandom(chance.randrange(40))
        path.write_bytes(data)
    recording, query = made.recording(), Query([])
    read_all(recording, query)
    query.after = 100
    read_all(recording, query)


def read_all(recording: Recording, query: Query) -> None:
    for record, lines in [*recording.output(query), *recording.tail(query, 5)]:
        assert "skipped" in record or lines.endswith(b"\n")
    assert recording.ending()
    assert all(map(str, _cells(_row(recording, is_reachable=False))))
    try:
        recording.require_names(["web", "nothing", "front"])
        list(of_previous_life(recording.output(query), recording.lives(query)))
    except ProcmanError:
        pass


HEADS = [
    b"",
    b"[]",
    b"null",
    b"[" * 100_000,
    json.dumps({"names": 3, "groups": [], "lives": {"web.1": "x"}, "began": "x"}).encode(),
    json.dumps({"names": [None, {}], "groups": {"web": 3}, "lives": {"web.1": [0, None]}, "began": 1e300}).encode(),
    json.dumps({"procfile": 3, "root": [], "socket": {}, "turn": "x", "lives": [], "began": None}).encode(),
    json.dumps({"names": ["web.1"], "lives": {"web.1": [5, 2]}, "began": -1e300}).encode(),
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("end", [b"null", b'{"code": "x", "reason": 3}', b'{"code": 1e999}', b"{"])
def test_hostile_heads_and_ends_are_read_without_an_error(tmp_path: Path, head: bytes, end: bytes) -> None:
    tag, data, at = b"0123456789abcdef", b"", 0
    for kind, name, lines in (("head", "system", head), ("stdout", "web.1", b"one"), ("end", "system", end)):
        data += header(tag, kind, name, at, 10**17, len(lines) + 1) + lines + b"\n"
    (tmp_path / "app.000001.a-1.0").write_bytes(data)
    assert tag_of(data) == tag
    (files,) = recorded(str(tmp_path))
    recording = Recording(files)
    assert shown(recording, Query([])) == ["one"]
    read_all(recording, Query([]))
