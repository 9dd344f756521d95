"""A session leader that is slow to stop: its group gets the stop signal afterwards, and the loop does not wait."""

from __future__ import annotations

import signal
import time

import pytest

from procman.runtime.processes import session_leader
from procman.runtime.processes.session_leader import SessionLeaders

LEADER, OTHER = 4711, 4712


class Kernel:
    """A leader and one other process of its group; notes the signals that are sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = b"R"
        self.others = [OTHER]
        self.sent: list[tuple[str, int]] = []
        monkeypatch.setattr(session_leader, "STOP_LIMIT", -1.0)
        monkeypatch.setattr(session_leader, "stat_fields", lambda pid: [self.state])
        monkeypatch.setattr(session_leader, "is_zombie", lambda pid: pid == LEADER and self.state == b"Z")
        monkeypatch.setattr(session_leader, "others_of", lambda leader, orphans: self.others)
        monkeypatch.setattr(session_leader, "_ends_by", lambda pid, number: True)
        monkeypatch.setattr(session_leader, "send", lambda pid, number: self.sent.append(("leader", number)))
        monkeypatch.setattr(session_leader, "send_group", lambda pid, number: self.sent.append(("group", number)))
        self.finds = 0
        self.leaders = SessionLeaders(self._find)
        assert self.leaders.hold(LEADER, signal.SIGTERM)

    def _find(self) -> list[int]:
        self.finds += 1
        return []

    def look(self, later: float = 0.0) -> None:
        """Let the time of the next look come."""
        due = self.leaders.next_deadline()
        assert due is not None
        self.leaders.tick(max(due, time.monotonic() + later))

    @property
    def asked(self) -> bool:
        return ("group", signal.SIGTERM) in self.sent


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def test_the_group_is_asked_once_its_leader_has_stopped(kernel: Kernel) -> None:
    kernel.look()
    assert not kernel.asked
    kernel.state = b"T"
    kernel.look()
    kernel.look()
    assert kernel.sent.count(("group", signal.SIGTERM)) == 1
    assert kernel.sent[-1] == ("group", signal.SIGTERM)  # the leader still waits for the other


def test_the_leader_continues_when_the_others_have_ended(kernel: Kernel) -> None:
    kernel.state = b"T"
    kernel.others = []
    kernel.look()
    assert kernel.sent[-1] == ("leader", signal.SIGCONT)
    assert kernel.leaders.next_deadline() is None


def test_a_leader_that_ends_instead_leaves_its_group_to_be_asked(kernel: Kernel) -> None:
    kernel.state = b"Z"
    kernel.look()
    assert kernel.asked


def test_a_leader_that_never_stops_is_asked_all_the_same(kernel: Kernel) -> None:
    kernel.look(session_leader.LATE_STOP_LIMIT)
    assert kernel.sent[-2:] == [("group", signal.SIGTERM), ("leader", signal.SIGCONT)]
    assert kernel.leaders.next_deadline() is None


def test_a_leader_that_is_reaped_is_forgotten(kernel: Kernel) -> None:
    kernel.leaders.forget(LEADER)
    kernel.look()
    assert not kernel.asked
    assert kernel.leaders.next_deadline() is None


def test_orphans_are_looked_for_once_for_many_leaders_and_at_each_look(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(session_leader.time, "monotonic", lambda: now)  # type: ignore[attr-defined]
    leaders = SessionLeaders(kernel._find)
    kernel.finds = 0
    for number in range(3):
        leaders.hold(LEADER + 10 * number, signal.SIGTERM)
    assert kernel.finds == 1
    now += session_leader.ORPHANS_AGE * 2
    leaders.hold(LEADER + 100, signal.SIGTERM)
    assert kernel.finds == 2
    leaders.tick(now + 1.0)
    assert kernel.finds == 3


def test_the_looks_grow_rarer_and_are_close_again_for_the_next_leader(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(session_leader.time, "monotonic", lambda: now[0])  # type: ignore[attr-defined]
    leaders = SessionLeaders(list)
    kernel.state = b"T"
    leaders.hold(LEADER, signal.SIGTERM)
    pauses = []
    for _ in range(9):
        due = leaders.next_deadline()
        assert due is not None
        pauses.append(round(due - now[0], 6))
        now[0] = due
        leaders.tick(due)
    assert pauses == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]
    leaders.hold(LEADER + 1, signal.SIGTERM)
    assert leaders.next_deadline() == now[0] + session_leader.FIRST_PAUSE


def test_of_a_leader_that_is_reaped_nothing_is_kept(kernel: Kernel) -> None:
    kernel.leaders.hold(LEADER, signal.SIGTERM, [OTHER])
    kernel.leaders.forget(LEADER)
    kernel.sent.clear()
    kernel.state = b"T"
    assert kernel.leaders.hold(LEADER, signal.SIGTERM)  # another process of its number
    kernel.look()
    assert kernel.sent.count(("group", signal.SIGTERM)) == 1
