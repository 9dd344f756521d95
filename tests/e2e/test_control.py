"""Requests to a session from outside, as from a second terminal: every verb does what it says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time

import pytest

import harness
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Finished, Place, Session

PROCFILE = """\
web: echo "web $PORT $COLOR"; exec sleep 1000
worker: echo "worker $PORT"; exec sleep 1000
css: sleep 1000
"""
BASE = "-p", "21000"


@pytest.fixture
def session(place: Place) -> Session:
    """web and worker run, css was left out."""
    place.procfile(PROCFILE)
    session = place.start(*BASE, "-x", "css")
    session.wait_for(r"worker\.1 +\| worker 21100")
    assert place.call("wait").code == 0
    return session


def rows(place: Place, *words: str) -> dict[str, dict[str, object]]:
    done = place.call("ps", "--json", *words)
    assert done.code == 0, done
    return {row["name"]: row for row in json.loads(done.out)["instances"]}


def done(finished: Finished) -> str:
    assert finished.code == 0, finished
    return finished.out


# Questions -----------------------------------------------------------------------------------------------------------


def test_ps_shows_state_pid_and_port(place: Place, session: Session) -> None:
    table = done(place.call("ps")).splitlines()
    assert [line.split()[0] for line in table] == ["NAME", "web.1", "worker.1"]
    row = rows(place)["web.1"]
    assert (row["state"], row["port"], row["restarts"], row["exit"]) == ("running", 21000, 0, None)
    assert os.getsid(int(str(row["pid"]))) == row["pid"]
    assert any(int(str(rows(place)["web.1"]["memory_bytes"])) > 0 for _ in range(20))  # none for a moment at exec
    assert done(place.call("status", "web")).splitlines()[1].startswith("web.1")


def test_why_explains_what_runs_what_is_left_out_and_what_failed(place: Place) -> None:
    place.procfile(PROCFILE + "bad: exit 3\n")
    session = place.start(*BASE, "-x", "css", "--restart", "never")
    session.wait_for("bad.1 FAILED")
    assert "left out by --exclude" in done(place.call("why", "css"))
    assert "gave up: exited with code 3" in done(place.call("why", "bad"))
    assert re.search(r"web.1: up for .* with pid \d+", done(place.call("why", "web.1")))


def test_why_tells_of_a_backoff_and_of_dependencies(place: Place) -> None:
    place.procfile("db: sleep 1000\nweb: sleep 1000\nbad: exit 3\n")
    place.write("procman.toml", "[process.db]\nready = { exec = 'false' }\n[process.web]\ndepends_on = ['db']\n")
    session = place.start()
    session.wait_for(r"bad\.1 restarting in .* \(attempt 2")
    assert "restarting in" in done(place.call("why", "bad"))
    assert "waiting because db.1 is not ready" in done(place.call("why", "web"))
    assert "not ready yet" in done(place.call("why", "db"))


def test_logs_come_from_memory_and_go_on_live(place: Place, session: Session) -> None:
    assert [line[9:] for line in done(place.call("logs", "web")).splitlines()] == ["web.1    | web 21000 "]
    follower = place.session("logs", "-f", "-n", "1", "worker")
    follower.wait_for(r"worker\.1 +\| worker 21100")
    done(place.call("restart", "worker"))
    follower.wait_for(r"worker\.1 +\| worker 21100")
    record = json.loads(done(place.call("logs", "--json", "-n", "1", "web")))
    assert (record["instance"], record["stream"], record["line"]) == ("web.1", "stdout", "web 21000 ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", record["time"])  # as start --format json has it
    assert done(place.call("logs", "--since", "0s")) == ""
    done(place.call("stop"))
    assert follower.wait() == 0


def test_logs_are_colored_as_start_is(place: Place, session: Session) -> None:
    assert "\x1b[" in done(place.call("logs", "web", "--color"))
    assert "\x1b[" in done(place.call("logs", "web", env={"PROCMAN_COLOR": "1"}))
    place.write("procman.toml", "color = true\n")
    assert "\x1b[" in done(place.call("logs", "web"))
    assert "\x1b[" not in done(place.call("logs", "web", "--no-color"))


def test_logs_tell_the_streams_apart_where_they_were(place: Place) -> None:
    place.procfile("web: echo good; echo bad >&2; exec sleep 1000\n")
    session = place.start("--format", "json")
    session.wait_for('"line": "bad"')
    session.wait_for('"line": "good"') if '"line": "good"' not in session.text else None
    streams = {
        (record["line"], record["stream"])
        for record in map(json.loads, done(place.call("logs", "--json", "web")).splitlines())
    }
    assert streams == {("good", "stdout"), ("bad", "stderr")}


def test_events_tell_a_restart_in_order(place: Place, session: Session) -> None:
    listener = place.session("events", "--json", "web")
    wait_until_heard(place, listener)
    done(place.call("restart", "web.1"))
    listener.wait_for('"event": "ready"')
    kinds = [json.loads(line)["event"] for line in listener.text.splitlines()]
    assert kinds[-4:] == ["stopping", "stopped", "started", "ready"]


def wait_until_heard(place: Place, listener: Session, what: str = '"event": "ready"') -> None:
    """A listener gets what happens after it was accepted: make things happen until it has got something."""
    for _ in range(100):
        done(place.call("restart", "web"))
        try:
            listener.wait_for(what, limit=0.2)
            return
        except AssertionError:
            continue
    raise AssertionError("it hears nothing")


def test_events_have_the_time_of_the_users_clock(place: Place, session: Session) -> None:
    listener = place.session("events", "web", env={"TZ": "UTC-14"})
    wait_until_heard(place, listener, r"web\.1 is ready")
    shown = listener.text.splitlines()[0].split()[0]
    utc = json.loads(done(place.call("logs", "--json", "-n", "1", "system")))["time"]
    assert (int(shown[:2]) - int(utc[11:13])) % 24 in (13, 14, 15)


def test_why_tells_what_does_not_start_by_itself(place: Place) -> None:
    place.procfile("web: sleep 1000\nlate: sleep 1000\n")
    place.write("procman.toml", "[process.late]\nautostart = false\n")
    place.start().wait_for("web.1 started")
    assert done(place.call("why", "late")) == (
        "late.1: not started because autostart is false; `procman start late` starts it\n"
    )


def test_wait_is_over_when_all_are_ready_and_gives_up_in_time(place: Place) -> None:
    place.procfile("db: sleep 1000\nweb: sleep 1000\n")
    place.write("procman.toml", "[process.db]\nready = { exec = 'test -e ready', interval = 0.05 }\n")
    session = place.start()
    session.wait_for("db.1 started")
    late = place.call("wait", "db", "--timeout", "0.2")
    assert (late.code, "not ready after 0.2 s: db.1" in late.err) == (124, True)
    patience = {"PROCMAN_WAIT_TIMEOUT": "0.2", "PROCMAN_TIMEOUT": "30"}  # the other one is a grace
    assert "not ready after 0.2 s" in place.call("wait", "db", env=patience).err
    assert "not ready after 0.1 s" in place.call("wait", "db", "--timeout", "0.1", env=patience).err
    assert (
        'PROCMAN_WAIT_TIMEOUT must be a duration such as 30, 500ms or 1m30s, not "x"'
        in place.call("wait", env={"PROCMAN_WAIT_TIMEOUT": "x"}).err
    )
    assert place.call("wait", "web").code == 0
    waiting = place.session("wait", "db")
    place.write("ready", "")
    assert waiting.wait() == 0


def test_wait_fails_at_once_for_what_has_failed(place: Place) -> None:
    place.procfile("web: sleep 1000\nbad: exit 3\n")
    place.start("--restart", "never").wait_for("bad.1 FAILED")
    failed = place.call("wait")
    assert (failed.code, "bad.1 exited with code 3" in failed.err) == (1, True)


# Groups --------------------------------------------------------------------------------------------------------------

GROUPS = """\
[process.web]
groups = ["front"]
[process.css]
groups = ["front", "extra"]
[process.worker]
groups = ["back"]
"""


@pytest.fixture
def grouped(place: Place) -> Session:
    """web and css are in front, worker in back; css, the only one in extra, was left out."""
    place.write("procman.toml", GROUPS)
    place.procfile(PROCFILE)
    session = place.start(*BASE, "-x", "css")
    session.wait_for(r"worker\.1 +\| worker 21100")
    assert place.call("wait").code == 0
    return session


def test_a_group_is_as_good_as_a_name_where_a_session_is_asked(place: Place, grouped: Session) -> None:
    assert set(rows(place, "front")) == {"web.1"}
    assert set(rows(place, "back", "web.1")) == {"web.1", "worker.1"}
    assert done(place.call("wait", "front")) == ""
    assert [line.split()[1] for line in done(place.call("logs", "front")).splitlines()] == ["web.1"]
    assert done(place.call("signal", "CONT", "back")).startswith("SIGCONT sent to worker.1")
    assert done(place.call("pause", "front")) == "web.1 paused\n"
    assert done(place.call("resume", "front")) == "web.1 resumed\n"
    why = done(place.call("why", "front"))
    assert "css: left out by --exclude" in why
    assert "web.1: up for" in why
    before = rows(place)
    done(place.call("restart", "front"))
    after = rows(place)
    assert before["web.1"]["pid"] != after["web.1"]["pid"]
    assert before["worker.1"]["pid"] == after["worker.1"]["pid"]


def test_a_group_is_stopped_scaled_and_started_with_all_that_was_left_out(place: Place, grouped: Session) -> None:
    assert done(place.call("scale", "front=2")).count(" started with pid") == 3
    done(place.call("scale", "front=1"))
    done(place.call("scale", "css=0"))
    assert set(rows(place)) == {"web.1", "worker.1"}
    done(place.call("stop", "front"))
    assert {name: row["state"] for name, row in rows(place).items()} == {"web.1": "exited", "worker.1": "running"}
    said = done(place.call("start", "front"))
    assert "web.1 started" in said
    assert "css.1 started" in said


def test_live_logs_and_events_of_a_group_hear_its_types(place: Place, grouped: Session) -> None:
    listener = place.session("events", "back")
    follower = place.session("logs", "-f", "-n", "1", "back")
    follower.wait_for(r"worker\.1 +\| worker 21100")
    done(place.call("restart", "web"))
    for _ in range(100):  # it hears what happens after it was let in
        done(place.call("restart", "worker"))
        with contextlib.suppress(AssertionError):
            listener.wait_for(r"worker\.1 is ready", limit=0.2)
            break
    follower.wait_for(r"worker\.1 +\| worker 21100")
    assert "web.1" not in listener.text + follower.text


def test_a_group_of_which_nothing_is_here_is_explained(place: Place, grouped: Session) -> None:
    refused = place.call("restart", "extra")
    assert (refused.code, refused.out) == (2, "")
    assert "css is not part of this session: left out by --exclude" in refused.err
    assert 'did you mean "front"?' in place.call("restart", "frnt").err
    assert "web.1 has pipes" in place.call("attach", "front").err


# Wishes --------------------------------------------------------------------------------------------------------------


def test_stop_and_start_by_name_glob_and_instance(place: Place, session: Session) -> None:
    assert "worker.1 stopped" in done(place.call("stop", "work*"))
    assert rows(place)["worker.1"]["state"] == "exited"
    assert "stopped by you; `procman start worker.1` starts it" in done(place.call("why", "worker"))
    assert "worker.1 started" in done(place.call("start", "worker.1"))
    assert "already running" in done(place.call("start", "worker"))


def test_the_session_outlives_a_stop_of_all_its_processes_by_name(place: Place, session: Session) -> None:
    done(place.call("stop", "web", "worker"))
    assert {row["state"] for row in rows(place).values()} == {"exited"}
    done(place.call("start", "web"))
    assert rows(place)["web.1"]["state"] == "running"


def test_start_adds_a_type_that_was_left_out(place: Place, session: Session) -> None:
    assert "css.1 started with pid" in done(place.call("start", "css"))
    assert rows(place)["css.1"]["port"] == 21200
    done(place.call("start", "web=2"))
    assert {"web.1", "web.2"} <= rows(place).keys()


def test_start_in_a_session_answers_programs_too(place: Place, session: Session) -> None:
    answer = json.loads(done(place.call("start", "css", "--json")))
    assert answer["ok"] is True
    assert any("css.1 started with pid" in line for line in answer["said"])
    done(place.call("stop", "css"))
    assert json.loads(done(place.call("start", "css", "--json", "--no-wait")))["ok"] is True
    refused = place.call("start", "nobody", "--json")
    assert refused.code == 2
    assert json.loads(refused.out)["ok"] is False


def test_restart_takes_another_pid_and_what_the_files_say_now(place: Place, session: Session) -> None:
    before = rows(place)["web.1"]
    place.write(".env", "COLOR=blue\n")
    said = done(place.call("restart", "web"))
    assert "COLOR is new: blue" in said
    session.wait_for("web 21000 blue")
    after = rows(place)["web.1"]
    assert before["pid"] != after["pid"]
    assert after["restarts"] == 1


def test_rolling_restart_takes_one_after_the_other(place: Place, session: Session) -> None:
    done(place.call("scale", "web=3"))
    said = [line.split()[:2] for line in done(place.call("restart", "--rolling", "web")).splitlines()]
    kept = [f"{name} {what}" for name, what in said if what in ("stopped", "started")]
    assert kept == [f"web.{n} {what}" for n in (1, 2, 3) for what in ("stopped", "started")]


def test_rolling_restart_ends_with_the_first_that_fails(place: Place) -> None:
    place.procfile("web: test ! -e broken && echo up && exec sleep 1000\n")
    session = place.start("-m", "web=3", "--restart", "never")
    for _ in range(3):
        session.wait_for(r"\| up")
    place.write("broken", "")
    failed = place.call("restart", "--rolling", "web")
    assert failed.code == 1
    assert "not restarted: web.2, web.3" in failed.err
    assert [row["state"] for row in rows(place).values()] == ["failed", "running", "running"]


def test_scale_gives_new_ones_their_ports_and_stops_the_highest(place: Place, session: Session) -> None:
    said = done(place.call("scale", "web=3", "worker+1"))
    assert re.search(r"web\.3 started with pid \d+", said)
    assert {name: row["port"] for name, row in rows(place).items()} == {
        "web.1": 21000,
        "web.2": 21001,
        "web.3": 21002,
        "worker.1": 21100,
        "worker.2": 21101,
    }
    done(place.call("scale", "web-2", "worker=1"))
    assert set(rows(place)) == {"web.1", "worker.1"}
    done(place.call("scale", "web=0"))
    assert set(rows(place)) == {"worker.1"}
    done(place.call("scale", "web=1"))
    assert [line.split(":")[0] for line in done(place.call("why")).splitlines()] == ["web.1", "worker.1"]


@pytest.mark.parametrize(
    "words",
    [
        ("scale", "web"),
        ("scale", "nobody=1"),
        ("scale",),
        ("scale", "web=99999"),
        ("stop", "nobody"),
        ("start", "nobody"),
        ("signal", "USR1"),
        ("signal", "NOPE", "web"),
        ("logs", "--since", "soon"),
        ("attach",),
        ("attach", "web", "worker"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_with_2_and_changes_nothing(
    place: Place, session: Session, words: tuple[str, ...]
) -> None:
    before = {name: row["pid"] for name, row in rows(place).items()}
    refused = place.call(*words)
    assert (refused.code, refused.out) == (2, ""), refused
    assert refused.err.startswith("procman: ")
    assert {name: row["pid"] for name, row in rows(place).items()} == before


def test_signal_reaches_the_program_behind_a_shell(place: Place) -> None:
    place.procfile("web: sh trap.sh; true\n")
    place.write("trap.sh", "trap 'echo heard' USR1; echo ready; while :; do sleep 0.05; done\n")
    session = place.start()
    session.wait_for(r"\| ready")
    assert "SIGUSR1 sent to web.1" in done(place.call("signal", "USR1", "web"))
    session.wait_for(r"\| heard")
    assert rows(place)["web.1"]["restarts"] == 0


def test_paused_processes_stand_still_until_they_are_resumed(place: Place) -> None:
    # A shell that forks at this very moment would be in state D instead: vfork(2) waits for a child that has stopped.
    place.write("tick.py", "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(0.05)\n")
    place.procfile(f"web: {sys.executable} -S tick.py\n")
    session = place.start()
    session.wait_for("tick")
    done(place.call("pause", "web"))
    row = rows(place)["web.1"]
    assert row["state"] == "paused"
    kit.wait_until(lambda: kit.is_stopped(int(str(row["pid"]))), "the stop")
    done(place.call("resume"))
    session.wait_for("tick")
    assert rows(place)["web.1"]["state"] == "running"
    done(place.call("pause", "web"))
    done(place.call("stop"))  # a stopped process could not obey: it is woken up for it
    assert session.wait() == 0


@pytest.mark.parametrize("suspend", ["as a key does", "where it listens"])
def test_a_suspended_session_is_named_at_once_with_whom_to_wake(place: Place, suspend: str) -> None:
    place.procfile("web: sleep 1000\n")
    session = place.start(pty=True)
    session.wait_for(r"web\.1 started")
    manager = next(pid for pid in session.survivors() if kit.name_of(pid) == "procman-manager")
    session.type(b"\x1a") if suspend == "as a key does" else os.kill(manager, signal.SIGSTOP)
    kit.wait_until(lambda: kit.is_stopped(manager), "the stop")
    words = ("ps", "stop", "wait", "start", "start web", "start --replace", "attach web")
    for found in (place.call(*line.split()) for line in words):  # several of these would wait without a limit
        assert (found.code, found.out) == (1, "")
        assert found.err == (
            f"procman: the session in {place.folder} is suspended (pid {session.pid})\n"
            f"hint: fg in its terminal or kill -CONT {session.pid} resumes it\n"
        )
    session.signal(signal.SIGCONT)
    kit.wait_until(lambda: not kit.is_stopped(manager), "the manager to be resumed")
    done(place.call("wait"))
    assert rows(place)["web.1"]["state"] == "running"


SLEEPER = """\
import os, signal, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("session")
listener.listen()
print("ready", flush=True)
client, _ = listener.accept()
client.recv(4096)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_session_that_is_suspended_while_it_is_asked_is_named_as_well(place: Place) -> None:
    place.write("sleeper.py", SLEEPER)
    session = place.session("sleeper.py", program=sys.executable)
    session.wait_for("ready")
    asked = place.call("ps", "--socket", "session")
    assert (asked.code, asked.out) == (1, "")
    assert asked.err.startswith(f"procman: the session in {place.folder} is suspended (pid {session.pid})\n")


