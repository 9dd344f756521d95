"""Both pollers keep the same promises: epoll, and selectors where there is none."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from procman.runtime.system.poller import HANG_UP_INTERVAL, READ, WRITE, EpollPoller, SelectorPoller, has_hung_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Pollers = EpollPoller | SelectorPoller


class Pipe:
    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.heard: list[str] = []

    def on_read(self) -> None:
        self.heard.append("read")

    def on_write(self) -> None:
        self.heard.append("write")


@pytest.fixture(params=[EpollPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest) -> Iterator[Pollers]:
    poller: Pollers = request.param()
    yield poller
    poller.close()


def test_a_time_beyond_what_the_kernel_takes_is_waited_for_in_parts(poller: Pollers, pipe: Pipe) -> None:
    poller.add(pipe.reader, pipe.on_read)
    os.write(pipe.writer, b"x")
    for timeout in (3e6, 1e12, float("inf")):
        assert poller.ready(timeout) == [pipe.on_read]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for fd in (pipe.reader, pipe.writer):
        try:
            os.close(fd)
        except OSError:
            pass


def turn(poller: Pollers) -> int:
    callbacks = poller.ready(0)
    for callback in callbacks:
        callback()
    return len(callbacks)


def test_it_gives_the_callables_of_what_is_ready(poller: Pollers, pipe: Pipe) -> None:
    poller.add(pipe.reader, pipe.on_read)
    assert turn(poller) == 0
    os.write(pipe.writer, b"x")
    assert turn(poller) == 1
    assert pipe.heard == ["read"]


def test_it_waits_for_writing_only_where_it_is_told_to(poller: Pollers, pipe: Pipe) -> None:
    poller.add(pipe.writer, pipe.on_write, WRITE)
    assert turn(poller) == 1
    poller.change(pipe.writer, 0)
    assert turn(poller) == 0
    poller.change(pipe.writer, WRITE)
    assert turn(poller) == 1
    assert pipe.heard == ["write", "write"]


def test_what_waits_for_nothing_yet_can_be_changed_and_removed(poller: Pollers, pipe: Pipe) -> None:
    os.write(pipe.writer, b"x")
    poller.add(pipe.reader, pipe.on_read, 0)
    assert turn(poller) == 0
    poller.change(pipe.reader, READ)
    assert turn(poller) == 1
    poller.change(pipe.reader, 0)
    poller.remove(pipe.reader)
    poller.change(pipe.reader, READ)
    assert turn(poller) == 0


def test_what_was_removed_is_forgotten_and_may_be_removed_again(poller: Pollers, pipe: Pipe) -> None:
    os.write(pipe.writer, b"x")
    poller.add(pipe.reader, pipe.on_read)
    poller.remove(pipe.reader)
    poller.remove(pipe.reader)
    assert turn(poller) == 0
    poller.add(pipe.reader, pipe.on_read)
    assert turn(poller) == 1


def test_a_change_of_what_was_never_added_is_no_error(poller: Pollers, pipe: Pipe) -> None:
    poller.change(pipe.reader, READ)
    poller.remove(pipe.reader)
    assert turn(poller) == 0


def test_a_hang_up_wakes_the_reader(poller: Pollers, pipe: Pipe) -> None:
    poller.add(pipe.reader, pipe.on_read)
    os.close(pipe.writer)
    assert turn(poller) == 1


def test_it_is_itself_pollable(poller: Pollers, pipe: Pipe) -> None:
    outer = EpollPoller()
    outer.add(poller.fileno(), pipe.on_read)
    poller.add(pipe.reader, pipe.on_write)
    assert turn(outer) == 0
    os.write(pipe.writer, b"x")
    assert turn(outer) == 1
    outer.close()


def test_none_waits_without_limit_and_ends_when_there_is_something(poller: Pollers, pipe: Pipe) -> None:
    poller.add(pipe.reader, pipe.on_read)
    os.write(pipe.writer, b"x")
    assert len(poller.ready(None)) == 1


def test_a_hang_up_is_seen_unasked(pipe: Pipe) -> None:
    assert not has_hung_up(pipe.writer)
    os.close(pipe.reader)
    assert has_hung_up(pipe.writer)


def test_an_event_of_what_was_removed_meanwhile_is_left_out(pipe: Pipe) -> None:
    poller = EpollPoller()
    poller.add(pipe.reader, pipe.on_read)
    poller._epoll.close()
    events: Any = SimpleNamespace(poll=lambda _timeout: [(pipe.writer, READ), (pipe.reader, READ)])
    poller._epoll = events
    assert poller.ready(0) == [pipe.on_read]


def test_a_closed_poller_leaves_no_descriptor_open() -> None:
    for kind in (EpollPoller, SelectorPoller):
        made = kind()
        fd = made.fileno()
        made.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


@pytest.mark.parametrize(
    ("idle", "timeout", "waited"),
    [
        (True, None, HANG_UP_INTERVAL),
        (True, 10.0, HANG_UP_INTERVAL),
        (True, 0.1, 0.1),
        (False, None, None),
        (False, 10.0, 10.0),
    ],
)
def test_without_an_event_for_it_a_hang_up_is_looked_for_at_intervals(
    pipe: Pipe, idle: bool, timeout: float | None, waited: float | None
) -> None:
    poller = SelectorPoller()
    waits: list[float | None] = []

    def select(seconds: float | None) -> list[Any]:
        waits.append(seconds)
        return []

    poller._selector.close()
    fake: Any = SimpleNamespace(select=select, close=lambda: None)
    poller._selector = fake
    if idle:
        poller.add(pipe.reader, pipe.on_read, 0)
    assert poller.ready(timeout) == []
    assert waits == [waited]
    poller.close()
