"""Ctrl-C again: the second one kills immediately, one that was delivered twice does not."""

from __future__ import annotations

import os
import signal
import time

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

# Ignores all that can be ignored, and so does what it forks.
DEAF = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", sys.argv[1]])
print("deaf", flush=True)
while True:
    signal.pause()
"""
DOUBLE = 0.3  # seconds within which a second delivery is the same


def _deaf(place: Place, pty: bool = False, grace: str = "1000") -> tuple[Session, str]:
    argument = kit.sleep_time()
    place.procfile(f"deaf: {kit.script(place, 'deaf.py', DEAF)} {argument}\n")
    session = place.start("-t", grace, env={"NO_COLOR": "1"}, pty=pty)
    session.wait_for(r"\| deaf")
    kit.wait_running(1, argument)
    return session, argument


def _later() -> None:
    time.sleep(2 * DOUBLE)  # what is tested is what happens after this time; being late does no harm


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_kills_at_once(place: Place, number: int, code: int) -> None:
    session, argument = _deaf(place)
    session.signal(number)
    session.wait_for("stopping")
    _later()
    session.signal(number)
    assert session.wait() == code
    assert kit.running(argument) == []


def test_ctrl_c_twice_on_a_terminal_kills_at_once(place: Place) -> None:
    session, argument = _deaf(place, pty=True)
    session.type(b"\x03")
    session.wait_for("stopping")
    _later()
    session.type(b"\x03")
    assert session.wait() == 130
    assert kit.running(argument) == []


def test_ctrl_c_then_term_kills_at_once(place: Place) -> None:
    session, argument = _deaf(place)
    session.signal(signal.SIGINT)
    session.wait_for("stopping")
    _later()
    session.signal(signal.SIGTERM)
    assert session.wait() == 130
    assert kit.running(argument) == []


def test_a_signal_delivered_twice_leaves_the_grace(place: Place) -> None:
    text = """
import signal, time
def leave(number, frame):
    time.sleep(1.5)
    print("left in order", flush=True)
    raise SystemExit(0)
signal.signal(signal.SIGINT, leave)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
while True:
    time.sleep(0.1)  # a signal that comes just before pause() is not seen
"""
    place.procfile(f"slow: {kit.script(place, 'slow.py', text)}\n")
    session = place.start("-t", "50")
    session.wait_for(r"\| up")
    group = os.getpgid(session.pid)
    session.signal(signal.SIGINT)  # `timeout` signals its child, and then the group
    os.killpg(group, signal.SIGINT)
    session.signal(signal.SIGINT)
    assert session.wait() == 130
    assert "left in order" in session.text


def test_the_grace_ends_with_a_kill_and_143(place: Place) -> None:
    session, argument = _deaf(place, grace="0.5")
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    assert kit.running(argument) == []


def test_who_is_waited_for_is_said(place: Place) -> None:
    session, _ = _deaf(place)
    session.signal(signal.SIGTERM)
    session.wait_for(r"still waiting for deaf\.1 \(pid \d+\)")
    session.wait_for(r"still waiting for deaf\.1 \(pid \d+\)")
    session.signal(signal.SIGTERM)
    session.wait()
