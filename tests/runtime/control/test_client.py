"""One client on a real socket: requests of any shape go in, and it never gets more than it may."""

from __future__ import annotations

import json
import socket
from itertools import islice, repeat

import pytest

from procman.core.text.protocol import REQUEST_LIMIT
from procman.runtime.control.client import MAX_OWED, PREFETCHED, Client
from procman.runtime.system.poller import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Line:
    """A client in the session, and the socket of the program at the other end."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX)
        for end in (ours, self.theirs):
            end.setblocking(False)
        self.poller = Poller()
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
        """Read all that can be had, while the session sends more."""
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
    (refusal,) = line.records()
    assert refusal["error"] == f"a request may have at most {REQUEST_LIMIT} bytes"
    assert line.lines == []
    assert (line.client.closed, line.gone) == (True, 1)


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
    assert taken == 100


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


def test_a_client_that_is_gone_is_owed_nothing(line: Line) -> None:
    line.theirs.close()
    line.client.send({"n": 1}, b"x" * 100_000)
    line.client.flush()
    assert line.client.closed
    line.client.send({"n": 2})
    assert line.gone == 1
