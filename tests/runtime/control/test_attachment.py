"""Attaching to a terminal, with a pipe in its place: keys, output, windows, and every way to leave."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from procman.runtime.control.attachment import IDLE_TIMEOUT, MAX_LEAVE_TIME
from procman.runtime.processes.pty import KEY_RETRY_INTERVAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.control.rig import FakeClient, World


class FakePty:
    """A pipe that takes keys, and what was set on the terminal."""

    def __init__(self) -> None:
        self.keys, self.master = os.pipe()
        for fd in (self.keys, self.master):
            os.set_blocking(fd, False)
        self.sizes: list[tuple[int, int] | None] = []
        self.adds_returns, self.whole_lines = True, True

    def modes(self) -> tuple[bool, bool]:
        return self.adds_returns, self.whole_lines

    def show_to(self, size: tuple[int, int] | None) -> None:
        self.sizes.append(size)

    def read(self) -> bytes:
        try:
            return os.read(self.keys, 1 << 20)
        except BlockingIOError:
            return b""

    def fill(self) -> None:
        """Leave no room for keys, as a program that does not read."""
        try:
            while True:
                os.write(self.master, b"x" * 65536)
        except BlockingIOError:
            pass


@pytest.fixture
def pty(world: World) -> Iterator[FakePty]:
    made = FakePty()
    world.ptys["web.1"] = made
    yield made
    for fd in (made.keys, made.master):
        os.close(fd)


def attach(world: World, name: str = "web.1") -> FakeClient:
    return world.request("attach", text=name, rows=30, columns=100)


def shown(client: FakeClient) -> bytes:
    return b"".join(record.get("payload", b"") for record in client.sent if "screen" in record)


def test_a_client_gets_the_screen_and_the_terminal_its_size(world: World, pty: FakePty) -> None:
    client = attach(world)
    assert client.sent == [{"screen": "web.1"}]
    assert pty.sizes == [(30, 100)]
    world.hub.taps["web.1"](b"hello\r\n")
    assert shown(client) == b"hello\r\n"


def test_keys_go_to_the_program_byte_by_byte(world: World, pty: FakePty) -> None:
    client = attach(world)
    world.request("keys", client=client, text="".join(map(chr, range(256))))
    assert pty.read() == bytes(range(256))


def test_keys_that_are_not_bytes_are_refused(world: World, pty: FakePty) -> None:
    client = attach(world)
    world.request("keys", client=client, text="a€")
    assert client.answer is not None
    assert client.answer["error"].startswith("keys must be bytes")
    assert pty.read() == b""
    assert (world.hub.taps, pty.sizes[-1]) == ({}, None)  # that was its answer


def test_keys_wait_for_a_program_that_does_not_read(world: World, pty: FakePty) -> None:
    client = attach(world)
    pty.fill()
    world.request("keys", client=client, text="late")
    world.turn(1)
    pty.read()
    world.turn(1)
    assert pty.read() == b"late"
    assert world.session.next_deadline() is None


def test_a_paste_that_is_too_large_is_not_read_on(world: World, pty: FakePty) -> None:
    client = attach(world)
    pty.fill()
    for _ in range(40):
        world.request("keys", client=client, text="x" * 4096)
        if not client.reading:
            break
    assert not client.reading
    while pty.read():
        world.turn(1)
    assert client.reading


def test_a_new_window_size_is_passed_on_within_its_limits(world: World, pty: FakePty) -> None:
    client = attach(world)
    world.request("resize", client=client, rows=0, columns=1 << 30)
    assert pty.sizes[-1] == (1, 65535)


def test_bare_newlines_get_a_return_unless_the_program_places_the_cursor(world: World, pty: FakePty) -> None:
    client = attach(world)
    output = world.hub.taps["web.1"]
    pty.adds_returns, pty.whole_lines = False, False
    output(b"a\nb\r\n")
    assert shown(client) == b"a\r\nb\r\n"
    output(b"\x1b[2J")
    output(b"c\n")
    assert shown(client).endswith(b"\x1b[2Jc\n")
    pty.whole_lines = True
    output(b"d\n")
    assert shown(client).endswith(b"d\r\n")


def test_a_slow_reader_of_the_screen_misses_output(world: World, pty: FakePty) -> None:
    client = attach(world)
    client.full = True
    world.hub.taps["web.1"](b"lost")
    assert (shown(client), client.skipped) == (b"", 1)


def test_a_client_that_leaves_with_patience_waits_for_the_answer(world: World, pty: FakePty) -> None:
    client = attach(world)
    world.request("keys", client=client, text="ls\n")
    world.request("leave", client=client, wait=True)
    for _ in range(3):
        world.turn(IDLE_TIMEOUT / 2)
        world.hub.taps["web.1"](b"file\r\n")
    assert client.answer is None
    world.turn(IDLE_TIMEOUT)
    world.turn(IDLE_TIMEOUT)
    assert client.answer == {"done": True, "code": 0, "left": True, "unread": 0}
    assert world.hub.taps == {}
    assert pty.sizes[-1] is None


def test_keys_that_were_typed_before_leaving_are_still_passed_on(world: World, pty: FakePty) -> None:
    client = attach(world)
    pty.fill()
    world.request("keys", client=client, text="late")
    world.request("leave", client=client, wait=True)
    assert world.session.next_deadline() == world.now + KEY_RETRY_INTERVAL
    pty.read()
    world.turn(KEY_RETRY_INTERVAL)
    assert pty.read() == b"late"
    assert client.answer is None


def test_a_program_that_is_never_quiet_does_not_keep_a_client_for_ever(world: World, pty: FakePty) -> None:
    client = attach(world)
    world.request("leave", client=client, wait=True)
    waited = 0.0
    while client.answer is None:
        world.hub.taps["web.1"](b"tick\r\n")
        world.turn(0.5)
        waited += 0.5
    assert waited == MAX_LEAVE_TIME


def test_a_client_that_leaves_immediately_is_told_what_was_not_read(world: World, pty: FakePty) -> None:
    client = attach(world)
    pty.fill()
    world.request("keys", client=client, text="abc")
    world.request("leave", client=client, wait=False)
    assert client.answer == {"done": True, "code": 0, "left": True, "unread": 3}


def test_a_second_client_takes_over_and_the_first_is_told(world: World, pty: FakePty) -> None:
    first = attach(world)
    second = attach(world)
    assert first.answer == {"done": True, "code": 0, "over": "another client has attached"}
    world.hub.taps["web.1"](b"x")
    assert (shown(first), shown(second)) == (b"", b"x")
    answer = world.request("keys", client=first, text="mine").answer
    assert answer is not None
    assert answer["error"] == "this connection is not attached to a process"
    assert pty.read() == b""


def test_clients_of_other_instances_keep_what_they_have(world: World, pty: FakePty) -> None:
    world.ptys["worker.1"] = pty
    neighbor, listener = attach(world, "worker.1"), world.request("events")
    attach(world)
    assert (neighbor.answer, listener.answer) == (None, None)
    assert list(world.hub.taps) == ["worker.1", "web.1"]


def test_a_client_stays_through_all_lives_and_leaves_when_there_is_none(world: World, pty: FakePty) -> None:
    client = attach(world)
    world.end("web.1", code=1)
    world.turn(31)
    assert client.answer is None
    assert len(client.said) == 2  # its end and its next start
    assert pty.sizes == [(30, 100), (30, 100)]
    world.request("stop", "web.1", wait=False)
    world.end("web.1")
    assert client.answer == {"done": True, "code": 0}


@pytest.mark.parametrize(
    ("name", "message", "hint", "code"),
    [
        ("web", "web matches 2 instances", "attach to one of them: web.1", 2),
        ("front", "front matches 2 instances", "attach to one of them: web.1", 2),
        ("web.2", "web.2 has pipes, not a terminal", "to attach, start the session in a terminal or with --pty", 1),
        ("wob", 'there is no process "wob" in this session', 'did you mean "web"?', 2),
        ("clock", "clock is not part of this session: clock was left out", "procman start clock adds it", 2),
    ],
)
def test_only_one_instance_on_a_terminal_can_be_attached_to(
    world: World, pty: FakePty, name: str, message: str, hint: str, code: int
) -> None:
    answer = attach(world, name).answer
    assert answer is not None
    assert (answer["error"], answer["hint"], answer["code"]) == (message, hint, code)
    assert world.hub.taps == {}


def test_an_instance_that_is_down_cannot_be_attached_to(world: World, pty: FakePty) -> None:
    world.request("stop", "web.1", wait=False)
    world.end("web.1")
    answer = attach(world).answer
    assert answer is not None
    assert (answer["error"], answer["code"]) == ("web.1 is not running", 1)


def test_the_primary_keeps_its_terminal(world: World, pty: FakePty) -> None:
    def on_output(_chunk: bytes) -> None:
        """The tap of the primary."""

    world.hub.passthrough = SimpleNamespace(on_output=on_output)
    world.hub.taps["web.1"] = on_output
    answer = attach(world).answer
    assert answer is not None
    assert "(primary)" in answer["error"]
    assert world.hub.taps == {"web.1": on_output}


@pytest.mark.parametrize("verb", ["keys", "resize", "leave"])
def test_without_an_attachment_there_is_nothing_to_type_into(world: World, verb: str) -> None:
    answer = world.request(verb).answer
    assert answer is not None
    assert answer["error"] == "this connection is not attached to a process"
