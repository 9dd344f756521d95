"""Attaching to a terminal: keys, output, windows, and every way to detach.

First with a pipe in its place, then through the socket of a session on a fake kernel.
"""

from __future__ import annotations

import os
import signal
import tty
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.model.plan import RestartPolicy
from procman.errors import EXIT_USAGE
from procman.runtime.control.attachment import IDLE_TIMEOUT, MAX_LEAVE_TIME
from procman.runtime.processes.pty import KEY_RETRY_INTERVAL, Window
from runtime.control.served import Caller, Served
from runtime.fakes import a_plan, read_whole, wait_until_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runtime.control.rig import FakeClient, World
    from runtime.fakes import Kernel


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
        """Leave no room for keys, like a program that does not read."""
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


# Through the socket of a session on a fake kernel ---------------------------------------------------------------------


@pytest.fixture
def run(kernel: Kernel, tmp_path: Path) -> Served:
    plans = (a_plan("web.1"), a_plan("web.2"), a_plan("db.1", pty=False))
    return Served(kernel, tmp_path, *plans, window=Window(-1, 0))


def attached(run: Served, seconds: float = 1.0, name: str = "web.1", **more: object) -> list[Caller]:
    """Attach after so many seconds; the client, once there is one."""
    callers: list[Caller] = []
    run.after(seconds, lambda: callers.append(run.call().ask("attach", text=name, **more)))
    return callers


def screen(records: list[dict[str, Any]]) -> bytes:
    return b"".join(record.get("bytes", b"") for record in records if "screen" in record)


def look(run: Served, seconds: float, callers: list[Caller]) -> list[dict[str, Any]]:
    """What the client has got so far after so many seconds."""
    records: list[dict[str, Any]] = []
    run.after(seconds, lambda: records.extend(callers[0].records()))
    return records


def writes(run: Served, seconds: float, data: bytes, name: str = "web.1") -> None:
    run.after(seconds, lambda: run.kernel.process(name).write(data))


def test_it_begins_with_the_last_lines_and_the_prompt(run: Served) -> None:
    writes(run, 0.5, b"".join(b"line %d\n" % number for number in range(30)) + b"(pdb) ")
    records = look(run, 1.5, attached(run))
    run.until(2.0)
    expected = b"".join(b"line %d\r\n" % number for number in range(10, 30))
    assert screen(records) == expected + b"(pdb) "


def test_what_it_writes_is_shown_with_returns_on_a_terminal_that_adds_them(run: Served) -> None:
    callers = attached(run)
    first = look(run, 1.2, callers)
    writes(run, 1.5, b"hello\nworld")
    records = look(run, 2.0, callers)
    run.until(3.0)
    assert [record["screen"] for record in first] == ["web.1"]
    assert screen(records) == b"hello\r\nworld"


def test_a_terminal_without_returns_gets_them_unless_the_program_places_its_cursor(run: Served) -> None:
    callers = attached(run)
    look(run, 1.2, callers)
    run.after(1.3, lambda: tty.setraw(run.kernel.process("web.1").fds[1]))
    writes(run, 1.5, b"one\ntwo\r\n")
    plain = look(run, 1.6, callers)
    writes(run, 1.7, b"\x1b[2Jfull\n")
    writes(run, 1.8, b"screen\n")
    full = look(run, 1.9, callers)
    run.until(3.0)
    assert screen(plain) == b"one\r\ntwo\r\n"
    assert screen(full) == b"\x1b[2Jfull\nscreen\n"


def test_keys_reach_the_program_byte_by_byte(run: Served) -> None:
    callers = attached(run)
    read: list[bytes] = []
    run.after(1.2, lambda: tty.setraw(run.kernel.process("web.1").fds[0]))
    run.after(1.5, lambda: callers[0].ask("keys", text="h\xff\x03"))

    def look() -> None:
        fd = run.kernel.process("web.1").fds[0]
        read.append(read_whole(fd, 3))

    run.after(2.0, look)
    run.until(3.0)
    assert read == [b"h\xff\x03"]


@pytest.mark.parametrize(
    ("given", "expected"), [((33, 100), (100, 33)), ((0, -1), (1, 1)), ((70000, 70000), (65535, 65535))]
)
def test_its_window_is_that_of_the_client_until_it_leaves(
    run: Served, given: tuple[int, int], expected: tuple[int, int]
) -> None:
    callers = attached(run, rows=given[0], columns=given[1])
    sizes: list[tuple[int, int]] = []

    def size() -> None:
        sizes.append(tuple(os.get_terminal_size(run.kernel.process("web.1").fds[0])))  # type: ignore[arg-type]

    run.after(1.5, size)
    run.after(1.6, lambda: callers[0].ask("resize", rows=10, columns=20))
    run.after(1.7, size)
    run.after(1.8, lambda: run.hang_up(0))
    run.after(1.9, size)
    run.until(3.0)
    assert sizes == [expected, (20, 10), (120, 40)]


def test_a_new_life_is_told_and_has_the_window_too(kernel: Kernel, tmp_path: Path) -> None:
    run = Served(kernel, tmp_path, a_plan("web.1", restart=RestartPolicy("on-failure")), window=Window(-1, 0))
    callers = attached(run, rows=33, columns=100)
    sizes: list[int] = []
    run.after(2.0, run.exits("web.1", 3))
    run.after(4.0, lambda: sizes.append(os.get_terminal_size(run.kernel.process("web.1").fds[0]).columns))
    records = look(run, 4.5, callers)
    run.until(5.0)
    assert sizes == [100]
    said = [record["say"] for record in records if "say" in record]
    assert len(said) == 2
    assert not any(record.get("done") for record in records)


