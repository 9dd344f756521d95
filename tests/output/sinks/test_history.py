"""The history of lines is bounded and ordered, and its times are right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.sinks.history import MAX_SIZE, MAX_TOTAL, MIN_SIZE, History


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
