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
