"""The component that serves the socket: limits, garbage, bugs and a lack of descriptors."""

from __future__ import annotations

import errno
import json
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.transitions import Action
from procman.runtime.control.endpoint import claim
from procman.runtime.control.listener import ACCEPT_RETRY_INTERVAL, MAX_ACCEPTED, MAX_CLIENTS, Control
from procman.runtime.system.poller import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.control.rig import World


class Door:
    """A served socket, and the clients that a test connects to it."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.path = str(path / "control.sock")
        self.poller = Poller()
        self.control = Control(claim([self.path], given=True), lambda: world.session)
        self.control.open(self.poller)
        self.connections: list[socket.socket] = []

    def connect(self, count: int = 1) -> socket.socket:
        for _ in range(count):
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(5)
            made.connect(self.path)
            self.connections.append(made)
        return self.connections[-1]

    def turn(self, now: float = 0.0) -> None:
        for callback in self.poller.ready(0):
            callback()
        self.control.tick(now)

    def ask(self, connection: socket.socket, line: bytes) -> dict[str, Any]:
        connection.sendall(line + b"\n")
        self.turn()
        self.turn()
        answer: dict[str, Any] = json.loads(connection.recv(65536).splitlines()[-1])
        return answer

    def is_served(self, connection: socket.socket) -> bool:
        return bool(self.ask(connection, b'{"verb": "hello"}')["pid"] == 4711)


@pytest.fixture
def door(world: World, tmp_path: Path) -> Iterator[Door]:
    made = Door(world, tmp_path)
    yield made
    made.control.close(0.0, 0)
    for connection in made.connections:
        connection.close()
    made.poller.close()


def test_a_request_is_answered(door: Door) -> None:
    client = door.connect()
    door.turn()
    assert door.is_served(client)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"verb": "fly"}', b'{"verb": "ps", "x": 1}', b"\xff\xff"])
def test_what_is_not_a_request_ends_the_connection_and_nothing_else(door: Door, line: bytes) -> None:
    client, other = door.connect(), door.connect()
    door.turn()
    if line:
        assert "error" in door.ask(client, line)
        assert client.recv(1) == b""
    assert door.is_served(other)


def test_a_bug_in_an_answer_is_reported_to_its_client_only(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other = door.connect(), door.connect()
    door.turn()

    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    with monkeypatch.context() as patch:
        patch.setattr(door.world.session, "about", fail)
        answer = door.ask(client, b'{"verb": "hello"}')
    assert answer["error"] == "this is a bug in procman: ZeroDivisionError: division by zero"
    assert answer["code"] == 70
    assert door.is_served(other)


def test_a_lack_of_descriptors_is_reported_to_the_client_that_asked(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = door.connect()
    door.turn()

    def fail() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(door.world.session, "about", fail)
    answer = door.ask(client, b'{"verb": "hello"}')
    assert answer["error"] == "the session cannot answer now: too many open files"
    assert (answer["hint"], answer["code"]) == ("try again when fewer processes are running", 1)
    assert client.recv(1) == b""


def test_a_turn_accepts_only_so_many(door: Door) -> None:
    door.connect(MAX_ACCEPTED + 1)
    door.turn()
    assert len(door.control._clients) == MAX_ACCEPTED
    door.turn()
    assert len(door.control._clients) == MAX_ACCEPTED + 1


def test_the_client_that_was_idle_longest_leaves_for_a_new_one(door: Door) -> None:
    busy, idle = door.connect(), door.connect()
    door.turn()
    busy.sendall(b'{"verb": "events"}\n')
    door.turn()
    for _ in range(MAX_CLIENTS - 1):
        door.connect()
        door.turn()
    assert len(door.control._clients) == MAX_CLIENTS
    assert idle.recv(1) == b""
    busy.setblocking(False)
    with pytest.raises(BlockingIOError):
        busy.recv(1)


def test_without_a_descriptor_clients_wait_until_there_is_one(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    client = door.connect()

    def full() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(door.control, "_prepare", full)
        door.turn()
    due = door.control.next_deadline()
    assert due is not None
    assert 0 < due - time.monotonic() <= ACCEPT_RETRY_INTERVAL
    assert door.poller.ready(0) == []  # a listener that stays ready would keep the loop busy
    door.turn(due - ACCEPT_RETRY_INTERVAL / 2)
    assert door.control.next_deadline() == due
    door.turn(due)
    assert door.control.next_deadline() is None
    door.turn()
    assert door.is_served(client)


def test_a_client_that_there_is_no_descriptor_for_waits_in_the_queue(door: Door) -> None:
    def full() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    listener: Any = door.control._endpoint.socket
    door.connect()
    fake: Any = SimpleNamespace(_accept=full, fileno=listener.fileno)
    door.control._endpoint.socket = fake
    door.turn()
    door.control._endpoint.socket = listener
    assert door.control.next_deadline() is not None
    assert door.poller.ready(0) == []  # a listener that stays ready would keep the loop busy


def test_what_happens_in_a_turn_is_sent_in_that_turn(door: Door) -> None:
    client = door.connect()
    door.turn()
    client.sendall(b'{"verb": "events"}\n')
    door.turn()
    door.control.on_event(Action.ANNOUNCE_EXITED, door.world["web.1"], door.world.now)
    door.control.tick(door.world.now)
    assert json.loads(client.recv(65536))["instance"] == "web.1"


def test_nothing_is_due_for_a_client_that_has_left(door: Door) -> None:
    client = door.connect()
    door.turn()
    client.sendall(b'{"verb": "events"}\n')
    door.turn()
    door.control.on_event(Action.ANNOUNCE_EXITED, door.world["web.1"], door.world.now)
    client.close()
    for callback in door.poller.ready(0):
        callback()
    assert door.control.next_deadline() is None


def test_a_stranger_is_not_let_in(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    from procman.runtime.control import endpoint

    monkeypatch.setattr(endpoint, "peer_is_allowed", lambda _connection: False)
    client = door.connect()
    door.turn()
    assert client.recv(1) == b""
    assert door.control._clients == []


def test_the_end_of_the_session_is_sent_and_the_socket_removed(door: Door) -> None:
    client = door.connect()
    door.turn()
    client.sendall(b'{"verb": "events"}\n')
    door.turn()
    door.control.close(0.0, 3)
    last = json.loads(client.recv(65536).splitlines()[-1])
    assert last == {"done": True, "code": 0, "over": True, "exit": 3}
    assert client.recv(1) == b""
    assert not Path(door.path).exists()


def test_without_a_client_no_session_is_opened(world: World, tmp_path: Path) -> None:
    def fail() -> Any:
        raise AssertionError("no client is there to answer")

    control = Control(claim([str(tmp_path / "control.sock")], given=True), fail)
    poller = Poller()
    control.open(poller)
    control.on_event("exited", world["web.1"], 0.0)
    control.tick(0.0)
    assert control.next_deadline() is None
    control.close(0.0, 0)
    poller.close()


def test_a_client_that_cannot_be_watched_is_turned_away_and_the_session_goes_on(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(door.poller, "add", refuse)
        unlucky = door.connect()
        door.turn()
        assert unlucky.recv(1) == b""
    assert "error" in door.ask(door.connect(), b"garbage")
