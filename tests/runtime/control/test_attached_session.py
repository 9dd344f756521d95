"""Attaching to a terminal, through the socket of a session on a fake kernel."""

from __future__ import annotations

import os
import signal
import tty
from typing import Any

import pytest

from procman.core.model.plan import RestartPolicy
from procman.errors import EXIT_USAGE
from procman.runtime.processes.pty import Window
from runtime.control.served import Caller, Served
from runtime.fakes import a_plan, read_whole, wait_until_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.fakes import Kernel


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
    assert sizes == [expected, (20, 10), (80, 24)]


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