def test_it_ends_when_the_instance_is_down(run: Served) -> None:
    callers = attached(run)
    run.after(2.0, run.exits("web.1"))
    records = look(run, 2.5, callers)
    run.until(3.0)
    assert records[-1] == {"done": True, "code": 0}


def test_another_client_takes_it_over(run: Served) -> None:
    first = attached(run)
    second = attached(run, 2.0)
    taps: list[int] = []
    run.after(2.2, lambda: taps.append(len(run.hub.taps)))
    writes(run, 2.5, b"hello")
    old, new = look(run, 3.0, first), look(run, 3.0, second)
    run.until(4.0)
    assert old[-1] == {"done": True, "code": 0, "over": "another client has attached"}
    assert screen(new) == b"hello"
    assert taps == [1]


def test_who_leaves_frees_the_terminal(run: Served) -> None:
    attached(run)
    taps: list[int] = []
    run.after(1.5, lambda: taps.append(len(run.hub.taps)))
    run.after(2.0, lambda: run.hang_up(0))
    run.after(2.5, lambda: taps.append(len(run.hub.taps)))
    run.until(3.0)
    assert taps == [1, 0]


def finished_at(run: Served, callers: list[Caller], **more: object) -> tuple[list[float], list[dict[str, Any]]]:
    """When, and how, a client that leaves at 2.0 gets its last record."""
    times: list[float] = []
    last: list[dict[str, Any]] = []

    def check() -> None:
        for record in callers[0].records():
            if record.get("done"):
                times.append(round(run.kernel.now - 1000, 2))
                last.append(record)

    run.after(2.0, lambda: callers[0].ask("leave", **more))
    for number in range(1, 120):
        run.after(1.999 + number * 0.05, check)
    return times, last


def test_leaving_without_waiting_ends_at_once(run: Served) -> None:
    times, last = finished_at(run, attached(run), wait=False)
    run.until(9.0)
    assert times == [2.05]
    assert last == [{"done": True, "code": 0, "left": True, "unread": 0}]


def test_leaving_waits_for_a_second_of_silence(run: Served) -> None:
    times, last = finished_at(run, attached(run), wait=True)
    writes(run, 2.6, b"an answer")
    run.until(9.0)
    assert 3.6 <= times[0] <= 4.1  # its silence is looked at once a second
    assert last[0]["left"] is True


def test_leaving_does_not_wait_for_ever_for_a_program_that_is_never_quiet(run: Served) -> None:
    times, _ = finished_at(run, attached(run), wait=True)
    for number in range(20):
        writes(run, 2.1 + number * 0.5, b"more")
    run.until(12.5)
    assert times[0] == pytest.approx(7.0, abs=0.11)


def test_a_program_that_does_not_read_gets_its_keys_later(run: Served) -> None:
    callers = attached(run)
    got: list[bytes] = []
    run.after(1.2, lambda: tty.setraw(run.kernel.process("web.1").fds[0]))
    run.after(1.5, lambda: callers[0].ask("keys", text="x" * 40_000))

    def read() -> None:
        fd = run.kernel.process("web.1").fds[0]
        os.set_blocking(fd, False)
        wait_until_readable(fd, 0.02 if len(b"".join(got)) < 40_000 else 0.0)
        try:
            got.append(os.read(fd, 1 << 16))
        except BlockingIOError:
            return

    for number in range(500):
        run.after(2.0 + number * 0.03, read)
    run.until(40.0)
    assert len(b"".join(got)) == 40_000


# Refusals -----------------------------------------------------------------------------------------------------------


def refused(run: Served, name: str, before: Callable[[], object] = lambda: None) -> dict[str, Any]:
    run.after(0.9, before)
    records = look(run, 1.5, attached(run, name=name))
    run.until(2.0)
    assert records[-1]["done"]
    return records[-1]


def test_several_instances_are_too_many(run: Served) -> None:
    answer = refused(run, "web")
    assert answer["code"] == EXIT_USAGE
    assert "2 instances" in answer["error"]


def test_pipes_are_no_terminal(run: Served) -> None:
    answer = refused(run, "db.1")
    assert answer["code"] == 1
    assert "pipes" in answer["error"]


def test_a_stopped_one_is_not_running(run: Served) -> None:
    answer = refused(run, "web.1", lambda: run.kernel.process("web.1").exit(0))
    assert answer["code"] == 1
    assert "not running" in answer["error"]


def test_keys_without_an_attachment_are_refused(run: Served) -> None:
    answers = [run.ask(1.0, "keys", text="x"), run.ask(1.0, "resize", rows=1, columns=1), run.ask(1.0, "leave")]
    run.until(2.0)
    assert [answer[-1]["code"] for answer in answers] == [EXIT_USAGE] * 3


def test_keys_that_are_no_bytes_are_refused(run: Served) -> None:
    callers = attached(run)
    look(run, 1.2, callers)
    run.after(1.5, lambda: callers[0].ask("keys", text="€"))
    records = look(run, 2.0, callers)
    run.after(2.5, lambda: run.signal(signal.SIGCONT))
    run.until(3.0)
    assert records[-1]["code"] == EXIT_USAGE
