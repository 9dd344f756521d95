"""The watcher of `procman run`: it keeps nothing open, and kills the command with all that descends from it."""

from __future__ import annotations

import os

import pytest

from procman.runtime.guardian import run_watcher
from procman.runtime.guardian.run_watcher import RunWatcher, end_tree
from runtime.fakes import Kernel, Process, signal_names


def test_a_tree_is_stopped_before_it_is_killed(kernel: Kernel) -> None:
    root = Process(kernel, 1, "root", {})
    child = root.fork()
    grandchild = child.fork(own_session=True)
    other = Process(kernel, 1, "other", {})
    end_tree(root.pid)
    for one in (root, child, grandchild):
        assert signal_names(one.got) == ["STOP", "KILL"]
    assert other.got == []


def test_as_pid_1_a_run_needs_no_watcher(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with RunWatcher(7) as watcher:
        assert watcher.watcher == 0


def test_the_watcher_keeps_only_its_own_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "closerange", lambda low, high: closed.append((low, high)))
    run_watcher._close_all_but({9, 5})
    assert closed == [(0, 5), (6, 9), (10, 65536)]
    closed.clear()
    run_watcher._close_all_but({-1, 5})
    assert closed[-2:] == [(0, 5), (6, run_watcher.MAX_DESCRIPTORS)]


class Fork:
    """What is known of a fork: the result of fork(2), what we wait for, and how a fork of ours ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.result = 99
        self.error: OSError | None = None
        self.waited: list[tuple[int, int]] = []
        self.sessions = self.titles = 0
        self.kept: list[set[int]] = []
        self.seen: list[bool] = []  # whether the reading end was open when we forked
        monkeypatch.setattr(os, "fork", self._fork)
        monkeypatch.setattr(os, "waitpid", lambda *what: self.waited.append(what))
        monkeypatch.setattr(os, "setsid", self._setsid)
        monkeypatch.setattr(os, "_exit", self._exit)
        monkeypatch.setattr(run_watcher, "_close_all_but", self.kept.append)
        monkeypatch.setattr(run_watcher, "set_title", self._set_title)

    def _fork(self) -> int:
        if self.error is not None:
            raise self.error
        return self.result

    def _setsid(self) -> None:
        self.sessions += 1

    def _set_title(self, title: str) -> None:
        assert title == "procman-watcher"
        self.titles += 1

    def _exit(self, code: int) -> None:
        raise ExitedError(code)


class ExitedError(Exception):
    """Raised instead of ending the process."""


@pytest.fixture
def fork(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Fork:
    return Fork(monkeypatch)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_watcher_is_dismissed_and_waited_for(kernel: Kernel, fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Process(kernel, kernel.us, "one-off", {})
    pipes: list[tuple[int, int]] = []
    pipe = os.pipe

    def noted() -> tuple[int, int]:
        pipes.append(pipe())
        return pipes[-1]

    monkeypatch.setattr(os, "pipe", noted)
    with RunWatcher(child.pid) as watcher:
        ours, identity = pipes[0], pipes[1][0]  # the second is the fake pidfd
        assert watcher.watcher == 99
        assert list(map(is_open, (*ours, identity))) == [False, True, False]
        assert fork.waited == []
        reader = os.open(f"/proc/self/fd/{ours[1]}", os.O_RDONLY)
    assert os.read(reader, 10) == run_watcher.DISMISS
    assert fork.waited == [(99, 0)]


def test_a_fork_watches_its_child(kernel: Kernel, fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[tuple[int, int, bool]] = []

    def watch(child: int, identity: int, reader: int) -> None:
        watched.append((child, identity, is_open(reader)))
        raise ExitedError(0)

    monkeypatch.setattr(run_watcher, "_watch", watch)
    monkeypatch.setattr(run_watcher, "_identity_of", lambda _child: -1)
    fork.result = 0
    with pytest.raises(ExitedError), RunWatcher(7):
        pass
    assert watched == [(7, -1, True)]


@pytest.mark.parametrize("identity", [-1, 0])
def test_without_a_fork_the_run_goes_on_unwatched(fork: Fork, monkeypatch: pytest.MonkeyPatch, identity: int) -> None:
    closed: list[int] = []
    monkeypatch.setattr(run_watcher, "_identity_of", lambda _child: identity)
    monkeypatch.setattr(os, "close", closed.append)
    fork.error = OSError(11, "Resource temporarily unavailable")
    with RunWatcher(7) as watcher:
        assert watcher.watcher == 0
    assert fork.waited == []
    assert len(closed) == (1 if identity < 0 else 2)


def test_a_watcher_that_was_killed_is_no_error(kernel: Kernel, fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_fd: int, _data: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", write)
    with RunWatcher(Process(kernel, kernel.us, "one-off", {}).pid):
        pass
    assert fork.waited == []


@pytest.mark.parametrize(
    ("said", "ended", "killed"),
    [(b"", False, True), (run_watcher.DISMISS, False, False), (b"", True, False)],
    ids=["we are gone", "dismissed", "the child has ended"],
)
def test_the_watcher_kills_the_command_when_we_are_gone(
    kernel: Kernel, fork: Fork, said: bytes, ended: bool, killed: bool
) -> None:
    child = Process(kernel, kernel.us, "one-off", {})
    helper = child.fork()
    identity = os.pidfd_open(child.pid)
    if ended:
        child.exit()
    reader, writer = os.pipe()
    os.write(writer, said)
    os.close(writer)
    with pytest.raises(ExitedError) as caught:
        run_watcher._watch(child.pid, identity, reader)
    assert caught.value.args == (0,)
    assert (fork.sessions, fork.titles, fork.kept) == (1, 1, [{identity, reader}])
    assert signal_names(helper.got) == (["STOP", "KILL"] if killed else [])


def test_a_child_is_identified_where_the_system_can(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Process(kernel, kernel.us, "one-off", {})
    assert run_watcher._identity_of(child.pid) in kernel.pidfds
    assert run_watcher._identity_of(1 << 30) == -1
    monkeypatch.delattr(os, "pidfd_open")
    assert run_watcher._identity_of(child.pid) == -1


def test_a_process_has_ended_when_its_descriptor_is_readable() -> None:
    reader, writer = os.pipe()
    assert not run_watcher._has_ended(-1)
    assert not run_watcher._has_ended(reader)
    os.close(writer)
    assert run_watcher._has_ended(reader)
    os.close(reader)


def test_a_process_has_ended_whatever_the_number_of_its_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("select.select", lambda *lists: lists[:3])
    assert run_watcher._has_ended(0)