@pytest.fixture
def home() -> Iterator[dict[str, str | None]]:
    """An environment whose sessions have a folder of their own: the common one may be full of other tests' sessions."""
    with tempfile.TemporaryDirectory(prefix="procman-", dir="/tmp") as folder:
        yield {"XDG_RUNTIME_DIR": folder}


def test_in_another_folder_it_is_said_what_runs_and_how_to_name_it(place: Place, home: dict[str, str | None]) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    place.start(env=home).wait_for("hello")
    place.write("elsewhere/Procfile", "web: sleep 100\n")
    other = place.call("logs", "--procfile", "elsewhere/Procfile", env=home)  # -f would be to follow
    assert other.code == 1
    assert other.err.endswith(" (choose one with --procfile)\n")
    named = f"{place.folder}/Procfile"  # sessions of other tests may be named as well
    assert re.search(rf" {re.escape(named)}(,| \()", other.err), other
    assert "hello" in done(place.call("logs", "--procfile", named, "-n", "1", env=home))


def test_stop_without_names_ends_the_session_with_0(place: Place, session: Session) -> None:
    done(place.call("stop"))
    assert session.wait() == 0
    session.wait_until_gone()
    nobody = place.call("ps")
    assert (nobody.code, "no session" in nobody.err) == (1, True)


