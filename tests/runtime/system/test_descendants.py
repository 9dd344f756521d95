"""How the ends of processes are seen, and how all that descends from us is ended, on a fake kernel."""

from __future__ import annotations

import os
import signal

import pytest

from procman.core.model.status import ExitStatus
from procman.runtime.system import descendants
from runtime.fakes import FIRST_PID, Kernel, Process, signal_names

GONE = FIRST_PID + 99


def a_process(kernel: Kernel, parent: int | None = None, command: str = "serve --fast", **env: str) -> Process:
    return Process(kernel, kernel.us if parent is None else parent, command, env)


def test_looking_at_an_end_does_not_reap(kernel: Kernel) -> None:
    one = a_process(kernel)
    assert descendants.peek(one.pid) is None
    one.exit(3)
    assert descendants.peek(one.pid) == descendants.peek(one.pid) == ExitStatus(code=3)
    assert kernel.reaped == []


def test_the_end_of_a_child_is_its_code_or_the_negative_signal(kernel: Kernel) -> None:
    one, other = a_process(kernel), a_process(kernel)
    assert descendants.end_of(one.pid) is None
    one.exit(3)
    other.take(signal.SIGKILL)
    assert (descendants.end_of(one.pid), descendants.end_of(other.pid)) == (3, -9)


@pytest.mark.parametrize(("end", "code"), [(0, 0), (3, 3), (-9, 137), (-15, 143)])
def test_an_end_as_a_shell_has_it(end: int, code: int) -> None:
    assert descendants.in_shell(end) == code


def test_reaping_says_when_no_child_is_left(kernel: Kernel) -> None:
    assert not descendants.reap_some()
    one = a_process(kernel)
    assert descendants.reap_some()
    one.exit()
    assert not descendants.reap_some()
    assert kernel.reaped == [one.pid]


def test_a_crowd_is_reaped_in_rounds(kernel: Kernel) -> None:
    for _ in range(300):
        a_process(kernel).exit()
    assert descendants.reap_some()
    assert len(kernel.reaped) == descendants.MAX_REAPED


def test_killing_goes_on_until_nothing_is_left(kernel: Kernel) -> None:
    one = a_process(kernel)
    helper = one.fork()
    helper.fork(own_session=True)
    assert descendants.kill_until_empty() == []
    assert kernel.processes == {}
    assert all(number == signal.SIGKILL for _, number in kernel.sent)


def test_without_children_nothing_is_killed_and_no_time_passes(kernel: Kernel) -> None:
    assert descendants.kill_until_empty() == []
    assert (kernel.sent, kernel.now) == ([], 1000.0)


def test_the_spared_live_on(kernel: Kernel) -> None:
    spared, other = a_process(kernel), a_process(kernel)
    assert descendants.kill_until_empty((spared.pid,)) == []
    assert (spared.alive, other.alive) == (True, False)
    assert spared.got == []


def test_what_hangs_in_the_kernel_is_given_up_and_named(kernel: Kernel) -> None:
    one, other = a_process(kernel), a_process(kernel)
    one.immortal = True
    other.immortal = True
    kernel.after(2.0, other.exit)
    assert descendants.kill_until_empty() == [one.pid]
    assert kernel.now == pytest.approx(1000.0 + descendants.KILL_LIMIT, abs=0.01)


def test_pid_1_kills_its_whole_namespace_where_it_cannot_see_it(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_process(kernel)
    sent: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))
        one.take(number)

    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(os, "kill", kill)
    assert descendants.kill_until_empty() == []
    assert sent == [(-1, signal.SIGKILL)]
    assert descendants.prior_children() == ()


def test_what_we_had_before_is_remembered(kernel: Kernel) -> None:
    one = a_process(kernel)
    assert descendants.prior_children() == (one.pid,)


def test_signals_to_what_is_gone_are_no_news(kernel: Kernel) -> None:
    one = a_process(kernel)
    descendants.send(one.pid, signal.SIGUSR1)
    descendants.send_group(one.pid, signal.SIGHUP)
    descendants.send(GONE, signal.SIGTERM)
    descendants.send_group(GONE, signal.SIGTERM)
    assert signal_names(one.got) == ["USR1"]


# The calls of the system ----------------------------------------------------------------------------------------------


