"""The key ``d``: the session runs on without its terminal, and the shell has it back."""

from __future__ import annotations

import json
import os
import signal

import pytest

import harness

STAY = "web: while read line; do echo got $line; done\ndb: echo hello; exec sleep 1000\n"


def detached(place: harness.Place, *words: str) -> harness.Session:
    """Start a session on a terminal, and detach it."""
    place.procfile(STAY)
    session = place.start(*words, pty=True)
    session.wait_for("hello")
    session.wait_for("keys")
    session.type(b"d")
    assert session.wait() == 0, session
    return session


def end(place: harness.Place, session: harness.Session) -> None:
    done = place.call("stop")
    assert done.code == 0, done
    session.wait_until_gone()


def pid_of(place: harness.Place) -> int:
    return int(json.loads(place.call("ps", "--json").out)["pid"])


def test_the_session_runs_on_and_says_how_to_come_back(place: harness.Place) -> None:
    session = detached(place)
    assert "detached; the session continues in the background" in session.text
    assert place.call("ps").out.count("running") == 2
    assert "hello" in place.call("logs", "db").out
    attached = place.session("attach", "web", pty=True)
    attached.wait_for("attached to web")
    attached.type(b"more\r")
    attached.wait_for("got more")
    attached.type(b"\x1d")
    assert attached.wait() == 0
    assert place.call("restart", "db").code == 0
    end(place, session)


def test_the_end_of_the_terminal_does_not_matter(place: harness.Place) -> None:
    session = detached(place)
    pid = pid_of(place)
    assert os.getsid(pid) == pid
    os.close(session.terminal)
    session.terminal = os.open(os.devnull, os.O_RDONLY)
    assert place.call("restart", "db").code == 0
    assert pid_of(place) == pid
    end(place, session)


def test_the_shell_finds_the_terminal_as_it_was(place: harness.Place) -> None:
    place.procfile(STAY)
    script = f'stty -a; "{harness.PROCMAN}" start; echo status $?; stty -a; echo done'
    session = place.session("-c", script, program="/bin/sh", pty=True)
    session.wait_for("hello")
    session.wait_for("keys")
    session.type(b"d")
    session.wait_for("status 0")
    session.wait_for("done")
    session.wait()
    before, after = session.text.split("status 0")
    settings = [line for line in before.splitlines() if "icanon" in line or "echo" in line]
    assert settings
    assert all(line in after for line in settings)
    assert "\x1b" not in after.partition("done")[2]
    end(place, session)


@pytest.mark.alone
@pytest.mark.parametrize("victim", ["manager", "watchdog"])
def test_killing_one_of_the_two_that_are_left_leaves_nothing(place: harness.Place, victim: str) -> None:
    session = detached(place)
    manager = pid_of(place)
    with open(f"/proc/{manager}/stat") as file:
        watchdog = int(file.read().rpartition(")")[2].split()[1])
    os.kill(manager if victim == "manager" else watchdog, signal.SIGKILL)
    session.wait_until_gone()


def test_a_signal_to_the_pid_that_is_shown_stops_it(place: harness.Place) -> None:
    session = detached(place)
    os.kill(pid_of(place), signal.SIGTERM)
    session.wait_until_gone()


@pytest.mark.parametrize(("flag", "why"), [("--no-guardian", "its guardian"), ("--no-control", "a control socket")])
def test_what_could_not_be_reached_or_waited_for_stays(place: harness.Place, flag: str, why: str) -> None:
    place.procfile(STAY)
    session = place.start(flag, pty=True)
    session.wait_for("hello")
    session.wait_for("keys")
    session.type(b"d")
    session.wait_for(f"not detached: without {why}")
    session.type(b"q")
    assert session.wait() in (130, -signal.SIGINT)


def test_a_session_with_a_primary_detaches_too(place: harness.Place) -> None:
    place.procfile(STAY)
    session = place.start("--primary", "web", pty=True)
    session.wait_for("has the terminal")
    session.type(b"\x1d")
    session.wait_for("keys")
    session.type(b"d")
    assert session.wait() == 0
    assert place.call("ps").out.count("running") == 2
    assert place.call("restart", "web").code == 0
    end(place, session)
