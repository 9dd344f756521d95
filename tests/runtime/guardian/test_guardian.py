"""What the guardian does with each signal, on a fake kernel: signals are fed, and nothing is forked.

Then, with real processes: if any of guardian, watchdog and manager is killed, the others end everything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from procman.runtime.guardian import guardian
from runtime.fakes import Kernel, Poll, Process, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def test_where_the_manager_cannot_be_seen_it_is_woken_to_be_sure(guard: Guard, kernel: Kernel) -> None:
    init = Process(kernel, 0, "init", {})
    del kernel.processes[init.pid]
    kernel.processes[1] = init
    guard.arrives(signal.SIGTERM, before=lambda: kernel.processes.pop(guard.manager.pid))
    guard.arrives(signal.SIGCHLD, before=lambda: guard.watchdog.exit(0))
    guardian._guard(guard.watchdog.pid, guard.writer, ())
    assert signal_names(guard.watchdog.got) == ["CONT"]


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


def test_it_does_not_stop_if_the_shell_has_continued_it_meanwhile(
    guard: Guard, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = {signal.SIGCONT}
    monkeypatch.setattr("_signal.sigpending", lambda: pending)
    kernel.after(0.1, lambda: guard.manager.take(signal.SIGSTOP))
    guard.arrives(signal.SIGTTOU, sender=guard.manager.pid)
    guard.arrives(signal.SIGCONT, before=pending.clear)
    guard.run()
    assert kernel.stopped_us == 0
    assert signal_names(guard.watchdog.got) == ["CONT"]


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


# The watchdog --------------------------------------------------------------------------------------------------------


class Terminal:
    """The terminal of the session: how it was restored."""

    def __init__(self) -> None:
        self.restored: list[bool] = []

    def restore(self, *, alone: bool = False) -> None:
        self.restored.append(alone)


class ExitedError(Exception):
    """Raised instead of ending the process."""


class Forks:
    """What forks return, one after the other, and everything that a fork does to itself."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel = kernel
        self.results: list[int | OSError] = []
        self.calls: list[object] = []
        self.wake = -1
        self.terminal = Terminal()
        self.handlers: dict[int, object] = {}
        self.reader, self.writer = os.pipe()
        self.guardian = os.dup(self.writer)  # the end that the guardian holds
        monkeypatch.setattr(os, "fork", self._fork)
        monkeypatch.setattr(os, "setsid", lambda: self.calls.append("setsid"))
        monkeypatch.setattr(os, "_exit", self._exit)
        monkeypatch.setattr("_signal.signal", self.handlers.__setitem__)
        monkeypatch.setattr("_signal.set_wakeup_fd", self._set_wakeup_fd)
        monkeypatch.setattr("_signal.pthread_sigmask", lambda *what: self.calls.append(what))
        monkeypatch.setattr("_signal.sigpending", set)
        for name in ("become_subreaper", "close_streams", "open_standard_descriptors"):
            monkeypatch.setattr(guardian, name, self._noted(name))
        monkeypatch.setattr(guardian, "set_title", lambda *titles: self.calls.append(titles[0]))
        monkeypatch.setattr(guardian, "saved_terminal", lambda: self.terminal)
        for name in ("guardian_pipe", "guardian_pid", "visible_pid"):
            monkeypatch.setattr(guardian, name, getattr(guardian, name))  # to be as they were afterwards

    def _noted(self, name: str) -> Callable[[], object]:
        return lambda: self.calls.append(name)

    def _fork(self) -> int:
        self.calls.append("fork")
        result = self.results.pop(0)
        if isinstance(result, OSError):
            raise result
        return result

    def _exit(self, code: int) -> None:
        raise ExitedError(code)

    def _set_wakeup_fd(self, fd: int, warn_on_full_buffer: bool = True) -> None:
        assert not warn_on_full_buffer
        assert not os.get_blocking(fd)
        self.wake = fd

    def manager(self) -> Process:
        """A manager that the next fork makes."""
        made = Process(self.kernel, self.kernel.us, guardian.MANAGER_NAME, {})
        self.results.append(made.pid)
        return made

    def arrives(self, seconds: float, number: int, first: Callable[[], object] = lambda: None) -> None:
        def happen() -> None:
            first()
            os.write(self.wake, bytes([number]))

        self.kernel.after(seconds, happen)

    def watch(self, run: Callable[[], int] = lambda: 0) -> int:
        terminal: Any = self.terminal
        return guardian._watch(run, self.reader, self.writer, terminal)