@pytest.mark.parametrize("verb", ["ps", "why", "logs", "events", "wait", "stop", "pause"])
def test_a_refusal_is_json_where_that_was_asked_for(place: Place, session: Session, verb: str) -> None:
    refused = place.call(verb, "wbe", "--json")
    record = json.loads(refused.out)
    assert (refused.code, refused.err) == (2, "")
    assert (record["ok"], record["code"], record["hint"]) == (False, 2, 'did you mean "web"?')
    assert 'there is no process "wbe"' in record["error"]
    more = {"pause": ["web"], "wait": ["-t", "0.1"]}.get(verb, [])
    nobody = place.call(verb, *more, "--json", "-d", "/")
    assert (nobody.code, json.loads(nobody.out)["code"]) == (1, 1)


def test_every_wish_answers_in_json(place: Place, session: Session) -> None:
    for words in (
        ("restart", "web"),
        ("scale", "web=2"),
        ("signal", "CONT", "web"),
        ("pause", "web"),
        ("resume",),
        ("stop", "web.2"),
        ("wait", "web.1"),
    ):
        assert json.loads(done(place.call(*words, "--json")))["ok"] is True
    refused = place.call("stop", "nobody", "--json")
    assert (refused.code, json.loads(refused.out)["ok"]) == (2, False)


