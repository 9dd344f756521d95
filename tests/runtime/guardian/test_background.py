"""The session of `procman test` in the background: its code, and its end."""

from __future__ import annotations

import os
import signal

import pytest

from procman.runtime.guardian.background import Background

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
