"""``--isolated``: a session whose ports are free, however many there are, and reservations of ports."""

from __future__ import annotations

import json
import re

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

URLS = "echo $PROCMAN_WEB_URL $PROCMAN_DB_PORT; until test -e all; do sleep 0.05; done"


def test_many_isolated_tests_at_once_have_their_own_ports(place: Place) -> None:
    place.procfile("web: echo $PORT; exec sleep 1000\ndb: exec sleep 1000\n")
    place.write("procman.toml", "process.db.port = 54320\n")
    runs = [place.session("test", "--isolated", "--", "sh", "-c", URLS) for _ in range(5)]
    found = [run.wait_for(r"http://localhost:(\d+) (\d+)$").groups() for run in runs]
    place.write("all", "")  # an earlier end would have made its ports free again
    assert len({web for web, _ in found}) == len({db for _, db in found}) == 5
    assert {run.wait() for run in runs} == {0}
    assert all(int(web) >= 11000 for web, _ in found)


def test_an_isolated_session_in_the_background_says_its_ports_to_everyone(place: Place) -> None:
    place.procfile("web: echo at $PORT; exec sleep 1000\n")
    place.write(".env", "PORT=7000\n")
    session = place.session("up", "--isolated", "--json")
    assert session.wait() == 0
    port = json.loads(session.text)["instances"][0]["port"]
    assert port >= 11000
    assert json.loads(place.call("env", "web", "--json").out)["PORT"] == str(port)
    assert place.call("run", "--", "sh", "-c", "echo $PROCMAN_WEB_PORT").out == f"{port}\n"
    assert f"at {port}\n" in place.call("logs", "web").out
    place.call("scale", "web=2")
    assert json.loads(place.call("env", "web.2", "--json", "-m", "web=2").out)["PORT"] == str(port + 1)
    assert place.call("restart", "web").code == 0
    assert json.loads(place.call("env", "web", "--json").out)["PORT"] == str(port)
    again = place.call("up", "--isolated")
    assert "ignored: --isolated" in again.err
    assert place.call("down").code == 0
    session.wait_until_gone()


@pytest.mark.parametrize(("flag", "text"), [("--port", "8000"), ("--port-offset", "100")])
def test_it_contradicts_a_base(place: Place, flag: str, text: str) -> None:
    place.procfile("web: true\n")
    refused = place.call("start", "--isolated", flag, text)
    assert (refused.code, f"--isolated and {flag} contradict each other" in refused.err) == (2, True)


def test_a_port_is_reserved_before_its_process_listens(place: Place) -> None:
    place.procfile("web: echo started $PORT; exec sleep 1000\n")
    session = place.start("--isolated")
    port = session.wait_for(r"started (\d+)$")[1]  # nothing listens there, and nothing will
    tested = place.call("test", "-p", port, "--", "sh", "-c", "echo $PROCMAN_WEB_PORT")
    other = int(tested.out)
    assert other > int(port)  # the next one, unless other tests have reserved that, too
    assert f"port {port} of web.1 is reserved by another session; web.1 gets port {other}" in tested.err
    refused = place.call("test", "-p", port, "--port-conflict", "fail", "--", "true")
    assert refused.code != 0
    assert re.search(rf"port {port} of web\.1 is reserved by another session", refused.err), refused
    session.signal(2)
    session.wait()
    assert place.call("test", "-p", port, "--", "sh", "-c", "echo $PROCMAN_WEB_PORT").out == f"{port}\n"
