"""`procman run`: which signals reach the process, when we stop with it, and whose end is ours."""

from __future__ import annotations

import errno
import os
import signal
from types import SimpleNamespace

import pytest

from procman.runtime.guardian import foreground_run, run_stop
from runtime.fakes import Kernel, Process, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    Signal = tuple[int, bool | None, int]

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


def test_the_rest_of_the_group_is_signalled_when_it_is_due(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    class DueStop:
        def __init__(self, *_: object) -> None:
            self.rest_due: float | None = None

        def send(self, number: int, everyone: bool) -> None:
            self.rest_due = 7.0

        def send_to_rest(self) -> None:
            calls.append("rest")
            self.rest_due = None

        def end_rest(self) -> None:
            calls.append("end")

    def next_signal(_numbers: object, until: float | None) -> Signal:
        calls.append(until)
        return signals.pop(0)

    monkeypatch.setattr(run_stop, "RunStop", DueStop)
    monkeypatch.setattr(foreground_run, "next_signal", next_signal)
    signals: list[Signal] = [(signal.SIGTERM, False, 0), (0, None, 0), (signal.SIGCHLD, True, 0)]
    system.ends = [(CHILD, 0x300)]
    assert foreground_run._ForegroundRun(CHILD, (), 5.0).wait() == 0x300
    assert calls == [None, 7.0, "rest", None, "end"]


@pytest.mark.parametrize(
    ("groups", "foreground"), [({0: 1, 1: 0}, True), ({1: 1}, True), ({2: 1}, True), ({0: 0, 1: 1}, False), ({}, False)]
)
def test_the_first_terminal_of_ours_says_whether_we_are_in_the_foreground(
    monkeypatch: pytest.MonkeyPatch, groups: dict[int, int], foreground: bool
) -> None:
    def tcgetpgrp(fd: int) -> int:
        if fd not in groups:
            raise OSError
        return os.getpgrp() if groups[fd] else 1

    monkeypatch.setattr(os, "tcgetpgrp", tcgetpgrp)
    assert foreground_run._has_terminal() is foreground


@pytest.mark.parametrize("ignored", [False, True])
def test_only_nohup_is_inherited(monkeypatch: pytest.MonkeyPatch, ignored: bool) -> None:
    defaults: list[set[int]] = []

    def spawn(_program: str, _argv: list[str], _env: object, signals: set[int]) -> int:
        defaults.append(signals)
        return 77

    monkeypatch.setattr(foreground_run, "spawn_process", spawn)
    monkeypatch.setattr("_signal.getsignal", lambda _number: signal.SIG_IGN if ignored else signal.SIG_DFL)
    assert foreground_run._spawn("x", ["x"], {}) == 77
    assert {signal.SIGTERM, signal.SIGPIPE, signal.SIGINT} <= defaults[0]
    assert (signal.SIGHUP in defaults[0]) is not ignored


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES])
def test_a_program_that_cannot_be_run_is_no_script(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def spawn(*_: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(foreground_run, "spawn_process", spawn)
    with pytest.raises(OSError, match="no"):
        foreground_run._spawn("x", ["x"], {})


# On a fake kernel ----------------------------------------------------------------------------------------------------


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
    set_up: list[object] = []
    monkeypatch.setattr("_signal.signal", lambda *what: set_up.append(what))
    monkeypatch.setattr("_signal.pthread_sigmask", lambda *what: set_up.append(what))
    one_off.waits.append((one_off.child.pid, status))
    assert foreground_run.run_in_foreground("x", ["x"], {}, str(tmp_path)) == code
    assert set_up == [(signal.SIGCHLD, signal.SIG_DFL), (signal.SIG_BLOCK, foreground_run.WATCHED)]
    assert os.getcwd() == os.path.realpath(str(tmp_path))


@pytest.mark.parametrize(
    ("arrives", "status", "by_key"),
    [
        ((signal.SIGINT, True, 0), signal.SIGINT, True),
        ((signal.SIGINT, True, 0), 3 << 8, False),  # it has handled the key
        ((signal.SIGINT, False, 0), signal.SIGINT, False),
        ((signal.SIGWINCH, True, 0), signal.SIGINT, False),
    ],
)
def test_only_a_key_that_has_ended_the_command_is_an_end_by_key(
    one_off: OneOff, monkeypatch: pytest.MonkeyPatch, arrives: Signal, status: int, by_key: bool
) -> None:
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: one_off.child.pid)
    monkeypatch.setattr(os, "getpid", lambda: 1)  # without a watcher, which is a fork
    monkeypatch.setattr("_signal.signal", lambda *_: None)
    monkeypatch.setattr("_signal.pthread_sigmask", lambda *_: None)
    monkeypatch.setattr(foreground_run.Ending, "by_key", not by_key)
    one_off.signals = [arrives]
    one_off.waits.append((one_off.child.pid, status))
    foreground_run.run_in_foreground("x", ["x"], {}, ".")
    assert foreground_run.Ending.by_key is by_key
