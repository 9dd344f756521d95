"""The session of `procman test` in the background: its code, and its end."""

from __future__ import annotations

import os
import signal

import pytest

from procman.runtime.guardian import background
from procman.runtime.guardian.background import Background
from runtime.fakes import open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

CHILD = 4_000_000_001  # no process has this number


class System:
    """Notes what is sent, and hands out wait statuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "kill", lambda pid, number: self.sent.append((pid, number)))
        monkeypatch.setattr(os, "waitpid", lambda _pid, _options: self.ends.pop(0) if self.ends else (0, 0))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


class Fork:
    """The fork that begins a session, and how it ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.result = 0
        self.parent = os.getpid()
        self.detached: list[str] = []
        monkeypatch.setattr(os, "fork", lambda: self.result)
        monkeypatch.setattr(os, "getppid", lambda: self.parent)
        monkeypatch.setattr(os, "_exit", self._exit)
        monkeypatch.setattr(background, "_detach", self.detached.append)

    def _exit(self, code: int) -> None:
        raise ExitedError(code)


class ExitedError(Exception):
    """Raised instead of ending the process."""


@pytest.fixture
def fork(monkeypatch: pytest.MonkeyPatch) -> Fork:
    return Fork(monkeypatch)


def never() -> int:
    raise AssertionError("the work is the fork's")


def test_the_work_is_done_by_a_fork(fork: Fork) -> None:
    fork.result = CHILD
    assert Background(never, "log").pid == CHILD
    assert fork.detached == []


def test_a_fork_ends_with_the_code_of_its_work(fork: Fork) -> None:
    with pytest.raises(ExitedError) as caught:
        Background(lambda: 5, "log")
    assert caught.value.args == (5,)
    assert fork.detached == ["log"]


def test_a_fork_whose_parent_is_gone_does_nothing(fork: Fork) -> None:
    fork.parent = 1
    with pytest.raises(ExitedError) as caught:
        Background(never, "log")
    assert caught.value.args == (143,)


def test_a_fork_whose_work_fails_ends_nevertheless(fork: Fork) -> None:
    with pytest.raises(ExitedError) as caught:
        Background(never, "log")
    assert caught.value.args == (70,)


def test_a_session_in_the_background_has_its_own_log_and_no_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[object] = []
    targets: dict[int, str] = {}
    monkeypatch.setattr(background, "prctl", lambda *what: calls.append(what))
    monkeypatch.setattr(os, "setsid", lambda: calls.append("setsid"))
    monkeypatch.setattr(os, "dup2", lambda fd, to: targets.update({to: os.readlink(f"/proc/self/fd/{fd}")}))
    before = open_descriptors()
    background._detach(f"{tmp_path}/log")
    assert open_descriptors() == before
    assert calls == [(1, signal.SIGTERM), "setsid"]  # PR_SET_PDEATHSIG
    assert targets == {0: os.devnull, 1: f"{tmp_path}/log", 2: f"{tmp_path}/log"}
    assert os.stat(tmp_path / "log").st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        background._detach(f"{tmp_path}/log")


def in_background() -> Background:
    """Return a session in the background that no fork has begun."""
    one = Background.__new__(Background)
    one.pid, one._code = CHILD, None
    return one


@pytest.mark.parametrize(("status", "code"), [(0x300, 3), (9, 137), (0, 0)])
def test_its_code_is_that_of_a_shell_and_kept(system: System, status: int, code: int) -> None:
    one = in_background()
    assert one.code() is None
    system.ends = [(CHILD, status)]
    assert one.code() == code
    assert one.code() == code
    one.end()
    assert system.sent == []


def test_one_that_runs_is_stopped_and_waited_for(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []

    def wait(_pid: int, options: int) -> tuple[int, int]:
        waits.append(options)
        if options == 0:
            raise ChildProcessError
        return 0, 0

    monkeypatch.setattr(os, "waitpid", wait)
    in_background().end()
    assert system.sent == [(CHILD, signal.SIGTERM)]
    assert waits == [os.WNOHANG, 0]


def test_one_that_another_has_reaped_has_ended_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_pid: int, _options: int) -> tuple[int, int]:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitpid", gone)
    assert in_background().code() == 0
