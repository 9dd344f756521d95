"""Signals to the run, on a fake kernel: first and second ones, job control, and the guardian's pipe."""

from __future__ import annotations

import os
import signal

import pytest

from procman.runtime.loop import signal_requests
from procman.runtime.loop.signal_requests import REPEAT_AFTER
from runtime.fakes import Kernel, Process, Run, a_plan, signal_names


def stubborn(child: Process) -> None:
    child.ignores |= {signal.SIGTERM}


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGQUIT, 131), (signal.SIGHUP, 129)],
)
def test_each_stop_signal_has_its_exit_code(kernel: Kernel, number: int, code: int) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, lambda: run.signal(number))
    assert run.run() == code
    assert signal_names(kernel.spawned[0].got) == ["TERM"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_kills_without_waiting_for_the_grace(kernel: Kernel, number: int) -> None:
    run = Run(kernel, "web.1")
    kernel.on_spawn = stubborn
    run.after(1.0, lambda: run.signal(number))
    run.after(2.0, lambda: run.signal(number))
    run.run()
    assert kernel.now == 1002.0
    assert signal_names(kernel.spawned[0].got) == ["TERM", "CONT", "KILL"]
    assert len(run.screen.announced) == 1


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP])
def test_a_second_signal_of_another_kind_waits_for_the_grace(kernel: Kernel, number: int) -> None:
    run = Run(kernel, "web.1")
    kernel.on_spawn = stubborn
    run.after(1.0, lambda: run.signal(signal.SIGINT))
    run.after(2.0, lambda: run.signal(number))
    assert run.run() == 130
    assert kernel.now == 1006.0