class Library:
    """A C library in place of ours: what was called, and the result."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.result = 0
        self.calls: list[tuple[object, ...]] = []
        monkeypatch.setattr("_ctypes.dlopen", lambda name, mode: ("library", name, mode))
        monkeypatch.setattr("_ctypes.dlsym", lambda library, name: (*library, name))
        monkeypatch.setattr("_ctypes.call_function", self._call)

    def _call(self, address: object, arguments: tuple[int, ...]) -> int:
        self.calls.append((address, arguments))
        return self.result


@pytest.mark.parametrize(("result", "done"), [(0, True), (-1, False), (1, False)])
def test_becoming_a_subreaper_is_one_call(monkeypatch: pytest.MonkeyPatch, result: int, done: bool) -> None:
    library = Library(monkeypatch)
    library.result = result
    assert descendants.become_subreaper() is done
    assert library.calls == [(("library", None, 2, "prctl"), (36, 1, 0, 0, 0))]


def test_a_system_without_the_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_library: object, _name: str) -> None:
        raise OSError("undefined symbol: prctl")

    Library(monkeypatch)
    monkeypatch.setattr("_ctypes.dlsym", missing)
    assert not descendants.become_subreaper()


def test_where_an_end_cannot_be_looked_at_a_child_is_reaped_at_once(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descendants, "PEEKS", False)
    good, bad, killed = (a_process(kernel) for _ in range(3))
    assert descendants.peek(good.pid) is None
    good.exit(0)
    bad.exit(3)
    killed.take(signal.SIGKILL)
    ends = [descendants.peek(one.pid) for one in (good, bad, killed)]
    assert ends == [ExitStatus(code=0), ExitStatus(code=3), ExitStatus(signal=9)]
    assert kernel.reaped == [good.pid, bad.pid, killed.pid]
    assert descendants.peek(good.pid) == ExitStatus(code=0)  # its status is lost


class Group:
    """A process group on a system that cannot peek at ends: what is reaped of it, and whether it can be signalled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends = [(8, 0), (9, 0)]
        self.error: OSError | None = None
        self.children_left = False
        self.signalled: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "waitpid", self._waitpid)
        monkeypatch.setattr(os, "killpg", self._killpg)

    def _waitpid(self, pid: int, options: int) -> tuple[int, int]:
        assert (pid, options) == (-7, os.WNOHANG)
        if self.ends:
            return self.ends.pop(0)
        if self.children_left:
            return 0, 0
        raise ChildProcessError

    def _killpg(self, group: int, number: int) -> None:
        self.signalled.append((group, number))
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("children_left", [False, True])
@pytest.mark.parametrize(("error", "lives"), [(None, True), (ProcessLookupError(), False), (PermissionError(), False)])
def test_a_group_lives_as_long_as_it_can_be_signalled_once_its_dead_are_reaped(
    monkeypatch: pytest.MonkeyPatch, children_left: bool, error: OSError | None, lives: bool
) -> None:
    group = Group(monkeypatch)
    group.children_left, group.error = children_left, error
    assert descendants.group_lives(7) is lives
    assert group.ends == []
    assert group.signalled == [(7, 0)]


def test_what_is_not_pid_1_never_kills_all(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_process(kernel)
    one.immortal = True
    kernel.after(0.01, one.exit)
    monkeypatch.setattr(descendants, "own_children", list)
    monkeypatch.setattr(descendants, "proc_is_ours", lambda: False)
    assert descendants.kill_until_empty() == []
    assert kernel.sent == []


def test_what_is_not_ours_to_kill_is_given_back_without_waiting(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_process(kernel)
    one.immortal = True
    monkeypatch.setattr(descendants, "may_signal", lambda pid: pid != one.pid)
    assert descendants.kill_until_empty() == [one.pid]
    assert kernel.now == 1000.0


def test_with_something_to_spare_the_others_are_waited_for(kernel: Kernel) -> None:
    spared, slow = a_process(kernel), a_process(kernel)
    slow.immortal = True
    kernel.after(0.5, slow.exit)
    assert descendants.kill_until_empty((spared.pid,)) == []
    assert kernel.now == pytest.approx(1000.5, abs=0.01)
    assert not slow.alive
