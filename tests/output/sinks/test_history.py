"""The history of lines is bounded and ordered, and its times are right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.sinks.history import (
    ENTRY_OVERHEAD,
    MAX_JOINED,
    MAX_SIZE,
    MAX_TOTAL,
    MIN_SIZE,
    MOMENT,
    History,
)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def everything(history: History) -> bytes:
    return b"".join(bytes(entry.lines) for entry in history.recall(lambda _: True, None, None))


def test_last_lines_come_back_in_order() -> None:
    history = History()
    for number in range(100):
        history.publish("web.1", "stdout", b"%d\n" % number)
    assert history.last("web.1", 3) == [b"97", b"98", b"99"]
    assert history.last("web.1", 0) == []
    assert history.last("nobody", 3) == []


def test_lines_of_all_are_recalled_by_time_and_cut_to_the_last() -> None:
    clock = Clock()
    history = History(clock=clock)
    for number in range(6):
        clock.now += 1
        history.publish(f"web.{number % 2}", "stdout", b"%d\nand\n" % number)
    recalled = history.recall(lambda _: True, None, 3)
    assert [bytes(entry.lines) for entry in recalled] == [b"and\n", b"5\nand\n"]
    assert [bytes(entry.lines) for entry in history.recall(lambda _: True, 1005, None)] == [b"4\nand\n", b"5\nand\n"]


def test_the_last_lines_before_a_position_are_recalled() -> None:
    clock = Clock()
    history = History(clock=clock)
    for number in range(6):
        clock.now += 1
        history.publish(f"web.{number % 2}", "stdout", b"%d\n" % number)
    recalled = history.recall(lambda _: True, None, 2, before=8)
    assert [bytes(entry.lines) for entry in recalled] == [b"2\n", b"3\n"]
    assert history.recall(lambda _: True, None, 2, before=0) == []


def test_moments_and_streams_are_told_apart() -> None:
    clock = Clock()
    history = History(clock=clock)
    history.publish("web.1", "stdout", b"a\n")
    history.publish("web.1", "stdout", b"b\n")
    history.publish("web.1", "stderr", b"c\n")
    clock.now += 5
    history.publish("web.1", "stderr", b"d\n")
    entries = history.recall(lambda _: True, None, None)
    assert [(entry.stream, bytes(entry.lines)) for entry in entries] == [
        ("stdout", b"a\nb\n"),
        ("stderr", b"c\n"),
        ("stderr", b"d\n"),
    ]


@given(st.lists(st.integers(1, 70_000), max_size=40), st.integers(1, 10_000))
def test_memory_is_bounded_and_keeps_the_latest(sizes: list[int], instances: int) -> None:
    clock = Clock()
    history = History(instances, clock)
    said = b""
    for size in sizes:
        clock.now += 0.03
        lines = b"x" * (size - 1) + b"\n"
        history.publish("web.1", "stdout", lines)
        said += lines
    kept = everything(history)
    assert said.endswith(kept)
    assert len(kept) <= MAX_SIZE + 2 * max(sizes, default=0) + 4096
    assert len(kept) >= min(len(said), MIN_SIZE - 4096)


def test_a_chunk_weighs_what_it_takes_though_few_of_it_are_lines() -> None:
    history = History()
    for number in range(1000):
        history.publish_parts("web.1", "stdout", b"", b"%d\n" % number + b"x" * 60_000, len(str(number)) + 1)
    kept = everything(history).split()
    assert kept[-1] == b"999"
    assert len(kept) <= MAX_SIZE // 60_000 + 2


def test_what_was_recalled_stays_as_it_was() -> None:
    history = History(clock=Clock())
    history.publish("web.1", "stdout", b"a\n")
    recalled = history.recall(lambda _: True, None, None)  # a client reads these later, and gets the rest live
    history.publish("web.1", "stdout", b"b\n")
    assert [bytes(entry.lines) for entry in recalled] == [b"a\n"]
    assert everything(history) == b"a\nb\n"


def test_an_unfinished_line_is_kept_until_it_ends() -> None:
    history = History()
    history.partial("web.1", "stdout", b"(Pdb) ")
    assert history.unfinished("web.1") == b"(Pdb) "
    history.publish("web.1", "stdout", b"(Pdb) c\n")
    assert history.unfinished("web.1") == b""


def test_who_is_forgotten_has_said_nothing() -> None:
    history = History()
    history.publish("web.1", "stdout", b"a\n")
    history.forget("web.1")
    assert everything(history) == b""


def test_a_line_of_system_is_kept_like_any_other() -> None:
    history = History()
    history.announce("web.1 started \udce9")
    assert history.last("system", 1) == [b"web.1 started ?"]


def test_the_unused_rest_of_a_chunk_counts_as_memory() -> None:
    history = History()
    chunk = b"x\n" + b"y" * (MAX_SIZE // 2 - 2)
    for _ in range(10):
        history.publish_parts("web.1", "stdout", b"", chunk, 2)
    assert len(history.last("web.1", 10)) == 2  # each takes half of the limit


def test_chunks_that_are_used_whole_fill_the_memory() -> None:
    history = History()
    chunk = b"x\n" * (MAX_SIZE // 8)
    for _ in range(10):
        history.publish_parts("web.1", "stdout", b"", chunk, len(chunk))
    assert MAX_SIZE <= len(everything(history)) <= MAX_SIZE + 2 * len(chunk)


@pytest.mark.parametrize(
    ("instances", "limit"),
    [(0, MAX_SIZE), (1, MAX_SIZE), (MAX_TOTAL // MAX_SIZE, MAX_SIZE), (1024, MAX_TOTAL // 1024), (100_000, MIN_SIZE)],
)
def test_many_instances_share_the_memory_and_each_keeps_a_little(instances: int, limit: int) -> None:
    assert History(instances)._limit == limit


def test_lines_of_one_moment_share_an_entry_and_those_of_the_next_do_not() -> None:
    clock = Clock()
    history = History(clock=clock)
    for step in (0.0, 0.09, 0.02):
        clock.now += step
        history.publish("web.1", "stdout", b"a\n")
    assert [bytes(entry.lines) for entry in history.recall(lambda _: True, None, None)] == [b"a\na\n", b"a\n"]


def test_a_large_chunk_is_an_entry_of_its_own_and_nothing_joins_it() -> None:
    history = History(clock=Clock())
    for lines in (b"a\n", b"x" * 5000 + b"\n", b"b\n"):
        history.publish("web.1", "stdout", lines)
    history.publish_parts("web.1", "stdout", b"", b"c\n", 2)
    history.publish("web.1", "stdout", b"d\n")
    assert [entry.size - 160 for entry in history.recall(lambda _: True, None, None)] == [2, 5001, 2, 2, 2]


def test_an_unfinished_line_ends_with_a_whole_chunk_too() -> None:
    history = History()
    history.partial("web.1", "stdout", b"half")
    history.publish_parts("web.1", "stdout", b"half", b" one\n", 5)
    assert history.unfinished("web.1") == b""
    assert history.last("web.1", 1) == [b"half one"]


class Times:
    """A history with a clock that is set by hand. It begins close to 0, as the moments in it do."""

    def __init__(self, instances: int = 1) -> None:
        self.now = 0.3
        self.history = History(instances, lambda: self.now)

    def publish(self, *lines: bytes, seconds: float = 0.0, name: str = "web.1", stream: str = "stdout") -> None:
        for one in lines:
            self.history.publish(name, stream, one)
            self.now += seconds

    def entries(self, count: int | None = None, since: float | None = None) -> list[bytes]:
        return [entry.lines for entry in self.history.recall(lambda _name: True, since, count)]


def test_short_lines_of_one_moment_and_one_stream_are_one_entry() -> None:
    times = Times()
    times.publish(b"a\n", b"b\n", seconds=MOMENT / 4)
    times.now = 0.3 + MOMENT  # the moment has just ended
    times.publish(b"c\n")
    times.publish(b"d\n", stream="stderr")
    times.publish(b"e\n")
    times.publish(b"f\n", name="db.1")
    assert times.entries() == [b"a\nb\n", b"c\n", b"d\n", b"e\n", b"f\n"]
    times.publish(b"g\n", name="db.1")
    assert times.entries()[-1] == b"g\n"  # the recalled entries are read later


def test_large_lines_are_entries_of_their_own() -> None:
    times = Times()
    large, half = b"x" * (MAX_JOINED - 1) + b"\n", b"y" * (MAX_JOINED // 2 - 1) + b"\n"
    times.publish(b"a\n", large, b"b\n", half, half, b"c\n")
    assert times.entries() == [b"a\n", large, b"b\n" + half + half, b"c\n"]
    times.publish(half, half, b"d\n", seconds=MOMENT / 4)
    assert times.entries()[4:] == [half + half, b"d\n"]


def test_parts_are_an_entry_of_their_own() -> None:
    times = Times()
    times.publish(b"a\n")
    times.history.publish_parts("web.1", "stdout", b"b", b"c\nrest", 2)
    times.publish(b"d\n")
    assert times.entries() == [b"a\n", b"bc\n", b"d\n"]
    assert times.history.unfinished("web.1") == b""


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ((4096, 4096, 3936), 2),
        ((4096, 4096, 3935), 3),  # without the first one, less than the limit would be left
        ((5000, 4096, 3935), 3),
        ((3936, 3936, 4096), 3),  # those before the latest are not more than the limit
        ((3936, 3937, 4096), 2),
        ((4096,) * 20, 2),
    ],
)
def test_the_oldest_are_dropped_as_long_as_enough_remains(sizes: tuple[int, ...], kept: int) -> None:
    times = Times(10**6)
    assert (MIN_SIZE, ENTRY_OVERHEAD) == (8192, 160)
    for size in sizes:
        times.publish(b"x" * (size - 1) + b"\n", seconds=1.0)
    assert len(times.entries()) == kept
    assert len(times.history.last("web.1", 1000)) == kept


def test_lines_that_joined_an_entry_are_counted() -> None:
    times = Times(10**6)
    for _ in range(100):
        times.publish(b"x" * 99 + b"\n", *[b"y" * 1299 + b"\n"] * 3)
        times.now += 1.0
    assert len(times.entries()) == 3


def test_the_latest_lines_are_those_of_several_entries() -> None:
    times = Times()
    times.publish(b"a\nb\n", b"c\n", b"d\n", seconds=1.0)
    for count in range(5):
        assert times.history.last("web.1", count) == [b"a", b"b", b"c", b"d"][4 - count :]
    assert times.history.last("web.1", 9) == [b"a", b"b", b"c", b"d"]
    assert times.history.last("web.1", -1) == times.history.last("nobody", 3) == []


def test_the_lines_of_several_instances_are_recalled_by_time() -> None:
    times = Times()
    for name, lines in (("web.1", b"a\n"), ("db.1", b"b\nc\n"), ("web.1", b"d\n")):
        times.publish(lines, name=name, seconds=1.0)
    assert times.entries() == [b"a\n", b"b\nc\n", b"d\n"]
    assert [times.entries(count) for count in range(5)] == [
        [],
        [b"d\n"],
        [b"c\n", b"d\n"],
        [b"b\nc\n", b"d\n"],
        [b"a\n", b"b\nc\n", b"d\n"],
    ]
    assert times.entries(since=1.3) == [b"b\nc\n", b"d\n"]
    (entry,) = times.history.recall(lambda name: name == "db.1", None, 1)
    assert (entry.name, entry.stream, entry.time, entry.lines) == ("db.1", "stdout", 1.3, b"c\n")


def test_an_unfinished_line_is_kept_until_its_line_comes() -> None:
    times = Times()
    times.publish(b"a\n")
    assert times.history.unfinished("web.1") == times.history.unfinished("nobody") == b""
    assert not times.history.partial("web.1", "stdout", b"> ")
    assert times.history.unfinished("web.1") == b"> "
    times.publish(b"> yes\n")
    assert times.history.unfinished("web.1") == b""
    times.history.forget("web.1")
    assert times.entries() == []


def recalled(history: History, after: int = 0, count: int | None = None) -> list[tuple[str, int, list[int], bytes]]:
    entries = history.recall(lambda _name: True, None, count, after)
    return [(entry.name, entry.at, list(entry.marks), entry.lines) for entry in entries]


def test_every_byte_has_a_position() -> None:
    times = Times()
    times.publish(b"a\n", b"bcd\n")
    times.history.publish_parts("web.1", "stdout", b"e", b"f\nrest", 2)
    times.history.announce("web.1 é")
    assert times.history.position == 2 + 4 + 3 + 9
    assert recalled(times.history) == [
        ("web.1", 0, [], b"a\nbcd\n"),
        ("web.1", 6, [], b"ef\n"),
        ("system", 9, [], "web.1 é\n".encode()),
    ]


def test_lines_that_join_an_entry_after_those_of_another_are_marked() -> None:
    times = Times()
    for name, lines in (("web.1", b"a\n"), ("db.1", b"b\n"), ("web.1", b"c\n"), ("web.1", b"d\n"), ("db.1", b"e\n")):
        times.publish(lines, name=name)
    assert recalled(times.history) == [("web.1", 0, [2, 4], b"a\nc\nd\n"), ("db.1", 2, [2, 8], b"b\ne\n")]
    assert [entry.end for entry in times.history.recall(lambda _: True, None, None)] == [8, 10]


def test_only_what_ends_after_a_position_is_recalled() -> None:
    times = Times()
    times.publish(b"a\n", b"b\n", b"c\n", seconds=1.0)
    assert [at for _, at, _, _ in recalled(times.history, after=2)] == [2, 4]
    assert [at for _, at, _, _ in recalled(times.history, after=3)] == [2, 4]
    assert recalled(times.history, after=6) == []


def test_the_last_lines_come_with_those_that_alternate_with_them() -> None:
    times = Times()
    for number in range(6):
        times.publish(b"%d\n" % number, name=("web.1", "db.1")[number % 2])
    assert [name for name, *_ in recalled(times.history, count=2)] == ["web.1", "db.1"]
    times.now += 1.0
    times.publish(b"6\n7\n8\n")
    assert recalled(times.history, count=2) == [("web.1", 14, [], b"7\n8\n")]


def test_what_is_missing_is_known() -> None:
    times = Times(10**6)
    for _ in range(4):
        times.publish(b"x" * 4095 + b"\n", name="web.1")
        times.publish(b"y\n", name="db.1")
    history = times.history
    assert history.lost(lambda name: name == "db.1") == (0, 0)
    end, size = history.lost(lambda _name: True)
    assert (end, size) == (4096 + 2 + 4096, 2 * 4096)
    assert history.lost(lambda _name: True, after=4098) == (end, 4096)
    assert history.lost(lambda _name: True, after=end) == (end, 0)


def test_output_of_an_instance_that_is_gone_is_missing() -> None:
    times = Times()
    times.publish(b"a\n", name="db.1")
    times.publish(b"b\n")
    times.history.forget("db.1")
    assert times.history.lost(lambda _name: True) == (2, 2)
    assert times.history.lost(lambda name: name == "web.1") == (0, 0)
    times.publish(b"c\n", name="db.1")  # scaled up again
    times.history.forget("db.1")
    times.history.forget("nothing.1")
    assert times.history.lost(lambda _name: True) == (6, 4)


def test_the_output_of_a_life_begins_where_its_child_does() -> None:
    times = Times()
    for pid in (1, 2, 3):
        times.history.child_started("web.1", pid)
        times.publish(b"a\n")
    assert times.history.lives(lambda _name: True) == {"web.1": (2, 4)}
    assert len(times.entries()) == 3  # no entry holds lines of two lives
