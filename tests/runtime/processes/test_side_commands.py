"""Side commands on a fake kernel: what they are given, what is kept of them, and that none outlives its use."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from procman.core.model.status import ExitStatus
from procman.runtime.processes.children import Children
from procman.runtime.processes.side_commands import KEPT
from procman.runtime.system.poller import Poller
from runtime.fakes import Kernel, Process, a_plan, open_descriptors, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from procman.runtime.processes.side_commands import SideCommand, SideCommands


class Desk:
    """Side commands, and what they have answered."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.commands: SideCommands = Children("s1", 1).side_commands
        self.answers: list[tuple[ExitStatus, str]] = []

    def run(self, leader: int | None = None) -> SideCommand | None:
        return self.commands.run(
            a_plan("web.1"), "side-check", lambda status, words: self.answers.append((status, words)), leader
        )

    @property
    def process(self) -> Process:
        return self.kernel.spawned[-1]


@pytest.fixture
def desk(kernel: Kernel) -> Desk:
    return Desk(kernel)


def test_it_has_the_environment_of_its_instance_and_the_leaders_pid(desk: Desk) -> None:
    desk.run(leader=77)
    assert desk.process.env["PROCMAN_INSTANCE"] == "web.1"
    assert desk.process.env["PROCMAN_PID"] == "77"
    desk.run()
    assert "PROCMAN_PID" not in desk.process.env


def test_it_carries_the_tag_of_its_instance(desk: Desk, kernel: Kernel) -> None:
    desk.run()
    first = desk.process.locks
    desk.run()
    assert desk.process.locks == first > 0


def test_a_folder_that_is_gone_is_named(desk: Desk, tmp_path: Path) -> None:
    plan = a_plan("web.1")
    plan.cwd = str(tmp_path / "gone")
    assert desk.commands.run(plan, "true", lambda *answer: desk.answers.append(answer)) is None
    assert desk.answers == [(ExitStatus(code=126), f"{plan.cwd}: no such folder")]


def test_nothing_is_answered_while_it_runs(desk: Desk) -> None:
    command = desk.run()
    assert command is not None
    desk.commands.reap()
    assert desk.answers == []
    assert command.pid in desk.commands
    assert -1 not in desk.commands


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        (b"", ""),
        (b"one\ntwo\n", "two"),
        (b"one\n  two  \n\n \n", "two"),
        (b"\x1b[31mred\n", "?[31mred"),
        (b"\xff\n", "\ufffd"),
        (b"y" * 300, "y" * 200),
    ],
)
def test_its_last_line_is_kept(desk: Desk, printed: bytes, words: str) -> None:
    command = desk.run()
    assert command is not None
    desk.process.write(printed)
    desk.process.exit(3)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=3), words)]
    assert command.pid not in desk.commands
    desk.commands.reap()
    assert len(desk.answers) == 1


def test_both_of_its_streams_are_kept(desk: Desk) -> None:
    desk.run()
    desk.process.write(b"out\n", 1)
    desk.process.write(b"err\n", 2)
    desk.process.exit(1)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=1), "err")]


class Loop:
    """A loop that calls back what waits for a descriptor that is ready."""

    def __init__(self, desk: Desk) -> None:
        self.poller = desk.commands._poller = Poller()

    def turn(self) -> int:
        callbacks = self.poller.ready(0)
        for callback in callbacks:
            callback()
        return len(callbacks)


def test_one_that_prints_a_lot_is_not_blocked_and_keeps_its_last_line(desk: Desk) -> None:
    loop = Loop(desk)
    command = desk.run()
    assert command is not None
    for number in range(100):
        assert desk.process.write(b"%d " % number * 4000) > 0
        loop.turn()
        assert len(command.printed) <= KEPT
    desk.process.write(b"\nall of it\n")
    desk.process.exit(0)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=0), "all of it")]


def test_without_a_loop_its_output_is_read_while_its_end_is_awaited(desk: Desk) -> None:
    desk.run()
    for _ in range(10):
        assert desk.process.write(b"x" * 50_000) == 50_000
        desk.commands.reap()
    desk.process.write(b"\ndone")
    desk.process.exit(1)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=1), "done")]


def test_one_that_closes_its_output_and_goes_on_does_not_keep_the_loop_awake(desk: Desk) -> None:
    loop = Loop(desk)
    desk.run()
    desk.process.write(b"said\n")
    desk.process.close_output()
    assert loop.turn() == 1  # what it said
    loop.turn()  # the end of its output
    assert loop.turn() == 0
    desk.process.exit(2)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=2), "said")]


def test_where_the_kernel_has_no_more_watches_its_end_is_read_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(desk)

    def add(*_: object) -> None:
        raise OSError(errno.ENOSPC, "text")

    monkeypatch.setattr(loop.poller, "add", add)
    desk.run()
    desk.process.write(b"said\n")
    desk.process.exit(2)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=2), "said")]


def test_what_it_left_in_its_group_is_killed_before_its_number_is_free(desk: Desk, kernel: Kernel) -> None:
    desk.run()
    left = desk.process.fork()
    desk.process.exit()
    desk.commands.reap()
    assert signal_names(left.got) == ["KILL"]
    assert kernel.reaped == [desk.process.pid]
    assert desk.answers == [(ExitStatus(code=0), "")]


def test_a_dropped_one_is_killed_and_reaped_and_not_answered(desk: Desk, kernel: Kernel) -> None:
    command = desk.run()
    assert command is not None
    command.drop()
    assert signal_names(desk.process.got) == ["KILL"]
    desk.commands.reap()
    assert desk.answers == []
    assert kernel.reaped == [desk.process.pid]
    assert command.pid not in desk.commands


@pytest.mark.parametrize(("number", "code"), [(errno.ENOENT, 127), (errno.EACCES, 126)])
def test_one_that_cannot_start_is_answered_at_once(desk: Desk, kernel: Kernel, number: int, code: int) -> None:
    before = len(open_descriptors())
    kernel.refusals = [OSError(number, "text")]
    assert desk.run() is None
    assert desk.answers == [(ExitStatus(code=code), os.strerror(number))]
    assert len(open_descriptors()) == before


def test_without_a_pipe_it_is_answered_at_once(desk: Desk, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def pipe() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "text")

    monkeypatch.setattr(os, "pipe", pipe)
    assert desk.run() is None
    assert desk.answers == [(ExitStatus(code=126), os.strerror(errno.EMFILE))]
    assert kernel.spawned == []


def test_no_descriptor_is_left_of_one_that_has_ended(desk: Desk) -> None:
    before = len(open_descriptors())
    desk.run()
    assert len(open_descriptors()) > before
    desk.process.take(signal.SIGTERM)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(signal=15), "")]
    assert len(open_descriptors()) == before


def test_one_that_runs_does_not_keep_the_next_from_its_answer(desk: Desk) -> None:
    desk.run()
    desk.run()
    desk.process.exit(3)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=3), "")]


def test_the_words_of_one_whose_output_is_still_open_are_not_waited_for(desk: Desk) -> None:
    desk.run()
    escaped = desk.process.fork(own_session=True)
    desk.process.exit(3)
    desk.commands.reap()
    assert desk.answers == [(ExitStatus(code=3), "")]
    assert escaped.alive


@pytest.mark.parametrize("fails", [False, True])
def test_the_numbers_that_its_streams_went_through_are_released(
    desk: Desk, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    released: list[bool] = []
    monkeypatch.setattr(desk.commands._limit, "release", lambda: released.append(True))
    kernel.refusals = [OSError(errno.EACCES, "text")] if fails else []
    desk.run()
    assert released == [True]
