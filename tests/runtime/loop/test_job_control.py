"""Programs on the terminal are notified when the shell takes it, and when it gives it back."""

from __future__ import annotations

import pytest

from procman.runtime.loop import signal_requests
from procman.runtime.loop.signal_requests import FOREGROUND_INTERVAL, JobControl
from procman.runtime.system.poller import Poller


class Shell:
    """Says which job has the terminal, and records the notifications."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ours = True
        self.told: list[str] = []
        monkeypatch.setattr(signal_requests, "in_foreground", lambda _fd: self.ours)
        self.job = JobControl(1, self)

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(monkeypatch)


def test_in_the_foreground_nobody_is_told_anything(shell: Shell) -> None:
    shell.job.open(Poller())
    shell.job.tick(1.0)
    assert shell.told == []
    assert shell.job.next_deadline() is None


def test_a_job_that_begins_in_the_background_leaves_at_once(shell: Shell) -> None:
    shell.ours = False
    shell.job.open(Poller())
    assert shell.told == ["pause"]


def test_while_away_it_looks_once_a_second_and_comes_back_when_it_may(shell: Shell) -> None:
    shell.ours = False
    shell.job.open(Poller())
    shell.job.tick(10.0)
    assert shell.told == ["pause"]
    assert shell.job.next_deadline() == 10.0 + FOREGROUND_INTERVAL == 11.0
    shell.ours = True
    shell.job.tick(11.0)
    assert shell.told == ["pause", "resume"]
    assert shell.job.next_deadline() is None


def test_fg_after_ctrl_z_comes_back_and_bg_stays_away(shell: Shell) -> None:
    shell.job.leave()
    shell.ours = False
    shell.job.look()
    assert shell.told == ["pause"]
    shell.ours = True
    shell.job.look()
    assert shell.told == ["pause", "resume"]


def test_a_job_stopped_by_force_leaves_when_it_goes_on_in_the_background(shell: Shell) -> None:
    shell.ours = False  # `kill -STOP` gave no time to leave
    shell.job.look()
    assert shell.told == ["pause"]


def test_late_comers_are_told_too(shell: Shell) -> None:
    second = Shell.__new__(Shell)
    second.told = []
    shell.job.add(second)
    shell.job.leave()
    assert second.told == ["pause"]


def test_in_the_foreground_a_turn_of_the_loop_does_not_look(shell: Shell) -> None:
    shell.job.open(Poller())
    shell.ours = False
    shell.job.tick(1.0)
    assert shell.told == []