@pytest.fixture
def forks(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Forks:
    return Forks(kernel, monkeypatch)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_the_watchdog_leaves_the_users_session_and_keeps_nothing_of_it(forks: Forks) -> None:
    manager = forks.manager()
    forks.arrives(1.0, signal.SIGCHLD, lambda: manager.exit(3))
    assert forks.watch() == 3
    assert forks.calls[:3] == ["become_subreaper", "fork", "setsid"]
    assert guardian.WATCHDOG_NAME in forks.calls
    assert "close_streams" in forks.calls
    assert not is_open(forks.writer)
    assert forks.terminal.restored == []


def test_the_watchdog_ignores_signals_but_those_that_wake_it(forks: Forks) -> None:
    manager = forks.manager()
    forks.arrives(1.0, signal.SIGCHLD, lambda: manager.exit(0))
    forks.watch()
    ignored = {number for number, handler in forks.handlers.items() if handler == signal.SIG_IGN}
    assert ignored == {*guardian.FORWARDED, signal.SIGTSTP}
    assert set(forks.handlers) - ignored == {signal.SIGCHLD, signal.SIGCONT, guardian.SUSPEND}
    assert (signal.SIG_SETMASK, ()) in forks.calls


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_came_before_the_fork_reach_the_manager_through_the_pipe(
    forks: Forks, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("_signal.sigpending", lambda: {number, signal.SIGUSR1})
    monkeypatch.setattr("_signal.getsignal", lambda _number: signal.SIG_DFL)
    manager = forks.manager()
    forks.arrives(1.0, signal.SIGCHLD, lambda: manager.exit(0))
    forks.watch()
    assert os.read(forks.reader, 10) == bytes([number])


@pytest.mark.parametrize(
    ("code", "stuck", "end", "restored"),
    [(0, False, 0, 0), (70, False, 70, 1), (-9, False, 137, 1), (0, True, 137, 0), (3, True, 3, 0)],
)
def test_what_the_manager_has_left_is_killed(forks: Forks, code: int, stuck: bool, end: int, restored: int) -> None:
    manager = forks.manager()
    helper = manager.fork("serve", own_session=True)
    helper.immortal = stuck
    ends = (lambda: manager.take(-code)) if code < 0 else (lambda: manager.exit(code))
    forks.arrives(1.0, signal.SIGCHLD, ends)
    assert forks.watch() == end
    assert "KILL" in signal_names(helper.got)
    assert len(forks.terminal.restored) == restored


def test_when_the_guardian_is_gone_the_manager_may_end_its_children(forks: Forks) -> None:
    manager = forks.manager()
    helper = manager.fork("serve", own_session=True)
    manager.state = "T"
    forks.kernel.after(1.0, lambda: os.close(forks.guardian))
    forks.kernel.after(1.2, lambda: (helper.exit(), manager.exit(0)))  # type: ignore[func-returns-value]
    assert forks.watch() == 137
    assert set(signal_names(manager.got)) == {"CONT"}
    assert helper.got == []
    assert forks.kernel.now == pytest.approx(1001.2, abs=0.01)
    assert forks.terminal.restored == [False]


@pytest.mark.parametrize(("number", "woken"), [(signal.SIGCONT, ["CONT"]), (signal.SIGCHLD, [])])
def test_the_watchdog_passes_cont_on(forks: Forks, number: int, woken: list[str]) -> None:
    manager = forks.manager()
    forks.arrives(1.0, number)
    forks.arrives(2.0, signal.SIGCHLD, lambda: manager.exit(0))
    assert forks.watch() == 0
    assert signal_names(manager.got) == woken


def test_without_memory_for_a_moment_the_watchdog_goes_on(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = forks.manager()
    poll, failures = Poll.poll, [1, 2, 3]

    def fails(self: Poll, timeout: float | None = None) -> list[tuple[int, int]]:
        if failures.pop():
            failures.insert(0, 0)
            raise OSError(12, "Cannot allocate memory")
        failures.append(0)
        return poll(self, timeout)

    monkeypatch.setattr(Poll, "poll", fails)
    forks.arrives(1.0, signal.SIGCHLD, lambda: manager.exit(4))
    assert forks.watch() == 4


def test_without_a_second_fork_the_guardian_alone_must_do(forks: Forks) -> None:
    forks.results = [OSError(11, "Resource temporarily unavailable")]
    assert forks.watch(lambda: 5) == 5
    assert "setsid" not in forks.calls
    assert not is_open(forks.writer)
    assert (guardian.guardian_pipe, guardian.guardian_pid) == (forks.reader, os.getppid())


# The manager ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed", ["", "watchdog", "guardian"])
def test_a_manager_that_may_be_left_alone_restores_the_terminal_by_itself(
    forks: Forks, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    """After the guardian, the watchdog may have been killed, too, and still be a moment from its end."""
    parents = [10, 20, 1 if killed == "watchdog" else 20]  # the guardian's pid is asked for by the watchdog
    monkeypatch.setattr(os, "getppid", lambda: parents.pop(0))
    forks.results = [0]
    if killed == "guardian":
        os.close(forks.guardian)
    with pytest.raises(ExitedError) as caught:
        forks.watch(lambda: 5)
    assert caught.value.args == (5,)
    assert forks.calls == [
        "become_subreaper",
        "fork",
        "become_subreaper",
        guardian.MANAGER_NAME,
        (signal.SIG_UNBLOCK, guardian.WATCHED),
    ]
    assert (guardian.guardian_pipe, guardian.guardian_pid) == (forks.reader, 10)
    assert not is_open(forks.writer)
    assert forks.terminal.restored == ([True] if killed else [])


def test_the_manager_keeps_the_reading_end_and_what_wakes_the_watchdog(
    forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipes: list[tuple[int, int]] = []
    pipe = os.pipe

    def noted() -> tuple[int, int]:
        pipes.append(pipe())
        return pipes[-1]

    monkeypatch.setattr(os, "pipe", noted)
    forks.results = [0]
    seen: list[bool] = []

    def run() -> int:
        seen.extend(map(is_open, (forks.reader, forks.writer, *pipes[0])))
        return 0

    with pytest.raises(ExitedError):
        forks.watch(run)
    assert seen == [True, False, False, True]


def fails_with(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "shown"),
    [
        (lambda: 5, 5, 0),
        (fails_with(SystemExit(3)), 3, 0),
        (fails_with(SystemExit("no")), 1, 0),
        (fails_with(KeyboardInterrupt()), 130, 0),
        (fails_with(ZeroDivisionError()), 70, 1),
    ],
)
def test_a_fork_exits_whatever_happens(
    forks: Forks, monkeypatch: pytest.MonkeyPatch, work: Callable[[], int], code: int, shown: int
) -> None:
    errors: list[object] = []
    flushed: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: errors.append(error))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(flush=fails_with(BrokenPipeError())))
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(flush=lambda: flushed.append("stderr")))
    with pytest.raises(ExitedError) as caught:
        guardian._run_fork(work)
    assert (caught.value.args, len(errors), flushed) == ((code,), shown, ["stderr"])


# All three -----------------------------------------------------------------------------------------------------------


def never() -> int:
    raise AssertionError("only the manager runs it")


@pytest.mark.parametrize(
    ("status", "code", "restored"), [(0, 0, 0), (3, 3, 0), (137, 137, 1), (70, 70, 1), (-9, 137, 1)]
)
def test_the_exit_code_is_that_of_the_watchdog(
    forks: Forks, monkeypatch: pytest.MonkeyPatch, status: int, code: int, restored: int
) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "0")
    before = Process(forks.kernel, forks.kernel.us, "other", {})  # what we had before
    watchdog = Process(forks.kernel, forks.kernel.us, guardian.WATCHDOG_NAME, {})
    helper = watchdog.fork("serve")
    forks.results = [watchdog.pid]

    def next_signal(_numbers: object) -> Signal:
        if status < 0:
            watchdog.take(-status)
        else:
            helper.exit()
            watchdog.exit(status)
        return signal.SIGCHLD, True, 0

    monkeypatch.setattr(guardian, "next_signal", next_signal)
    monkeypatch.setattr(guardian, "prior_children", lambda: (before.pid,))
    assert guardian.guarded(never) == code
    assert guardian.visible_pid == os.getpid()
    assert len(forks.terminal.restored) == restored
    assert (helper.alive, before.alive) == (False, True)
    order = ["open_standard_descriptors", "become_subreaper", (signal.SIG_BLOCK, guardian.WATCHED), "fork", "procman"]
    assert forks.calls == order
    assert forks.handlers == {signal.SIGCHLD: signal.SIG_DFL}


