"""A program that is started by fork and exec: its descriptors, signals and session, and the error if there is none."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from procman.runtime.processes import fork_exec as module
from procman.runtime.processes.fork_exec import fork_exec
from runtime.fakes import open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from procman.runtime.processes.fork_exec import FileAction

ENV = {"PATH": "/usr/bin:/bin", "TASTE": "sour"}
CODE = 3  # of the program


def run(command: str, *, new_session: bool = True, signals: tuple[int, ...] = ()) -> str:
    """Run a line of a shell in a fork, with /dev/null as its input; return its output."""
    reader, writer = os.pipe()
    actions: list[FileAction] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writer, 1),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    words = ["sh", "-c", f"{command}; exit {CODE}"]
    pid = fork_exec("/bin/sh", words, ENV, signals, actions, new_session)
    os.close(writer)
    parts = []
    while part := os.read(reader, 4096):
        parts.append(part)
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == CODE
    return b"".join(parts).decode()


def test_a_program_has_the_streams_and_the_environment_that_it_was_given() -> None:
    before = open_descriptors()
    assert run("echo $TASTE; echo bad >&2; readlink /proc/self/fd/0") == "sour\nbad\n/dev/null\n"
    assert open_descriptors() == before


@pytest.mark.parametrize("new_session", [False, True])
def test_a_program_has_a_session_of_its_own_if_it_is_to_have_one(new_session: bool) -> None:
    fields = run("read line < /proc/$$/stat; echo $$ ${line##*)}", new_session=new_session).split()
    assert (fields[4] == fields[0]) is new_session
    assert new_session or fields[4] == str(os.getsid(0))


@pytest.fixture
def changed_signals() -> Iterator[None]:
    """USR1 is blocked here, USR2 and WINCH are ignored."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGUSR2, signal.SIGWINCH)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.mark.usefixtures("changed_signals")
def test_a_program_has_no_signal_blocked_and_those_reset_that_are_named() -> None:
    lines = run("cat /proc/self/status", signals=(signal.SIGUSR2,)).splitlines()
    told = dict(line.split(":\t") for line in lines)
    assert int(told["SigBlk"], 16) == 0
    ignored = int(told["SigIgn"], 16)
    assert not ignored & 1 << (signal.SIGUSR2 - 1)
    assert ignored & 1 << (signal.SIGWINCH - 1)


def test_the_error_of_a_program_that_cannot_run_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []
    fork = os.fork

    def noted() -> int:
        pids.append(fork())
        return pids[-1]

    monkeypatch.setattr(os, "fork", noted)
    before = open_descriptors()
    with pytest.raises(FileNotFoundError) as caught:
        fork_exec("/no/such/program", ["program"], ENV, (), [], True)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "/no/such/program")
    assert caught.value.strerror == os.strerror(errno.ENOENT)
    assert open_descriptors() == before
    with pytest.raises(ChildProcessError):  # it is reaped
        os.waitpid(pids[0], os.WNOHANG)


def test_without_a_process_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = open_descriptors()
    with pytest.raises(BlockingIOError):
        fork_exec("/bin/sh", ["sh"], ENV, (), [], True)
    assert open_descriptors() == before


class ExitedError(Exception):
    """Raised instead of ending the process."""


def test_the_fork_gives_up_the_wakeup_descriptor_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    def leave(_code: int) -> None:
        raise ExitedError

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOEXEC, "Exec format error")

    monkeypatch.setattr("_signal.set_wakeup_fd", given.append)
    monkeypatch.setattr("_signal.pthread_sigmask", lambda *_: None)
    monkeypatch.setattr(os, "execve", refuse)
    monkeypatch.setattr(os, "_exit", leave)
    reader, writer = os.pipe()
    with pytest.raises(ExitedError):
        module._become("/x", ["x"], {}, (), [], False, writer)
    assert given == [-1]
    assert os.read(reader, 10) == str(errno.ENOEXEC).encode()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("opened", [0, 1, 7])
def test_a_file_that_is_opened_in_its_place_is_left_there(monkeypatch: pytest.MonkeyPatch, opened: int) -> None:
    calls: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "open", lambda _path, _flags, _mode: opened)
    monkeypatch.setattr(os, "dup2", lambda fd, to: calls.append((fd, to)))
    monkeypatch.setattr(os, "close", lambda fd: calls.append((fd,)))
    module._perform((os.POSIX_SPAWN_OPEN, 0, "/x", os.O_RDONLY, 0))
    assert calls == ([] if opened == 0 else [(opened, 0), (opened,)])


def test_the_error_arrives_although_the_child_gets_all_low_numbers(tmp_path: Path) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    actions: list[FileAction] = [(os.POSIX_SPAWN_DUP2, null, number) for number in range(3, 40)]
    with pytest.raises(FileNotFoundError):
        fork_exec(f"{tmp_path}/missing", ["missing"], {}, (), actions, new_session=True)
    os.close(null)
