"""``up``, or ``start --detach``: a session in the background, for whatever comes next to its folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STAY = "web: echo hello; exec sleep 1000\ndb: sleep 1000\n"
NEVER_READY = "process.web.ready = { exec = 'false' }\n"


def up(place: harness.Place, *words: str, env: dict[str, str | None] | None = None) -> harness.Session:
    """Run ``procman up`` to its end; what it leaves in the background ends with the test at the latest."""
    session = place.session("up", *words, env=env)
    session.wait()
    return session


def is_there(place: harness.Place) -> bool:
    return place.call("ps").code == 0


def pid_of(place: harness.Place) -> int:
    return int(json.loads(place.call("ps", "--json").out)["pid"])


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + harness.LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def end(place: harness.Place, session: harness.Session) -> None:
    """Stop the session, and see that nothing is left of it."""
    assert place.call("down").code == 0
    session.wait_until_gone()
    assert not is_there(place)


@pytest.mark.parametrize("words", [("up",), ("start", "--detach"), ("start", "-D")], ids=" ".join)
def test_it_returns_when_ready_and_the_session_stays(place: harness.Place, words: tuple[str, ...]) -> None:
    place.procfile("web: echo $PORT; exec sleep 1000\n")
    place.write("procman.toml", "process.web.ready = { log = '\\d+' }\n")
    session = place.session(*words, "-p", "7100")
    assert session.wait() == 0, session
    assert [line.split() for line in session.text.splitlines()] == [
        ["NAME", "STATE", "PORT", "URL"],
        ["web.1", "running", "7100", "http://localhost:7100"],
    ]
    assert "running in the background" in session.err.decode()
    assert "7100" in place.call("logs", "web").out
    end(place, session)


def test_a_second_one_finds_everything_up_and_changes_nothing(place: harness.Place) -> None:
    place.procfile(STAY)
    first = up(place)
    before = json.loads(place.call("ps", "--json").out)["instances"]
    second = up(place)
    assert (second.process.returncode, second.text) == (0, first.text)
    assert "already running for" in second.err.decode()
    after = json.loads(place.call("ps", "--json").out)["instances"]
    assert [row["pid"] for row in before] == [row["pid"] for row in after]
    end(place, first)


def test_it_starts_what_is_missing(place: harness.Place) -> None:
    place.procfile(f"{STAY}once: true\nextra: sleep 1000\n")
    place.write("procman.toml", "process.extra.autostart = false\n")
    first = up(place)
    states = {row["name"]: row for row in json.loads(place.call("ps", "--json").out)["instances"]}
    assert place.call("stop", "db").code == 0
    again = up(place)
    assert again.process.returncode == 0
    now = {row["name"]: row for row in json.loads(place.call("ps", "--json").out)["instances"]}
    assert (now["db.1"]["state"], now["web.1"]["pid"]) == ("running", states["web.1"]["pid"])
    assert (now["once.1"]["restarts"], now["extra.1"]["pid"]) == (0, None)
    assert "extra" not in again.text
    assert "extra.1" in up(place, "extra").text
    end(place, first)


def test_a_line_that_was_added_to_the_procfile_is_started(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    first = up(place)
    place.procfile("web: sleep 1000\nqueue: sleep 1000\n")
    again = up(place)
    assert (again.process.returncode, "queue.1 started" in again.err.decode()) == (0, True)
    assert [line.split()[:2] for line in again.text.splitlines()[1:]] == [["web.1", "running"], ["queue.1", "running"]]
    place.procfile("web: sleep 1000\nqueue: sleep 1000\nno process\n")
    broken = up(place)
    assert (broken.process.returncode, broken.text) == (0, again.text)
    assert "procman: warning: Procfile:3:" in broken.err.decode()
    end(place, first)


def test_names_and_counts_are_added_to_the_session(place: harness.Place) -> None:
    place.procfile(STAY)
    first = up(place, "web")
    assert "db" not in first.text
    second = up(place, "web=2", "db", "-p", "7100")
    assert [line.split()[0] for line in second.text.splitlines()[1:]] == ["web.1", "web.2", "db.1"]
    assert "ignored: --port" in second.err.decode()
    assert up(place, "nosuch").process.returncode == 2
    end(place, first)


def test_json_is_one_object(place: harness.Place) -> None:
    place.procfile(STAY)
    session = up(place, "--json", "--no-port")
    record: dict[str, Any] = json.loads(session.text)
    assert record["pid"] == pid_of(place)
    assert record["procfile"] == str(place.folder / "Procfile")
    assert (record["ok"], record["ready"], record["begun"], record["root"]) == (True, True, True, str(place.folder))
    assert record["instances"][0] == {"name": "web.1", "port": None, "url": None, "state": "running"}
    assert json.loads(up(place, "--json").text)["begun"] is False
    end(place, session)


def test_many_at_once_begin_one_session(place: harness.Place) -> None:
    place.procfile(STAY)
    sessions = [place.session("up", "--json") for _ in range(20)]
    assert [session.wait() for session in sessions] == [0] * 20
    records = [json.loads(session.text) for session in sessions]
    assert len({record["pid"] for record in records}) == 1
    assert sum(record["begun"] for record in records) == 1
    assert {record["instances"][1]["state"] for record in records} == {"running"}
    assert place.call("down").code == 0
    for session in sessions:
        session.wait_until_gone()


def test_a_failure_is_explained_here_and_the_session_stays(place: harness.Place) -> None:
    place.procfile("web: echo the disk is on fire; exit 3\ndb: sleep 1000\n")
    session = up(place, "--max-restarts", "1")
    assert session.process.returncode == 3
    assert "web.1 FAILED: exited with code 3" in session.err.decode()
    assert "    the disk is on fire" in session.err.decode()
    assert place.call("ps").out.count("running") == 1
    place.procfile(STAY)
    assert up(place).process.returncode == 0
    end(place, session)


def test_a_session_in_which_nothing_runs_any_more_stays_too(place: harness.Place) -> None:
    place.procfile("web: echo gone; exit 3\n")
    session = up(place, "--max-restarts", "1", "--json")
    record = json.loads(session.text)
    assert (session.process.returncode, record["ok"], record["code"]) == (3, False, 3)
    assert "gone" in place.call("logs", "web").out
    end(place, session)


def test_with_exit_failure_it_is_over_when_the_command_returns(place: harness.Place) -> None:
    place.procfile("web: echo gone; exit 3\ndb: sleep 1000\n")
    session = up(place, "--max-restarts", "1", "--exit", "failure")
    assert session.process.returncode == 3
    assert "    gone" in session.err.decode()
    assert "in the background" not in session.err.decode()
    session.wait_until_gone()


def test_what_is_not_ready_in_time_says_why(place: harness.Place) -> None:
    place.procfile(STAY)
    place.write("procman.toml", NEVER_READY)
    session = up(place, "-t", "0.5")
    assert session.process.returncode == 124
    assert "web.1: started" in session.err.decode()
    assert "not ready after 0.5 s: web.1" in session.err.decode()
    assert up(place, "--no-wait").process.returncode == 0
    end(place, session)


@pytest.mark.parametrize("key", [False, True], ids=["signal", "key"])
def test_an_interrupt_ends_the_session_that_it_has_begun(place: harness.Place, key: bool) -> None:
    place.procfile(STAY)
    place.write("procman.toml", NEVER_READY)
    session = place.session("up", pty=key)
    until(lambda: is_there(place))
    session.type(b"\x03") if key else session.signal(signal.SIGINT)
    assert session.wait() in ((130, -signal.SIGINT) if key else (130,))
    session.wait_until_gone()


def test_an_interrupt_leaves_a_session_that_was_there(place: harness.Place) -> None:
    place.procfile(STAY)
    first = up(place)
    place.write("procman.toml", NEVER_READY)
    assert place.call("stop", "web").code == 0
    second = place.session("up")
    second.wait_for("web.1 started", stream="err")
    second.signal(signal.SIGINT)
    assert second.wait() == 130
    assert is_there(place)
    end(place, first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--no-control",), "needs its control socket"),
        (("--socket", "/nowhere/at/all"), "no control socket at /nowhere/at/all: "),
        (("--socket", f"/tmp/{'x' * 120}"), "a session in the background needs one"),
        (("nosuch",), 'no process type "nosuch"'),
        (("--exit", "sometimes"), "--exit must be"),
    ],
    ids=" ".join,
)
def test_a_refusal_arrives_here(place: harness.Place, words: tuple[str, ...], message: str) -> None:
    place.procfile(STAY)
    session = up(place, *words)
    assert session.process.returncode == 2
    assert message in session.err.decode()
    assert session.text == ""
    assert session.survivors() == []


def test_a_wrong_procfile_is_named_and_json_has_it_too(place: harness.Place) -> None:
    place.procfile("web sleep\n")
    session = up(place)
    assert (session.process.returncode, session.err.decode().count("Procfile:1:")) == (2, 1)
    record = json.loads(up(place, "--json").text)
    assert (record["ok"], record["code"], "Procfile:1:" in record["error"]) == (False, 2, True)


def test_a_death_before_the_socket_is_never_silent(place: harness.Place) -> None:
    place.procfile(STAY)
    os.mkfifo(place.folder / ".env")  # reading it blocks
    session = place.session("up")
    until(lambda: len(session.survivors()) == 4)  # the command, guardian, watchdog and manager
    for process in psutil.Process(session.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # the end of one may be that of another
            process.kill()
    assert session.wait() == 137
    assert "was killed already" in session.err.decode()
    session.wait_until_gone()


def test_what_does_not_begin_in_time_is_ended(place: harness.Place) -> None:
    place.procfile(STAY)
    os.mkfifo(place.folder / ".env")
    session = up(place, "-t", "1")
    assert session.process.returncode == 124
    assert "has not started after 1 s" in session.err.decode()
    session.wait_until_gone()


def test_what_waits_is_named_with_the_reason(place: harness.Place) -> None:
    place.procfile(STAY)
    place.write("procman.toml", "process.web.depends_on = ['db']\nprocess.db.ready = { exec = 'test -e go' }\n")
    session = place.session("up")
    session.wait_for("procman: web.1 is waiting because db.1 is not ready", stream="err")
    place.write("go", "")
    session.wait_for("procman: db.1 is ready after", stream="err")
    assert session.wait() == 0
    end(place, session)


def test_warnings_are_shown_here(place: harness.Place) -> None:
    place.procfile("web: nohup sleep 1000\n")
    session = up(place)
    assert "procman: warning: Procfile:1:6" in session.err.decode()
    end(place, session)


def test_a_port_that_has_moved_is_shown_here(place: harness.Place) -> None:
    place.procfile("web: echo $PORT; exec sleep 1000\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        session = up(place, "-p", str(port), "--port-conflict", "bump")
    moved = re.search(rf"warning: port {port} of web\.1 is taken by .*; web\.1 gets port (\d+)", session.err.decode())
    assert moved, session
    assert f"http://localhost:{moved[1]}" in session.text
    end(place, session)


def test_the_port_of_what_listens_is_shown_although_its_command_does_not_name_it(place: harness.Place) -> None:
    place.write("server.py", harness.LISTENER)
    place.procfile(f"web: exec {sys.executable} server.py\n")
    place.write("procman.toml", "process.web.ready = { log = 'listening' }\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:  # its neighbor is free
        session = up(place, "-p", str(taken.getsockname()[1]), "--port-conflict", "bump")
    row = json.loads(up(place, "--json").text)["instances"][0]
    assert row["url"] == f"http://localhost:{row['port']}"
    assert session.text.splitlines()[1].split()[2:] == [str(row["port"]), row["url"]]
    assert json.loads(place.call("ps", "--json").out)["instances"][0]["url"] == row["url"]
    end(place, session)


def test_each_ignored_flag_is_named_once(place: harness.Place) -> None:
    place.procfile(STAY)
    first = up(place)
    assert "ignored: --foreman\n" in up(place, "--foreman").err.decode()
    end(place, first)


def has_left(session: harness.Session) -> bool:
    """Whether a process that it has spawned is in a group of its own. A kill of the caller's group misses that one."""
    for pid in session.survivors():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) != session.pid:
                return True
    return False


