"""Launching on a fake kernel: batches, failures, terminals; and the leaders of sessions on a terminal."""

from __future__ import annotations

import errno
import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Event, State
from procman.runtime.processes import launcher as launcher_module
from procman.runtime.processes.launcher import BATCH_SIZE, LOOP_DESCRIPTORS, Launcher
from procman.runtime.processes.pty import Window
from procman.runtime.system.descriptors import PER_INSTANCE
from runtime.fakes import Kernel, Process, Run, a_plan, open_descriptors, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan


def on_terminals(kernel: Kernel, *names: str) -> Run:
    return Run(kernel, *names, window=Window(-1, 0))


def test_the_first_batch_is_launched_before_the_loop_and_the_rest_by_it(kernel: Kernel) -> None:
    run = Run(kernel, *(f"web.{number}" for number in range(1, BATCH_SIZE + 3)))
    run.launcher.begin()
    assert len(kernel.spawned) == BATCH_SIZE
    assert run.launcher.busy
    run.launcher.launch_some()
    assert len(kernel.spawned) == BATCH_SIZE + 2
    assert not run.launcher.busy
    assert [child.name for child in run.launcher.take_spawned()] == list(run.supervisor.instances)
    assert run.launcher.take_spawned() == []


def test_one_that_is_stopped_before_its_turn_is_not_started(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    web = run.supervisor.instances["web.1"]
    run.supervisor.start_all(kernel.now)
    run.launcher.add(web)
    run.supervisor.wish(Event.STOP, [web], kernel.now)
    run.launcher.launch_some()
    assert kernel.spawned == []
    assert web.state == State.EXITED
    assert run.launcher.take_spawned() == []


def test_the_supervisor_learns_the_pid_and_the_time(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.launcher.begin()
    web = run.supervisor.instances["web.1"]
    assert (web.pid, web.started) == (kernel.spawned[0].pid, kernel.now)


# Terminals ----------------------------------------------------------------------------------------------------------


def test_on_a_terminal_all_three_streams_are_the_terminal(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    run.launcher.begin()
    (child,) = run.launcher.take_spawned()
    assert child.pty is not None
    process = kernel.process("web.1")
    assert all(os.isatty(process.fds[fd]) for fd in (0, 1, 2))
    process.write(b"out\n", 1)
    process.write(b"err\n", 2)
    assert os.read(child.outputs[0][1], 100) == b"out\nerr\n"
    assert child.outputs == (("stdout", child.pty.master),)


def test_what_is_written_to_a_terminal_is_shown_and_its_end_is_the_end(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    run.after(1.0, lambda: kernel.process("web.1").write(b"hello\n"))
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    assert run.lines("web.1") == b"hello\n"


def test_without_a_terminal_to_be_had_it_gets_a_pipe(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def openpty() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "openpty", openpty)
    run = on_terminals(kernel, "web.1")
    run.launcher.begin()
    (child,) = run.launcher.take_spawned()
    assert child.pty is None


REFUSALS = [errno.EAGAIN, errno.ENOMEM, errno.ETXTBSY, errno.EMFILE, errno.ENOENT, errno.EACCES]


@pytest.mark.parametrize("lent_to", ["", "web.1"], ids=["usual", "primary"])
@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_a_spawn_that_fails_closes_the_terminal_once(kernel: Kernel, number: int, lent_to: str) -> None:
    run = Run(kernel, "web.1", "db.1", window=Window(-1, 0, lent_to=lent_to))
    before = open_descriptors()
    kernel.refusals = [OSError(number, os.strerror(number))]
    run.launcher.begin()
    assert run.state("web.1") in (State.FAILED, State.BACKOFF)
    assert run.state("db.1") == State.RUNNING  # of the same batch
    (child,) = run.launcher.take_spawned()
    assert child.name == "db.1"
    kept = {child.pty and child.pty.master, *kernel.process("db.1").fds.values()}
    opened = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in open_descriptors() if fd not in before}
    assert opened.keys() == kept, opened


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_a_restart_that_fails_on_a_terminal_ends_no_other_process(kernel: Kernel, number: int) -> None:
    run = on_terminals(kernel, "web.1", "db.1")

    def crash() -> None:
        kernel.refusals = [OSError(number, os.strerror(number))]
        kernel.process("web.1").exit(1)

    run.after(20.0, crash)
    run.after(60.0, run.exits("db.1"))
    run.after(61.0, lambda: kernel.named("web.1") and run.exits("web.1")())
    run.run()
    assert ("exited", "db.1") in run.events
    assert run.recorder.times["exited", "db.1"] == 60.0


def test_our_copy_of_the_childs_side_is_closed(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    run.launcher.begin()
    (child,) = run.launcher.take_spawned()
    kernel.process("web.1").exit()
    with pytest.raises(OSError, match="Input/output error"):  # how a terminal without another side is read
        os.read(child.outputs[0][1], 1)


# Leaders of sessions ------------------------------------------------------------------------------------------------


def shell(kernel: Kernel, run: Run, seconds: float = 1.0) -> list[Process]:
    """Make the child a shell with a server behind it, which ends a while after the stop signal."""
    servers: list[Process] = []

    def fork(child: Process) -> None:
        server = child.fork("server")
        server.caught.add(signal.SIGTERM)
        server.on_signal = lambda number: kernel.after(seconds, server.exit) if number == signal.SIGTERM else None
        servers.append(server)

    kernel.on_spawn = fork
    return servers


def test_a_leader_is_held_until_its_group_has_ended_so_that_nobody_hangs_up_on_it(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    (servers, ended) = (shell(kernel, run), list[float]())
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(1.9, lambda: ended.append(kernel.spawned[0].alive))
    assert run.run() == 0
    leader, (server,) = kernel.spawned[0], servers
    assert ended == [True]
    assert signal_names(leader.got) == ["CONT", "STOP", "CONT", "TERM"]
    assert signal_names(server.got) == ["CONT", "TERM"]
    assert kernel.now == pytest.approx(1002.0, abs=0.06)


def test_a_leader_without_others_in_its_group_is_simply_asked(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert signal_names(kernel.spawned[0].got) == ["TERM"]
    assert kernel.now == 1001.0


def test_a_leader_that_handles_the_signal_by_itself_is_simply_asked(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")

    def fork(child: Process) -> None:
        child.fork("server")
        child.caught.add(signal.SIGTERM)

    kernel.on_spawn = fork
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    assert signal_names(kernel.spawned[0].got) == ["TERM", "CONT"]


def test_on_pipes_a_leader_is_simply_asked(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    kernel.on_spawn = lambda child: child.fork("server")
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert signal_names(kernel.spawned[0].got) == ["TERM"]


def test_what_a_held_leader_has_forked_deeper_is_waited_for_too(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")

    def fork(child: Process) -> None:
        between = child.fork("between", own_session=True)
        deep = between.fork("deep")
        deep.group, deep.session = child.group, child.session
        deep.caught.add(signal.SIGTERM)
        kernel.after(3.0, deep.exit)

    kernel.on_spawn = fork
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.9, lambda: kernel.sent.append((0, int(kernel.spawned[0].alive))))
    run.run()
    assert (0, 1) in kernel.sent
    assert kernel.now == pytest.approx(1003.0, abs=0.1)


def test_the_looks_at_a_held_leader_grow_rarer(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    shell(kernel, run, seconds=4.0)
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    looks = [wait for wait in kernel.waits if wait is not None and wait < 0.5]
    assert looks[0] == pytest.approx(0.001)
    assert max(looks) == pytest.approx(0.05)
    assert len(looks) < 110
    assert kernel.now == pytest.approx(1005.0, abs=0.06)


def test_a_held_leader_is_killed_when_its_grace_is_over(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    servers = shell(kernel, run, seconds=100.0)
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 143
    assert kernel.now == pytest.approx(1006.0)
    assert signal_names(servers[0].got)[-1] == "KILL"


def test_a_leader_that_does_not_stop_is_asked_when_it_has_had_its_time(kernel: Kernel) -> None:
    run = on_terminals(kernel, "web.1")
    servers: list[Process] = []

    def fork(child: Process) -> None:
        child.slow_to_stop = True
        servers.append(child.fork("server"))

    kernel.on_spawn = fork
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert signal_names(servers[0].got)[:2] == ["CONT", "TERM"]
    assert kernel.now == pytest.approx(1003.05, abs=0.1)  # it has two seconds to stop, after the first look of 0.05


def a_launcher(number: int, room: bool = True) -> tuple[Launcher, list[int], list[str]]:
    """Return a launcher of so many instances, the descriptors that it asks for, and what it spawns."""
    asked: list[int] = []
    spawned: list[str] = []

    def has_room(descriptors: int) -> bool:
        asked.append(descriptors)
        return room

    def spawn(plan: InstancePlan) -> Any:
        spawned.append(plan.name)
        return SimpleNamespace(pid=7, name=plan.name)

    children: Any = SimpleNamespace(limit=SimpleNamespace(has_room=has_room), spawn=spawn)
    supervisor = Supervisor([a_plan(f"web.{place}") for place in range(1, number + 1)])
    return Launcher(supervisor, children, None), asked, spawned


def test_only_the_first_batch_is_launched_before_the_loop() -> None:
    launcher, asked, spawned = a_launcher(1000)
    launcher.begin()
    assert asked == [LOOP_DESCRIPTORS + PER_INSTANCE * BATCH_SIZE]
    assert len(spawned) == BATCH_SIZE <= 64  # more would delay signals and output
    assert launcher.busy
    assert [child.name for child in launcher.take_spawned()] == spawned
    assert launcher.take_spawned() == []


def test_few_instances_need_few_descriptors_and_none_is_launched_without_room() -> None:
    launcher, asked, spawned = a_launcher(2, room=False)
    launcher.begin()
    assert asked == [LOOP_DESCRIPTORS + PER_INSTANCE * 2]
    assert spawned == []
    assert launcher.busy


@pytest.mark.parametrize("on_terminal", [True, False])
def test_each_plan_says_whether_it_gets_a_terminal(monkeypatch: pytest.MonkeyPatch, on_terminal: bool) -> None:
    launcher, _, spawned = a_launcher(1)
    window: Any = object()
    launcher._window = SimpleNamespace(of=lambda _plan: window if on_terminal else None)  # type: ignore[assignment]
    opened: list[object] = []

    def on_pty(_children: object, plan: InstancePlan, given: object) -> Any:
        opened.append(given)
        return SimpleNamespace(pid=7, name=plan.name)

    monkeypatch.setattr(launcher_module, "_spawn_on_terminal", on_pty)
    launcher.begin()
    assert (opened, spawned) == (([window], []) if on_terminal else ([], ["web.1"]))