# Sessions ------------------------------------------------------------------------------------------------------------


def test_a_second_start_names_the_pid_and_offers_replace(place: Place, session: Session) -> None:
    second = place.call("start")
    assert second.code == 2
    assert f"(pid {session.pid})" in second.err
    assert "--replace" in second.err


def test_replace_stops_the_old_session_first(place: Place, session: Session) -> None:
    new = place.start(*BASE, "--replace", "web")
    new.wait_for(r"web\.1 started")
    assert session.wait() == 0
    session.wait_until_gone()
    assert set(rows(place)) == {"web.1"}


def test_other_procfiles_folders_and_sockets_are_other_sessions(place: Place, session: Session) -> None:
    place.write("Procfile.dev", "dev: sleep 1000\n")
    other = place.start("-f", "Procfile.dev")
    other.wait_for("dev.1 started")
    private = place.start("--socket", "own.sock", *BASE, "css")
    private.wait_for("css.1 started")
    assert set(rows(place)) == {"web.1", "worker.1"}
    assert set(rows(place, "-f", "Procfile.dev")) == {"dev.1"}
    assert set(rows(place, "--socket", "own.sock")) == {"css.1"}


def test_a_session_that_was_killed_is_replaced_silently(place: Place, session: Session) -> None:
    session.kill()
    again = place.start(*BASE, "web")
    again.wait_for(r"web\.1 started")
    assert again.err == b""
    assert set(rows(place)) == {"web.1"}


