"""Requests of several clients at once, and what the user stops or holds: every answer is true, and none is owed."""

from __future__ import annotations

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
