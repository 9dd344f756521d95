"""Two hundred and a thousand instances: all come up, all go, within generous bounds."""

from __future__ import annotations

import resource
import signal
import time

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

MEGABYTE = 1 << 20


@pytest.mark.parametrize("number", [200, 1000])
def test_so_many_come_up_and_stop(place: Place, number: int) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * number + 100:
        kit.miss("the hard limit of open files is too low")
    place.procfile("web: exec sleep 100000\n")
    begun = time.monotonic()
    session = place.start("-m", f"web={number}")
    session.wait_for(rf"web\.{number} +started")
    up = time.monotonic() - begun
    roles = kit.roles(session)
    assert kit.resident(list(roles.values())) < 60 * MEGABYTE
    asked = time.monotonic()
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert up < 0.02 * number + 5
    assert time.monotonic() - asked < 0.02 * number + 5
    session.wait_until_gone()


def test_two_hundred_that_ignore_the_signal_share_one_grace(place: Place) -> None:
    place.procfile("deaf: trap '' TERM; echo up; while :; do sleep 1; done\n")
    session = place.start("-m", "deaf=200", "--timeout", "1")
    session.wait_for(r"deaf\.200 +started")
    kit.wait_until(lambda: _read(session).count("| up") == 200, "all traps to be set")
    asked = time.monotonic()
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    assert time.monotonic() - asked < 20  # one after the other it would be 200
    session.wait_until_gone()


def _read(session: object) -> str:
    from harness import Session

    assert isinstance(session, Session)
    session._read(0.05)
    return session.text


def test_idle_costs_nothing(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    # Its socket is in a private folder: a client that looks for sessions would wake it.
    session = place.start("-m", "web=20", env={"XDG_RUNTIME_DIR": str(place.folder)})
    kit.wait_running(20, argument)
    own = list(kit.roles(session).values())
    kit.wait_until(lambda: _wakings(own, seconds=1) == 0, "a second in which nothing wakes")


def _wakings(pids: list[int], seconds: float) -> int:
    before = sum(map(_switches, pids))
    time.sleep(seconds)
    return sum(map(_switches, pids)) - before


def _switches(pid: int) -> int:
    """How often a process went to sleep so far: it has to wake up before."""
    with open(f"/proc/{pid}/status") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