STAGES: dict[str, Callable[[harness.Session], object]] = {
    "at once": lambda session: None,
    "when it has begun": lambda session: until(lambda: has_left(session)),
    "when children run": lambda session: until(lambda: len(session.survivors()) > 4),
    "while it waits": lambda session: session.wait_for("warning|hello|web", stream="err"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_session_outlives_the_group_of_its_caller(place: harness.Place, stage: str) -> None:
    place.procfile("web: echo hello; exec nohup sleep 1000\n")
    place.write("procman.toml", NEVER_READY)
    session = place.session("up")
    STAGES[stage](session)
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    until(lambda: is_there(place) or not session.survivors())
    if is_there(place):
        place.write("procman.toml", "")
        assert place.call("restart").code == 0
        end(place, session)
    else:
        assert stage == "at once"  # it has not spawned anything yet


def test_children_have_a_terminal_of_their_own(place: harness.Place) -> None:
    place.procfile("web: sh -c 'stty size < /dev/tty; test -t 0 && echo typing; exec sleep 1000'\n")
    session = up(place)
    out = place.call("logs", "web").out
    assert "40 120" in out
    assert "typing" in out
    end(place, session)


def test_nothing_of_the_caller_is_kept_open(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    reader, writer = os.pipe()
    command = [harness.PROCMAN, "up"]
    done = subprocess.run(
        command, cwd=place.folder, env=harness.environment(), pass_fds=[writer], capture_output=True, check=False
    )
    assert done.returncode == 0, done
    os.close(writer)
    assert os.read(reader, 1) == b""  # the end of the file: nothing else has it
    os.close(reader)
    assert place.call("down").code == 0


def test_it_ends_by_itself_after_the_time_it_was_given(place: harness.Place) -> None:
    place.procfile(STAY)
    session = up(place, "--for", "1")
    session.wait_until_gone()
    assert not is_there(place)
    foreground = place.start("--for", "500ms")
    assert foreground.wait() == 0
    assert "its time is up" in foreground.text


def test_replace_begins_another_session(place: harness.Place) -> None:
    place.procfile(STAY)
    first = up(place)
    pid = pid_of(place)
    second = up(place, "--replace")
    assert second.process.returncode == 0
    assert f"stopping the session with pid {pid}" in second.err.decode()
    first.wait_until_gone()
    assert pid_of(place) != pid
    end(place, second)


def test_it_waits_for_the_end_of_a_session_that_is_stopping(place: harness.Place) -> None:
    place.procfile("web: trap '' TERM; echo hello; while :; do sleep 1; done\n")
    first = up(place, "--stop-timeout", "1")
    assert place.call("stop", "--no-wait").code == 0
    second = up(place)
    assert second.process.returncode == 0
    assert "waiting for the end of the session" in second.err.decode()
    first.wait_until_gone()
    assert place.call("down").code == 0
    second.wait_until_gone()


def test_a_reader_that_leaves_does_not_end_the_session(place: harness.Place) -> None:
    place.procfile(STAY)
    reader, writer = os.pipe()
    os.close(reader)
    session = place.session("up", stdout=writer)
    os.close(writer)
    assert session.wait() == 141
    end(place, session)


def test_without_standard_streams_it_works_as_well(place: harness.Place) -> None:
    place.procfile(STAY)
    session = place.session("-c", f'exec "{harness.PROCMAN}" up 0<&- 1>&- 2>&-', program="/bin/sh")
    assert session.wait() == 0
    end(place, session)


def test_killed_by_force_nothing_of_it_is_left(place: harness.Place) -> None:
    place.procfile(STAY)
    session = up(place)
    os.kill(pid_of(place), signal.SIGKILL)
    session.wait_until_gone()
    again = up(place)
    assert again.process.returncode == 0
    end(place, again)


def test_wait_sees_a_session_that_begins_later(place: harness.Place) -> None:
    place.procfile(STAY)
    waiting = place.session("wait", "web", "-t", "50")
    waiting.wait_for("for it to start", stream="err")
    session = up(place)
    assert waiting.wait() == 0
    end(place, session)


@pytest.mark.parametrize("descriptors", range(8, 20, 2))
def test_a_lack_of_descriptors_is_named_and_leaves_nothing(place: harness.Place, descriptors: int) -> None:
    """With enough of them for an answer it is a session like any other, in which a process cannot be started, say."""
    place.procfile(STAY)
    command = f'ulimit -n {descriptors} && exec "{harness.PROCMAN}" up'
    session = place.session("-c", command, program="/bin/sh")
    code = session.wait()
    assert code == 0 or "too many open files" in session.err.decode().lower()
    if not session.text:
        session.wait_until_gone()


def test_a_count_of_0_is_refused_whether_a_session_is_running_or_not(place: harness.Place) -> None:
    place.procfile(STAY)
    assert b'"web=0" has no effect' in up(place, "db", "web=0").err
    assert not is_there(place)
    session = up(place, "web", "db")
    assert place.call("up", "web=0").code == 2
    end(place, session)


def test_down_without_a_session_is_not_a_mistake_but_stop_is(place: harness.Place) -> None:
    place.procfile(STAY)
    done = place.call("down")
    assert (done.code, done.out, "is running\n" in done.err) == (0, "", True)
    assert json.loads(place.call("down", "--json").out)["ok"] is True
    assert place.call("down", "web").code == 1
    assert place.call("stop").code == 1
