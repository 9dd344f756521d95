"""One client on a real socket: requests of any shape go in, and it never gets more than it may."""

from __future__ import annotations

import fcntl
import json
import socket
import sys
import termios
import weakref
from itertools import islice, repeat

import pytest

from procman.core.text.protocol import REQUEST_LIMIT
from procman.runtime.control.client import MAX_OWED, PREFETCHED, Client
from procman.runtime.system.poller import READ, Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class WatchedPoller(Poller):
    """A poller that shows what it waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: set[int] = set()

    def add(self, fd: int, callback: Callable[[], None], events: int = READ) -> None:
        super().add(fd, callback, events)
        self.watched.add(fd)

    def remove(self, fd: int) -> None:
        super().remove(fd)
        self.watched.discard(fd)


class Line:
    """A client in the session, and the socket of the program at the other end."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX)
        for end in (ours, self.theirs):
            end.setblocking(False)
        self.poller = WatchedPoller()
        self.lines: list[bytes] = []
        self.gone = 0
        self.client = Client(ours, self.poller, lambda _client, line: self.lines.append(line), self._on_gone)

    def _on_gone(self, _client: Client) -> None:
        self.gone += 1

    def type(self, *chunks: bytes) -> None:
        """Send chunks, each read by itself."""
        for chunk in chunks:
            self.theirs.sendall(chunk)
            self.turn()

    def turn(self) -> None:
        for callback in self.poller.ready(0):
            callback()

    def read(self) -> bytes:
        """Read everything available, while the session sends more."""
        data = b""
        while True:
            self.turn()
            try:
                chunk = self.theirs.recv(1 << 20)
            except BlockingIOError:
                return data
            if not chunk:
                return data
            data += chunk

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read().splitlines()]


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.client.close()
    made.theirs.close()
    made.poller.close()


