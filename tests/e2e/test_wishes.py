"""Requests of several clients at once, and what the user stops or holds: every answer is true, and none is owed."""

from __future__ import annotations

import time

import harness

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


SLOW = "trap 'sleep 1; exit 0' TERM; echo up; while :; do sleep 0.05; done\n"


def test_a_stop_ends_when_somebody_starts_the_process_again(place: Place) -> None:
    place.procfile(f"web: {SLOW}")
    session = place.start()
    session.wait_for(r"web\.1 +\| up")
    stop = place.session("stop", "web")
    session.wait_for("stopping web.1")
    assert place.call("start", "web").code == 0
    stop.wait_for("web.1 was started again by another request", stream="err")
    assert stop.wait() == 1


def test_a_restart_ends_when_somebody_stops_the_process_that_ends_with_0(place: Place) -> None:
    place.procfile(f"web: {SLOW}")
    session = place.start()
    session.wait_for(r"web\.1 +\| up")
    clients = [place.session("restart", "web")]
    session.wait_for("stopping web.1")
    clients.append(place.session("wait", "web", "--timeout", "50"))
    assert place.call("stop", "web").code == 0
    for client in clients:
        client.wait_for("web.1 was stopped by another request", stream="err")
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
