"""Helpers that become daemons: an ordinary end ends them, too, with the stop signal before the kill."""

from __future__ import annotations

import signal

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

POLITE = """
import os, signal, sys, time
def leave(number, frame):
    print("helper says goodbye", flush=True)
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, leave)
    print("helper is up", flush=True)
    while True:
        time.sleep(0.1)  # a signal that comes just before pause() is not seen
os.wait()
while True:
    signal.pause()
"""

STUBBORN = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
os.wait()
while True:
    signal.pause()
"""

# On TERM it forks a daemon and ends: what comes to life during the shutdown must not survive it.
LATE = """
import os, signal, sys, time
def fork_a_daemon(number, frame):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
        os._exit(0)
    os._exit(0)
signal.signal(signal.SIGTERM, fork_a_daemon)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_daemonised_helpers_end_with_the_run(place: Place, number: int) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: {kit.script(place, 'daemon.py', kit.DAEMON)} {argument}\n")
    session = place.start("-m", "web=5")
    kit.wait_running(5, argument)
    session.signal(number)
    code = session.wait()
    assert kit.running(argument) == []
    assert code == (0 if number == signal.SIGTERM else 128 + number)


def test_a_helper_hears_the_stop_signal_and_its_last_words_are_shown(place: Place) -> None:
    kit.need_linux()
    place.procfile(f"web: {kit.script(place, 'polite.py', POLITE)}\n")
    session = place.start()
    session.wait_for("helper is up")
    session.signal(signal.SIGTERM)
    session.wait()
    assert session.text.count("helper says goodbye") == 1


def test_a_helper_that_ignores_the_stop_signal_is_killed_after_the_grace(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: {kit.script(place, 'stubborn.py', STUBBORN)} {argument}\n")
    session = place.start("--timeout", "0.5")
    kit.wait_running(1, argument)
    session.signal(signal.SIGTERM)
    assert session.wait() == 143  # something had to be killed
    assert kit.running(argument) == []


def test_a_daemon_born_during_the_shutdown_does_not_survive_it(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: {kit.script(place, 'late.py', LATE)} {argument}\n")
    session = place.start("-m", "web=5", "--timeout", "1")
    for _ in range(5):
        session.wait_for("ready")
    session.signal(signal.SIGTERM)
    session.wait()
    assert kit.running(argument) == []


def test_a_run_that_ends_by_itself_leaves_no_daemon(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: {kit.script(place, 'daemon.py', kit.DAEMON)} {argument} 0\n")
    session = place.start()
    assert session.wait() == 0
    assert kit.running(argument) == []
