"""What the guardian and `run` do with each signal, on a fake kernel: signals are fed, and nothing is forked."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from procman.runtime.guardian import foreground_run, guardian, run_watcher
from procman.runtime.guardian.run_watcher import RunWatcher, end_tree
from runtime.fakes import Kernel, Process, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Signal = tuple[int, bool | None, int]


class Guard:
    """The guardian of a watchdog with a manager; `signals` arrive one after the other, each with what happens first."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel = kernel
        self.watchdog = Process(kernel, kernel.us, "procman-watch", {})
        self.manager = self.watchdog.fork("procman-manager")
        for one in (self.watchdog, self.manager):
            one.caught |= {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.signals: list[Callable[[], Signal]] = []
        monkeypatch.setattr(guardian, "next_signal", lambda numbers: self.signals.pop(0)())
        monkeypatch.setattr(guardian, "set_title", lambda *_: None)

    def arrives(
        self, number: int, by_kernel: bool | None = False, before: Callable[[], object] = lambda: None, sender: int = 0
    ) -> None:
        def signal_() -> Signal:
            before()
            return number, by_kernel, sender

        self.signals.append(signal_)

    def run(self, code: int = 0) -> int:
        self.arrives(signal.SIGCHLD, before=lambda: (self.manager.exit(code), self.watchdog.exit(code)))  # type: ignore[func-returns-value]
        return guardian._guard(self.watchdog.pid, self.writer, ())

    def passed(self) -> bytes:
        return os.read(self.reader, 100)


@pytest.fixture
def guard(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Guard:
    return Guard(kernel, monkeypatch)


def test_the_watchdogs_end_is_the_guardians(guard: Guard) -> None:
    assert guard.run(7) == 7
    assert guard.passed() == b""  # the pipe is closed


def test_the_end_of_another_child_is_not(guard: Guard) -> None:
    guard.arrives(signal.SIGCHLD)
    assert guard.run(3) == 3


def test_signals_go_through_the_pipe_but_keys_do_not(guard: Guard) -> None:
    guard.arrives(signal.SIGTERM)
    guard.arrives(signal.SIGINT, by_kernel=True)
    guard.arrives(signal.SIGUSR1)
    guard.run()
    assert guard.passed() == bytes((signal.SIGTERM, signal.SIGUSR1))


def test_a_sleeping_manager_is_woken_for_a_stop_signal(guard: Guard) -> None:
    guard.arrives(signal.SIGTERM, before=lambda: guard.manager.take(signal.SIGSTOP))
    guard.run()
    assert signal_names(guard.watchdog.got) == ["CONT"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGCONT])
def test_an_awake_manager_is_not_woken(guard: Guard, number: int) -> None:
    guard.arrives(number)
    guard.run()
    assert guard.watchdog.got == []


def test_a_signal_that_ends_nothing_wakes_nobody(guard: Guard) -> None:
    guard.arrives(signal.SIGUSR1, before=lambda: guard.manager.take(signal.SIGSTOP))
    guard.run()
    assert guard.watchdog.got == []


def test_a_manager_that_is_about_to_stop_us_is_not_woken(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_signal.sigpending", lambda: {signal.SIGTTOU})
    guard.arrives(signal.SIGCONT, before=lambda: guard.manager.take(signal.SIGSTOP))
    guard.run()
    assert guard.watchdog.got == []


def test_it_stops_when_the_manager_has_stopped(guard: Guard, kernel: Kernel) -> None:
    kernel.after(0.1, lambda: guard.manager.take(signal.SIGSTOP))
    guard.arrives(signal.SIGTTOU, sender=guard.manager.pid)
    guard.run()
    assert kernel.stopped_us == 1
    assert kernel.now == pytest.approx(1000.1, abs=0.002)


def test_it_stops_without_a_manager_that_does_not(guard: Guard, kernel: Kernel) -> None:
    guard.arrives(signal.SIGTTOU, sender=guard.manager.pid)
    guard.run()
    assert kernel.stopped_us == 1
    assert kernel.now == pytest.approx(1000.5, abs=0.002)


def test_when_the_watchdog_is_killed_the_manager_ends_its_children_first(guard: Guard, kernel: Kernel) -> None:
    child = guard.manager.fork("serve")
    guard.manager.state = "T"
    kernel.after(0.2, lambda: guard.manager.exit(0))
    guard.arrives(signal.SIGCHLD, before=lambda: guard.watchdog.take(signal.SIGKILL))
    assert guard.run() == -9
    assert "CONT" in signal_names(guard.manager.got)
    assert "KILL" not in signal_names(guard.manager.got)
    assert signal_names(child.got) == ["KILL"]
    assert kernel.now == pytest.approx(1000.2, abs=0.01)


def test_a_manager_that_does_not_end_is_killed_with_the_rest(guard: Guard, kernel: Kernel) -> None:
    guard.arrives(signal.SIGCHLD, before=lambda: guard.watchdog.take(signal.SIGKILL))
    assert guard.run() == -9
    assert signal_names(guard.manager.got)[-1] == "KILL"
    assert kernel.now == pytest.approx(1000.5, abs=0.02)
    assert kernel.living == []


# When there is a guardian --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "parent", "needed"),
    [
        ({}, b"sh\n", True),
        ({"SYSTEMD_EXEC_PID": "0"}, b"systemd\n", True),
        ({"SYSTEMD_EXEC_PID": str(os.getpid())}, b"sh\n", False),
        ({"NOTIFY_SOCKET": "/x"}, b"systemd\n", False),
        ({"NOTIFY_SOCKET": "/x"}, b"sh\n", True),
        ({}, b"systemd\n", True),
    ],
)
def test_under_systemd_no_guardian_is_needed(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], parent: bytes, needed: bool
) -> None:
    for name in ("SYSTEMD_EXEC_PID", "NOTIFY_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(guardian, "comm_of", lambda pid: parent if pid == os.getppid() else b"")
    assert guardian.is_needed() is needed


def test_as_pid_1_no_guardian_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(guardian, "visible_pid", 0)  # to be as it was afterwards
    assert not guardian.is_needed()
    assert guardian.guarded(lambda: 5) == 5
    assert guardian.visible_pid == 1


@pytest.mark.parametrize(("end", "untidy"), [(0, False), (1, False), (130, False), (137, True), (70, True), (-9, True)])
def test_the_terminal_is_put_back_after_an_end_that_did_not_do_so(end: int, untidy: bool) -> None:
    assert guardian._is_untidy(end) is untidy


@pytest.mark.parametrize("pid", [None, 77])
def test_suspending_needs_a_guardian(monkeypatch: pytest.MonkeyPatch, pid: int | None) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(guardian, "guardian_pid", pid)
    guardian.suspend()
    assert sent == ([] if pid is None else [(77, signal.SIGTTOU)])


# Trees and one-off runs ----------------------------------------------------------------------------------------------


def test_a_tree_is_stopped_before_it_is_killed(kernel: Kernel) -> None:
    root = Process(kernel, 1, "root", {})
    child = root.fork()
    grandchild = child.fork(own_session=True)
    other = Process(kernel, 1, "other", {})
    end_tree(root.pid)
    for one in (root, child, grandchild):
        assert signal_names(one.got) == ["STOP", "KILL"]
    assert other.got == []


def test_as_pid_1_a_run_needs_no_watcher(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with RunWatcher(7) as watcher:
        assert watcher.watcher == 0


class OneOff:
    """A one-off run whose signals are fed."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel = kernel
        self.child = Process(kernel, kernel.us, "one-off", {})
        self.child.caught |= {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP}
        self.signals: list[Signal] = []
        self.waits: list[tuple[int, int]] = []
        self.terminal = False
        monkeypatch.setattr(foreground_run, "next_signal", self._next)
        monkeypatch.setattr(os, "waitpid", self._waitpid)
        monkeypatch.setattr(os, "tcgetpgrp", self._foreground)

    def _next(self, _numbers: object, _until: float | None = None) -> Signal:
        return self.signals.pop(0) if self.signals else (signal.SIGCHLD, True, 0)

    def _waitpid(self, pid: int, options: int) -> tuple[int, int]:
        assert pid == -1
        assert options & os.WNOHANG
        ended, status = self.waits.pop(0) if self.waits else (0, 0)
        if ended == self.child.pid and not os.WIFSTOPPED(status):
            self.kernel.processes.pop(ended)  # reaped
        return ended, status

    def _foreground(self, fd: int) -> int:
        if not self.terminal:
            raise OSError
        return os.getpgrp()

    def run(self, status: int = 0) -> int:
        self.waits.append((self.child.pid, status))
        return foreground_run._ForegroundRun(self.child.pid, (), 5.0).wait()


@pytest.fixture
def one_off(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> OneOff:
    return OneOff(kernel, monkeypatch)


@pytest.mark.parametrize(
    ("number", "by_kernel", "terminal", "heard"),
    [
        (signal.SIGINT, True, True, False),
        (signal.SIGINT, False, True, True),
        (signal.SIGTERM, True, True, True),
        (signal.SIGHUP, True, True, True),
        (signal.SIGUSR1, True, False, True),
        (signal.SIGINT, None, True, False),
        (signal.SIGINT, None, False, True),
        (signal.SIGWINCH, None, True, False),
        (signal.SIGURG, None, True, True),
    ],
)
def test_what_the_terminal_made_has_reached_the_child_already(
    one_off: OneOff, number: int, by_kernel: bool | None, terminal: bool, heard: bool
) -> None:
    one_off.terminal = terminal
    one_off.signals = [(number, by_kernel, 0)]
    assert one_off.run(3 << 8) == 3 << 8
    assert one_off.child.got == ([number] if heard else [])


def test_strangers_are_reaped_on_the_way(one_off: OneOff) -> None:
    one_off.waits = [(99, 0), (98, 9)]
    assert one_off.run(0) == 0


def test_the_end_of_strangers_alone_is_not_the_end(one_off: OneOff) -> None:
    one_off.waits = [(99, 0), (0, 0)]
    assert one_off.run(5 << 8) == 5 << 8


def test_a_crowd_of_strangers_does_not_keep_signals_from_the_child(one_off: OneOff) -> None:
    one_off.waits = [(99, 0)] * 256
    one_off.signals = [(signal.SIGCHLD, True, 0), (signal.SIGUSR1, False, 0)]
    assert one_off.run(0) == 0
    assert one_off.child.got == [signal.SIGUSR1]
    assert (one_off.kernel.us, signal.SIGCHLD) in one_off.kernel.sent


@pytest.mark.parametrize(
    ("number", "terminal", "together"),
    [
        (signal.SIGTSTP, False, True),
        (signal.SIGTTIN, False, True),
        (signal.SIGSTOP, True, True),
        (signal.SIGSTOP, False, False),
    ],
)
def test_a_stopped_child_stops_us_too_where_a_shell_waits(
    one_off: OneOff, number: int, terminal: bool, together: bool
) -> None:
    one_off.terminal = terminal
    one_off.waits = [(one_off.child.pid, number << 8 | 0x7F), (0, 0)]
    assert one_off.run(0) == 0
    assert one_off.kernel.stopped_us == together
    assert signal_names(one_off.child.got) == (["CONT"] if together else [])


def test_a_run_starts_with_default_signals_and_ends_as_its_child(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    started: list[SimpleNamespace] = []

    def spawn(program: str, argv: list[str], env: dict[str, str], **more: object) -> int:
        started.append(SimpleNamespace(program=program, argv=argv, **more))
        if len(started) == 1:
            raise OSError(8, "Exec format error")
        return 77

    monkeypatch.setattr(os, "posix_spawn", spawn)
    assert foreground_run._spawn("./script", ["script", "arg"], {}) == 77
    assert started[0].program == "./script"
    assert started[1].argv == ["/bin/sh", "./script", "arg"]
    assert signal.SIGPIPE in started[1].setsigdef
    assert signal.SIGKILL not in started[1].setsigdef
    assert started[1].setsigmask == ()


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3 << 8, 3), (9, 137), (15, 143)])
def test_a_run_ends_as_a_shell_would_say_of_its_child(
    one_off: OneOff, monkeypatch: pytest.MonkeyPatch, tmp_path: object, status: int, code: int
) -> None:
    monkeypatch.chdir(os.getcwd())  # to be there again afterwards
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: one_off.child.pid)
    monkeypatch.setattr(os, "getpid", lambda: 1)  # without a watcher, which is a fork
    monkeypatch.setattr("_signal.signal", lambda *_: None)
    monkeypatch.setattr("_signal.pthread_sigmask", lambda *_: None)
    one_off.waits.append((one_off.child.pid, status))
    assert foreground_run.run_in_foreground("x", ["x"], {}, str(tmp_path)) == code
    assert os.getcwd() == os.path.realpath(str(tmp_path))


def test_the_watcher_closes_all_descriptors_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "closerange", lambda low, high: closed.append((low, high)))
    run_watcher._close_all_but({7, 4})
    assert [number for low, high in closed for number in range(low, min(high, 10))] == [0, 1, 2, 3, 5, 6, 8, 9]
    assert closed[-1][1] == 65536