def test_without_a_place_for_the_socket_start_goes_on(place: Place) -> None:
    place.procfile(PROCFILE)
    session = place.start(*BASE, "--socket", "/proc/nowhere.sock", "web")
    session.wait_for("warning: no control socket")
    session.wait_for(r"web\.1 +\| web 21000")


def test_no_control_means_no_socket(place: Place) -> None:
    place.procfile(PROCFILE)
    session = place.start(*BASE, "--no-control", "web")
    session.wait_for(r"web\.1 +\| web 21000")
    assert place.call("ps").code == 1


def test_nothing_is_made_in_the_folder(place: Place, session: Session) -> None:
    assert sorted(path.name for path in place.folder.iterdir()) == ["Procfile"]


def test_verbs_take_less_than_a_fifth_of_a_second_of_their_own(place: Place, session: Session) -> None:
    """CPU time: how long a verb waits for a processor does not count."""
    for words in (("ps",), ("why",), ("logs",), ("wait",), ("signal", "CONT", "web")):
        took = min(timed(place, *words) for _ in range(5))
        assert took < 0.2, f"{words} took {took:.3f} s"


def timed(place: Place, *words: str) -> float:
    began = spent()
    done(place.call(*words))
    return spent() - began


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# Terminals -----------------------------------------------------------------------------------------------------------