def test_signals_before_the_first_fork_reach_the_manager_too(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "0")
    monkeypatch.setattr("_signal.sigpending", lambda: {signal.SIGTERM})
    monkeypatch.setattr(guardian, "_guard", lambda *_: 0)
    monkeypatch.setattr(os, "pipe", lambda: (os.dup(forks.reader), forks.writer))
    forks.results = [77]
    assert guardian.guarded(never) == 0
    assert os.read(forks.reader, 10) == bytes([signal.SIGTERM])


def test_the_first_fork_is_the_watchdog(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "0")
    manager = forks.manager()
    forks.results.insert(0, 0)
    monkeypatch.setattr(os, "pipe", iter([(forks.reader, forks.writer), os.pipe()]).__next__)
    forks.arrives(1.0, signal.SIGCHLD, lambda: manager.exit(6))
    with pytest.raises(ExitedError) as caught:
        guardian.guarded(never)
    assert caught.value.args == (6,)


@pytest.mark.parametrize("lacking", ["processes", "descriptors"])
def test_without_a_fork_the_work_is_simply_done(forks: Forks, monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setenv("SYSTEMD_EXEC_PID", "0")
    monkeypatch.setattr(os, "pipe", refuse if lacking == "descriptors" else lambda: (forks.reader, forks.writer))
    forks.results = [OSError(11, "Resource temporarily unavailable")]
    assert guardian.guarded(lambda: 5) == 5
    assert forks.calls[-1] == (signal.SIG_UNBLOCK, guardian.WATCHED)
    assert [is_open(forks.reader), is_open(forks.writer)] == [lacking == "descriptors"] * 2


def test_a_session_may_do_without_a_guardian(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "0")
    assert guardian.guarded(lambda: 5, enabled=False) == 5
    assert forks.calls == []
    assert guardian.visible_pid == os.getpid()


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


# With real processes ------------------------------------------------------------------------------------------------

IMPORTS = "import sys; from procman.runtime.guardian.guardian import guarded"

# A manager without an engine: children in sessions of their own, one of them a daemon that has cleared its
# environment. It obeys the guardian pipe only by ending when the guardian does.
PROGRAM = """
import os, subprocess, sys
from procman.runtime.guardian import guardian
from procman.runtime.system.descendants import kill_until_empty

def manage():
    for _ in range(3):
        subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1001"], start_new_session=True)
    subprocess.run(["setsid", "-f", "env", "-i", "sleep", "1002"])
    print("up", flush=True)
    while numbers := os.read(guardian.guardian_pipe, 100):
        print("heard", *numbers, flush=True)
    kill_until_empty()
    return 3

sys.exit(guardian.guarded(manage, enabled=sys.argv[1] == "yes"))
"""
# A manager that suspends us as ours does, and counts what continues it.
SUSPENDS = """
import os, signal, sys
from procman.runtime.guardian import guardian

continued = []

def manage():
    signal.signal(signal.SIGCONT, lambda *_: continued.append(1))
    print("up", flush=True)
    while numbers := os.read(guardian.guardian_pipe, 100):
        if signal.SIGTSTP in numbers:
            guardian.suspend()
            os.kill(os.getpid(), signal.SIGSTOP)
        print("asked" if signal.SIGUSR1 in numbers else "other", len(continued), flush=True)
    return 0

sys.exit(guardian.guarded(manage))
"""
ROLES = {"procman": "guardian", "procman-watch": "watchdog", "procman-manager": "manager"}
LIMIT = 30.0  # seconds; only a hang reaches it


class Tree:
    """A guarded program and everything below it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "yes"], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        assert self.out.readline() == "up\n"
        self.all = [psutil.Process(self.process.pid), *self._settled()]
        self.by_role = {ROLES[p.name()]: p.pid for p in self.all if p.name() in ROLES}

    def _settled(self) -> list[psutil.Process]:
        """Return the descendants, once the daemon and the six sleepers exist, and all three roles have their names."""
        end = time.monotonic() + LIMIT
        guardian = psutil.Process(self.process.pid)
        while time.monotonic() < end:
            found = guardian.children(recursive=True)
            names = [_name(process) for process in (guardian, *found)]
            if names.count("sleep") == 7 and ROLES.keys() <= set(names):
                return found
            time.sleep(0.01)
        raise AssertionError("the tree did not come up")

    def kill(self, roles: tuple[str, ...]) -> None:
        for role in roles:
            with contextlib.suppress(ProcessLookupError):  # the first one's death may have been its end already
                os.kill(self.by_role[role], signal.SIGKILL)

    def survivors(self) -> list[str]:
        end = time.monotonic() + LIMIT
        while alive := [p for p in self.all if _alive(p)]:
            if time.monotonic() > end:
                break
            self.process.poll()
            time.sleep(0.01)
        return [_name(p) for p in alive]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def tree() -> Iterator[Tree]:
    tree = Tree()
    yield tree
    for process in tree.all:
        if _alive(process):
            process.kill()
    tree.out.close()
    tree.process.wait(LIMIT)


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")
@pytest.mark.parametrize(
    "roles",
    [
        ("guardian",),
        ("watchdog",),
        ("manager",),
        ("guardian", "watchdog"),
        ("guardian", "manager"),
        ("watchdog", "manager"),
    ],
    ids="+".join,
)
def test_whoever_is_killed_the_rest_leaves_nothing(tree: Tree, roles: tuple[str, ...]) -> None:
    tree.kill(roles)
    assert tree.survivors() == []


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")
def test_killing_the_whole_group_leaves_nothing(tree: Tree) -> None:
    os.killpg(tree.process.pid, signal.SIGKILL)
    assert tree.survivors() == []


def test_the_exit_code_of_a_killed_manager_is_137(tree: Tree) -> None:
    tree.kill(("manager",))
    assert tree.process.wait(LIMIT) == 137


def test_signals_for_the_guardian_reach_the_manager(tree: Tree) -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1):
        tree.process.send_signal(number)
        assert tree.out.readline() == f"heard {int(number)}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is unknown whether the manager sleeps")
@pytest.mark.parametrize("whom", ["group", "guardian"])
def test_the_manager_is_continued_once_since_a_late_one_would_undo_the_next_ctrl_z(whom: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUSPENDS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTSTP)
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGCONT)
        for _ in range(50):  # a late one would have come by then
            process.send_signal(signal.SIGUSR1)
            while not (line := process.stdout.readline()).startswith("asked"):
                assert line
        assert line == "asked 1\n"
    finally:
        process.kill()
        process.communicate()


def test_the_three_can_be_told_apart(tree: Tree) -> None:
    assert set(tree.by_role) == {"guardian", "watchdog", "manager"}
    assert psutil.Process(tree.by_role["watchdog"]).cmdline()[0].startswith("procman: watchdog")
    assert psutil.Process(tree.by_role["manager"]).cmdline()[0].startswith("procman: manager")


def test_without_a_guardian_the_function_is_simply_called() -> None:
    code = (
        "import sys; from procman.runtime.guardian.guardian import guarded; sys.exit(guarded(lambda: 5, enabled=False))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 5


def test_the_manager_exit_code_and_words_pass_through() -> None:
    code = f"{IMPORTS}; sys.exit(guarded(lambda: print('words') or 7))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "words\n")
