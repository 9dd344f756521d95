"""All of procman is killed at the same moment, the watchdog, too:

`start` names what is left, `procman prune` ends it, and only that.
"""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from faults import kit

pytestmark = pytest.mark.alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Place


@pytest.fixture
def leftover(place: Place) -> Iterator[tuple[int, str]]:
    """A process of a session whose guardian, watchdog and manager were killed in one instant: its pid and argument."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    roles = kit.roles(session)
    for role in roles.values():  # what is stopped cannot react between two of these signals
        os.kill(role, signal.SIGSTOP)
    kit.kill(*roles.values())
    session.wait()
    (pid,) = kit.running(argument)
    yield pid, argument
    kit.kill(*kit.running(argument))


def test_start_names_it_and_prune_ends_it(place: Place, leftover: tuple[int, str]) -> None:
    pid, argument = leftover
    place.procfile("web: exec sleep 1000\n")
    session = place.start()
    session.wait_for(rf"left over from a session that was killed: web\.1, pid {pid} \(sleep {argument}\)")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == [pid]
    done = place.call("prune")
    assert (done.code, done.err) == (0, "")
    assert f"ended: web.1, pid {pid} (sleep {argument})" in done.out
    assert kit.running(argument) == []


def test_prune_ends_what_is_stopped(place: Place, leftover: tuple[int, str]) -> None:
    pid, argument = leftover
    kit.kill(pid, number=signal.SIGSTOP)
    assert place.call("prune").code == 0
    assert kit.running(argument) == []


def test_prune_spares_a_session_that_lives(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: setsid sleep {argument} & exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(2, argument)
    assert place.call("prune").code == 0
    assert len(kit.running(argument)) == 2
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_prune_spares_strangers_whatever_their_marks(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    marks = [f"{os.getpid():x}-0123456789ab", "", "no pid-0123", "ffffffffffff", "7fffffff"]
    strangers = [
        subprocess.Popen(["sleep", argument], env={"PATH": os.environ["PATH"], "PROCMAN_SESSION": mark})
        for mark in marks
    ]
    try:
        kit.wait_running(len(marks), argument)
        assert place.call("prune").code == 0
        assert len(kit.running(argument)) == len(marks)
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()


def test_prune_spares_what_is_somebody_elses(place: Place, leftover: tuple[int, str]) -> None:
    _, argument = leftover
    session = place.session("prune", program=kit.as_nobody(place))
    assert session.wait() == 0
    assert len(kit.running(argument)) == 1


def test_prune_spares_sessions_of_other_namespaces(place: Place) -> None:
    """From outside, the pid in the mark of a container's process is another process, or none."""
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.session("start", program=kit.in_pid_namespace(place))
    kit.wait_running(1, argument)
    assert place.call("prune").code == 0
    assert len(kit.running(argument)) == 1
    session.kill()


def test_with_nothing_left_prune_says_so(place: Place) -> None:
    done = place.call("prune")
    assert (done.code, done.out) == (0, "nothing is left over\n")


def test_prune_ends_just_what_is_named(place: Place, leftover: tuple[int, str]) -> None:
    pid, argument = leftover
    assert place.call("prune", "worker").out == "nothing is left over\n"
    assert kit.running(argument) == [pid]
    assert place.call("prune", "web").code == 0
    assert kit.running(argument) == []
