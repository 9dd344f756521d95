"""The engine on a fake kernel: the order of its turn, what it waits for, and how a run ends."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from procman.core.lifecycle.outcome import TERMINATED
from procman.core.lifecycle.transitions import Event, State
from procman.core.model.plan import RestartPolicy
from procman.runtime.loop import engine as engine_module
from procman.runtime.loop.component import QuietComponent
from procman.runtime.loop.engine import LAST_FLUSH_LIMIT
from procman.runtime.loop.pumps import MAX_OWED
from procman.runtime.processes.launcher import BATCH_SIZE
from procman.runtime.system.poller import MAX_WAIT
from runtime.fakes import Kernel, Process, Recorder, Run, a_plan, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.lifecycle.instance import Instance

READ, WRITE = 1, 4
FULL = 256 << 10  # bytes that the pipe of our output takes


def flood(run: Run, name: str = "web.1") -> Callable[[], object]:
    """Fill the output, and the child's own pipe behind it."""

    def write() -> None:
        process = run.kernel.process(name)
        if process.write(b"x" * 1023 + b"\n"):
            run.after(0.0, write)

    return write


def last_words(run: Run, name: str) -> Callable[[], object]:
    """Fill the child's pipe and end."""

    def end() -> None:
        process = run.kernel.process(name)
        process.write((b"x" * 1023 + b"\n") * 64)
        process.exit()

    return end


# Suspended processes ----------------------------------------------------------------------------------------------


def test_a_suspension_shorter_than_the_time_left_is_not_charged(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=20.0))
    run.after(0.0, lambda: setattr(kernel.process("web.1"), "caught", {signal.SIGTERM}))
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.1, lambda: kernel._move(kernel.now + 6.0))  # of 10 seconds to the next deadline
    run.after(26.5, run.exits("web.1"))
    assert run.run() == 0
    assert "KILL" not in signal_names(kernel.spawned[0].got)