def test_a_debugger_is_used_from_another_terminal(place: Place) -> None:
    place.write("app.py", "answer = 41\nbreakpoint()\nprint('the answer is', answer)\nimport time; time.sleep(1000)\n")
    place.procfile("web: python3 app.py\n")
    session = place.start(pty=True)
    session.wait_for(r"\(Pdb\)")
    terminal = place.session("attach", "web.1", pty=True)
    terminal.wait_for(r"\(Pdb\)")
    terminal.type(b"answer = answer + 1\r")
    terminal.wait_for(r"\(Pdb\)")
    terminal.type(b"c\r")
    terminal.wait_for("the answer is 42\r\n")
    terminal.type(b"\x1d")
    assert terminal.wait() == 0
    session.wait_for("the answer is 42")
    done(place.call("stop"))
    assert session.wait() == 0


ECHO = """\
import os, signal
signal.signal(signal.SIGWINCH, lambda *_: print(*os.get_terminal_size(), flush=True))
print("ready", flush=True)
while True:
    print("got", input(), flush=True)
"""


def test_an_attached_terminal_hands_on_its_size_and_keys(place: Place) -> None:
    place.procfile("web: python3 echo.py\n")
    place.write("echo.py", ECHO)
    session = place.start(pty=True)
    session.wait_for("ready")
    terminal = place.session("connect", "web", pty=True)
    terminal.wait_for("ready")
    terminal.resize(rows=33, columns=77)
    terminal.wait_for("77 33")
    terminal.type(b"hello\r")
    terminal.wait_for("got hello")
    done(place.call("stop", "web"))
    assert terminal.wait() == 0


def test_attach_leaves_the_keyboard_as_it_was(place: Place) -> None:
    place.procfile("web: echo ready; read line; printf '\\033[>1u\\033[?1049h\\033[>5utype: '; exec sleep 1000\n")
    place.start("--pty").wait_for("ready")
    terminal = place.session("attach", "web", pty=True)
    terminal.wait_for("Ctrl-] detaches")
    terminal.type(b"\r")
    terminal.wait_for("type: ")
    terminal.type(b"\x1d")
    terminal.wait_for(r"\x1b\[<\d+u.*\x1b\[\?1049l\x1b\[<\d+u")
    assert terminal.wait() == 0


def test_attach_leaves_the_title_and_the_origin_of_rows_as_they_were(place: Place) -> None:
    place.procfile("web: echo ready; read line; printf '\\033]2;mine\\007\\033[?6htype: '; exec sleep 1000\n")
    place.start("--pty").wait_for("ready")
    terminal = place.session("attach", "web", pty=True)
    terminal.wait_for("Ctrl-] detaches")
    terminal.type(b"\r")
    terminal.wait_for(r"\x1b\[22;0t\s*\x1b\]2;mine[^ ]*type: ")
    terminal.type(b"\x1d")
    terminal.wait_for(r"\x1b\[\?6l\x1b\[999B.*\x1b\[23;0t")  # the end of the mode moves the cursor to the first row
    assert terminal.wait() == 0


