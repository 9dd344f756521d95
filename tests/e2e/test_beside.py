"""``procman test`` and a second ``start`` beside an open session of the same Procfile."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Place

SERVER = """\
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getppid()).encode())
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
OWN_PORT = "echo $PROCMAN_WEB_PORT"


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """Listen on a port whose successor is free, as far as can be seen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_test_moves_to_a_free_port_and_says_so(place: Place) -> None:
    place.write("server.py", SERVER)
    place.procfile(f"web: exec {sys.executable} server.py\n")
    place.write("procman.toml", "[process.web]\nready = { http = '/' }\n")
    with taken_port() as port:
        ran = place.call("test", "-p", str(port), "--", "sh", "-c", OWN_PORT)
    assert ran.code == 0, ran
    assert port < int(ran.out) < port + 100
    assert f"port {port} of web.1 is taken by pid " in ran.err
    assert f"web.1 gets port {int(ran.out)}" in ran.err


def test_start_can_move_too_and_every_process_knows_the_port(place: Place) -> None:
    place.procfile("web: echo web $PORT; exec sleep 1000\nworker: echo worker $PROCMAN_WEB_PORT; exec sleep 1000\n")
    with taken_port() as port:
        session = place.start("-p", str(port), "--port-conflict", "bump")
        warning = rf"system +\| warning: port {port} of web\.1 is taken by .*; web\.1 gets port (\d+)"
        moved = session.wait_for(warning)[1]
        session.wait_for_all(rf"web\.1 +\| web {moved}", rf"worker\.1 +\| worker {moved}")
        assert int(moved) != port
        assert place.call("restart", "web").code == 0  # the port is kept
        assert f"port is now {port}" not in session.text


def test_more_instances_get_ports_beside_one_that_has_moved(place: Place) -> None:
    place.procfile("web: echo has $PORT; exec sleep 1000\n")
    with taken_port() as port:
        session = place.start("-p", str(port), "--port-conflict", "bump")
        first = session.wait_for(r"web\.1 +\| has (\d+)")[1]
        scaled = place.call("scale", "web=3")
        assert scaled.code == 0, scaled
        ports = [row["port"] for row in json.loads(place.call("ps", "--json").out)["instances"]]
        assert ports[0] == int(first)
        assert len({port, *ports}) == 4
        session.wait_for_all(*(rf"web\.{number} +\| has {ports[number - 1]}" for number in (2, 3)))
        assert place.call("restart").code == 0
        session.wait_for_all(*(rf"web\.{number} +\| has {ports[number - 1]}" for number in (1, 2, 3)))


def test_start_can_refuse_a_port_that_is_taken(place: Place) -> None:
    place.procfile("web: exec sleep 1000\n")
    with taken_port() as port:
        ran = place.call("start", "-p", str(port), "--port-conflict", "fail")
    assert ran.code == 2, ran
    assert f"port {port} of web.1 is taken by pid " in ran.err
    assert place.call("ps").code == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_port_that_has_moved_is_known_in_every_env_file(place: Place) -> None:
    place.procfile("web: exec sleep 1000\nworker: echo of all $ALL, of one $ONE; exec sleep 1000\n")
    place.write(".env", "ALL=${PROCMAN_WEB_PORT}\n")
    place.write("worker.env", "ONE=${PROCMAN_WEB_PORT}\n")
    place.write("procman.toml", "env_interpolate = true\n[process.worker]\nenv_file = 'worker.env'\n")
    with taken_port() as port:
        session = place.start("-p", str(port), "--port-conflict", "bump")
        moved = session.wait_for(r"web\.1 gets port (\d+)")[1]
        session.wait_for(rf"of all {moved}, of one {moved}$")


def test_an_env_file_has_the_port_that_has_moved_also_for_a_single_command(place: Place) -> None:
    place.procfile("web: exec sleep 1000\nshow: echo $ALL $ONE\n")
    place.write(".env", "ALL=http://localhost:${PROCMAN_WEB_PORT}\n")
    place.write("show.env", "ONE=${PROCMAN_WEB_PORT}\n")
    place.write("procman.toml", "env_interpolate = true\n[process.show]\nenv_file = 'show.env'\nautostart = false\n")
    show = ("sh", "-c", "echo $PROCMAN_WEB_PORT $ALL")
    with taken_port() as port:
        number, all_of_it = place.call("test", "-p", str(port), "--", *show).out.split()
        assert (number != str(port), all_of_it) == (True, f"http://localhost:{number}")
        session = place.start("-p", str(port), "--port-conflict", "bump")
        session.wait_for(r"web\.1 started")
        number, all_of_it = place.call("run", "--", *show).out.split()
        assert (number != str(port), all_of_it) == (True, f"http://localhost:{number}")
        assert place.call("run", "show").out.split() == [f"http://localhost:{number}", number]


def test_the_address_follows_a_port_that_has_moved(place: Place) -> None:
    place.procfile("web: exec sleep 1000\n")
    both = ("--", "sh", "-c", "echo $PROCMAN_WEB_PORT $PROCMAN_WEB_URL")
    with taken_port() as port:
        number, address = place.call("test", "-p", str(port), *both).out.split()
        assert (number != str(port), address) == (True, f"http://localhost:{number}")
        session = place.start("-p", str(port), "--port-conflict", "bump")
        session.wait_for(r"web\.1 started")
        number, address = place.call("run", *both).out.split()
        assert (number != str(port), address) == (True, f"http://localhost:{number}")


def test_run_knows_the_port_that_has_moved_in_the_session(place: Place) -> None:
    place.procfile("web: exec sleep 1000\nworker: exec sleep 1000\n")
    with taken_port() as port:
        session = place.start("-p", str(port), "--port-conflict", "bump")
        moved = session.wait_for(r"web\.1 gets port (\d+)")[1]
        assert place.call("run", "--", "sh", "-c", OWN_PORT).out == f"{moved}\n"


def two_ports() -> int:
    """Return a port that is free, as are the two after it, as far as can be seen."""
    while True:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("", 0))).getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                for port in (first + 1, first + 2):
                    stack.enter_context(socket.create_server(("", port)))
                return int(first)


@pytest.mark.parametrize(("rule", "end"), [("warn", ""), ("bump", r"; web\.2 gets port (\d+)")])
@pytest.mark.parametrize("words", [("scale", "web=2"), ("start", "web=2")])
def test_an_instance_that_is_added_follows_the_rule_for_taken_ports(
    place: Place, words: tuple[str, ...], rule: str, end: str
) -> None:
    place.procfile("web: echo $PS listens on $PORT; exec sleep 1000\n")
    port = two_ports()
    session = place.start("-p", str(port), "--port-conflict", rule)
    session.wait_for(rf"web\.1 listens on {port}")
    with socket.create_server(("127.0.0.1", port + 1)):
        added = place.call(*words)
    sentence = rf"warning: port {port + 1} of web\.2 is taken by pid {os.getpid()} \(.*\){end}"
    assert added.code == 0
    assert re.search(f"{sentence}$", added.out + added.err, re.MULTILINE), added
    said = session.wait_for(rf"system +\| {sentence}")
    session.wait_for(rf"web\.2 listens on {said[1] if rule == 'bump' else port + 1}$")
    assert place.call("restart", "web").code == 0
    session.wait_for(rf"web\.2 listens on {said[1] if rule == 'bump' else port + 1}$")


def test_an_instance_is_not_added_where_taken_ports_are_refused(place: Place) -> None:
    place.procfile("web: echo $PS listens on $PORT; exec sleep 1000\n")
    port = two_ports()
    session = place.start("-p", str(port), "--port-conflict", "fail")
    session.wait_for(rf"web\.1 listens on {port}")
    with socket.create_server(("127.0.0.1", port + 1)):
        added = place.call("scale", "web=2")
    assert added.code == 2
    assert f"port {port + 1} of web.2 is taken by pid {os.getpid()}" in added.err
    assert "web.2" not in place.call("ps").out


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_stopped_instance_does_not_come_back_on_a_taken_port_in_silence(place: Place, verb: str) -> None:
    place.procfile("web: echo listens on $PORT; exec sleep 1000\nworker: exec sleep 1000\n")
    port = two_ports()
    session = place.start("-p", str(port), "--port-conflict", "bump")
    session.wait_for(rf"listens on {port}$")
    assert place.call("stop", "web").code == 0
    with socket.create_server(("127.0.0.1", port)):
        assert place.call(verb, "web").code == 0
    moved = session.wait_for(rf"port {port} of web\.1 is taken by pid {os.getpid()} .*; web\.1 gets port (\d+)")[1]
    session.wait_for(rf"listens on {moved}$")


def test_the_ports_of_running_instances_are_their_own(place: Place) -> None:
    place.write("server.py", SERVER)
    place.procfile(f"web: exec {sys.executable} server.py\n")
    place.write("procman.toml", "[process.web]\nready = { http = '/' }\n")
    session = place.start("-p", str(two_ports()), "-m", "web=2", "--port-conflict", "bump")
    assert place.call("wait", "web").code == 0
    assert place.call("restart", "web").code == 0
    assert place.call("restart", "web", "--rolling").code == 0
    assert place.call("scale", "web=3").code == 0
    assert "is taken" not in session.text


def test_the_owner_of_a_port_is_named_with_its_session(place: Place) -> None:
    place.write("server.py", SERVER)
    place.procfile(f"web: exec {sys.executable} server.py\n")
    place.write("procman.toml", "[process.web]\nready = { http = '/' }\n")
    with taken_port() as port:
        pass
    first = place.start("-p", str(port))
    first.wait_for("web.1 is ready")
    second = place.start("-p", str(port), "--no-control")
    second.wait_for(rf"port {port} of web\.1 is taken by web\.1 of the session in {place.folder} \(pid \d+")


def test_a_process_that_fails_while_the_command_runs_counts(place: Place) -> None:
    place.procfile("web: while ! test -e go; do sleep 0.05; done; echo my last words; touch gone; exit 9\n")
    place.write("procman.toml", "[process.web]\nrestart = 'never'\n")
    wait = "touch go; while ! test -e gone; do sleep 0.05; done; sleep 0.5"
    ran = place.call("test", "--", "sh", "-c", wait)
    assert ran.code == 1, ran
    assert "web.1 ended while the command ran: exited with code 9" in ran.err
    assert "my last words" in ran.err


def test_a_process_that_may_die_does_not_count(place: Place) -> None:
    place.procfile("web: while ! test -e go; do sleep 0.05; done; touch gone; exit 9\n")
    place.write("procman.toml", "[process.web]\nrestart = 'never'\ncan_die = true\n")
    wait = "touch go; while ! test -e gone; do sleep 0.05; done; sleep 0.5"
    assert place.call("test", "--", "sh", "-c", wait).code == 0


def test_a_process_that_failed_before_it_was_ready_counts(place: Place) -> None:
    place.procfile("web: test -e once || { touch once; exit 4; }; touch up; exec sleep 1000\n")
    place.write("procman.toml", "[process.web]\nready = { exec = 'test -e up', interval = 0.05 }\n")
    ran = place.call("test", "--", "true")
    assert ran.code == 1, ran
    assert "web.1 ended before it was ready" in ran.err


def test_the_exit_code_of_the_command_survives_the_end_of_the_session(place: Place) -> None:
    place.procfile("web: echo $PPID >manager; exec sleep 1000\n")
    place.write("procman.toml", "[process.web]\nready = { exec = 'test -s manager', interval = 0.05 }\n")
    kill = "kill -TERM $(cat manager); while kill -0 $(cat manager) 2>/dev/null; do sleep 0.05; done; "
    ran = place.call("test", "--", "sh", "-c", f"{kill}exit 7")
    assert ran.code == 7, ran
    assert "did not last as long as the command" in ran.err
    assert place.call("test", "--", "sh", "-c", f"{kill}exit 0").code == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_process_is_not_ready_because_another_one_answers(place: Place) -> None:
    place.procfile("web: exec sleep 1000\n")
    with taken_port() as port:
        place.write("procman.toml", f"[process.web]\nready = {{ tcp = {port}, interval = 0.05 }}\n")
        session = place.start()
        session.wait_for("web.1 started")
        why = place.call("wait", "--timeout", "0.5")
        assert why.code == 124, why
        answer = place.call("why", "web").out
        assert re.search(rf"port {port} is answered by pid {os.getpid()} \(.*\), not by web\.1", answer), answer
        place.write("procman.toml", f"[process.web]\nready = {{ tcp = {port}, anyone = true }}\n")
        assert place.call("restart", "web").code == 0
        assert place.call("wait", "--timeout", "30").code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("spelling", ["$PORT", "$PROCMAN_WEB_PORT", "{port}"])
def test_nor_does_a_command_make_it_ready_that_reaches_another_one(place: Place, spelling: str) -> None:
    place.write("connect.py", "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))")
    place.procfile("web: exec sleep 1000\n")
    with taken_port() as port:
        check = f"exec = '{sys.executable} connect.py {spelling.format(port=port)}', interval = 0.05"
        place.write("procman.toml", f"[process.web]\nready = {{ {check} }}\n")
        session = place.start("-p", str(port))
        session.wait_for("web.1 started")
        assert place.call("wait", "--timeout", "1.5").code == 124
        answer = place.call("why", "web").out
        assert re.search(rf"port {port} is answered by pid {os.getpid()} \(.*\), not by web\.1", answer), answer
        place.write("procman.toml", f"[process.web]\nready = {{ {check}, anyone = true }}\n")
        assert place.call("restart", "web").code == 0
        assert place.call("wait", "--timeout", "30").code == 0


def test_a_server_that_its_shell_or_its_daemon_started_is_its_own(place: Place) -> None:
    place.write("server.py", SERVER)
    place.write("daemon.py", f"import subprocess, sys; subprocess.Popen([{sys.executable!r}, 'server.py'])")
    place.procfile(f"web: true; {sys.executable} server.py\napi: {sys.executable} daemon.py; exec sleep 1000\n")
    place.write("procman.toml", "[process.web]\nready = { http = '/' }\n[process.api]\nready = { tcp = true }\n")
    with taken_port() as port:
        pass
    place.start("-p", str(port)).wait_for("api.1 started")
    assert place.call("wait", "--timeout", "30").code == 0


def test_the_failure_card_names_the_owner_of_the_port_and_what_to_do(place: Place) -> None:
    place.write("server.py", SERVER)
    place.procfile(f"web: exec {sys.executable} server.py\nstay: exec sleep 1000\n")
    place.write("procman.toml", "[process.web]\nbackoff = 0.05\nmax_restarts = 2\n")
    with taken_port() as port:
        session = place.start("-p", str(port))
        session.wait_for(r"web\.1 FAILED: exited with code 1")
        session.wait_for(r"it ran for .*, 2 times in a row; its last lines:")
        session.wait_for(rf"port {port} is taken by pid {os.getpid()} \(")
        session.wait_for(r"start it again with `procman restart web\.1`")


def test_test_says_on_a_terminal_what_it_is_waiting_for(place: Place) -> None:
    place.procfile("db: until test -e go; do sleep 0.05; done; echo open; exec sleep 1000\nweb: exec sleep 1000\n")
    place.write("procman.toml", "[process.db]\nready = { log = 'open' }\n[process.web]\ndepends_on = ['db']\n")
    session = place.session("test", "--", "echo", "tested", pty=True)
    session.wait_for(r"procman: waiting for .*db\.1")
    place.write("go", "")
    session.wait_for(r"\r\x1b\[K.*tested")
    assert session.wait() == 0


def test_test_says_nothing_of_that_in_a_pipe(place: Place) -> None:
    place.procfile("db: sleep 0.7; echo open; exec sleep 1000\n")
    place.write("procman.toml", "[process.db]\nready = { log = 'open' }\n")
    with taken_port() as port:
        pass
    done = place.call("test", "-p", str(port), "--", "echo", "tested")
    assert (done.out, done.err) == ("tested\n", "")