def test_an_idle_run_does_not_wake_up_to_look_for_suspensions(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(60.0, run.exits("web.1"))
    run.run()
    assert len(kernel.waits) < 10


# The course of a run ----------------------------------------------------------------------------------------------


def test_a_run_ends_with_the_last_instance(kernel: Kernel) -> None:
    run = Run(kernel, "web.1", "job.1")
    run.after(1.0, run.exits("job.1"))
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    assert kernel.now == 1002.0
    assert run.events == [("started", "web.1"), ("started", "job.1"), ("exited", "job.1"), ("exited", "web.1")]


def test_the_exit_code_of_the_run_is_what_components_are_closed_with(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", restart=RestartPolicy("never")))
    run.after(1.0, run.exits("web.1", 7))
    assert run.run() == 7
    assert run.recorder.closed_with == 7
    assert run.recorder.calls == ["open", "close"]
    assert run.screen.closed


def test_an_idle_run_sleeps_without_limit(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(3600.0, run.exits("web.1"))
    run.run()
    assert set(kernel.waits) == {None}
    assert len(kernel.waits) == 1


def test_a_start_is_told_before_the_first_words_of_the_child(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    seen: list[list[tuple[str, str]]] = []
    kernel.on_spawn = lambda child: child.write(b"hello\n")
    run.hub.taps["web.1"] = lambda chunk: seen.append(list(run.events))
    run.after(1.0, run.exits("web.1"))
    run.run()
    assert seen == [[("started", "web.1")]]


def test_the_last_words_come_before_the_end_is_told(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    seen: list[tuple[bytes, list[tuple[str, str]]]] = []
    run.hub.taps["web.1"] = lambda chunk: seen.append((chunk, list(run.events)))

    def last_words() -> None:
        kernel.process("web.1").write(b"bye\nand no newline")
        kernel.process("web.1").exit(0)

    run.after(1.0, last_words)
    run.run()
    assert seen == [(b"bye\nand no newline", [("started", "web.1")])]
    assert run.lines("web.1") == b"bye\nand no newline\n"
    assert run.read() == b"bye\nand no newline\n"


def test_a_crash_is_followed_by_a_new_life_after_its_backoff(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, run.exits("web.1", 3))
    run.after(5.0, run.exits("web.1"))
    assert run.run() == 0
    assert [action for action, _ in run.events] == ["started", "exited", "restarting", "started", "exited"]
    assert run.recorder.times["started", "web.1"] == 2.0
    first, second = kernel.named("web.1")
    assert kernel.reaped == [first.pid, second.pid]


def test_many_launches_leave_room_for_signals_between_their_batches(kernel: Kernel) -> None:
    run = Run(kernel, *(f"web.{number}" for number in range(1, 3 * BATCH_SIZE)))

    def interrupt(child: Process) -> None:
        if len(kernel.spawned) == BATCH_SIZE + 1:  # in the first batch that the loop launches
            run.signal(signal.SIGTERM)

    kernel.on_spawn = interrupt
    assert run.run() == 0
    assert len(kernel.spawned) == 2 * BATCH_SIZE
    assert all(signal.SIGTERM in child.got for child in kernel.spawned)
    assert set(map(run.state, run.supervisor.instances)) == {State.EXITED}


def test_a_signal_that_came_before_the_loop_is_obeyed_before_more_is_launched(kernel: Kernel) -> None:
    run = Run(kernel, *(f"web.{number}" for number in range(1, 2 * BATCH_SIZE)))
    run.signal(signal.SIGTERM)
    assert run.run() == 0
    assert len(kernel.spawned) == BATCH_SIZE


def test_without_room_for_descriptors_nothing_is_launched_before_the_loop(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(kernel, "web.1")
    monkeypatch.setattr(run.children.limit, "has_room", lambda wanted: False)
    run.launcher.begin()
    assert kernel.spawned == []
    run.after(1.0, run.exits("web.1"))
    assert run.engine.run() == 0
    assert len(kernel.spawned) == 1


def test_a_spawn_that_fails_for_good_is_not_tried_again(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    kernel.refusals = [OSError(errno.EACCES, "Permission denied")]
    assert run.run() == 126
    assert run.events == [("failed", "web.1")]
    assert run.supervisor.instances["web.1"].failure == "cannot start: Permission denied"


def test_a_spawn_that_may_work_later_is_tried_again(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    kernel.refusals = [OSError(errno.EAGAIN, "Resource temporarily unavailable")]
    run.after(5.0, run.exits("web.1"))
    assert run.run() == 0
    assert run.events[0] == ("restarting", "web.1")
    assert run.recorder.times["started", "web.1"] == 1.0


def test_sinks_and_components_are_closed_and_children_killed_when_a_component_fails(kernel: Kernel) -> None:
    class Broken(Recorder):
        def tick(self, now: float) -> None:
            raise ZeroDivisionError

    run = Run(kernel, "web.1", components=lambda run: [Broken(run.kernel)])
    run.after(1.0, lambda: kernel.process("web.1").write(b"x\n"))
    with pytest.raises(ZeroDivisionError):
        run.run()
    assert kernel.living == []


# Stopping -----------------------------------------------------------------------------------------------------------


def test_a_stop_asks_all_at_once_and_ends_when_they_have_ended(kernel: Kernel) -> None:
    run = Run(kernel, "web.1", "db.1")
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert kernel.now == 1001.0
    web, db = kernel.spawned
    assert signal_names(web.got) == ["TERM"]
    assert signal_names(db.got) == ["TERM"]


def test_the_stop_signal_is_followed_by_cont_since_a_stopped_process_could_not_obey(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, lambda: kernel.process("web.1").take(signal.SIGSTOP))
    run.after(2.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert kernel.now == 1002.0


def test_who_ignores_the_stop_signal_is_killed_when_the_grace_is_over(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=7.0))
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 143
    assert kernel.now == 1008.0
    assert signal_names(kernel.spawned[0].got) == ["TERM", "CONT", "KILL"]


def test_a_stopped_instance_is_told_to_stop_and_the_others_are_left_alone(kernel: Kernel) -> None:
    run = Run(kernel, "web.1", "db.1")
    web = run.supervisor.instances["web.1"]
    run.after(1.0, lambda: run.supervisor.hold([web], kernel.now))
    run.after(1.0, lambda: run.signal(signal.SIGCONT))  # something that wakes the loop
    run.after(2.0, lambda: run.supervisor.stop_all(TERMINATED, kernel.now))
    run.after(2.0, lambda: run.signal(signal.SIGCONT))
    assert run.run() == 0
    assert run.recorder.times["stopped", "web.1"] == 1.0
    assert run.recorder.times["stopped", "db.1"] == 2.0


def test_a_restart_begins_the_next_life_when_the_last_one_is_over(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")

    def restart() -> None:
        run.supervisor.wish(Event.RESTART, run.supervisor.instances.values(), kernel.now)
        run.signal(signal.SIGCONT)

    run.after(1.0, restart)
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    assert run.events == [
        ("started", "web.1"),
        ("stopping", "web.1"),
        ("stopped", "web.1"),
        ("started", "web.1"),
        ("exited", "web.1"),
    ]
    assert run.recorder.times["started", "web.1"] == 1.0


# What a life leaves behind ------------------------------------------------------------------------------------------


def leave(child: Process, **how: object) -> Process:
    """Fork a helper, and end; what is left of the life is an orphan."""
    helper = child.fork(**how)  # type: ignore[arg-type]
    child.exit(3)
    return helper


def test_what_a_crashed_leader_left_is_asked_and_then_killed_before_the_next_life(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    helpers: list[Process] = []

    def crash() -> None:
        helpers.append(kernel.process("web.1").fork())
        helpers[0].ignores.add(signal.SIGTERM)
        kernel.process("web.1").exit(3)

    run.after(1.0, crash)
    run.after(9.0, run.exits("web.1"))
    assert run.run() == 0
    assert signal_names(helpers[0].got) == ["TERM", "CONT", "KILL"]
    assert run.recorder.times["restarting", "web.1"] == 1.25  # 0.25 s of grace for leftovers
    assert run.recorder.times["started", "web.1"] == 2.25


@pytest.mark.parametrize("env", [None, {}], ids=["with its environment", "with a cleared one"])
def test_a_helper_in_a_session_of_its_own_is_found_by_its_tag(kernel: Kernel, env: dict[str, str] | None) -> None:
    run = Run(kernel, "web.1")
    helpers: list[Process] = []
    run.after(1.0, lambda: helpers.append(leave(kernel.process("web.1"), own_session=True, env=env)))
    run.after(9.0, run.exits("web.1"))
    assert run.run() == 0
    assert signal_names(helpers[0].got) == ["TERM"]
    assert run.recorder.times["restarting", "web.1"] == 1.0


def test_the_words_of_a_leftover_are_shown_before_the_end_is_told(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", restart=RestartPolicy("never")))

    def crash() -> None:
        helper = kernel.process("web.1").fork()
        helper.ignores.add(signal.SIGTERM)
        kernel.process("web.1").exit(0)
        run.after(0.1, lambda: helper.write(b"late\n"))

    run.after(1.0, crash)
    run.run()
    assert run.lines("web.1") == b"late\n"


def test_a_leftover_of_a_stopped_instance_has_the_grace_of_the_instance(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=4.0))
    helpers: list[Process] = []

    def fork(child: Process) -> None:
        helpers.append(child.fork())
        helpers[0].ignores.add(signal.SIGTERM)

    kernel.on_spawn = fork
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 143
    assert signal_names(helpers[0].got) == ["TERM", "CONT", "KILL"]  # asked once: a second one means "now" to some
    assert run.recorder.times["stopped", "web.1"] == 5.0


def test_a_process_that_hangs_in_the_kernel_is_given_up_and_named(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=1.0))
    helpers: list[Process] = []

    def fork(child: Process) -> None:
        helpers.append(child.fork())
        helpers[0].immortal = True
        helpers[0].ignores.add(signal.SIGTERM)

    kernel.on_spawn = fork
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 143
    assert run.recorder.times["stopped", "web.1"] == 7.0  # a second of grace, and five to die of KILL
    pid = helpers[0].pid
    assert run.screen.announced == [f"web.1: still alive after SIGKILL, stuck in the kernel: pid {pid}"]
    assert kernel.now == 1007.0


def test_a_leader_that_hangs_in_the_kernel_is_given_up_and_its_next_life_begins(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=1.0))
    kernel.on_spawn = lambda child: setattr(child, "immortal", len(kernel.spawned) == 1)
    run.after(1.0, lambda: run.supervisor.wish(Event.RESTART, run.supervisor.instances.values(), kernel.now))
    run.after(1.0, lambda: setattr(kernel.spawned[0], "ignores", {signal.SIGTERM}))
    run.after(1.1, lambda: run.signal(signal.SIGCHLD))
    run.after(20.0, run.exits("web.1"))
    run.run()
    assert run.recorder.times["stopped", "web.1"] == pytest.approx(7.0, abs=0.2)
    assert len(kernel.named("web.1")) == 2
    assert str(kernel.spawned[0].pid) in run.screen.announced[0]


def test_orphans_of_no_instance_get_the_longest_grace_at_the_end(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=3.0), a_plan("db.1", grace=8.0))
    strays: list[Process] = []

    def stray() -> None:
        one = kernel.process("web.1").fork(own_session=True, env={})
        one.locks = -1
        strays.append(one)
        one.ignores.add(signal.SIGTERM)

    run.after(1.0, stray)
    run.after(2.0, run.exits("web.1"))
    run.after(3.0, run.exits("db.1"))
    run.run()
    assert signal_names(strays[0].got) == ["TERM", "CONT", "KILL"]
    assert kernel.now == pytest.approx(1011.0, abs=0.1)
    assert kernel.living == []


def test_an_orphan_that_obeys_ends_the_run_at_once(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")

    def stray() -> None:
        kernel.process("web.1").fork(own_session=True, env={}).locks = -1

    run.after(1.0, stray)
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    assert kernel.now == 1002.0


def test_an_orphan_that_ends_by_itself_is_reaped_while_the_run_lasts(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    strays: list[Process] = []

    def stray() -> None:
        between = kernel.process("web.1").fork()
        strays.append(between.fork(own_session=True, env={}))
        between.exit()

    run.after(1.0, stray)
    run.after(2.0, lambda: strays[0].exit(0))
    run.after(4.0, run.exits("web.1"))
    run.run()
    assert kernel.reaped == [strays[0].pid, kernel.spawned[0].pid]


def test_children_that_were_there_before_us_are_left_alone(kernel: Kernel) -> None:
    before = Process(kernel, kernel.us, "other", {})
    run = Run(kernel, "web.1")
    run.after(1.0, run.exits("web.1"))
    assert run.run() == 0
    assert before.got == []
    assert before.alive


# The reader of our output -------------------------------------------------------------------------------------------


def test_while_the_reader_is_stuck_no_child_is_read_and_the_loop_sleeps(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    waits: list[float | None] = []
    events: list[tuple[int, int]] = []
    run.after(1.0, flood(run))

    def look() -> None:
        waits.extend(kernel.waits[-1:])
        pumps, outlet = run.pumps_poller.fileno(), run.outlet.fileno()
        events.append((run.poller.events[pumps], run.poller.events[outlet]))

    run.after(100.0, look)
    run.after(200.0, look)
    run.after(201.0, lambda: run.read() and None)
    run.after(202.0, look)
    run.after(203.0, lambda: run.read() and None)
    run.after(300.0, run.exits("web.1"))
    polls = len(kernel.waits)
    assert run.run() == 0
    assert events == [(0, WRITE), (0, WRITE), (READ, 0)]
    assert waits == [None, None, None]
    assert len(kernel.waits) - polls < 1000
    assert run.outlet.dropped == 0


def test_a_stuck_reader_gets_every_byte_when_it_reads_again(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    written = 0
    got = []

    def write() -> None:
        nonlocal written
        if size := kernel.process("web.1").write(b"x" * 1023 + b"\n"):
            written += size
            run.after(0.0, write)

    run.after(1.0, write)
    for moment in range(10, 20):
        run.after(moment, lambda: got.append(run.read()))
    run.after(30.0, run.exits("web.1"))
    assert run.run() == 0
    assert len(b"".join(got) + run.read()) == written > FULL


def test_bytes_that_nobody_read_are_counted_at_the_end(kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(kernel, "web.1")
    written = 0

    def write() -> None:
        nonlocal written
        if size := kernel.process("web.1").write(b"x" * 1023 + b"\n"):
            written += size
            run.after(0.0, write)

    run.after(1.0, write)
    run.after(10.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    lost = written - len(run.read())
    assert lost > 1 << 16
    assert f" {lost} bytes of output " in capfd.readouterr().err
    assert kernel.now == pytest.approx(1010.0 + LAST_FLUSH_LIMIT, abs=0.01)


def test_a_run_that_ends_by_itself_waits_for_a_stuck_reader(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", restart=RestartPolicy("never")))
    run.after(1.0, flood(run))
    run.after(10.0, run.exits("web.1", 3))
    for moment in range(100, 110):
        run.after(moment, lambda: run.read() and None)
    assert run.run() == 3
    assert run.recorder.times["exited", "web.1"] == 10.0
    assert kernel.now >= 1100.0
    assert run.outlet.dropped == 0


def test_a_child_that_cannot_be_watched_is_read_as_soon_as_it_can(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(kernel, "web.1")
    refusals = [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.ENOMEM, "Cannot allocate memory")]
    register = run.pumps_poller.register

    def refuse(fd: int, events: int) -> None:
        if refusals:
            raise refusals.pop()
        register(fd, events)

    monkeypatch.setattr(run.pumps_poller, "register", refuse)
    kernel.on_spawn = lambda child: child.write(b"hello\n")
    seen: list[bytes] = []
    run.after(2.0, lambda: kernel.process("web.1").write(b"again\n"))
    run.after(3.0, lambda: seen.append(run.lines("web.1")))
    run.after(4.0, run.exits("web.1"))
    assert run.run() == 0
    assert seen == [b"hello\nagain\n"]


def test_what_a_program_that_made_itself_a_daemon_left_is_told(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")

    def leave(child: Process) -> None:
        master = child.fork(own_session=True)
        master.fork()
        run.dies(child, 1.0, 0)

    kernel.on_spawn = leave
    assert run.run() == 0
    assert run.screen.announced == [
        "web.1 left 2 processes in the background, which were stopped; does it run as a daemon?"
    ]


def test_what_a_crash_leaves_is_not_told(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", restart=RestartPolicy("never")))

    def leave(child: Process) -> None:
        child.fork(own_session=True)
        run.dies(child, 1.0, 3)

    kernel.on_spawn = leave
    assert run.run() == 3
    assert run.screen.announced == []


def test_the_end_of_one_is_noticed_while_another_fills_the_output(kernel: Kernel) -> None:
    run = Run(kernel, "flood.1", a_plan("web.1", restart=RestartPolicy(backoff=0.0)))
    run.after(1.0, flood(run, "flood.1"))
    run.after(5.0, run.exits("web.1", 3))
    run.after(6.0, lambda: run.supervisor.wish(Event.RESTART, [run.supervisor.instances["web.1"]], kernel.now))
    run.after(6.1, lambda: run.signal(signal.SIGCHLD))
    run.after(20.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert run.recorder.times["exited", "web.1"] == 5.0
    assert len(kernel.named("web.1")) == 3


def test_what_ended_children_leave_in_their_pipes_fills_no_more_than_so_much_memory(kernel: Kernel) -> None:
    run = Run(kernel, "flood.1", *(f"web.{number}" for number in range(1, 200)))
    run.after(1.0, flood(run, "flood.1"))
    for number in range(1, 200):
        run.after(5.0 + number / 1000, last_words(run, f"web.{number}"))
    owed: list[int] = []
    run.after(6.0, lambda: owed.append(run.outlet.owed))
    run.after(7.0, lambda: run.signal(signal.SIGTERM))
    run.run()
    assert MAX_OWED <= owed[0] < MAX_OWED + (256 << 10)
    assert kernel.now == pytest.approx(1007.25 + LAST_FLUSH_LIMIT, abs=0.01)


def test_a_reader_that_leaves_ends_everything_quietly(kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(kernel, "web.1")
    run.after(1.0, lambda: os.close(run.reader))
    assert run.run() == 141
    assert kernel.now == 1001.0  # even without output
    assert capfd.readouterr().err == ""


def test_a_reader_that_leaves_while_it_is_written_to_ends_everything_too(
    kernel: Kernel, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(kernel, "web.1")

    def leave_and_write() -> None:
        kernel.process("web.1").write(b"x\n" * 5000)
        os.close(run.reader)

    run.after(1.0, leave_and_write)
    assert run.run() == 141
    assert capfd.readouterr().err == ""


def test_a_reader_that_is_gone_does_not_stay_in_the_poller(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=5.0))
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    outlet = run.outlet.fileno()
    seen: list[bool] = []
    run.after(1.0, lambda: os.close(run.reader))
    run.after(2.0, lambda: seen.append(outlet in run.poller.events))
    assert run.run() == 141
    assert seen == [False]
    assert kernel.now == 1006.0


def test_a_full_disk_is_told_once(kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    run = Run(kernel, "web.1", stdout=full)
    for moment in (1.0, 2.0, 3.0):
        run.after(moment, lambda: kernel.process("web.1").write(b"hello\n") and None)
    run.after(4.0, run.exits("web.1"))
    assert run.run() == 0
    os.close(full)
    error = capfd.readouterr().err
    assert error.count("cannot write to standard output") == 1
    assert " 18 bytes of output " in error


def test_a_child_that_closes_its_output_and_lives_on_does_not_keep_the_loop_busy(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    fds: list[int] = []
    run.after(0.5, lambda: fds.extend(run.pumps_poller.events))
    run.after(1.0, lambda: kernel.process("web.1").write(b"bye"))
    run.after(1.0, lambda: kernel.process("web.1").close_output())
    run.after(2.0, lambda: fds.append(len(run.pumps_poller.events)))
    run.after(100.0, run.exits("web.1"))
    assert run.run() == 0
    assert len(fds) == 2
    assert fds[1] == 0
    assert len(kernel.waits) < 10
    assert run.lines("web.1") == b"bye\n"


def test_a_file_as_output_is_not_polled(kernel: Kernel) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    run = Run(kernel, "web.1", stdout=null)
    seen: list[bool] = []
    run.after(0.5, lambda: seen.append(run.outlet.fileno() in run.poller.events))
    run.after(1.0, run.exits("web.1"))
    assert run.run() == 0
    os.close(null)
    assert seen == [False]


# Large chunks -------------------------------------------------------------------------------------------------------


def test_a_large_plain_chunk_is_not_copied_and_whole(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    chunk = b"x" * 99 + b"\n"
    run.after(1.0, lambda: kernel.process("web.1").write(b"begun "))
    run.after(2.0, lambda: kernel.process("web.1").write(chunk * 50 + b"rest"))
    run.after(3.0, run.exits("web.1"))
    run.run()
    assert run.screen.parts == [chunk * 50 + b"rest"]
    assert run.lines("web.1") == b"begun " + chunk * 50 + b"rest\n"


@pytest.mark.parametrize("chunk", [b"x" * 5000, b"\x1b[2J" + b"x" * 5000 + b"\n"], ids=["no newline", "not plain"])
def test_a_large_chunk_that_is_not_lines_or_not_plain_is_looked_at(kernel: Kernel, chunk: bytes) -> None:
    run = Run(kernel, "web.1")
    run.after(2.0, lambda: kernel.process("web.1").write(chunk))
    run.after(3.0, run.exits("web.1"))
    run.run()
    assert run.screen.parts == []
    assert run.lines("web.1") == b"x" * 5000 + b"\n"


# Unfinished lines ---------------------------------------------------------------------------------------------------


def test_a_prompt_is_offered_after_a_moment_of_silence(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    offered: list[tuple[bytes, float]] = []
    run.screen.on_partial = lambda tail: offered.append((tail, kernel.now))
    run.after(1.0, lambda: kernel.process("web.1").write(b"password: "))
    run.after(2.0, run.exits("web.1"))
    run.run()
    ((tail, when),) = offered
    assert tail == b"password: "
    assert when == pytest.approx(1001.15)


def test_the_loop_wakes_for_every_deadline(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    engine = run.engine
    sources = (run.supervisor, engine._pumps, engine._teardowns, run.children, run.hub, run.recorder)
    assert [source.next_deadline for source in sources] == engine._next_deadlines
    run.after(1.0, run.exits("web.1"))
    run.run()


def test_what_actions_print_is_on_its_way_before_the_loop_sleeps(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    on_event = run.recorder.on_event

    def tell(action: str, instance: Instance, now: float) -> None:
        on_event(action, instance, now)
        run.outlet.put(f"{action}\n".encode())

    run.recorder.on_event = tell  # type: ignore[method-assign]
    seen: list[bytes] = []
    run.after(1.0, lambda: seen.append(run.read()))
    run.after(2.0, run.exits("web.1"))
    run.run()
    assert seen == [b"started\n"]


@pytest.mark.parametrize(
    ("kind", "nohup", "code", "end"),
    [("terminal", False, 129, 1001.0), ("terminal", True, 0, 1002.0), ("pipe", True, 141, 1001.0)],
)
def test_a_terminal_that_hangs_up_ends_the_run_except_under_nohup(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, kind: str, nohup: bool, code: int, end: float
) -> None:
    run = Run(kernel, "web.1")
    run.outlet._writer.kind = kind
    monkeypatch.setattr(engine_module, "ignores_hang_up", lambda: nohup)
    run.after(1.0, lambda: os.close(run.reader))
    run.after(2.0, run.exits("web.1"))
    assert run.run() == code
    assert kernel.now == end


def test_a_killed_run_does_not_wait_for_orphans(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=8.0))

    def stray() -> None:
        one = kernel.process("web.1").fork(own_session=True, env={})
        one.locks = -1
        one.ignores.add(signal.SIGTERM)

    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    run.after(1.0, stray)
    run.after(2.0, lambda: run.signal(signal.SIGTERM))
    run.after(3.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 143
    assert kernel.now == pytest.approx(1003.0, abs=0.1)


def test_two_floods_do_not_keep_the_loop_busy_while_the_reader_is_stuck(kernel: Kernel) -> None:
    run = Run(kernel, "web.1", "job.1")
    run.after(1.0, flood(run, "web.1"))
    run.after(1.0, flood(run, "job.1"))
    run.after(50.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 0
    assert kernel.now == pytest.approx(1050.0 + LAST_FLUSH_LIMIT, abs=0.5)


def test_all_batches_are_launched_without_a_pause(kernel: Kernel) -> None:
    names = [f"web.{number}" for number in range(1, 3 * BATCH_SIZE)]
    run = Run(kernel, *names)
    for name in names:
        run.after(10.0, run.exits(name))
    run.run()
    assert {run.recorder.times["started", name] for name in names} == {0.0}
    assert not run.requests.child_ended
    assert {run.recorder.times["started", name] for name in names} == {0.0}
    assert not run.requests.child_ended


def test_time_in_which_everything_was_frozen_is_not_charged(kernel: Kernel) -> None:
    run = Run(kernel, "web.1")
    born: list[float] = []
    kernel.on_spawn = lambda child: born.append(kernel.now)

    def freeze() -> None:
        kernel.now += 60.0

    run.after(1.0, run.exits("web.1", 3))  # it is restarted in a second
    run.after(1.5, freeze)
    run.after(70.0, run.exits("web.1"))
    assert run.run() == 0
    assert born == [pytest.approx(1000.0), pytest.approx(1062.5, abs=0.6)]


def test_the_children_have_their_turn_whenever_they_are_due(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(kernel, "web.1")
    turns: list[float] = []
    monkeypatch.setattr(run.children, "tick", turns.append)
    run.after(1.0, run.exits("web.1"))
    run.run()
    assert 1001.0 in turns


# Time that is not charged --------------------------------------------------------------------------------------------


class Timed(QuietComponent):
    """A component that waits for something far away, and notes what was suspended."""

    def __init__(self, timing: bool) -> None:
        self.timing = timing
        self.suspended: list[float] = []

    def next_deadline(self) -> float | None:
        return 1e6

    def is_timing(self) -> bool:
        return self.timing

    def stand_still(self, seconds: float) -> None:
        self.suspended.append(seconds)


def freeze(kernel: Kernel, seconds: float) -> Callable[[], object]:
    def happen() -> None:
        kernel.now += seconds

    return happen


@pytest.mark.parametrize(
    ("timing", "seconds", "noticed"),
    [(False, 0.9, False), (False, 200.0, False), (True, 0.4, False), (True, 1.1, True)],
)
def test_a_suspension_is_noticed_by_a_wait_that_is_late(
    kernel: Kernel, timing: bool, seconds: float, noticed: bool
) -> None:
    """While the time of a process is measured, no wait is long; at other times, a long wait does no harm."""
    timed = Timed(timing)
    run = Run(kernel, "web.1", components=lambda _run: [timed])
    run.after(3.25, freeze(kernel, seconds))
    run.after(300.0, run.exits("web.1"))
    assert run.run() == 0
    assert bool(timed.suspended) is noticed
    assert set(kernel.waits) == ({0.5} if timing else {MAX_WAIT})


@pytest.mark.parametrize(("seconds", "noticed"), [(0.9, False), (1.1, True)])
def test_a_long_wait_may_be_a_second_late(kernel: Kernel, seconds: float, noticed: bool) -> None:
    timed = Timed(timing=False)
    timed.next_deadline = lambda: kernel.now + 10.0 if kernel.now < 1005.0 else None  # type: ignore[method-assign]
    run = Run(kernel, "web.1", components=lambda _run: [timed])
    run.after(10.0, freeze(kernel, seconds))
    run.after(30.0, run.exits("web.1"))
    run.run()
    assert bool(timed.suspended) is noticed


def test_a_suspension_is_not_charged_to_what_a_crash_left(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", restart=RestartPolicy("never")))
    run.after(1.0, lambda: leave(kernel.process("web.1")).ignores.add(signal.SIGTERM))
    run.after(1.1, freeze(kernel, 60.0))
    run.run()
    assert 1061.2 < kernel.now < 1061.5


def test_a_suspension_is_not_charged_to_orphans_at_the_end(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=8.0))

    def stray() -> None:
        one = kernel.process("web.1").fork(own_session=True, env={})
        one.locks = -1
        one.ignores.add(signal.SIGTERM)

    run.after(1.0, stray)
    run.after(2.0, run.exits("web.1"))
    run.after(4.0, freeze(kernel, 60.0))
    run.run()
    assert kernel.now == pytest.approx(1070.0, abs=1.0)


def test_a_suspension_by_ctrl_z_is_not_charged(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(kernel, a_plan("web.1", grace=8.0))
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    kill = os.kill

    def stopped(pid: int, number: int) -> None:
        kill(pid, number)
        if pid == kernel.us and number == signal.SIGSTOP:
            kernel.now += 60.0  # until `fg`

    monkeypatch.setattr(os, "kill", stopped)
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(3.0, lambda: run.signal(signal.SIGTSTP))
    run.run()
    assert run.recorder.times["stopped", "web.1"] == pytest.approx(69.0, abs=0.1)


# More of stopping --------------------------------------------------------------------------------------------------


def test_who_handles_the_signal_has_half_of_its_grace_before_the_rest_of_its_group_is_signalled(
    kernel: Kernel,
) -> None:
    run = Run(kernel, a_plan("web.1", grace=8.0))
    helpers: list[Process] = []

    def fork(child: Process) -> None:
        child.caught.add(signal.SIGTERM)
        helpers.append(child.fork())
        helpers[0].caught.add(signal.SIGTERM)

    kernel.on_spawn = fork
    seen: list[list[str]] = []
    for moment in (4.9, 5.1):
        run.after(moment, lambda: seen.append(signal_names(helpers[0].got)))
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.run()
    assert ["TERM" in one for one in seen] == [False, True]
    assert run.recorder.times["stopped", "web.1"] == 9.0


def strays(kernel: Kernel) -> tuple[Process, Process]:
    """What web.1 and db.1 have started in sessions of their own; it outlives the process between."""
    made = []
    for name in ("web.1", "db.1"):
        between = kernel.process(name).fork()
        made.append(between.fork(own_session=True))
        made[-1].ignores.add(signal.SIGTERM)
        between.exit()
    return made[0], made[1]


@pytest.mark.parametrize("everything", [False, True])
def test_what_has_left_the_group_of_a_stopped_instance_is_signalled_with_it(kernel: Kernel, everything: bool) -> None:
    run = Run(kernel, a_plan("web.1", grace=8.0), a_plan("db.1", grace=8.0))
    made: list[Process] = []
    seen: list[list[str]] = []
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)

    def stop() -> None:
        if everything:
            run.signal(signal.SIGTERM)
        else:
            run.supervisor.hold([run.supervisor.instances["web.1"]], kernel.now)
            run.signal(signal.SIGWINCH)

    run.after(1.0, lambda: made.extend(strays(kernel)))
    run.after(2.0, stop)
    run.after(2.5, lambda: seen.extend(signal_names(one.got) for one in made))
    run.after(20.0, lambda: run.signal(signal.SIGKILL if everything else signal.SIGTERM))
    run.after(20.1, lambda: run.signal(signal.SIGINT))
    run.after(21.0, lambda: run.signal(signal.SIGINT))
    run.run()
    assert seen == [["TERM", "CONT"], ["TERM", "CONT"] if everything else []]


def test_what_hangs_in_the_kernel_at_the_end_is_named(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", grace=1.0))
    pids: list[int] = []

    def stray() -> None:
        one = kernel.process("web.1").fork(own_session=True, env={})
        one.locks, one.immortal = -1, True
        one.ignores.add(signal.SIGTERM)
        pids.append(one.pid)

    run.after(1.0, stray)
    run.after(2.0, run.exits("web.1"))
    run.run()
    assert run.screen.announced == [f"still alive after SIGKILL, stuck in the kernel: pid {pids[0]}"]


# More of the output --------------------------------------------------------------------------------------------------


def test_the_lines_of_a_turn_are_written_before_components_have_theirs(kernel: Kernel) -> None:
    seen: list[tuple[float, bytes]] = []

    class Reader(QuietComponent):
        def tick(self, now: float) -> None:
            seen.append((now, run.read()))

    run = Run(kernel, "web.1", components=lambda _run: [Reader()])
    run.after(1.0, lambda: kernel.process("web.1").write(b"hello\n"))
    run.after(2.0, lambda: run.signal(signal.SIGTERM))
    run.run()
    assert (1001.0, b"hello\n") in seen


def test_a_reader_that_is_gone_is_noticed_by_a_write_that_fails(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(kernel, "web.1")
    monkeypatch.setattr(engine_module, "has_hung_up", lambda _fd: False)  # as where poll(2) does not say so
    monkeypatch.setattr(type(run.outlet), "pollable", False)

    def write() -> None:
        os.close(run.reader)
        kernel.process("web.1").write(b"hello\n")

    run.after(1.0, write)
    assert run.run() == 141


def test_keys_that_nobody_reads_do_not_keep_the_loop_busy(kernel: Kernel) -> None:
    master, slave = os.openpty()
    run = Run(kernel, "web.1", stdout=slave)
    run.after(1.0, lambda: os.write(master, b"typed\n"))
    run.after(2.0, run.exits("web.1"))
    assert run.run() == 0
    for fd in (master, slave):
        os.close(fd)