def test_attach_hands_on_what_it_is_given_and_leaves_with_the_answer(place: Place) -> None:
    place.procfile("web: stty -echo; echo ready; while read -r line; do echo got $line; done\n")
    place.start("--pty").wait_for("ready")
    answered = place.call("attach", "web", stdin=b"hello\nyou")
    assert (answered.code, answered.out) == (0, "ready\r\ngot hello\r\n")
    assert answered.err == "attached to web; the end of standard input detaches\n"
    assert done(place.call("attach", "web")) == "ready\r\ngot hello\r\n"
    assert rows(place)["web.1"]["restarts"] == 0  # no end of file for the program
    assert done(place.call("attach", "web", stdin=b"th\nbye\n")).endswith("\r\ngot youth\r\ngot bye\r\n")


def test_attach_with_a_closed_standard_input_shows_what_is_there_and_leaves(place: Place) -> None:
    place.procfile("web: echo ready; exec sleep 1000\n")
    place.start("--pty").wait_for("ready")
    closed = place.session("-c", f"exec {harness.PROCMAN} attach web <&-", program="/bin/sh")
    assert closed.wait() == 0
    assert closed.text == "ready\r\n"


def test_attach_takes_the_terminal_for_a_program_that_has_said_nothing(place: Place) -> None:
    told = "until test -e ready; do sleep 0.01; done; echo so; exec sleep 1000"
    place.procfile(f"web: stty -echo; touch ready; exec cat >heard\nother: {told}\n")
    place.start("--pty").wait_for("so")
    terminal = place.session("attach", "web", pty=True)
    terminal.wait_for("Ctrl-] detaches")
    terminal.type(b"\x1d")
    assert terminal.wait() == 0
    silent = place.call("attach", "web", stdin=b"hello\n")
    assert (silent.code, silent.out) == (0, "")
    assert silent.err == "attached to web; the end of standard input detaches\n"


def test_attach_shows_what_a_program_says_that_does_not_read_all_it_is_given(place: Place) -> None:
    place.procfile("web: stty raw -echo; while :; do echo tick; sleep 0.01; done\n")
    place.start("--pty").wait_for("tick")
    place.write("much", "x" * 1_000_000)
    attached = place.session("-c", f"exec {harness.PROCMAN} attach web <much", program="/bin/sh")
    attached.wait_for(r"(?:tick\s+){150}")  # more than all buffers can hold was typed long before


def test_attach_leaves_a_program_that_is_never_quiet_or_does_not_read(place: Place) -> None:
    place.procfile("web: stty raw -echo; while :; do echo tick; sleep 0.01; done\n")
    place.start("--pty").wait_for("tick")
    left = place.call("attach", "web", stdin=b"x" * 40_000)
    assert "tick" in done(left)
    assert re.search(r"^procman: web has not read the last \d+ bytes$", left.err, re.MULTILINE), left


def _paste(terminal: harness.Session, text: bytes) -> None:
    while text:
        select.select([], [terminal.terminal], [], harness.LIMIT)
        text = text[os.write(terminal.terminal, text[:1024]) :]


def test_a_large_paste_waits_for_the_program_and_can_be_left(place: Place) -> None:
    wait = "stty raw -echo; echo ready; until test -e go; do sleep 0.01; done"
    place.procfile(f"web: {wait}; echo $(head -c 400000 | tr -d x | wc -c) others; exec sleep 1000\n")
    place.start("--pty").wait_for("ready")
    terminal = place.session("attach", "web", pty=True)
    terminal.wait_for("Ctrl-] detaches")
    _paste(terminal, b"x" * 400_000)
    place.write("go", "")
    terminal.wait_for("0 others")
    terminal.type(b"\x1d")
    assert terminal.wait() == 0
    assert "read" not in terminal.text.rpartition("0 others")[2]


@pytest.mark.parametrize(
    ("size", "words"),
    [(400_000, "may not have read everything that was typed"), (40_000, r"has not read the last \d+ bytes")],
)
def test_a_paste_that_a_program_does_not_read_can_be_left_and_is_not_lost_silently(
    place: Place, size: int, words: str
) -> None:
    place.procfile("web: stty raw -echo; echo ready; exec sleep 1000\n")
    place.start("--pty").wait_for("ready")
    terminal = place.session("attach", "web", pty=True)
    terminal.wait_for("Ctrl-] detaches")
    _paste(terminal, b"x" * size + b"\x1d")
    terminal.wait_for(f"procman: web {words}")
    assert terminal.wait() == 0


