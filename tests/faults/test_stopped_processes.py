"""SIGSTOP: what was stopped, be it a child, a helper or procman itself, still ends on request."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


_COUNTS_CONT = """\
import signal, time
signal.signal(signal.SIGCONT, lambda *_: print("woken"))
signal.signal(signal.SIGTERM, lambda *_: print("asked"))
print("up")
while True:
    time.sleep(0.1)
"""


def test_a_stopped_child_obeys_the_stop_signal(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start("-t", "1000")
    kit.wait_running(1, argument)
    (pid,) = kit.running(argument)
    kit.stop(pid)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_who_is_told_to_stop_is_woken_once(place: Place) -> None:
    """The manager need not be woken, so it has no CONT to pass on to the processes that it has just signalled."""
    kit.need_linux()
    place.write("child.py", _COUNTS_CONT)
    place.procfile(f"web: exec {sys.executable} -u child.py\n")
    session = place.start("-t", "1")
    session.wait_for(r"\| up")
    session.signal(signal.SIGTERM)
    session.wait()  # until the grace is over: what is late comes before its end
    assert session.text.count("| woken") == 1


def test_a_stopped_daemon_obeys_the_stop_signal(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: setsid env -i sleep {argument} & exec sleep {kit.sleep_time()}\n")
    session = place.start("-t", "1000")
    kit.wait_running(1, argument)
    (pid,) = kit.running(argument)
    kit.stop(pid)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_a_child_that_is_stopped_is_no_death(place: Place) -> None:
    place.procfile("web: echo up; kill -STOP $$; echo again\n")
    session = place.start()
    session.wait_for(r"\| up")
    pid = _pid_of(session.text)
    kit.wait_until(lambda: kit.is_stopped(pid), "the stop")
    kit.kill(pid, number=signal.SIGCONT)
    session.wait_for(r"\| again")
    assert session.wait() == 0


def _pid_of(text: str) -> int:
    return int(text.split("started with pid ")[1].split(maxsplit=1)[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_manager_still_obeys(place: Place, number: int) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    manager = kit.roles(session)["manager"]
    kit.stop(manager)
    session.signal(number)
    session.wait()
    assert kit.running(argument) == []


def test_everything_stopped_and_the_visible_process_killed_leaves_nothing(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start("-m", "web=3")
    kit.wait_running(3, argument)
    roles = kit.roles(session)
    kit.kill(roles["manager"], *kit.running(argument), number=signal.SIGSTOP)
    kit.wait_until(lambda: kit.is_stopped(roles["manager"]), "the stop")
    kit.kill(roles["guardian"])
    kit.wait_gone(argument)
    session.wait_until_gone()


def test_cont_to_the_visible_process_wakes_all_after_ctrl_z(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    (pid,) = kit.running(argument)
    session.signal(signal.SIGTSTP)
    kit.wait_until(lambda: kit.is_stopped(pid) and kit.is_stopped(session.pid), "the stop")
    session.signal(signal.SIGCONT)
    kit.wait_until(lambda: not kit.is_stopped(pid) and not kit.is_stopped(session.pid), "all to continue")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_the_visible_process_stops_last(place: Place) -> None:
    """A shell that sees it stop may run `fg` immediately: a manager that stopped only then would never continue."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    manager = kit.roles(session)["manager"]
    for _ in range(20):
        session.signal(signal.SIGTSTP)
        while not kit.is_stopped(session.pid):
            pass
        assert kit.is_stopped(manager)
        session.signal(signal.SIGCONT)
        kit.wait_until(lambda: not kit.is_stopped(manager), "the manager to go on")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_a_suspended_run_is_ended_by_term_and_cont(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    session.signal(signal.SIGTSTP)
    kit.wait_until(lambda: kit.is_stopped(session.pid), "the stop")
    session.signal(signal.SIGTERM)
    session.signal(signal.SIGCONT)
    assert session.wait() == 0
    assert kit.running(argument) == []


@pytest.mark.alone
def test_a_suspended_run_that_is_killed_leaves_nothing(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start("-m", "web=3")
    kit.wait_running(3, argument)
    session.signal(signal.SIGTSTP)
    kit.wait_until(lambda: kit.is_stopped(session.pid), "the stop")
    os.killpg(os.getpgid(session.pid), signal.SIGKILL)
    kit.wait_gone(argument)
    session.wait_until_gone()
