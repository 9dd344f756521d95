"""The record of a session: what is in it, how large it becomes, and what happens if it cannot be written."""

from __future__ import annotations

import errno
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.cli.control.recorded_file import RecordedFile
from procman.output.hub import Hub
from procman.output.sink import Sink
from procman.output.sinks import record as record_module
from procman.output.sinks.history import History
from procman.output.sinks.record import RETRY_INTERVAL, Record
from procman.output.sinks.record_files import RecordFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from procman.core.text.record_format import Chunk

MANY = 1 << 30  # bytes


class Recorded:
    """A hub whose output is recorded."""

    def __init__(self, folder: Path, limit: int = MANY) -> None:
        self.now = 1000.0
        self.folder = folder
        self.complaints: list[str] = []
        self.hub = Hub(Sink(), history=History(1, lambda: self.now))
        self.files = RecordFiles(str(folder), "shop", 1, "a-1")
        self.record = Record(
            self.files, self.hub.history, {"session": "a-1"}, limit, self.complaints.append, lambda: self.now
        )
        self.hub.add(self.record)

    def publish(self, *lines: bytes, name: str = "web.1", stream: str = "stdout") -> None:
        for one in lines:
            self.hub.publish(name, stream, one)

    def flush(self, now: float = 0.0) -> Recorded:
        self.record.flush(now)
        return self

    def file(self, turn: str) -> list[Chunk]:
        return list(RecordedFile(os.open(self.files.path(turn), os.O_RDONLY)).chunks())

    def chunks(self) -> list[Chunk]:
        return self.file("0")

    def shown(self) -> list[tuple[str, str, int, bytes]]:
        return [(chunk.kind, chunk.name, chunk.at, chunk.lines) for chunk in self.chunks()][1:]