def test_attach_is_left_by_ctrl_and_bracket_as_kitty_tells_it(place: Place) -> None:
    place.procfile("web: echo ready; exec sleep 1000\n")
    place.start("--pty").wait_for("ready")
    terminal = place.session("attach", "web", pty=True)
    terminal.wait_for("Ctrl-] detaches")
    terminal.type(b"\x1b[93;5u")
    assert terminal.wait() == 0


def test_attach_to_a_process_on_pipes_is_refused_in_words(place: Place, session: Session) -> None:
    refused = place.call("attach", "web.1")
    assert refused.code == 1
    assert "--pty" in refused.err


# procman test --------------------------------------------------------------------------------------------------------


def test_test_runs_a_command_while_everything_is_up(place: Place) -> None:
    place.procfile("web: touch up; exec sleep 1000\ndb: sleep 1000\n")
    place.write("procman.toml", "[process.web]\nready = { exec = 'test -e up', interval = 0.05 }\n")
    ran = place.call("test", "--", "sh", "-c", "test -e up && echo port $PROCMAN_WEB_PORT; exit 7")
    assert ran.code == 7, ran
    assert re.fullmatch(r"port 5\d\d\d\n", ran.out), ran  # `test` avoids the ports of sessions beside it
    assert place.call("ps").code == 1


def test_test_shows_the_logs_of_what_failed(place: Place) -> None:
    place.procfile("web: sleep 1000\nbad: echo my last words; exit 3\n")
    place.write("procman.toml", "[process.bad]\nrestart = 'never'\n[process.web]\nready = { exec = 'false' }\n")
    ran = place.call("test", "--", "touch", "ran")
    assert ran.code == 1, ran
    assert "bad.1 exited with code 3" in ran.err
    assert "my last words" in ran.err
    assert not (place.folder / "ran").exists()


def test_test_tells_why_it_cannot_start(place: Place) -> None:
    place.procfile("web sleep\n")
    ran = place.call("test", "--", "touch", "ran")
    assert ran.code == 2, ran
    assert "Procfile:1" in ran.err


@pytest.mark.parametrize("words", [("-f", "Prcfile"), ("-m", "wbe=2"), ("-e", "missing.env")])
def test_test_refuses_with_the_status_of_start(place: Place, words: tuple[str, ...]) -> None:
    place.procfile("web: sleep 1000\n")
    assert place.call("start", *words).code == 2
    ran = place.call("test", *words, "--", "touch", "ran")
    assert ran.code == 2, ran
    assert not (place.folder / "ran").exists()


def test_test_fails_with_a_status_of_its_own_if_a_process_ends_with_that_of_a_refusal(place: Place) -> None:
    place.procfile("web: exit 2\n")
    place.write("procman.toml", "[process.web]\nrestart = 'never'\n")
    ran = place.call("test", "--", "touch", "ran")
    assert ran.code == 1, ran


def wait_until_watched(ran: Session) -> None:
    """A one-off is tied to us just after its start: check that it is, before anything is killed."""
    end = time.monotonic() + harness.LIMIT
    while time.monotonic() < end:
        if any(kit.name_of(pid) == "procman-watcher" for pid in ran.survivors()):
            return
    raise AssertionError("nobody watches it")


def test_test_leaves_nothing_when_it_is_killed(place: Place) -> None:
    place.procfile("web: sleep 1000\n")
    ran = place.session("test", "--", "sh", "-c", "echo on; exec sleep 1001")
    ran.wait_for("on")
    wait_until_watched(ran)
    os.kill(ran.pid, signal.SIGKILL)
    ran.wait()
    ran.wait_until_gone()


@pytest.mark.parametrize("words", ["logs -f", "ps --watch", "events", "test -- sh -c 'echo inside; exec sleep 600'"])
def test_ctrl_c_ends_a_command_and_the_script_around_it(place: Place, words: str) -> None:
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    place.procfile("web: echo up; sleep 600\n")
    place.start().wait_for("up$")
    script = place.write("script", f"{harness.PROCMAN} {words}\necho went on\n")
    shell = place.session(str(script), program="bash", pty=True)
    if words == "events":
        wait_until_heard(place, shell, "started")
    else:  # a Ctrl-C before the command can handle it is Python's own: it may end with 1
        shell.wait_for({"logs -f": "up", "ps --watch": "LAST EXIT"}.get(words, "inside"))
    while shell.process.poll() is None:
        shell.type(b"\x03")
        shell._read(0.5)
    assert shell.wait() == -signal.SIGINT
    assert "went on" not in shell.text
