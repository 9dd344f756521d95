"""What a dead session has left is ended, on a fake kernel: by the stop signal, then by KILL, and never another process
instead.
"""

from __future__ import annotations

import os
import signal

import pytest

from procman.runtime.guardian.leftovers import Leftover, LeftoverNotice, end_leftovers, end_marked, find_leftovers
from procman.runtime.system.poller import Poller
from runtime.fakes import Kernel, Process, open_descriptors, signal_names

SESSION = f"{0xFFFFFFFF:x}-abc"


def left(kernel: Kernel, name: str = "web.1", command: str = "serve") -> Process:
    return Process(kernel, 1, command, {"PROCMAN_SESSION": SESSION, "PROCMAN_INSTANCE": name})


def test_leftovers_are_found_the_oldest_first(kernel: Kernel) -> None:
    younger, older = left(kernel), left(kernel, "db.1", "keep it")
    younger.started, older.started = 20, 10
    found = find_leftovers()
    assert [str(one) for one in found] == [f"db.1, pid {older.pid} (keep it)", f"web.1, pid {younger.pid} (serve)"]
    assert [one.started for one in found] == [10, 20]


def test_a_long_command_is_cut_and_made_harmless(kernel: Kernel) -> None:
    left(kernel, command="x" * 60)
    left(kernel, command="y" * 61)
    left(kernel, command="\x1b[31m")
    assert [one.command for one in find_leftovers()] == ["x" * 60, "y" * 59 + "…", "?[31m"]