def test_requests_are_cut_at_newlines_however_they_arrive(line: Line) -> None:
    line.type(b'{"a"', b': 1}\n{"b": 2}\n\n  \n{"c"', b": 3}\n")
    assert line.lines == [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']


def test_a_request_that_is_too_long_is_refused_and_ends_the_connection(line: Line) -> None:
    for _ in range(REQUEST_LIMIT // 1000 + 1):
        line.type(b"x" * 1000)
    assert (line.client.closed, line.gone) == (True, 1)
    (refusal,) = line.records()
    assert refusal["error"] == f"a request may have at most {REQUEST_LIMIT} bytes"
    assert line.lines == []


def test_after_a_refusal_that_ends_the_connection_no_request_is_taken(line: Line) -> None:
    def refuse(client: Client, got: bytes) -> None:
        line.lines.append(got)
        client.send({"n": 1}, b"x" * MAX_OWED)  # so that it cannot be sent yet
        client.refuse("no")

    line.client._on_line = refuse
    line.type(b"bad\nnext\n")
    line.client.set_reading(True)  # a terminal takes keys again
    assert line.lines == [b"bad"]
    assert b'"error": "no"' in line.read()
    assert line.gone == 1


def test_a_refusal_may_leave_the_connection_open(line: Line) -> None:
    line.client.task = object()
    line.client.refuse("no", hang_up=False)
    assert line.client.task is None
    (refusal,) = line.records()
    assert refusal == {"done": True, "code": 2, "error": "no", "hint": ""}
    line.type(b"next\n")
    assert line.lines == [b"next"]


def test_the_longest_request_is_taken(line: Line) -> None:
    longest = b"x" * REQUEST_LIMIT
    for start in range(0, REQUEST_LIMIT, 4096):
        line.type(longest[start : start + 4096])
    line.type(b"\n")
    assert line.lines == [longest]


def test_while_it_is_not_read_its_requests_wait(line: Line) -> None:
    line.client.set_reading(False)
    line.type(b"one\n")
    assert line.lines == []
    line.client.set_reading(True)
    line.turn()
    assert line.lines == [b"one"]


def test_what_was_read_before_it_was_stopped_is_handled_afterwards(line: Line) -> None:
    on_line = line.lines.append

    def stop_after_first(client: Client, got: bytes) -> None:
        on_line(got)
        client.set_reading(False)

    line.client._on_line = stop_after_first
    line.type(b"one\ntwo\n")
    assert line.lines == [b"one"]
    line.client.set_reading(True)
    assert line.lines == [b"one", b"two"]


def test_records_carry_the_size_of_their_bytes(line: Line) -> None:
    line.client.send({"log": "web.1"}, b"hello\n")
    line.client.finish()
    head, text, last = line.read().splitlines()
    assert json.loads(head) == {"log": "web.1", "size": 6}
    assert (text, json.loads(last)) == (b"hello", {"done": True, "code": 0})
    assert line.client.owed == 0


def test_live_records_wait_for_the_end_of_a_long_answer(line: Line) -> None:
    line.client.feed(iter([b'{"n": 1}\n', b'{"n": 2}\n']))
    line.client.send({"n": 3})
    line.client.flush()
    assert [record["n"] for record in line.records()] == [1, 2, 3]
    line.client.send({"n": 4})
    assert [record["n"] for record in line.records()] == [4]
    line.client.feed(iter([b'{"n": 5}\n']))
    line.client.flush()
    assert [record["n"] for record in line.records()] == [5]


def test_a_long_answer_is_taken_only_as_far_as_there_is_room(line: Line) -> None:
    taken = 0

    def parts() -> Iterator[bytes]:
        nonlocal taken
        for part in islice(repeat(b"x" * (1 << 16)), 100):
            taken += 1
            yield part

    line.client.feed(parts())
    line.client.flush()
    assert taken < 20
    assert line.client.owed <= PREFETCHED << 16
    assert len(line.read()) == 100 << 16
    assert (taken, line.client.owed) == (100, 0)


def test_a_client_is_full_beyond_the_limit(line: Line) -> None:
    line.client.owed = MAX_OWED
    assert not line.client.full
    line.client.owed += 1
    assert line.client.full


def test_a_client_that_does_not_read_is_full_and_is_told_once_what_it_missed(line: Line) -> None:
    while not line.client.full:
        line.client.send({"log": "web.1"}, b"x" * 65535 + b"\n")
        line.client.flush()
    assert MAX_OWED < line.client.owed < 2 * MAX_OWED
    line.client.skipped = 7
    assert line.read().endswith(b'\n{"skipped": 7}\n')
    assert (line.client.full, line.client.skipped, line.client.owed) == (False, 0, 0)


def test_a_hang_up_is_reported_once(line: Line) -> None:
    line.type(b"last\n")
    line.theirs.close()
    line.turn()
    line.client.close()
    assert (line.lines, line.gone, line.client.closed) == ([b"last"], 1, True)


def test_a_request_without_its_newline_is_not_one(line: Line) -> None:
    line.theirs.sendall(b"one\ntwo")
    line.theirs.shutdown(socket.SHUT_WR)
    line.turn()
    line.turn()
    assert (line.lines, line.gone) == ([b"one"], 1)


def test_a_hang_up_is_noticed_while_it_is_not_read(line: Line) -> None:
    line.client.set_reading(False)
    line.theirs.close()
    line.turn()
    assert line.gone == 1


def test_what_a_client_is_owed_is_sent_once_more_when_it_has_said_all(line: Line) -> None:
    line.client.send({"log": "web.1"}, b"x" * 1000)
    line.theirs.shutdown(socket.SHUT_WR)
    for callback in line.poller.ready(0):
        callback()
    assert line.gone == 1
    assert line.read().endswith(b"x" * 1000)


def test_nothing_waits_for_a_client_that_has_said_all_and_does_not_read(line: Line) -> None:
    line.client.send({"log": "web.1"}, b"x" * MAX_OWED)
    line.theirs.shutdown(socket.SHUT_WR)
    line.turn()
    assert line.gone == 1


def test_while_it_is_not_read_the_kernel_keeps_what_it_sends(line: Line) -> None:
    line.client.set_reading(False)
    line.client.send({"n": 1}, b"x" * MAX_OWED)
    line.theirs.sendall(b"one\ntwo\n")
    line.turn()
    assert line.lines == []
    unread = fcntl.ioctl(line.client._socket, termios.FIONREAD, b"\0" * 4)
    assert int.from_bytes(unread, "little") == len(b"one\ntwo\n")


def test_a_client_that_is_gone_is_owed_nothing(line: Line) -> None:
    line.theirs.close()
    line.client.send({"n": 1}, b"x" * 100_000)
    line.client.flush()
    assert line.client.closed
    line.client.send({"n": 2})
    assert line.gone == 1


def test_after_its_end_nothing_of_a_client_is_kept_or_watched(line: Line) -> None:
    text = b"x" * 1000
    parts = (part for part in [b"one\n", b"two\n"])
    held, made = sys.getrefcount(text), weakref.ref(parts)
    line.client.send({"log": "web.1"}, text)
    line.client.feed(parts)
    line.client.send({"log": "web.1"}, text)
    del parts
    line.client.close()
    assert line.poller.watched == set()
    assert line.theirs.recv(1) == b""
    assert (sys.getrefcount(text), made()) == (held, None)