@pytest.fixture
def made(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def test_everything_is_in_it_with_its_position(made: Recorded) -> None:
    made.publish(b"one\n", b"\x1b[31mtwo\x1b[0m\n")
    made.publish(b"three\n", stream="stderr", name="db.1")
    made.hub.publish_parts("web.1", "stdout", b"fo", b"ur\nrest", 3)
    made.hub.announce("a word of procman's")
    assert made.flush().shown() == [
        ("stdout", "web.1", 0, b"one\n"),
        ("stdout", "web.1", 4, b"\x1b[31mtwo\x1b[0m\n"),
        ("stderr", "db.1", 17, b"three\n"),
        ("stdout", "web.1", 23, b"four\n"),
        ("system", "system", 28, b"a word of procman's\n"),
    ]
    assert made.chunks()[0].kind == "head"
    assert json.loads(made.chunks()[0].lines) == {"session": "a-1", "turn": 0, "lives": {}}
    assert made.chunks()[1].time == 1000.0


def test_nothing_is_written_before_the_end_of_a_turn_unless_it_is_much(made: Recorded) -> None:
    made.publish(b"one\n")
    assert made.shown() == []
    made.publish(b"x" * 70_000 + b"\n")
    assert len(made.shown()) == 2
    for _ in range(1000):
        made.publish(b"y\n")
    assert len(made.shown()) > 300  # more vectors than one writev takes


def test_lives_and_the_end_are_in_it(made: Recorded) -> None:
    made.hub.child_started("web.1", 7)
    made.publish(b"one\n")
    made.hub.child_started("web.1", 8)
    made.record.end(3, "stop requested")
    made.publish(b"late\n")
    *shown, (kind, _, at, line) = made.flush().shown()
    assert shown == [("life", "web.1", 0, b"7\n"), ("stdout", "web.1", 0, b"one\n"), ("life", "web.1", 4, b"8\n")]
    assert (kind, at, json.loads(line)) == ("end", 4, {"code": 3, "reason": "stop requested"})
    assert not RecordFiles(str(made.folder), "shop", 1, "a-1", ["0"]).is_running()


def test_two_files_take_turns_and_stay_small(tmp_path: Path) -> None:
    made = Recorded(tmp_path, limit=20_000)
    made.hub.child_started("web.1", 7)
    for number in range(100):
        made.publish(b"%0999d\n" % number)
        made.flush()
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
    older, newer = sorted((made.file("0"), made.file("1")), key=lambda chunks: chunks[0].at)
    lines = [chunk.lines for chunk in (*older, *newer) if chunk.kind == "stdout"]
    assert [int(line) for line in lines] == list(range(100 - len(lines), 100))
    assert len(lines) >= 9
    assert older[0].at == older[1].at
    assert newer[0].at == older[-1].end == newer[1].at
    assert json.loads(newer[0].lines)["lives"] == {"web.1": [0]}


def test_the_older_file_is_written_over_and_a_deleted_one_created_again(tmp_path: Path) -> None:
    made = Recorded(tmp_path, limit=20_000)

    def fill(count: int) -> list[int]:
        for _ in range(count):
            made.publish(b"x" * 999 + b"\n")
            made.flush()
        return [os.stat(made.files.path(turn)).st_ino for turn in "01"]

    files = fill(20)
    assert fill(40) == files
    assert [json.loads(made.file(turn)[0].lines)["over"] for turn in "01"] == [True, True]
    for turn in "01":
        os.unlink(made.files.path(turn))
    fill(20)
    assert [len(chunk.lines) for chunk in made.file("0")][1:4] == [1000] * 3


@given(st.integers(9, 40), st.lists(st.integers(1, 700), min_size=1, max_size=4), st.floats(0, 1))
def test_a_kill_in_the_middle_of_a_write_leaves_whole_chunks_only(
    tmp_path_factory: pytest.TempPathFactory, before: int, batch: list[int], share: float
) -> None:
    made = Recorded(tmp_path_factory.mktemp("record"), limit=4000)
    published: dict[int, bytes] = {}

    def publish(line: bytes) -> None:
        published[made.hub.history.position] = line
        made.publish(line)

    def recorded() -> dict[int, bytes]:
        files = [made.file(path.name[-1]) for path in sorted(made.folder.iterdir()) if path.name[-1] in "01"]
        return {chunk.at: chunk.lines for chunks in files for chunk in chunks if chunk.kind == "stdout"}

    def killed(fd: int, parts: list[bytes]) -> int:
        data = b"".join(parts)
        os.write(fd, data[: int(len(data) * share)])
        raise InterruptedError

    for number in range(before):
        publish(b"%d %s\n" % (number, b"x" * (number * 37 % 400)))
        made.flush()
    earlier = recorded()
    for size in batch:
        publish(b"%s\n" % (b"y" * size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", killed)
        patch.setattr(record_module, "_cut", lambda _fd, _size: None)  # nothing happens after a kill
        made.flush()
    found = recorded()
    assert found.items() <= published.items()
    lost = earlier.keys() - found.keys() - {max(earlier)}  # half a header after the last chunk may cost it
    assert not lost or max(lost) < min(found)  # those of the older file, if the next one was just begun there


def test_the_end_of_what_counts_is_looked_for_when_it_is_needed(tmp_path: Path) -> None:
    made = Recorded(tmp_path, limit=20_000)
    for _ in range(30):
        made.publish(b"x" * 999 + b"\n")
        made.flush()
    newest = max((RecordedFile(os.open(made.files.path(turn), os.O_RDONLY)) for turn in "01"), key=lambda one: one.at)
    assert newest.head["over"]
    assert newest.file_size > newest.size == made.record._good


def test_a_file_that_is_written_over_while_it_is_read_has_no_more_lines(tmp_path: Path) -> None:
    made = Recorded(tmp_path, limit=4_000_000)
    for number in range(30):
        made.publish(b"%d %s\n" % (number, b"x" * 60_000))
    made.flush()
    reading = RecordedFile(os.open(made.files.path("0"), os.O_RDONLY)).chunks()
    first = [next(reading).lines[:3] for _ in range(5)]
    assert first[1:] == [b"0 x", b"1 x", b"2 x", b"3 x"]
    for number in range(30, 100):
        made.publish(b"%d %s\n" % (number, b"y" * 60_000))
    made.flush()
    assert {chunk.lines.partition(b" ")[2][:1] for chunk in reading} <= {b"x"}


def test_a_chunk_that_is_larger_than_the_limit_is_recorded_all_the_same(tmp_path: Path) -> None:
    made = Recorded(tmp_path, limit=1000)
    for _ in range(3):
        made.publish(b"x" * 5000 + b"\n")
        made.flush()
    assert [len(chunk.lines) for chunk in made.file("0")][1:] == [5001]


def test_what_was_published_before_is_taken_from_the_history(tmp_path: Path) -> None:
    first = Recorded(tmp_path)
    hub, history = first.hub, first.hub.history
    hub.remove(first.record)
    hub.child_started("web.1", 1)
    for name, lines in (("web.1", b"a\n"), ("db.1", b"b\n"), ("web.1", b"c\n"), ("db.1", b"d\n")):
        hub.publish(name, "stdout", lines)
    first.record.recall(history.recall(lambda _: True, None, None), history.lives(lambda _: True))
    hub.add(first.record)
    first.publish(b"e\n")
    assert first.flush().shown() == [
        ("life", "web.1", 0, b"\n"),
        ("stdout", "web.1", 0, b"a\n"),
        ("stdout", "db.1", 2, b"b\n"),
        ("stdout", "web.1", 4, b"c\n"),
        ("stdout", "db.1", 6, b"d\n"),
        ("stdout", "web.1", 8, b"e\n"),
    ]


class FullDisk:
    """A disk that takes only so many more bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "writev", self.writev)
        monkeypatch.setattr(os, "write", self.write)

    def writev(self, fd: int, parts: list[bytes]) -> int:
        return self.write(fd, b"".join(parts))

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._write(fd, data[: self.room])
        self.room -= taken
        return taken


def test_a_full_disk_is_reported_once_and_tried_again(made: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    made.publish(b"one\n")
    made.flush()
    size = os.stat(made.files.path("0")).st_size
    disk = FullDisk(monkeypatch, 10)
    made.publish(b"two\n")
    made.flush(5.0)
    made.publish(b"three\n")
    made.flush(5.0 + RETRY_INTERVAL / 2)
    assert made.complaints == ["the output that follows is not recorded: no space left on device"]
    assert [lines for *_, lines in made.shown()] == [b"one\n"]
    assert os.stat(made.files.path("0")).st_size == size  # half a chunk does not stay
    made.flush(5.0 + RETRY_INTERVAL)
    made.publish(b"four\n")
    made.flush(6.0 + RETRY_INTERVAL)
    disk.room = MANY
    made.flush(9.0 + 2 * RETRY_INTERVAL)
    made.publish(b"five\n")
    made.flush(10.0 + 2 * RETRY_INTERVAL)
    assert made.shown() == [("stdout", "web.1", 0, b"one\n"), ("stdout", "web.1", 19, b"five\n")]
    assert len(made.complaints) == 1


def test_the_end_is_tried_on_a_full_disk_too(made: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch, 0)
    made.publish(b"one\n")
    made.flush()
    disk.room = MANY
    made.record.end(0, "")
    assert [kind for kind, *_ in made.shown()] == ["end"]


def test_a_file_that_cannot_be_begun_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullDisk(monkeypatch, 10)
    with pytest.raises(OSError, match="No space"):
        Recorded(tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.sampled_from(["web.1", "db.1"]), st.integers(1, 2000)), max_size=30), st.data())
def test_what_was_published_is_read_whatever_the_turns(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[tuple[str, int]], data: st.DataObject
) -> None:
    made = Recorded(tmp_path_factory.mktemp("records"))
    for name, size in chunks:
        made.publish(b"x" * size + b"\n", name=name)
        if data.draw(st.booleans()):
            made.flush()
    found = [(name, len(lines) - 1) for _, name, _, lines in made.flush().shown()]
    made.record.end(0, "")
    assert found == chunks