def test_a_process_of_another_namespace_is_none_of_ours(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    one = left(kernel)
    real = os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[2]" if str(one.pid) in path else real(path))
    assert find_leftovers() == []


@pytest.mark.parametrize(
    ("names", "called"), [((), True), (("web.1",), True), (("web",), True), (("db", "web.2"), False)]
)
def test_a_leftover_is_called_by_its_instance_or_type(names: tuple[str, ...], called: bool) -> None:
    assert Leftover(1, "s", 1, "web.1", "x").is_called(names) is called


def test_one_that_obeys_is_not_killed(kernel: Kernel) -> None:
    one = left(kernel)
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert signal_names(one.got) == ["TERM"]
    assert kernel.now == 1000.0


def test_one_that_is_stopped_obeys_too(kernel: Kernel) -> None:
    one = left(kernel)
    one.state = "T"
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert not one.alive
    assert kernel.now == 1000.0


def test_one_that_does_not_obey_is_killed_after_its_grace(kernel: Kernel) -> None:
    one = left(kernel)
    one.ignores.add(signal.SIGTERM)
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert signal_names(one.got) == ["TERM", "CONT", "KILL"]
    assert kernel.now == pytest.approx(1003.0, abs=0.03)


def test_one_that_hangs_in_the_kernel_is_given_back(kernel: Kernel) -> None:
    one = left(kernel)
    one.immortal = True
    one.ignores.add(signal.SIGTERM)
    assert [leftover.pid for leftover in end_leftovers(find_leftovers(), 3.0)] == [one.pid]
    assert kernel.now == pytest.approx(1006.0, abs=0.05)


@pytest.mark.parametrize("change", ["started", "session", "gone"])
def test_another_process_of_its_number_is_left_alone(kernel: Kernel, change: str) -> None:
    one = left(kernel)
    found = find_leftovers()
    if change == "started":
        one.started += 1
    elif change == "session":
        one.env["PROCMAN_SESSION"] = "other"
    else:
        del kernel.processes[one.pid]
    before = len(open_descriptors())
    assert end_leftovers(found, 3.0) == []
    assert one.got == []
    assert len(open_descriptors()) - before <= (change != "gone")  # the fake keeps the other end


def test_without_leftovers_no_time_passes(kernel: Kernel) -> None:
    assert end_leftovers([], 3.0) == []
    assert kernel.now == 1000.0


# The notice of a start ------------------------------------------------------------------------------------------------


def leftover(kernel: Kernel, name: str, session: str = "1-abc") -> Process:
    """A process of a session whose manager is gone."""
    env = {"PROCMAN_SESSION": session, "PROCMAN_INSTANCE": name}
    return Process(kernel, 1, f"serve {name}", env)


def notice(kernel: Kernel) -> list[str]:
    said: list[str] = []
    component = LeftoverNotice(said.append)
    assert component.next_deadline() is None
    component.open(Poller())
    assert component.next_deadline() == pytest.approx(kernel.now + 0.1)
    component.tick(kernel.now + 0.09)
    assert said == []
    component.tick(kernel.now + 0.1)
    assert component.next_deadline() is None
    component.tick(kernel.now + 5.0)
    return said


def test_nothing_left_over_is_nothing_said(kernel: Kernel) -> None:
    Process(kernel, 1, "other", {})
    assert notice(kernel) == []


def test_leftovers_are_named_once(kernel: Kernel) -> None:
    one = leftover(kernel, "web.1", f"{0xFFFFFFFF:x}-abc")
    (said,) = notice(kernel)
    assert f"web.1, pid {one.pid} (serve web.1)" in said
    assert "more" not in said


def test_of_many_leftovers_five_are_named(kernel: Kernel) -> None:
    for number in range(1, 8):
        leftover(kernel, f"web.{number}", f"{0xFFFFFFFF:x}-abc")
    (said,) = notice(kernel)
    assert "web.5" in said
    assert "web.6" not in said
    assert " and 2 more" in said


def test_the_processes_of_a_living_session_are_no_leftovers(kernel: Kernel) -> None:
    manager = Process(kernel, 1, "procman", {})
    leftover(kernel, "web.1", f"{manager.pid:x}-abc")
    assert notice(kernel) == []


def test_a_manager_that_is_younger_is_another_process_of_its_number(kernel: Kernel) -> None:
    one = leftover(kernel, "web.1")
    manager = Process(kernel, 1, "other", {})
    one.env["PROCMAN_SESSION"] = f"{manager.pid:x}-abc"
    assert len(notice(kernel)) == 1


@pytest.mark.parametrize("session", ["", "nonsense-abc", "ffffffff"])
def test_a_mark_that_is_not_ours_is_left_alone(kernel: Kernel, session: str) -> None:
    leftover(kernel, "web.1", session)
    assert notice(kernel) == []


def test_zombies_and_the_processes_of_others_are_left_alone(kernel: Kernel) -> None:
    leftover(kernel, "web.1", f"{0xFFFFFFFF:x}-abc").state = "Z"
    leftover(kernel, "web.2", f"{0xFFFFFFFF:x}-abc").uid = os.geteuid() + 1
    assert notice(kernel) == []


def test_a_leftover_as_old_as_the_process_with_its_managers_number_has_its_manager(kernel: Kernel) -> None:
    manager = Process(kernel, 1, "procman-manager", {})
    one = left(kernel)
    one.env["PROCMAN_SESSION"] = f"{manager.pid:x}-abc"
    one.started = manager.started = 10
    assert find_leftovers() == []


def test_without_proc_nothing_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", refuse)
    assert find_leftovers() == []


def test_what_has_a_mark_is_ended_and_nothing_else(kernel: Kernel) -> None:
    ours, other, stranger, unmarked = left(kernel), left(kernel), left(kernel), Process(kernel, 1, "serve", {})
    other.env["PROCMAN_SESSION"] = "1-other"
    stranger.uid = os.geteuid() + 1
    kernel.processes[kernel.us] = kernel.processes.pop(left(kernel).pid)  # this process has it, too
    end_marked(SESSION, 3.0)
    assert [one.alive for one in (ours, other, stranger, unmarked)] == [False, True, True, True]
    assert (kernel.us, signal.SIGTERM) not in kernel.sent


def test_all_are_signalled_even_if_some_have_ended(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = left(kernel), left(kernel)
    send = kernel._pidfd_send_signal

    def refuse_first(fd: int, number: int) -> None:
        if fd in kernel.pidfds and kernel.pidfds[fd][0] is first:
            raise PermissionError
        send(fd, number)

    monkeypatch.setattr("_signal.pidfd_send_signal", refuse_first)
    assert [one.pid for one in end_leftovers(find_leftovers(), 3.0)] == [first.pid]
    assert signal_names(second.got) == ["TERM"]


def test_what_has_ended_is_released(kernel: Kernel) -> None:
    left(kernel)
    found = find_leftovers()
    before = len(kernel.pidfds)
    opened = len(open_descriptors())
    end_leftovers(found, 3.0)
    assert len(kernel.pidfds) == before
    assert len(open_descriptors()) == opened


# Where the system has no descriptors of processes --------------------------------------------------------------------


@pytest.fixture(params=["pidfd_open", "pidfd_send_signal", "denied"])
def no_pidfd(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Kernel:
    def deny(_pid: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    if request.param == "pidfd_open":
        monkeypatch.delattr(os, "pidfd_open")
    elif request.param == "pidfd_send_signal":
        monkeypatch.delattr("_signal.pidfd_send_signal")
    else:
        monkeypatch.setattr(os, "pidfd_open", deny)
    return kernel


def test_one_that_obeys_is_asked_by_its_number(no_pidfd: Kernel) -> None:
    one = left(no_pidfd)
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert signal_names(one.got) == ["TERM"]
    assert no_pidfd.now == 1000.0


def test_one_that_does_not_obey_is_killed_by_its_number(no_pidfd: Kernel) -> None:
    one = left(no_pidfd)
    one.ignores.add(signal.SIGTERM)
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert signal_names(one.got) == ["TERM", "CONT", "KILL"]


def test_a_zombie_has_ended(no_pidfd: Kernel) -> None:
    one = Process(no_pidfd, no_pidfd.us, "serve", {"PROCMAN_SESSION": SESSION, "PROCMAN_INSTANCE": "web.1"})
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert one.state == "Z"
    assert no_pidfd.now == 1000.0


def test_one_that_survives_is_given_back(no_pidfd: Kernel) -> None:
    one = left(no_pidfd)
    one.immortal = True
    one.ignores.add(signal.SIGTERM)
    assert [leftover.pid for leftover in end_leftovers(find_leftovers(), 3.0)] == [one.pid]


def test_another_that_gets_its_number_meanwhile_is_left_alone(no_pidfd: Kernel) -> None:
    one = left(no_pidfd)
    one.ignores.add(signal.SIGTERM)
    no_pidfd.after(1.0, lambda: setattr(one, "started", one.started + 1))
    assert end_leftovers(find_leftovers(), 3.0) == []
    assert "KILL" not in signal_names(one.got)
