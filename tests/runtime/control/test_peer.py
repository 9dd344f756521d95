"""What is reported about a suspended session, on a fake kernel's /proc."""

from __future__ import annotations

import os
from typing import Any

import pytest

from procman.runtime.control import peer
from procman.runtime.control.peer import SuspendedError, require_awake
from procman.runtime.guardian.guardian import MANAGER_NAME, WATCHDOG_NAME
from runtime.fakes import Kernel, Process


@pytest.fixture(autouse=True)
def folders(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """The working folders of processes; those of others cannot be read."""
    found: dict[int, str] = {}

    def readlink(path: str) -> str:
        if path == "/proc/self":
            return str(os.getpid())
        if (number := int(path.split("/")[2])) in found:
            return found[number]
        raise PermissionError

    monkeypatch.setattr(os, "readlink", readlink)
    return found


def refusal(monkeypatch: pytest.MonkeyPatch, process: Process) -> SuspendedError | None:
    """What is reported if `process` listens."""
    monkeypatch.setattr(peer, "peer_of", lambda _connection: (process.pid, 1000))
    connection: Any = None
    try:
        require_awake(connection)
    except SuspendedError as error:
        return error
    return None


def test_a_session_that_is_awake_is_no_error(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, Process(kernel, kernel.us, MANAGER_NAME, {})) is None


@pytest.mark.parametrize("others", [[], ["bash"], ["procman"], ["procman", WATCHDOG_NAME]])
def test_a_suspended_one_is_named_with_the_process_that_the_user_can_resume(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, folders: dict[int, str], others: list[str]
) -> None:
    parents = [kernel.us]
    for command in others:
        parents.append(Process(kernel, parents[-1], command, {}).pid)
    manager = Process(kernel, parents[-1], MANAGER_NAME, {})
    manager.state = "T"
    folders[manager.pid] = "/srv/app"
    error = refusal(monkeypatch, manager)
    assert error is not None
    visible = parents[1] if others else kernel.us
    assert error.message == f"the session in /srv/app is suspended (pid {visible})"
    assert error.hint == f"fg in its terminal or kill -CONT {visible} resumes it"


def test_without_a_guardian_the_session_itself_is_resumed(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Process(kernel, Process(kernel, kernel.us, "bash", {}).pid, "procman", {})
    session.state = "T"
    error = refusal(monkeypatch, session)
    assert error is not None
    assert error.message == f"the session in another user's folder is suspended (pid {session.pid})"


def test_a_session_whose_guardian_is_gone_is_resumed_itself(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Process(kernel, 0, MANAGER_NAME, {})
    manager.state = "T"
    error = refusal(monkeypatch, manager)
    assert error is not None
    assert f"(pid {manager.pid})" in error.message


@pytest.mark.parametrize("seen", [False, True])
def test_where_it_cannot_be_seen_nothing_is_said(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, seen: bool) -> None:
    manager = Process(kernel, kernel.us, MANAGER_NAME, {})
    manager.state = "T"
    connection: Any = None
    monkeypatch.setattr(peer, "proc_is_ours", lambda: seen)
    monkeypatch.setattr(peer, "peer_of", lambda _connection: None if seen else (manager.pid, 1000))
    require_awake(connection)
