"""Our own processes: three with a guardian, one without; told apart by name; they hold nothing of the user's."""

from __future__ import annotations

import os
import signal

import psutil

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

MEGABYTE = 1 << 20


def test_names_tell_them_apart(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    roles = kit.roles(session)
    assert set(roles) == {"guardian", "watchdog", "manager"}
    assert roles["guardian"] == session.pid
    assert os.getsid(roles["watchdog"]) != os.getsid(session.pid)
    assert os.getsid(roles["manager"]) == os.getsid(session.pid)


def test_guardian_and_watchdog_are_small(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    roles = kit.roles(session)
    assert kit.resident([roles["guardian"], roles["watchdog"]]) < 12 * MEGABYTE


def test_without_a_guardian_there_is_one_process(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start("--no-guardian")
    kit.wait_running(1, argument)
    assert len(psutil.Process(session.pid).children(recursive=True)) == 1
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_without_a_guardian_signals_and_daemons_are_dealt_with(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: {kit.script(place, 'daemon.py', kit.DAEMON)} {argument}\n")
    session = place.start("--no-guardian", "-m", "web=3")
    kit.wait_running(3, argument)
    session.signal(signal.SIGINT)
    assert session.wait() == 130
    assert kit.running(argument) == []


def test_states_are_told_on_usr1(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\nbad: exit 1\n")
    session = place.start()
    session.wait_for("restarting in")
    session.signal(signal.SIGUSR1)
    session.wait_for(r"web\.1 running pid=\d+", stream="err")
    session.wait_for(r"bad\.1 backoff", stream="err")
    session.signal(signal.SIGTERM)
    session.wait()


def test_who_waits_for_our_output_waits_for_the_manager_alone(place: Place) -> None:
    """`x=$(procman start)`: neither the guardian nor the watchdog, nor a child that became a daemon, keeps the pipe
    open.
    """
    argument = kit.sleep_time()
    place.procfile(f"web: setsid sleep {argument} & echo said\n")
    program = kit.wrapper(place, 'said=$("$PROCMAN" "$@"); echo "[$?]" >&2')
    session = place.session("start", program=program)
    session.wait_for(r"\[0\]", stream="err")
    session.wait()
    assert kit.running(argument) == []
