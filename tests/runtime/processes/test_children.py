"""Children on a fake kernel: how they are started, signalled, killed and reaped, and what they leave behind."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from typing import Any

import pytest

from procman.core.lifecycle.transitions import Event
from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus
from procman.runtime.processes import children as children_module
from procman.runtime.processes.children import Children
from procman.runtime.processes.spawn import SpawnError
from runtime.fakes import FIRST_PID, RLIMIT_LOCKS, Kernel, Process, Run, a_plan, open_descriptors, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def children(kernel: Kernel) -> Children:
    return Children("s1", 2)


# Starting -----------------------------------------------------------------------------------------------------------


def test_both_streams_of_a_child_go_through_one_pipe(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    process = kernel.process("web.1")
    process.write(b"out", 1)
    process.write(b"err", 2)
    ((stream, fd),) = child.outputs
    assert (stream, os.read(fd, 100)) == ("stdout", b"outerr")


def test_separate_streams_have_a_pipe_each(kernel: Kernel) -> None:
    child = Children("s1", 1, separate_streams=True).spawn(a_plan("web.1"))
    process = kernel.process("web.1")
    process.write(b"out", 1)
    process.write(b"err", 2)
    assert [(stream, os.read(fd, 100)) for stream, fd in child.outputs] == [("stdout", b"out"), ("stderr", b"err")]


def test_reading_a_silent_child_never_waits(kernel: Kernel) -> None:
    for fd in (fd for _, fd in Children("s1", 1, separate_streams=True).spawn(a_plan("web.1")).outputs):
        with pytest.raises(BlockingIOError):
            os.read(fd, 1)


def test_the_input_of_a_child_is_open_and_silent(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    stdin = kernel.process("web.1").fds[0]
    os.set_blocking(stdin, False)
    with pytest.raises(BlockingIOError):
        os.read(stdin, 1)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_what_one_child_sets_for_its_input_holds_for_it_alone(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    os.set_blocking(kernel.process("web.1").fds[0], False)
    children.spawn(a_plan("web.2"))
    assert os.get_blocking(kernel.process("web.2").fds[0])


def test_nobody_but_the_child_holds_its_end_of_the_pipe(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    kernel.process("web.1").exit()
    assert os.read(child.outputs[0][1], 1) == b""


def test_a_child_is_counted_until_it_is_reaped(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    assert len(children) == 1
    assert children.of("web.1") is child
    assert children.of("db.1") is None
    kernel.process("web.1").exit(3)
    assert children.newly_dead() == [child]
    assert children.newly_dead() == []
    assert child.status == ExitStatus(code=3)
    assert children.of("web.1") is None
    assert len(children) == 1
    children.reap(child)
    assert len(children) == 0
    assert kernel.reaped == [child.pid]


def test_a_child_that_somebody_else_has_reaped_counts_as_a_good_end(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    del kernel.processes[child.pid]
    assert children.newly_dead() == [child]
    assert child.status == ExitStatus(code=0)
    children.reap(child)


def test_a_child_that_was_killed_has_the_signal_as_its_status(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    kernel.process("web.1").take(signal.SIGKILL)
    children.newly_dead()
    assert child.status == ExitStatus(signal=9)


@pytest.mark.parametrize(
    ("number", "reason", "status"),
    [
        (errno.EAGAIN, "cannot start: text", None),
        (errno.EMFILE, "cannot start: text", None),
        (errno.ENOENT, "serve: not found", ExitStatus(code=127)),
        (errno.EACCES, "cannot start: text", ExitStatus(code=126)),
    ],
)
def test_a_failed_spawn_says_whether_trying_again_may_help(
    kernel: Kernel, children: Children, number: int, reason: str, status: ExitStatus | None
) -> None:
    kernel.refusals = [OSError(number, "text")]
    with pytest.raises(SpawnError) as caught:
        children.spawn(a_plan("web.1", "serve it"))
    assert (caught.value.reason, caught.value.status) == (reason, status)
    assert len(children) == 0


def test_a_folder_that_is_gone_is_the_reason_and_not_the_command(
    kernel: Kernel, children: Children, tmp_path: Path
) -> None:
    plan = a_plan("web.1", "serve it")
    plan.cwd = str(tmp_path / "gone")
    with pytest.raises(SpawnError) as caught:
        children.spawn(plan)
    assert (caught.value.reason, caught.value.status) == (f"{plan.cwd}: no such folder", ExitStatus(code=126))
    assert kernel.spawned == []
    plan.cwd = str(tmp_path / "file")
    (tmp_path / "file").write_text("")
    with pytest.raises(SpawnError) as caught:
        children.spawn(plan)
    assert caught.value.reason == f"{plan.cwd}: not a directory"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the size of one string")
def test_what_is_too_large_for_the_system_is_named(kernel: Kernel, children: Children) -> None:
    large, many, words = a_plan("web.1"), a_plan("web.1"), a_plan("web.1", f"echo {'x' * 140_000}")
    large.lay_under({"KEY": "k" * 140_000})
    many.lay_under({f"A{number}": "a" * 100_000 for number in range(30)} | {"B": "b" * 120_000})
    for plan, reason in (
        (large, "KEY has 140,005 bytes, and the system takes at most 131,072 for a variable"),
        (words, "the command has 140,006 bytes, and the system takes at most 131,072 for a command"),
        (many, "more than the system takes; B is the largest"),
    ):
        kernel.refusals = [OSError(errno.E2BIG, "text")]
        with pytest.raises(SpawnError) as caught:
            children.spawn(plan)
        assert caught.value.reason.startswith("cannot start: ")
        assert caught.value.reason.endswith(reason)


def open_count() -> int:
    gc.collect()  # what an earlier test has left open is not closed in between
    return len(open_descriptors())


@pytest.mark.parametrize("separate", [False, True])
def test_a_failed_spawn_leaves_no_descriptor_open(kernel: Kernel, separate: bool) -> None:
    children = Children("s1", 1, separate)
    before = open_count()
    kernel.refusals = [OSError(errno.EACCES, "no")]
    with pytest.raises(SpawnError):
        children.spawn(a_plan("web.1"))
    assert open_count() == before


@pytest.mark.parametrize("pipes", [0, 1])
def test_without_a_pipe_nothing_is_started_and_no_descriptor_left(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, pipes: int
) -> None:
    children = Children("s1", 1, separate_streams=True)
    before = open_count()
    real, left = os.pipe, pipes

    def pipe() -> tuple[int, int]:
        nonlocal left
        if not left:
            raise OSError(errno.EMFILE, "Too many open files")
        left -= 1
        return real()

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(SpawnError) as caught:
        children.spawn(a_plan("web.1"))
    assert caught.value.status is None
    assert kernel.spawned == []
    assert open_count() == before


def test_a_script_without_an_interpreter_is_given_to_a_shell(kernel: Kernel, children: Children) -> None:
    kernel.refusals = [OSError(errno.ENOEXEC, "Exec format error")]
    children.spawn(a_plan("web.1", "serve it"))
    assert kernel.process("web.1").command == "serve it"


# Orphans and leftovers ----------------------------------------------------------------------------------------------


def orphan(
    kernel: Kernel, child: str = "web.1", *, session: bool = False, env: dict[str, str] | None = None
) -> Process:
    """A grandchild whose parent has ended."""
    between = kernel.process(child).fork()
    one = between.fork(own_session=session, env=env)
    between.exit()
    return one


def test_orphans_are_what_we_adopted_and_not_our_children(kernel: Kernel) -> None:
    before = Process(kernel, kernel.us, "before us", {})
    children = Children("s1", 1)
    children.spawn(a_plan("web.1"))
    assert children.orphans() == []
    one = orphan(kernel)
    assert children.orphans() == [one.pid]
    assert children.spared == (before.pid,)


def test_a_side_command_is_no_orphan(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    children.side_commands.run(a_plan("web.1"), "side-check", lambda status, words: None)
    assert children.orphans() == []


@pytest.mark.parametrize("env", [None, {}], ids=["environment", "tag only"])
@pytest.mark.parametrize("session", [False, True], ids=["same session", "own session"])
def test_leftovers_are_found_by_session_tag_or_environment(
    kernel: Kernel, children: Children, session: bool, env: dict[str, str] | None
) -> None:
    web, db = children.spawn(a_plan("web.1")), children.spawn(a_plan("db.1"))
    one = orphan(kernel, session=session, env=env)
    assert children.leftovers(web, children.orphans()) == [one.pid]
    assert children.leftovers(db, children.orphans()) == []


def test_without_a_tag_the_environment_must_name_the_session_too(kernel: Kernel, children: Children) -> None:
    web = children.spawn(a_plan("web.1"))
    kernel.process("web.1").locks = -1
    ours = orphan(kernel, session=True)
    orphan(kernel, session=True, env={"PROCMAN_INSTANCE": "web.1", "PROCMAN_SESSION": "other"})
    orphan(kernel, session=True, env={"PROCMAN_SESSION": "s1"})
    assert children.leftovers(web, children.orphans()) == [ours.pid]


def test_the_tag_of_a_life_is_that_of_its_instance_and_no_other(kernel: Kernel, children: Children) -> None:
    tags = []
    for name in ("web.1", "db.1", "web.1"):
        children.spawn(a_plan(name))
        tags.append(kernel.spawned[-1].locks)
    assert tags[0] == tags[2] == tags[1] - 1
    assert kernel.limits[RLIMIT_LOCKS][1] == -1  # the hard limit stays


def test_a_recycled_pid_is_asked_anew_whose_it_is(kernel: Kernel, children: Children) -> None:
    web, db = children.spawn(a_plan("web.1")), children.spawn(a_plan("db.1"))
    one = orphan(kernel, session=True)
    assert children.leftovers(web, [one.pid]) == [one.pid]
    one.exit()
    children.reap_others()
    assert one.pid in kernel.reaped
    other = orphan(kernel, "db.1", session=True)
    del kernel.processes[other.pid]
    kernel.processes[one.pid] = other
    other.pid = one.pid
    assert children.leftovers(db, [one.pid]) == [one.pid]


def test_a_living_orphan_is_not_reaped_and_not_asked_twice(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    one = orphan(kernel, session=True)
    one.ignores.add(signal.SIGTERM)
    for _ in range(3):
        children.stop_orphans(signal.SIGTERM)
        children.reap_others()
    assert signal_names(one.got) == ["TERM", "CONT"]
    assert kernel.reaped == []


def test_a_reaped_orphan_is_forgotten_so_that_another_of_its_number_is_asked(
    kernel: Kernel, children: Children
) -> None:
    children.spawn(a_plan("web.1"))
    one = orphan(kernel, session=True)
    children.stop_orphans(signal.SIGTERM)
    children.reap_others()
    other = orphan(kernel, session=True)
    del kernel.processes[other.pid]
    kernel.processes[one.pid] = other
    other.pid = one.pid
    children.stop_orphans(signal.SIGTERM)
    assert signal_names(other.got) == ["TERM"]


def test_only_the_orphans_of_the_named_instances_are_asked(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    children.spawn(a_plan("db.1"))
    ours, others = orphan(kernel, session=True), orphan(kernel, "db.1", session=True)
    children.stop_orphans(signal.SIGTERM, ["web.1"])
    assert (signal_names(ours.got), others.got) == (["TERM"], [])


def test_an_orphan_in_the_group_of_a_living_child_is_asked_with_the_group(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    one = orphan(kernel)
    children.stop_orphans(signal.SIGTERM)
    assert one.got == []


def test_leftovers_in_the_group_get_its_signal_and_the_others_one_each(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    inside, outside = orphan(kernel), orphan(kernel, session=True)
    for one in (inside, outside):
        one.ignores.add(signal.SIGINT)
    kernel.process("web.1").exit()
    children.stop_leftovers(child, [inside.pid, outside.pid], signal.SIGINT, group_too=True)
    assert signal_names(inside.got) == ["INT", "CONT"]
    assert signal_names(outside.got) == ["INT", "CONT"]
    children.stop_leftovers(child, [inside.pid, outside.pid], signal.SIGINT, group_too=False)
    assert signal_names(inside.got) == ["INT", "CONT"]


def test_a_crowd_of_ended_orphans_is_reaped_in_rounds(kernel: Kernel, children: Children) -> None:
    children.spawn(a_plan("web.1"))
    for _ in range(300):
        orphan(kernel, session=True).exit()
    children.reap_others()
    assert len(kernel.reaped) == 256
    children.reap_others()
    assert len(kernel.reaped) == 300


def test_killing_a_child_kills_its_group_and_the_named_others(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    inside, outside = kernel.process("web.1").fork(), orphan(kernel, session=True)
    children.kill(child, [outside.pid])
    assert not any(one.alive for one in (kernel.spawned[0], inside, outside))


def test_signalling_what_is_gone_is_no_error(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    kernel.processes.clear()
    children.send_stop(child, signal.SIGTERM)
    children.kill(child, [FIRST_PID + 77])
    assert kernel.sent == []


# Stop commands ------------------------------------------------------------------------------------------------------


def test_a_stop_command_takes_the_place_of_the_signal(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop")))

    def stop() -> None:
        _, command = kernel.named("web.1")
        assert command.env["PROCMAN_PID"] == str(kernel.spawned[0].pid)
        command.exit(0)
        kernel.process("web.1").exit(0)

    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.0, stop)
    assert run.run() == 0
    assert kernel.spawned[0].got == []
    assert run.screen.announced == []


def test_the_signal_follows_when_the_stop_command_fails(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop")))

    def fail() -> None:
        command = kernel.named("web.1")[1]
        command.write(b"a word\nno such server\n")
        command.exit(4)

    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.0, fail)
    assert run.run() == 0
    assert signal_names(kernel.spawned[0].got) == ["TERM"]
    (words,) = run.screen.announced
    assert "exited with code 4: no such server" in words


def test_a_stop_command_that_fails_after_the_child_has_ended_is_no_news(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop")))

    def end_both() -> None:
        kernel.named("web.1")[0].exit(0)
        kernel.named("web.1")[1].exit(4)

    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.0, end_both)
    assert run.run() == 0
    assert run.screen.announced == []


def test_a_stop_command_that_hangs_is_killed_with_the_child(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(grace=3.0, command="side-stop")))
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    assert run.run() == 143
    child, command = kernel.named("web.1")
    assert signal_names(child.got) == ["KILL"]
    assert signal_names(command.got) == ["KILL"]
    assert kernel.now == 1004.0


def test_a_stop_command_that_cannot_start_is_followed_by_the_signal(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop")))

    def refuse() -> None:
        kernel.refusals = [OSError(errno.EAGAIN, "Resource temporarily unavailable")]
        run.signal(signal.SIGTERM)

    run.after(1.0, refuse)
    assert run.run() == 0
    assert signal_names(kernel.spawned[0].got) == ["TERM"]
    assert len(run.screen.announced) == 1


def test_what_a_stop_command_left_in_its_group_is_killed(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop")))
    helpers: list[Process] = []

    def stop() -> None:
        command = kernel.named("web.1")[1]
        helpers.append(command.fork())
        command.exit(0)

    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.0, stop)
    run.after(3.0, run.exits("web.1"))
    assert run.run() == 0
    assert signal_names(helpers[0].got) == ["KILL"]


def test_a_group_that_a_stop_command_was_for_is_asked_when_the_leader_has_ended(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop")))
    helpers: list[Process] = []

    def stop() -> None:
        helpers.append(kernel.process("web.1").fork())
        kernel.named("web.1")[1].exit(0)
        kernel.process("web.1").exit(0)

    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    run.after(2.0, stop)
    assert run.run() == 0
    assert signal_names(helpers[0].got) == ["TERM"]


def test_the_next_life_has_a_stop_command_of_its_own(kernel: Kernel) -> None:
    run = Run(kernel, a_plan("web.1", stop=StopPolicy(command="side-stop"), restart=RestartPolicy("never")))

    def restart() -> None:
        run.supervisor.wish(Event.RESTART, run.supervisor.instances.values(), kernel.now)
        run.signal(signal.SIGCONT)

    def answer() -> None:
        commands = [one for one in kernel.named("web.1") if one.command == "side-stop"]
        commands[-1].exit(0)
        kernel.process("web.1").exit(0)

    run.after(1.0, restart)
    run.after(2.0, answer)
    run.after(3.0, lambda: run.signal(signal.SIGTERM))
    run.after(4.0, answer)
    assert run.run() == 0
    pids = [one.env["PROCMAN_PID"] for one in kernel.named("web.1") if one.command == "side-stop"]
    assert pids == [str(one.pid) for one in kernel.named("web.1") if one.command == "serve"]


def test_a_stop_command_that_has_ended_is_forgotten_before_its_number_is_used_again(kernel: Kernel) -> None:
    children = Children("s1", 1)
    plan = a_plan("web.1", stop=StopPolicy(command="side-stop"))
    child = children.spawn(plan)
    children.stop(child, plan)
    assert child.stopper is not None
    kernel.named("web.1")[1].exit(0)
    children.reap_others()
    assert child.stopper is None


@pytest.mark.parametrize("fails", [False, True])
def test_the_numbers_that_a_childs_streams_went_through_are_released(kernel: Kernel, fails: bool) -> None:
    children = Children("s1", 1)
    released: list[int] = []
    children.limit.release = lambda: released.append(1)  # type: ignore[method-assign]
    if fails:
        kernel.refusals = [OSError(errno.EAGAIN, "Resource temporarily unavailable")]
        with pytest.raises(SpawnError):
            children.spawn(a_plan("web.1"))
    else:
        children.spawn(a_plan("web.1"))
    assert released == [1]


# Terminals ----------------------------------------------------------------------------------------------------------


class Recorded:
    """A pseudo-terminal in name only: it notes what it is told to do."""

    def __init__(self) -> None:
        self.slave = os.open(os.devnull, os.O_RDWR)
        self.path = os.devnull
        self.master = os.open(os.devnull, os.O_RDWR)
        self.calls: list[str] = []

    def fit(self) -> None:
        self.calls.append("fit")

    def interrupt(self) -> None:
        self.calls.append("interrupt")


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_child_on_a_terminal_does_not_get_the_size_of_ours(
    kernel: Kernel, children: Children, monkeypatch: pytest.MonkeyPatch, on_terminal: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "50")
    terminal: Any = Recorded() if on_terminal else None
    plan = a_plan("web.1")
    plan._own = {**plan._own, "COLUMNS": "120", "LINES": "7"}  # what it was given on purpose is kept
    children.spawn(plan, terminal)
    env = kernel.process("web.1").env
    assert (env.get("COLUMNS"), env.get("LINES")) == (None if on_terminal else "120", "7")


def test_a_new_size_of_the_window_reaches_every_terminal(kernel: Kernel, children: Children) -> None:
    terminal: Any = Recorded()
    children.spawn(a_plan("web.1"), terminal)
    children.spawn(a_plan("db.1"))
    children.resize()
    assert terminal.calls == ["fit"]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_terminal_interrupts_what_we_may_not_signal(
    kernel: Kernel, children: Children, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    terminal: Any = Recorded()
    plan = a_plan("web.1")
    child = children.spawn(plan, terminal)
    monkeypatch.setattr(children_module, "may_signal", lambda _pid: allowed)
    children.stop(child, plan)
    assert terminal.calls == ([] if allowed else ["interrupt"])


@pytest.mark.parametrize("held", [False, True])
def test_a_shell_that_cannot_be_held_is_signalled_with_its_group(
    kernel: Kernel, children: Children, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    plan = a_plan("web.1", "sh", stop=StopPolicy(to="program"))
    child = children.spawn(plan)
    shell = kernel.process("web.1")
    program = shell.fork("serve")
    program.caught.add(signal.SIGTERM)
    monkeypatch.setattr(children.session_leaders, "hold", lambda *_, **__: held)
    children.stop(child, plan)
    assert child.asked == [program.pid]
    assert child.group_asked is not held
    assert program.got == ([] if held else [signal.SIGTERM, signal.SIGCONT])
    children.stop_rest(child, plan)
    assert program.got == ([] if held else [signal.SIGTERM, signal.SIGCONT])


def test_a_group_that_is_signalled_as_a_whole_has_got_it(kernel: Kernel, children: Children) -> None:
    plan = a_plan("web.1")
    terminal: Any = Recorded()
    child = children.spawn(plan, terminal)
    kernel.process("web.1").fork()
    children.stop(child, plan)
    assert (child.asked, child.group_asked) == ([], True)


# More of reaping ----------------------------------------------------------------------------------------------------


class Dropped:
    def __init__(self) -> None:
        self.drops = 0

    def drop(self) -> None:
        self.drops += 1


@pytest.mark.parametrize("how", ["reap", "abandon"])
def test_nothing_of_a_child_is_kept_when_it_is_gone_or_given_up(
    kernel: Kernel, children: Children, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    child = children.spawn(a_plan("web.1"))
    stopper: Any = Dropped()
    child.stopper = stopper
    forgotten: list[int] = []
    monkeypatch.setattr(children.session_leaders, "forget", forgotten.append)
    if how == "reap":
        kernel.process("web.1").exit()
        children.reap(child)
    else:
        children.abandon(child)
    assert (len(children), stopper.drops, forgotten) == (0, 1, [child.pid])
    assert children.of("web.1") is None


def test_a_living_orphan_does_not_keep_the_next_from_being_reaped(kernel: Kernel, children: Children) -> None:
    living, ended = (Process(kernel, kernel.us, "helper", {}) for _ in range(2))
    ended.exit()
    children.reap_others()
    assert kernel.reaped == [ended.pid]
    assert living.alive


def test_the_tree_of_a_life_has_each_of_its_processes_once(kernel: Kernel, children: Children) -> None:
    child = children.spawn(a_plan("web.1"))
    leader = kernel.process("web.1")
    helper = leader.fork()
    deep, deeper = helper.fork(own_session=True), None
    deeper = deep.fork()
    between = leader.fork()
    adopted = between.fork()
    between.exit()
    Process(kernel, kernel.us, "stranger", {}).locks = -1
    assert sorted(children.tree(child)) == sorted(one.pid for one in (leader, helper, deep, deeper, adopted))


@pytest.mark.parametrize("lives", [False, True])
def test_where_processes_cannot_be_seen_the_group_says_whether_something_is_left(
    kernel: Kernel, children: Children, monkeypatch: pytest.MonkeyPatch, lives: bool
) -> None:
    child = children.spawn(a_plan("web.1"))
    monkeypatch.setattr(children_module, "PEEKS", False)
    monkeypatch.setattr(children_module, "group_lives", lambda group: lives and group == child.pid)
    assert children.leftovers(child, []) == ([child.pid] if lives else [])


def test_a_missing_interpreter_is_told_from_a_missing_program(kernel: Kernel, tmp_path: Path) -> None:
    children = Children("s1", 1)
    script = tmp_path / "serve"
    script.write_text("#!/no/such/oven\n")
    script.chmod(0o755)
    reasons = []
    for command in (str(script), f"{tmp_path}/gone"):
        kernel.refusals = [FileNotFoundError(errno.ENOENT, "No such file or directory")]
        with pytest.raises(SpawnError) as caught:
            children.spawn(a_plan("web.1", command))
        assert caught.value.status == ExitStatus(code=127)
        reasons.append(caught.value.reason)
    assert reasons == [
        f"{script}: the interpreter that its first line names does not exist",
        f"{tmp_path}/gone: not found",
    ]
