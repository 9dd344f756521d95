"""What /proc says of processes, and how all that descends from us is ended, on a fake kernel."""

from __future__ import annotations

import os
import signal

import pytest

from procman.core.model.status import ExitStatus
from procman.runtime.system import descendants, procfs
from runtime.fakes import FIRST_PID, Kernel, Process, signal_names

GONE = FIRST_PID + 99


def a_process(kernel: Kernel, parent: int | None = None, command: str = "serve --fast", **env: str) -> Process:
    return Process(kernel, kernel.us if parent is None else parent, command, env)


# Reading ------------------------------------------------------------------------------------------------------------


def test_our_children_are_listed_zombies_and_adopted_ones_too(kernel: Kernel) -> None:
    one, other = a_process(kernel), a_process(kernel)
    grandchild = one.fork()
    assert procfs.own_children() == [one.pid, other.pid]
    one.exit()
    assert sorted(procfs.own_children()) == [one.pid, other.pid, grandchild.pid]


def test_the_children_of_another_process_are_listed(kernel: Kernel) -> None:
    one = a_process(kernel)
    child = one.fork()
    assert procfs.children_of(one.pid) == [child.pid]
    assert procfs.children_of(child.pid) == []
    assert procfs.children_of(GONE) == []


def test_without_lists_of_children_every_process_is_looked_at(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_process(kernel)
    one.fork()
    a_process(kernel, parent=1)
    real = os.open

    def refuse(path: str, *more: int) -> int:
        if path.endswith("/children"):
            raise FileNotFoundError
        return real(path, *more)

    monkeypatch.setattr(os, "open", refuse)
    assert procfs.own_children() == [one.pid]


def test_in_a_foreign_proc_nothing_is_seen(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_process(kernel)
    monkeypatch.setattr(os, "readlink", lambda path: "1")
    assert procfs.own_children() == []
    assert procfs.children_of(one.pid) == []
    assert not procfs.is_awake(one.pid)


def test_without_proc_nothing_misleads_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> str:
        raise FileNotFoundError

    assert procfs.proc_is_ours()
    monkeypatch.setattr(os, "readlink", missing)
    assert procfs.proc_is_ours()


@pytest.mark.parametrize(
    ("state", "zombie", "awake"),
    [("S", False, True), ("R", False, True), ("T", False, False), ("Z", True, True), ("X", True, True)],
)
def test_the_state_of_a_process(kernel: Kernel, state: str, zombie: bool, awake: bool) -> None:
    one = a_process(kernel)
    one.state = state
    assert procfs.is_zombie(one.pid) is zombie
    assert procfs.is_awake(one.pid) is awake


def test_what_is_gone_is_a_zombie_and_not_awake(kernel: Kernel) -> None:
    assert procfs.is_zombie(GONE)
    assert not procfs.is_awake(GONE)
    assert procfs.parent_of(GONE) is None
    assert procfs.stat_fields(GONE) == []
    assert procfs.comm_of(GONE) == procfs.environ_of(GONE) == b""
    assert descendants.group_of(GONE) == descendants.session_of(GONE) == -1


def test_a_name_with_parentheses_and_spaces_misleads_nobody(kernel: Kernel) -> None:
    one = a_process(kernel)
    assert procfs.parent_of(one.pid) == kernel.us
    assert procfs.stat_fields(one.pid)[:2] == [b"S", b"%d" % kernel.us]


def test_names_and_environments(kernel: Kernel) -> None:
    one = a_process(kernel, A="1", B="2")
    assert procfs.comm_of(one.pid) == b"serve\n"
    assert procfs.environ_of(one.pid) == b"A=1\0B=2\0"


def test_a_file_is_read_to_its_end(tmp_path: object) -> None:
    path = f"{tmp_path}/long"
    with open(path, "wb") as file:
        file.write(b"x" * 200_000)
    assert procfs.content(path) == b"x" * 200_000
    assert procfs.listing(f"{tmp_path}") == ["long"]
    assert procfs.listing(f"{tmp_path}/missing") == []


# Ends ---------------------------------------------------------------------------------------------------------------


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


def test_a_thread_that_has_just_ended_hides_no_child_of_another(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def children_of_thread(_process: int, thread: str) -> list[int]:
        if thread == "8":
            raise FileNotFoundError
        return [int(thread) * 100]

    monkeypatch.setattr(procfs, "listing", lambda _folder: ["7", "8", "9"])
    monkeypatch.setattr(procfs, "_children_of_thread", children_of_thread)
    assert procfs.children_of(7) == [700, 900]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
@pytest.mark.parametrize("title", [b"x", b"x" * 1_000_000])
def test_a_title_fills_the_room_of_the_arguments_and_ends_in_nul(monkeypatch: pytest.MonkeyPatch, title: bytes) -> None:
    written: list[tuple[bytes, int]] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda _path, flags: real(os.devnull, flags))
    monkeypatch.setattr(os, "pwrite", lambda _fd, data, at: written.append((data, at)))
    procfs._overwrite_arguments(title)
    ((data, start),) = written
    fields = procfs.stat_fields(os.getpid())
    assert start == int(fields[procfs.ARG_START])
    assert len(data) == int(fields[procfs.ARG_END]) - start
    assert data.startswith(b"x")
    assert data.endswith(b"\0")
