"""The output of a session in the order in which it was published, and cursors."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from procman.cli.control.connection import NoSessionError
from procman.cli.control.log_query import Query, lines_after, read_cursor
from procman.cli.control.log_source import in_order, live_output, pieces
from procman.errors import UsageError
from procman.output.sinks.history import History

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.log_query import Record


def record(name: str = "web.1", at: int = 0, time: float = 1.0, **more: object) -> Record:
    return {"log": name, "stream": "stdout", "time": time, "at": at, **more}


def test_a_cursor_is_a_session_and_a_position() -> None:
    assert read_cursor("1a2b-0123456789ab:4096", "--after") == ("1a2b-0123456789ab", 4096)


@pytest.mark.parametrize("text", ["", "x", "x:", ":7", "x:-1", "x:1e3", "x:٣", "x:" + "9" * 19, "x:1 "])
def test_anything_else_is_not_a_cursor(text: str) -> None:
    with pytest.raises(UsageError, match="--after must be a cursor"):
        read_cursor(text, "--after")


def test_lines_that_others_came_between_are_taken_apart() -> None:
    assert pieces(record(at=3, marks=[2, 9, 4, 20]), b"a\nb\ncd\n") == [
        (3, record(at=3), b"a\n"),
        (9, record(at=3), b"b\n"),
        (20, record(at=3), b"cd\n"),
    ]
    assert pieces(record(at=3), b"a\n") == [(3, record(at=3), b"a\n")]


def test_no_time_is_a_moment_before_the_one_above_it() -> None:
    memory = [
        (at, record(at=at, time=time), b"x\n") for at, time in ((0, 5.0), (2, 4.95), (4, 5.1), (6, 2.0), (8, 2.05))
    ]
    assert [one["time"] for one, _ in in_order(memory, "s")] == [5.0, 5.0, 5.1, 2.0, 2.05]  # 2.0: the clock was set


@pytest.mark.parametrize(
    ("size", "rest"), [(-5, b"ab\ncd\n"), (0, b"ab\ncd\n"), (3, b"cd\n"), (1, b"cd\n"), (4, b""), (6, b""), (7, b"")]
)
def test_a_cursor_inside_of_a_line_means_the_next_one(size: int, rest: bytes) -> None:
    assert lines_after(b"ab\ncd\n", size) == rest


class FakeConnection:
    """Answers a request from a history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._request: Record = {}

    def send(self, request: Record) -> None:
        self._request = request

    def answers(self) -> Any:
        after: Any = self._request["after"]
        lost, missing = self._history.lost(lambda _name: True, after or 0)
        yield {"cursor": f"s:{self._history.position}", "lost": lost, "missing": missing}, b""
        before, lines = self._request.get("before"), self._request["lines"]
        for entry in self._history.recall(lambda _name: True, None, lines, after or 0, before):  # type: ignore[arg-type]
            yield record(entry.name, entry.at, entry.time, marks=entry.marks or None), entry.lines
        yield {"done": True, "code": 0}, b""


@given(
    st.lists(st.tuples(st.sampled_from(["web.1", "db.1", "mail.1"]), st.integers(1, 3000), st.booleans()), max_size=60),
    st.lists(st.integers(0, 59), max_size=5),
)
@example([("web.1", 1, False), ("db.1", 1, False), ("web.1", 1, True), *[("web.1", 3000, True)] * 4], [0])
def test_asking_with_the_last_cursor_gets_every_line_once(
    chunks: list[tuple[str, int, bool]], asked: list[int]
) -> None:
    now = [1000.0]
    history = History(10**6, lambda: now[0])  # little memory
    connection: Any = FakeConnection(history)
    query = Query([])
    query.after, got, skipped, published = 0, b"", 0, b""
    for number, (name, size, pause) in enumerate(chunks):
        lines = b"%d %s\n" % (number, b"x" * size)
        history.publish(name, "stdout", lines)
        published += lines
        now[0] += pause
        if number in asked or number == len(chunks) - 1:
            for one, text in live_output(connection, query):
                if "skipped" in one:
                    skipped += int(str(one["skipped"]))
                else:
                    assert published[int(str(one["at"])) :].startswith(text)
                    assert query.after <= int(str(one["at"]))
                    query.after = int(str(one["at"])) + len(text)
                    got += text
    missing = len(published) - len(got)
    assert skipped >= missing  # how much of a dropped entry had been read before is not known
    assert bool(skipped) is bool(missing)
    assert skipped or got == published


@given(
    st.lists(st.tuples(st.sampled_from(["web.1", "db.1", "mail.1"]), st.integers(1, 3000), st.booleans()), max_size=60),
    st.integers(1, 9),
)
def test_pages_before_the_first_line_of_the_last_page_hold_every_line_once(
    chunks: list[tuple[str, int, bool]], lines: int
) -> None:
    now = [1000.0]
    history = History(1, lambda: now[0])
    published = b""
    for number, (name, size, pause) in enumerate(chunks):
        published += (text := b"%d %s\n" % (number, b"x" * size))
        history.publish(name, "stdout", text)
        now[0] += pause
    connection: Any = FakeConnection(history)
    query = Query([])
    query.lines, query.before, got = lines, history.position, b""
    while page := [line for one, text in live_output(connection, query) for line in lines_at(one, text)][-lines:]:
        assert len(page) == min(lines, len(chunks) - got.count(b"\n"))
        query.before = page[0][0]
        got = b"".join(line for _, line in page) + got
    assert got == published


def lines_at(one: Record, text: bytes) -> list[tuple[int, bytes]]:
    """The lines of a record, each with its position."""
    ends = itertools.accumulate((len(line) for line in text.splitlines(keepends=True)), initial=int(str(one["at"])))
    return list(zip(ends, text.splitlines(keepends=True), strict=False))


def test_a_session_that_ends_before_its_answer_is_not_a_stranger() -> None:
    connection: Any = SimpleNamespace(send=lambda _request: None, answers=lambda: iter(()))
    with pytest.raises(NoSessionError, match="the session has ended"):
        list(live_output(connection, Query([])))
