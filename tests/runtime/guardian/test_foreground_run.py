"""`procman run`: which signals reach the process, when we stop with it, and whose end is ours."""

from __future__ import annotations

import os
import signal

import pytest

from procman.runtime.guardian import foreground_run, run_stop, run_watcher
from procman.runtime.guardian.background import Background

CHILD = 4_000_000_001  # no process has this number
US = os.getpid()


class System:
    """Notes what is sent, and hands out signals and wait statuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int]] = []
        self.foreground = False
        monkeypatch.setattr(os, "kill", lambda pid, number: self.sent.append((pid, number)))
        monkeypatch.setattr(os, "waitpid", lambda _pid, _options: self.ends.pop(0) if self.ends else (0, 0))
        monkeypatch.setattr(foreground_run, "_has_terminal", lambda: self.foreground)
        self.patch = monkeypatch

    def arrive(self, *signals: tuple[int, bool | None]) -> None:
        """Let these signals arrive, with whether the kernel made them; then the end of the child."""
        queue = iter([(number, by_kernel, 0) for number, by_kernel in signals] + [(signal.SIGCHLD, True, 0)])
        self.ends.append((CHILD, 0x300))
        self.patch.setattr(foreground_run, "next_signal", lambda _watched, _due: next(queue))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


class NotedStop:
    """A stop of the command that only notes what it is to send."""

    sent: list[tuple[int, bool]]
    ended: int

    def __init__(self, child: int, _spared: object, grace: float) -> None:
        assert (child, grace) == (CHILD, 5.0)
        self.rest_due = None

    def send(self, number: int, everyone: bool) -> None:
        NotedStop.sent.append((number, everyone))

    def end_rest(self) -> None:
        NotedStop.ended += 1


@pytest.mark.parametrize(
    ("number", "by_kernel", "foreground", "everyone"),
    [
        (signal.SIGTERM, False, True, True),
        (signal.SIGTERM, True, True, False),  # the kernel sends none for a key
        (signal.SIGHUP, True, True, False),  # a hang-up: the group has got it
        (signal.SIGINT, True, True, None),  # a key: the child has got it from the terminal
        (signal.SIGINT, False, True, True),
        (signal.SIGINT, None, True, None),  # where the kernel does not say, it may have been a key
        (signal.SIGINT, None, False, True),
    ],
)
def test_stop_signals_are_passed_on_that_the_child_has_not_got(
    system: System, number: int, by_kernel: bool | None, foreground: bool, everyone: bool | None
) -> None:
    NotedStop.sent, NotedStop.ended = [], 0
    system.patch.setattr(run_stop, "RunStop", NotedStop)
    system.foreground = foreground
    system.arrive((number, by_kernel))
    run = foreground_run._ForegroundRun(CHILD, (), 5.0)
    assert run.wait() == 0x300
    assert NotedStop.sent == ([] if everyone is None else [(number, everyone)])
    assert NotedStop.ended == len(NotedStop.sent)
    assert run.interrupted is (everyone is None)


@pytest.mark.parametrize(
    ("number", "by_kernel", "passed"),
    [
        (signal.SIGUSR1, True, True),
        (signal.SIGALRM, False, True),
        (signal.SIGALRM, None, True),
        (signal.SIGWINCH, True, False),
        (signal.SIGTSTP, None, False),
    ],
)
def test_other_signals_go_to_the_child_alone(system: System, number: int, by_kernel: bool | None, passed: bool) -> None:
    system.foreground = True
    system.arrive((number, by_kernel))
    run = foreground_run._ForegroundRun(CHILD, (), 5.0)
    assert run.wait() == 0x300
    assert system.sent == ([(CHILD, number)] if passed else [])
    assert not run.interrupted


def test_the_ends_of_others_are_reaped_on_the_way(system: System) -> None:
    system.ends = [(CHILD + 1, 0), (CHILD + 2, 9), (CHILD, 0x100), (CHILD + 3, 0)]
    assert foreground_run._reap(CHILD) == 0x100
    assert len(system.ends) == 1
    system.ends = []
    assert foreground_run._reap(CHILD) is None


def test_many_ends_do_not_delay_signals(system: System) -> None:
    system.ends = [(CHILD + 1, 0)] * 1000
    assert foreground_run._reap(CHILD) is None
    assert 0 < len(system.ends) < 1000
    assert system.sent == [(US, signal.SIGCHLD)]


@pytest.mark.parametrize(
    ("number", "foreground", "together"),
    [(signal.SIGTSTP, False, True), (signal.SIGSTOP, True, True), (signal.SIGSTOP, False, False)],
)
def test_we_stop_with_the_child_and_continue_it_with_us(
    system: System, number: int, foreground: bool, together: bool
) -> None:
    system.foreground = foreground
    system.ends = [(CHILD, (number << 8) | 0x7F)]
    assert foreground_run._reap(CHILD) is None
    assert system.sent == ([(US, signal.SIGSTOP), (CHILD, signal.SIGCONT)] if together else [])


# The watcher and the background -------------------------------------------------------------------------------------


def test_the_watcher_keeps_only_its_own_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "closerange", lambda low, high: closed.append((low, high)))
    run_watcher._close_all_but({9, 5})
    assert closed == [(0, 5), (6, 9), (10, run_watcher.MAX_DESCRIPTORS)]
    closed.clear()
    run_watcher._close_all_but({-1, 5})
    assert closed[-2:] == [(0, 5), (6, run_watcher.MAX_DESCRIPTORS)]


def test_a_process_has_ended_when_its_descriptor_is_readable() -> None:
    reader, writer = os.pipe()
    assert not run_watcher._has_ended(-1)
    assert not run_watcher._has_ended(reader)
    os.close(writer)
    assert run_watcher._has_ended(reader)
    os.close(reader)


def in_background() -> Background:
    """Return a session in the background that no fork has begun."""
    one = Background.__new__(Background)
    one.pid, one._code = CHILD, None
    return one


@pytest.mark.parametrize(("status", "code"), [(0x300, 3), (9, 137), (0, 0)])
def test_its_code_is_that_of_a_shell_and_kept(system: System, status: int, code: int) -> None:
    one = in_background()
    assert one.code() is None
    system.ends = [(CHILD, status)]
    assert one.code() == code
    assert one.code() == code
    one.end()
    assert system.sent == []


def test_one_that_runs_is_stopped_and_waited_for(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []

    def wait(_pid: int, options: int) -> tuple[int, int]:
        waits.append(options)
        if options == 0:
            raise ChildProcessError
        return 0, 0

    monkeypatch.setattr(os, "waitpid", wait)
    in_background().end()
    assert system.sent == [(CHILD, signal.SIGTERM)]
    assert waits == [os.WNOHANG, 0]


def test_one_that_another_has_reaped_has_ended_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_pid: int, _options: int) -> tuple[int, int]:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitpid", gone)
    assert in_background().code() == 0
