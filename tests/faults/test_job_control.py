"""Ctrl-Z, `fg`, `bg`, `kill %1` and a closed terminal, in a shell as people have it."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

import harness
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

PROMPT = "at your service: "


def _shell(place: Place) -> Session:
    bash = kit.need_tool("bash")
    rc = place.write("rc", f"PS1='{PROMPT}'\nunset PROMPT_COMMAND\nbind 'set enable-bracketed-paste off' 2>/dev/null\n")
    session = place.session("--noprofile", "--rcfile", str(rc), "-i", pty=True, program=bash)
    session.wait_for(PROMPT)
    return session


def _start_in(session: Session, place: Place, redirection: str = "") -> tuple[int, str]:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session.type(f"{harness.PROCMAN} start {redirection}\n".encode())
    kit.wait_running(1, argument)
    (pid,) = kit.running(argument)
    return pid, argument


def _status(pid: int) -> str:
    return psutil.Process(pid).status()


def test_ctrl_z_stops_the_children_too_and_fg_wakes_them(place: Place) -> None:
    session = _shell(place)
    pid, argument = _start_in(session, place)
    session.type(b"\x1a")
    session.wait_for("Stopped")
    kit.wait_until(lambda: _status(pid) == psutil.STATUS_STOPPED, "the child to stop")
    session.type(b"fg\n")
    kit.wait_until(lambda: _status(pid) != psutil.STATUS_STOPPED, "the child to go on")
    session.type(b"\x03")
    session.wait_for("exit status 130")
    session.wait_for(PROMPT)
    session.type(b"echo code=$?=\n")
    session.wait_for("code=130=")
    assert kit.running(argument) == []


def test_bg_goes_on_in_the_background_and_kill_ends_it(place: Place) -> None:
    session = _shell(place)
    pid, argument = _start_in(session, place)
    session.type(b"\x1a")
    session.wait_for("Stopped")
    kit.wait_until(lambda: _status(pid) == psutil.STATUS_STOPPED, "the child to stop")
    session.type(b"bg\n")
    kit.wait_until(lambda: _status(pid) != psutil.STATUS_STOPPED, "the child to go on")
    session.type(b"kill %1; wait; echo all $((6 * 7)) done\n")
    session.wait_for("all 42 done")
    assert kit.running(argument) == []


def test_kill_of_a_suspended_job_ends_it(place: Place) -> None:
    session = _shell(place)
    _, argument = _start_in(session, place)
    session.type(b"\x1a")
    session.wait_for("Stopped")
    session.type(b"kill %1\n")
    kit.wait_gone(argument)


@pytest.mark.parametrize("where", ["in the foreground", "in the background", "suspended"])
def test_closing_the_terminal_ends_all(place: Place, where: str) -> None:
    session = _shell(place)
    _, argument = _start_in(session, place, "&" if where == "in the background" else "")
    if where == "suspended":
        session.type(b"\x1a")
        session.wait_for("Stopped")
    os.close(session.terminal)
    session.terminal = os.open(os.devnull, os.O_RDWR)
    kit.wait_gone(argument)
    session.wait_until_gone()


def test_a_terminal_that_is_not_our_controlling_one_ends_all_when_it_goes(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    master, slave = os.openpty()
    session = place.session("start", stdout=slave)
    os.close(slave)
    kit.wait_running(1, argument)
    os.close(master)
    assert session.wait() == 129
    assert kit.running(argument) == []


def test_nohup_outlives_its_terminal(place: Place) -> None:
    nohup = kit.need_tool("nohup")
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    master, slave = os.openpty()
    session = place.session(harness.PROCMAN, "start", program=nohup, stdout=slave)
    os.close(slave)
    kit.wait_running(1, argument)
    kit.wait_until(lambda: len(kit.roles(session)) == 3, "all of procman")
    os.close(master)
    session.signal(signal.SIGHUP)
    manager = kit.roles(session)["manager"]
    kit.kill(manager, number=signal.SIGHUP)
    session.signal(signal.SIGUSR1)  # it comes after the hang-up, through the same pipe
    session.wait_for(r"web\.1 running", stream="err")
    assert len(kit.running(argument)) == 1
    assert kit.cpu_seconds([manager]) < 5
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_hang_up_ends_with_129(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    session.signal(signal.SIGHUP)
    assert session.wait() == 129
    assert kit.running(argument) == []
