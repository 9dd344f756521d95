"""Requests of several clients at once, and what the user stops or holds: every answer is true, and none is owed."""

from __future__ import annotations

import json
import time

import harness
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


def test_what_the_user_stops_is_no_failure_of_its_dependants(place: Place) -> None:
    place.procfile("db: exec sleep 1000\nweb: echo up; exec sleep 1000\n")
    place.write("procman.toml", "[process.web]\ndepends_on = ['db']\nbackoff = 0.1\n")
    session = place.start("--exit", "failure")
    session.wait_for(r"web\.1 +\| up")
    assert place.call("stop", "db").code == 0
    assert place.call("signal", "KILL", "web").code == 0
    session.wait_for("web.1 is waiting because db.1 is stopped; `procman start db` starts it")
    assert "waiting because db.1 is stopped" in place.call("why", "web").out
    assert place.call("start", "db").code == 0
    session.wait_for(r"web\.1 +\| up")
    session.signal(15)
    assert session.wait() == 0


SLOW = "trap 'while [ ! -e go ]; do sleep 0.05; done; exit 0' TERM; echo up; while :; do sleep 0.05; done\n"


def test_a_stop_ends_when_somebody_starts_the_process_again(place: Place) -> None:
    place.procfile(f"web: {SLOW}")
    session = place.start("-t", "50")
    session.wait_for(r"web\.1 +\| up")
    stop = place.session("stop", "web")
    session.wait_for("stopping web.1")
    assert place.call("start", "web", "--no-wait").code == 0
    stop.wait_for("web.1 was started again by another request", stream="err")
    assert stop.wait() == 1
    place.write("go", "")
    session.wait_for(r"web\.1 +\| up")


def test_a_restart_ends_when_somebody_stops_the_process_that_ends_with_0(place: Place) -> None:
    place.procfile(f"web: {SLOW}")
    session = place.start("-t", "50")
    session.wait_for(r"web\.1 +\| up")
    clients = [place.session("restart", "web")]
    session.wait_for("stopping web.1")
    clients.append(place.session("wait", "web", "--timeout", "50"))
    assert place.call("stop", "web", "--no-wait").code == 0
    place.write("go", "")
    for client in clients:
        client.wait_for("another request stopped web.1", stream="err")
        assert client.wait() == 1


def test_what_dies_at_once_is_not_started(place: Place) -> None:
    place.procfile("keep: exec sleep 1000\nnow: exit 1\nsoon: sleep 0.1; exit 1\nlost: no-such-command\njob: true\n")
    names = ("now", "soon", "lost")
    tables = [f"[process.{name}]\nautostart = false\nrestart = 'never'\n" for name in (*names, "job")]
    place.write("procman.toml", "".join(tables))
    place.start().wait_for("keep.1 started")
    for name in names:
        assert [place.call("start", name).code for _ in range(3)] == [1, 1, 1]
        assert place.call("restart", name).code == place.call("restart", "--rolling", name).code == 1
    assert place.call("start", "job").code == 0
    assert place.call("wait").code == 1  # they have failed


def test_of_several_that_replace_a_session_one_wins_and_the_others_end(place: Place) -> None:
    place.procfile("web: echo up; exec sleep 1000\n")
    place.start().wait_for(r"web\.1 +\| up")
    news = [place.start("--replace") for _ in range(3)]
    until = time.monotonic() + harness.LIMIT
    while sum(new.process.poll() is None for new in news) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    [winner] = [new for new in news if new.process.poll() is None]
    winner.wait_for(r"web\.1 +\| up")
    for new in news:
        if new is not winner:
            assert new.wait() in (0, 1)  # it was overtaken, or it came early and was replaced in its turn


def test_wait_waits_for_a_session_to_appear(place: Place) -> None:
    place.procfile("web: exec sleep 1000\n")
    assert place.call("wait", "--timeout", "0").code == 1
    wait = place.session("wait", "--timeout", "50")
    wait.wait_for(f"no session of {place.folder}/Procfile is running; waiting up to 50 s for it", stream="err")
    place.start()
    assert wait.wait() == 0


def test_wait_says_that_no_session_has_appeared(place: Place) -> None:
    place.procfile("web: exec sleep 1000\n")
    done = place.call("wait", "--timeout", "200ms")
    assert done.code == 1
    assert "is running; none has started within 0.2 s" in done.err


def test_what_ends_before_it_was_ready_fails_wait_and_test(place: Place) -> None:
    place.procfile("web: exit 0\n")
    place.write("procman.toml", "[process.web]\nready = { delay = 50 }\nrestart = 'never'\n")
    session = place.start("--exit", "never")
    session.wait_for("web.1 FAILED: ended before it was ready")
    assert place.call("wait", "web").code == 1
    assert place.call("test", "--", "true").code == 1


def test_a_pause_is_an_event_and_a_signal_from_elsewhere_is_seen(place: Place) -> None:
    place.procfile("web: echo up; exec sleep 1000\n")
    session = place.start()
    session.wait_for(r"web\.1 +\| up")
    assert place.call("pause", "web").code == 0
    session.wait_for("web.1 paused")
    assert place.call("resume", "web").code == 0
    session.wait_for("web.1 resumed")
    [row] = json.loads(place.call("ps", "--json").out)["instances"]
    kit.stop(row["pid"])
    assert " stopped " in place.call("ps").out
    assert "web.1: stopped by a signal" in place.call("why", "web").out