def test_a_signal_that_is_delivered_twice_counts_once(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    kernel.on_spawn = stubborn
    run.after(1.0, lambda: run.signal(signal.SIGINT))
    run.after(1.0 + REPEAT_AFTER - 0.01, lambda: run.signal(signal.SIGINT))
    assert run.run() == 130
    assert kernel.now == 1006.0


def test_a_second_signal_counts_from_the_end_of_that_time_on(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    kernel.on_spawn = stubborn
    run.after(0.5, lambda: run.signal(signal.SIGINT))
    run.after(0.5 + REPEAT_AFTER + 0.001, lambda: run.signal(signal.SIGINT))
    run.run()
    assert kernel.now == pytest.approx(1000.5 + REPEAT_AFTER + 0.001)


def test_two_signals_of_one_read_are_obeyed_once_each(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, lambda: run.signal(signal.SIGUSR2, signal.SIGUSR2, signal.SIGTERM))
    assert run.run() == 0
    assert run.screen.reopened == 1


def test_an_unknown_number_is_ignored(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, lambda: run.signal(signal.SIGURG))
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    assert kernel.spawned[0].got == []


def test_usr1_writes_the_states_to_stderr(kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(kernel, "web.1", "db.1")
    run.after(2.5, lambda: run.signal(signal.SIGUSR1))
    run.after(3.0, lambda: run.signal(signal.SIGTERM))
    run.run()
    web, db = kernel.spawned
    assert capfd.readouterr().err == (
        f"web.1 running pid={web.pid} uptime=2s restarts=0\ndb.1 running pid={db.pid} uptime=2s restarts=0\n"
    )


def test_a_new_window_size_reaches_the_footer(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    sizes: list[str] = []
    run.children.resize = lambda: sizes.append("children")  # type: ignore[method-assign]
    run.after(1.0, lambda: run.signal(signal.SIGWINCH))
    run.after(2.0, run.exits("web.1"))
    run.run()
    assert sizes == ["children"]


# Job control --------------------------------------------------------------------------------------------------------


def test_suspending_stops_all_children_and_then_ourselves(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    helpers: list[Process] = []

    def stray() -> None:
        between = kernel.process("web.1").fork()
        helpers.append(between.fork(own_session=True))
        between.exit()

    run.after(1.0, stray)
    run.after(2.0, lambda: run.signal(signal.SIGTSTP))
    run.after(3.0, run.exits("web.1"))
    run.run()
    web = kernel.spawned[0]
    us = (kernel.us, signal.SIGSTOP)
    assert kernel.stopped_us == 1
    assert kernel.sent.index((-web.pid, signal.SIGSTOP)) < kernel.sent.index(us)
    assert kernel.sent.index(us) < kernel.sent.index((-web.pid, signal.SIGCONT))
    assert signal_names(helpers[0].got)[:2] == ["STOP", "CONT"]
    assert run.suspended == []  # there is no guardian


class Notes:
    """Something on the terminal."""

    def __init__(self, run: Run) -> None:
        self.calls: list[str] = []
        self._run = run
        run.foreground.add(self)

    def pause(self) -> None:
        self.calls.append("pause" if self._run.kernel.stopped_us == 0 else "pause too late")

    def resume(self) -> None:
        self.calls.append("resume")


def test_the_terminal_is_left_before_we_stop_and_taken_again_afterwards(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    notes = Notes(run)
    run.after(1.0, lambda: run.signal(signal.SIGTSTP))
    run.after(2.0, run.exits("web.1"))
    run.run()
    assert notes.calls == ["pause", "resume"]


def test_what_is_owed_is_written_before_we_stop(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    seen: list[bytes] = []

    class Owes:
        def pause(self) -> None:
            run.outlet.put(b"bye")

        def resume(self) -> None:
            seen.append(run.read())

    run.foreground.add(Owes())
    run.after(1.0, lambda: run.signal(signal.SIGTSTP))
    run.after(2.0, run.exits("web.1"))
    run.run()
    assert seen == [b"bye"]


def test_the_guardian_is_suspended_before_us(kernel: Kernel) -> None:
    reader, writer = os.pipe()
    run = Run(kernel, "web.1", guardian_pipe=reader)
    run.after(1.0, lambda: os.write(writer, bytes((signal.SIGTSTP,))))
    run.after(2.0, run.exits("web.1"))
    run.run()
    assert run.suspended == ["guardian"]
    assert kernel.stopped_us == 1


def test_cont_continues_the_children(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, lambda: kernel.process("web.1").take(signal.SIGSTOP))
    run.after(2.0, lambda: run.signal(signal.SIGCONT))
    run.after(3.0, run.exits("web.1"))
    run.run()
    assert signal_names(kernel.spawned[0].got) == ["STOP", "CONT"]


# The guardian -------------------------------------------------------------------------------------------------------


def test_signals_for_the_guardian_are_obeyed(kernel: Kernel) -> None:
    reader, writer = os.pipe()
    run = Run(kernel, "web.1", guardian_pipe=reader)
    run.after(1.0, lambda: os.write(writer, bytes((signal.SIGINT,))))
    assert run.run() == 130


def test_the_guardians_end_kills_everything(kernel: Kernel) -> None:
    reader, writer = os.pipe()
    run = Run(kernel, a_plan("web.1", grace=60.0))
    run = Run(kernel, a_plan("web.1", grace=60.0), guardian_pipe=reader)
    run.after(1.0, lambda: os.close(writer))
    assert run.run() == 143
    assert kernel.now == 1001.0
    assert signal_names(kernel.spawned[0].got) == ["KILL"]


def test_the_pipe_of_a_dead_guardian_does_not_stay_in_the_poller(kernel: Kernel) -> None:
    reader, writer = os.pipe()
    run = Run(kernel, "web.1", guardian_pipe=reader)
    seen: list[bool] = []
    kernel.on_spawn = lambda child: setattr(child, "immortal", True)
    run.after(1.0, lambda: os.close(writer))
    run.after(2.0, lambda: seen.append(reader in run.poller.events))
    run.after(3.0, run.exits("web.1"))
    run.run()
    assert seen == [False]


def test_without_a_guardian_left_a_ctrl_z_suspends_us_alone(kernel: Kernel) -> None:
    reader, writer = os.pipe()
    run = Run(kernel, "web.1", guardian_pipe=reader)
    kernel.on_spawn = lambda child: setattr(child, "immortal", True)
    run.after(1.0, lambda: os.close(writer))
    run.after(2.0, lambda: run.signal(signal.SIGTSTP))
    run.after(3.0, run.exits("web.1"))
    run.run()
    assert run.suspended == []
    assert kernel.stopped_us == 1


@pytest.mark.parametrize("how", ["resume", "winch", "job control"])
def test_footer_and_children_adapt_to_the_size_of_the_terminal(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    run = Run(kernel, "web.1")
    adapted: list[str] = []
    monkeypatch.setattr(type(run.hub), "resized", lambda _self: adapted.append("footer"))
    monkeypatch.setattr(type(run.children), "resize", lambda _self: adapted.append("children"))
    if how == "resume":
        run.requests.resume()
    elif how == "winch":
        run.requests._handle(bytes([signal.SIGWINCH]))
    else:
        run.foreground._return()
    assert adapted == ["footer", "children"]


# A session that the guardian has left ------------------------------------------------------------------------------


@pytest.mark.parametrize("guarded", [False, True])
def test_without_the_guardian_the_end_of_the_watchdog_kills_everything(kernel: Kernel, guarded: bool) -> None:
    guardian, guardian_end = os.pipe()
    watchdog, watchdog_end = os.pipe()
    run = Run(kernel, a_plan("web.1", grace=60.0), guardian_pipe=guardian if guarded else None)
    kernel.on_spawn = lambda child: setattr(child, "immortal", True)
    watched: list[bool] = []
    run.after(1.0, lambda: run.requests.release_guardian(watchdog_end))
    run.after(1.5, lambda: os.close(guardian_end))
    run.after(2.0, lambda: watched.extend(fd in run.poller.events for fd in (guardian, watchdog_end)))
    run.after(3.0, lambda: os.close(watchdog))
    run.after(3.5, lambda: watched.append(watchdog_end in run.poller.events))
    run.after(4.0, run.exits("web.1"))
    assert run.run() == 143
    assert signal_names(kernel.spawned[0].got) == ["KILL"]
    assert kernel.now == 1004.0
    assert watched == [False, True, False]


# Where the guardian cannot tell a key (macOS) ---------------------------------------------------------------------


@pytest.mark.parametrize(("forgetful", "times"), [(False, 2), (True, 1)])
@pytest.mark.parametrize("way", ["guardian", "signal"])
def test_a_ctrl_z_that_comes_twice_counts_once_where_it_may(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, forgetful: bool, times: int, way: str
) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(signal_requests, "FORGETFUL", forgetful)
    run = Run(kernel, "web.1", guardian_pipe=reader)
    kill = os.kill

    def stopped(pid: int, number: int) -> None:
        kill(pid, number)
        if pid == kernel.us and number == signal.SIGSTOP and kernel.stopped_us == 1:
            if way == "signal":
                run.signal(signal.SIGTSTP)  # in the moment in which it stops
            else:
                kernel.after(0.1, lambda: os.write(writer, bytes([signal.SIGTSTP])))

    monkeypatch.setattr(os, "kill", stopped)
    run.after(1.0, lambda: run.signal(signal.SIGTSTP))
    run.after(5.0, run.exits("web.1"))
    run.run()
    assert kernel.stopped_us == times


def test_a_later_ctrl_z_counts_again(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(signal_requests, "FORGETFUL", True)
    run = Run(kernel, "web.1", guardian_pipe=reader)
    run.after(1.0, lambda: run.signal(signal.SIGTSTP))
    run.after(1.0 + REPEAT_AFTER + 0.1, lambda: os.write(writer, bytes([signal.SIGTSTP])))
    run.after(5.0, run.exits("web.1"))
    run.run()
    assert kernel.stopped_us == 2


def test_other_signals_are_obeyed_right_after_a_ctrl_z(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(signal_requests, "FORGETFUL", True)
    run = Run(kernel, "web.1", guardian_pipe=reader)
    run.after(1.0, lambda: run.signal(signal.SIGTSTP))
    run.after(1.1, lambda: os.write(writer, bytes([signal.SIGINT])))
    assert run.run() == 130
