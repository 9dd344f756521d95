"""How the command of `procman run` is stopped, and what it leaves, on a fake kernel."""

from __future__ import annotations

import signal

import pytest

from procman.runtime.guardian import run_stop
from procman.runtime.guardian.run_stop import LOOK_INTERVAL, REPEAT_AFTER, RunStop
from runtime.fakes import Kernel, Process, signal_names

GRACE = 4.0


class Command:
    """A command of `run` in our group, and the signals that arrive for us; a wait without one takes its whole time."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel = kernel
        self.child = Process(kernel, kernel.us, "serve", {})
        self.arriving: list[tuple[float, int]] = []  # when, and which
        self.subreaper = 0
        monkeypatch.setattr("_signal.sigtimedwait", self._wait, raising=False)
        monkeypatch.setattr(run_stop, "become_subreaper", self._become_subreaper)

    def _become_subreaper(self) -> None:
        self.subreaper += 1

    def _wait(self, numbers: tuple[int, ...], limit: float) -> object:
        assert {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT} == set(numbers)
        self.kernel.sleep(limit)
        if self.arriving and self.arriving[0][0] <= self.kernel.now:
            return _Info(self.arriving.pop(0)[1])
        return None

    def stop(self, spared: tuple[int, ...] = ()) -> RunStop:
        return RunStop(self.child.pid, spared, GRACE)

    def ends(self) -> None:
        """The command ends, and is reaped; what it has started becomes our child."""
        self.child.exit()
        self.kernel.processes.pop(self.child.pid)


class _Info:
    def __init__(self, number: int) -> None:
        self.si_signo = number


@pytest.fixture
def command(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Command:
    return Command(kernel, monkeypatch)


def got(process: Process) -> list[str]:
    return signal_names(process.got)


def test_what_loses_its_parent_becomes_our_child_from_then_on(command: Command) -> None:
    command.stop()
    assert command.subreaper == 1


@pytest.mark.parametrize(
    ("name", "number", "handled", "everyone", "rest", "later"),
    [
        ("serve", signal.SIGTERM, True, True, False, False),  # it ends what it has started
        ("serve", signal.SIGTERM, False, True, True, False),
        ("serve", signal.SIGTERM, False, False, False, False),  # the kernel has sent it to all
        ("serve", signal.SIGINT, True, True, False, False),
        ("sh", signal.SIGTERM, True, True, False, True),  # its trap may wait for a command
        ("sh", signal.SIGTERM, True, False, False, False),
        ("sh", signal.SIGTERM, False, True, True, False),
        ("sh", signal.SIGINT, True, True, True, False),  # every shell catches it, and waits for what it runs
        ("sh", signal.SIGINT, True, False, False, False),
    ],
)
def test_the_rest_of_the_group_gets_what_the_command_does_not_handle(
    command: Command, name: str, number: int, handled: bool, everyone: bool, rest: bool, later: bool
) -> None:
    command.child.command = name
    command.child.caught = {number} if handled else set()
    helper = command.child.fork()
    below = helper.fork()
    stray = helper.fork(own_session=True)
    stop = command.stop()
    stop.send(number, everyone)
    name = signal.Signals(number).name.removeprefix("SIG")
    assert got(command.child) == [name]
    assert got(helper) == got(below) == [name] * rest
    assert stop.rest_due == (command.kernel.now + GRACE / 2 if later else None)
    assert got(stray) == []


def test_the_rest_gets_term_when_the_shell_does_not_end(command: Command) -> None:
    command.child.command, command.child.caught = "sh", {signal.SIGHUP}
    stop = command.stop()
    stop.send(signal.SIGHUP, everyone=True)
    helper = command.child.fork()  # started by the trap
    stop.send_to_rest()
    assert stop.rest_due is None
    assert got(helper) == ["TERM"]
    assert got(command.child) == ["HUP"]


def test_what_the_command_has_left_gets_term_even_if_it_is_stopped(command: Command) -> None:
    helper = command.child.fork(own_session=True)
    below = helper.fork(own_session=True)
    helper.state = "T"
    stop = command.stop()
    stop.send(signal.SIGTERM, everyone=True)
    command.ends()
    stop.end_rest()
    assert (sorted(got(helper)), got(below)) == (["CONT", "TERM"], ["TERM"])
    assert command.kernel.processes == {}
    assert command.kernel.now <= 1000.0 + 2 * LOOK_INTERVAL


def test_nothing_left_is_nothing_done(command: Command) -> None:
    stop = command.stop()
    command.ends()
    stop.end_rest()
    assert command.kernel.now == 1000.0
    assert command.kernel.sent == []


def test_what_has_got_its_signal_is_not_asked_twice(command: Command) -> None:
    helper = command.child.fork()
    helper.caught = {signal.SIGTERM}
    stop = command.stop()
    stop.send(signal.SIGTERM, everyone=True)
    command.ends()
    command.kernel.after(1.0, helper.exit)
    stop.end_rest()
    assert got(helper) == ["TERM"]
    assert command.kernel.now == pytest.approx(1001.0, abs=2 * LOOK_INTERVAL)


def test_what_ignores_the_signal_of_the_command_gets_term(command: Command) -> None:
    helper = command.child.fork()
    helper.ignores = {signal.SIGINT}  # a background job of a shell
    stop = command.stop()
    stop.send(signal.SIGINT, everyone=True)
    command.ends()
    stop.end_rest()
    assert got(helper) == ["INT", "TERM"]


def test_what_does_not_end_within_the_grace_is_killed(command: Command) -> None:
    helper = command.child.fork()
    helper.caught = {signal.SIGTERM}
    below = helper.fork(own_session=True)
    below.caught = {signal.SIGTERM}
    stop = command.stop()
    command.ends()
    stop.end_rest()
    assert got(helper)[:2] == got(below)[:2] == ["TERM", "CONT"]
    assert "KILL" in got(helper)
    assert "KILL" in got(below)
    assert command.kernel.processes == {}
    assert command.kernel.now == pytest.approx(1000.0 + GRACE, abs=2 * LOOK_INTERVAL)


@pytest.mark.parametrize(
    ("number", "after", "kills"),
    [
        (signal.SIGTERM, REPEAT_AFTER, True),
        (signal.SIGINT, 1.0, True),
        (signal.SIGTERM, REPEAT_AFTER - LOOK_INTERVAL, False),  # the first one, delivered twice
        (signal.SIGCHLD, 1.0, False),
    ],
)
def test_another_stop_signal_kills_what_is_left(command: Command, number: int, after: float, kills: bool) -> None:
    helper = command.child.fork()
    helper.caught = {signal.SIGTERM}
    stop = command.stop()
    command.ends()
    command.arriving = [(1000.0 + after, number)]
    stop.end_rest()
    expected = after if kills else GRACE
    assert command.kernel.now == pytest.approx(1000.0 + expected, abs=2 * LOOK_INTERVAL)
    assert command.kernel.processes == {}


def test_other_children_of_ours_are_spared(command: Command) -> None:
    session = Process(command.kernel, command.kernel.us, "session", {})
    below = session.fork()
    helper = command.child.fork()
    helper.caught = {signal.SIGTERM}
    stop = command.stop((session.pid,))
    command.ends()
    stop.end_rest()
    assert got(session) == got(below) == []
    assert not helper.alive


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_without_a_wait_for_signals_they_are_looked_at(
    command: Command, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    monkeypatch.delattr("_signal.sigtimedwait")
    pending = {signal.SIGUSR1} | ({number} if number else set())
    monkeypatch.setattr("_signal.sigpending", lambda: pending)
    monkeypatch.setattr("_signal.sigwait", lambda numbers: numbers.pop())
    assert run_stop._next_signal(0.5) == number
    assert command.kernel.now == 1000.5
