"""Sockets that procman keeps open: over restarts, crashes and scaling, and closed when nothing will answer."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import sys
import time

import psutil
import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness import Place, Session

# Accepts on descriptor 3, and answers each connection with its instance. A path in the request can end it.
SERVER = """
import os, pathlib, socket, sys, time
names = os.environ["LISTEN_FDNAMES"]
print("given", os.environ["LISTEN_FDS"], names, os.environ["LISTEN_PID"] == str(os.getpid()), flush=True)
while os.path.exists("hold"): time.sleep(0.02)
if os.path.exists("broken"): sys.exit(3)
server = socket.socket(fileno=3)
print("accepting", flush=True)
while True:
    connection, _ = server.accept()
    request = connection.recv(1000)
    if b"crash" in request: os._exit(3)
    connection.sendall(os.environ["PS"].encode())
    connection.close()
    if b"quit" in request: os._exit(0)
"""
WEB = f"web: {sys.executable} server.py\n"
ROOM = 64  # ports, as many as a test has instances


def free_port() -> int:
    """Return a port that is free with those after it, and that no client gets by chance: those come from 32768 on."""
    while True:
        first = random.randrange(10_000, 30_000)
        if all(is_free(port) for port in range(first, first + ROOM)):
            return first


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Site:
    """A session whose web process gets its sockets from procman."""

    def __init__(self, place: Place, overlay: str, procfile: str = WEB) -> None:
        self.place = place
        self.port = free_port()
        place.write("server.py", SERVER)
        place.procfile(procfile)
        place.write("procman.toml", f"port = {self.port}\n[process.web]\n{overlay}\n")
        self.session: Session

    def start(self, *words: str) -> Session:
        self.session = self.place.start(*words)
        return self.session

    def connect(self, request: bytes = b"hello") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        client.sendall(request)
        return client

    def answer(self, request: bytes = b"hello") -> str:
        return answer(self.connect(request))

    def is_refused(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def why(self, name: str = "web") -> str:
        return self.place.call("why", name).out

    def states(self) -> dict[str, str]:
        done = self.place.call("ps", "--json")
        return {row["name"]: row["state"] for row in json.loads(done.out)["instances"]}


def answer(client: socket.socket) -> str:
    with client:
        return client.recv(1000).decode()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# What the process gets ------------------------------------------------------------------------------------------------


def test_a_process_gets_its_socket_and_no_other_process_has_it(place: Place) -> None:
    site = Site(place, "listen = true", f"{WEB}other: exec sleep 1000\n")
    session = site.start()
    session.wait_for("given 1 web True")
    session.wait_for("accepting")
    assert site.answer() == "web.1"
    web, other = (process_of(session, name) for name in ("web.1", "other.1"))
    assert 3 in descriptors(web)
    assert descriptors(other) == {0, 1, 2}


def process_of(session: Session, name: str) -> int:
    found = re.search(rf"{name} started with pid (\d+)", session.text)
    assert found
    return int(found[1])


def descriptors(pid: int) -> set[int]:
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def test_a_child_on_a_terminal_gets_it_too(place: Place) -> None:
    site = Site(place, "listen = true\npty = true")
    site.start().wait_for("accepting")
    assert site.answer() == "web.1"


def test_several_sockets_come_in_their_order_with_their_names(place: Place) -> None:
    site = Site(place, 'listen = { http = "127.0.0.1:$PORT", admin = "tmp/admin.sock" }')
    session = site.start()
    session.wait_for("given 2 http:admin True")
    session.wait_for("accepting")
    assert (place.folder / "tmp/admin.sock").is_socket()
    assert site.answer() == "web.1"
    session.signal(signal.SIGTERM)
    session.wait()
    assert not (place.folder / "tmp/admin.sock").exists()
    assert site.is_refused()


def test_a_compound_line_has_to_execute_its_server(place: Place) -> None:
    site = Site(place, "listen = true", f"web: cd . && exec {sys.executable} server.py\n")
    assert "warning" not in place.call("check").out
    site.start().wait_for("given 1 web True")


def test_a_server_that_binds_the_port_itself_is_told_where_its_socket_is(place: Place) -> None:
    bind = "import os, socket; socket.create_server(('127.0.0.1', int(os.environ['PORT'])))"
    site = Site(place, "listen = true\nmax_restarts = 1", f'web: {sys.executable} -c "{bind}"\n')
    site.start().wait_for(r"procman keeps its socket open \(listen\): the server has to accept on descriptor 3")


# Over lives -----------------------------------------------------------------------------------------------------------


def test_a_connection_during_a_restart_waits_for_the_next_life(place: Place) -> None:
    site = Site(place, "listen = true")
    session = site.start()
    session.wait_for("accepting")
    hold = place.write("hold", "")
    assert place.call("restart", "--no-wait", "web").code == 0
    session.wait_for("given")
    clients = [site.connect() for _ in range(3)]
    until(lambda: "kept open; 3 connections wait" in site.why())
    queue = f'process="web.1",type="web",procfile="{place.folder}/Procfile",address="127.0.0.1:{site.port}"}} 3'
    assert f"procman_waiting_connections{{{queue}" in place.call("metrics").out
    hold.unlink()
    assert [answer(client) for client in clients] == ["web.1"] * 3


def test_a_connection_after_a_crash_waits_too(place: Place) -> None:
    site = Site(place, "listen = true\nbackoff = '200ms'")
    session = site.start()
    session.wait_for("accepting")
    with site.connect(b"crash"):
        session.wait_for("web.1 restarting")
        assert site.answer() == "web.1"


def test_what_has_failed_refuses_its_clients_until_it_is_started_again(place: Place) -> None:
    site = Site(place, "listen = true\nmax_restarts = 1")
    broken = place.write("broken", "")
    session = site.start("--exit", "never")
    session.wait_for("FAILED")
    assert site.is_refused()
    broken.unlink()
    place.call("start", "web")
    assert site.answer() == "web.1"


def test_a_long_backoff_refuses_clients(place: Place) -> None:
    site = Site(place, "listen = true\nbackoff = 100\nhold = '1s'")
    session = site.start()
    session.wait_for("accepting")
    with site.connect(b"crash"):
        session.wait_for("web.1 restarting in")
    assert site.is_refused()
    place.call("start", "web")
    assert site.answer() == "web.1"


def test_what_the_user_stops_refuses_its_clients(place: Place) -> None:
    site = Site(place, "listen = true")
    session = site.start()
    session.wait_for("accepting")
    place.call("stop", "web")
    assert site.is_refused()
    place.call("start", "web")
    assert site.answer() == "web.1"


def test_instances_that_share_a_socket_keep_it_as_long_as_one_of_them_runs(place: Place) -> None:
    site = Site(place, "listen = true\nshare = true\nformation = 2")
    session = site.start()
    for _ in range(2):
        session.wait_for("accepting")
    assert place.call("scale", "web=3").code == 0
    session.wait_for("web.3.*accepting")
    assert place.call("restart", "--rolling", "web").code == 0
    assert place.call("scale", "web=1").code == 0
    assert site.answer() == "web.1"
    place.call("stop", "web.1")
    assert site.is_refused()
    place.call("start", "web.1")
    assert site.answer() == "web.1"


def test_a_restart_with_another_address_closes_the_old_one(place: Place) -> None:
    site = Site(place, "listen = true")
    session = site.start()
    session.wait_for("accepting")
    moved = free_port()
    text = (place.folder / "procman.toml").read_text().replace("true", f'{{ http = "127.0.0.1:{moved}" }}')
    place.write("procman.toml", text)
    assert place.call("restart", "web").code == 0
    session.wait_for("given 1 http True")
    assert site.is_refused()
    site.port = moved
    assert site.answer() == "web.1"


# The first connection -------------------------------------------------------------------------------------------------


def test_the_first_connection_starts_it_and_its_end_waits_for_the_next(place: Place) -> None:
    site = Site(place, 'listen = true\nstart_on = "connection"', WEB)
    session = site.start()
    until(lambda: place.call("ps").code == 0)
    assert site.states() == {"web.1": "listening"}
    assert f"the first connection to 127.0.0.1:{site.port} starts it" in site.why()
    assert site.answer(b"quit") == "web.1"
    session.wait_for(f"first connection to 127.0.0.1:{site.port}: starting web.1")
    session.wait_for("web.1 exited with code 0")
    until(lambda: site.states() == {"web.1": "listening"})
    assert site.answer() == "web.1"
    assert site.states() == {"web.1": "running"}
    place.call("stop", "web")
    assert site.is_refused()
    assert site.states() == {"web.1": "exited"}


def test_one_connection_starts_all_that_share_the_socket(place: Place) -> None:
    site = Site(place, 'listen = true\nshare = true\nformation = 2\nstart_on = "connection"')
    session = site.start()
    until(lambda: place.call("ps").code == 0)
    assert site.answer().startswith("web.")
    for _ in range(2):
        session.wait_for("accepting")
    assert site.states() == {"web.1": "running", "web.2": "running"}


def test_a_program_that_does_not_accept_is_started_with_pauses(place: Place) -> None:
    site = Site(place, 'listen = true\nstart_on = "connection"', "web: exec true\n")
    session = site.start()
    until(lambda: place.call("ps").code == 0)
    with site.connect():
        session.wait_for(r"web.1 ends right after each start; does it accept on descriptor 3\?")
        session.wait_for("web.1 exited with code 0")
    assert site.states() == {"web.1": "listening"}
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_clients_are_refused_while_it_waits_for_what_the_user_has_stopped(place: Place) -> None:
    procfile = f"{WEB}db: exec sleep 1000\n"
    site = Site(place, 'listen = true\nstart_on = "connection"\ndepends_on = ["db"]', procfile)
    session = site.start()
    session.wait_for("db.1 started")
    assert place.call("stop", "db").code == 0
    with contextlib.suppress(ConnectionResetError), site.connect() as client:
        client.recv(1)
    until(lambda: site.states() == {"web.1": "waiting", "db.1": "exited"})
    assert site.is_refused()
    assert "waiting because db.1 is stopped; `procman start db` starts it" in site.why()
    assert place.call("start", "db").code == 0
    session.wait_for("accepting")
    assert site.answer() == "web.1"


# What is in the way ---------------------------------------------------------------------------------------------------


def test_a_taken_port_is_refused_with_its_owner_before_anything_starts(place: Place) -> None:
    site = Site(place, "listen = true")
    with socket.create_server(("127.0.0.1", site.port)):
        done = place.call("start")
        assert done.code == 2
        assert f"web.1 cannot listen on 127.0.0.1:{site.port}: it is taken by pid {os.getpid()}" in done.err
        assert "--port-conflict bump" in done.err
        assert "started" not in done.out
        session = site.start("--port-conflict", "bump")
        session.wait_for(f"web.1 gets port {site.port + 1}")
        session.wait_for("accepting")
        site.port += 1
        assert site.answer() == "web.1"


def test_a_stale_socket_file_is_replaced_but_one_that_answers_is_not(place: Place) -> None:
    Site(place, 'listen = { web = "web.sock" }')
    path = place.folder / "web.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        done = place.call("start")
        assert (done.code, f"it is taken by pid {os.getpid()}" in done.err) == (2, True), done
    session = place.start()
    session.wait_for("accepting")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"hello")
        assert client.recv(100) == b"web.1"


def test_a_file_in_the_place_of_a_socket_is_left_alone(place: Place) -> None:
    Site(place, 'listen = { web = "web.sock" }')
    place.write("web.sock", "precious")
    done = place.call("start")
    assert (done.code, "it exists and is not a socket" in done.err) == (2, True), done
    assert (place.folder / "web.sock").read_text() == "precious"


def over(path: Path) -> str:
    """Return what answers at a Unix socket."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(str(path))
    client.sendall(b"hello")
    return answer(client)


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_socket_whose_file_was_deleted_is_bound_again_by_a_restart(place: Place, folder_too: bool) -> None:
    site = Site(place, 'listen = { web = "run/web.sock" }')
    session = site.start()
    session.wait_for("accepting")
    path = place.folder / "run/web.sock"
    path.unlink()
    if folder_too:
        path.parent.rmdir()
    assert f"the file {path} was deleted or replaced: the next restart binds it again" in site.why()
    assert place.call("restart", "web").code == 0
    session.wait_for(f"the file {path} was deleted or replaced, so a new socket is bound there")
    assert over(path) == "web.1"
    assert "deleted" not in site.why()
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert not path.exists()


def test_a_crash_binds_a_deleted_socket_again_too(place: Place) -> None:
    session = Site(place, "listen = { web = 'web.sock' }\nbackoff = '100ms'").start()
    session.wait_for("accepting")
    path = place.folder / "web.sock"
    path.unlink()
    assert place.call("signal", "KILL", "web").code == 0
    session.wait_for("accepting")
    assert over(path) == "web.1"


def test_a_socket_in_the_place_of_ours_is_named_and_left_alone(place: Place) -> None:
    site = Site(place, "listen = { web = 'web.sock' }\nmax_restarts = 1")
    session = site.start("--exit", "never")
    session.wait_for("accepting")
    path = place.folder / "web.sock"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert place.call("restart", "web").code != 0
        session.wait_for(f"cannot listen on {path}: it is taken by pid {os.getpid()}")
        assert path.is_socket()
    assert place.call("start", "web").code == 0  # nothing answers at it any more
    assert over(path) == "web.1"


def test_instances_that_share_a_lost_socket_get_the_same_new_one(place: Place) -> None:
    site = Site(place, "listen = { web = 'web.sock' }\nshare = true\nformation = 2")
    session = site.start()
    for _ in range(2):
        session.wait_for("accepting")
    path = place.folder / "web.sock"
    path.unlink()
    assert place.call("scale", "web=3").code == 0
    session.wait_for("web.3.*accepting")
    assert over(path) == "web.3"  # the others have the old socket
    assert place.call("restart", "--rolling", "web.1", "web.2").code == 0
    for _ in range(2):
        session.wait_for("accepting")
    assert session.text.count("was deleted or replaced") == 1
    for name in ("web.3", "web.1"):
        assert place.call("stop", name).code == 0
    assert over(path) == "web.2"


def test_a_lost_socket_that_waits_for_its_first_connection_is_bound_again_by_a_start(place: Place) -> None:
    site = Site(place, "listen = { web = 'web.sock' }\nstart_on = 'connection'")
    session = site.start()
    until(lambda: place.call("ps").code == 0)
    path = place.folder / "web.sock"
    path.unlink()
    assert "was deleted or replaced" in site.why()
    assert place.call("start", "web").code == 0
    session.wait_for("accepting")
    assert over(path) == "web.1"
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.sendall(b"quit")
    assert answer(client) == "web.1"
    until(lambda: site.states() == {"web.1": "listening"})
    assert over(path) == "web.1"


def test_a_path_that_is_too_long_is_refused_with_its_length(place: Place) -> None:
    Site(place, f'listen = {{ web = "{"d" * 100}/{{instance}}.sock" }}')
    done = place.call("start")
    assert (done.code, "the path of a Unix socket has at most 107 bytes" in done.err) == (2, True), done


def test_where_descriptors_are_scarce_each_child_still_gets_its_socket(place: Place) -> None:
    site = Site(place, "listen = true\nformation = 60")
    command = f'ulimit -Sn 64 && exec "{harness.PROCMAN}" start'
    session = site.session = place.session("-c", command, program="/bin/sh")
    for _ in range(60):
        session.wait_for("accepting")
    site.port += 59
    assert site.answer() == "web.60"


def test_with_too_few_descriptors_it_says_so(place: Place) -> None:
    site = Site(place, "listen = true\nformation = 60")
    limit = "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"
    code = f"import os, resource; {limit}; os.execv({harness.PROCMAN!r}, ['procman', 'start'])"
    session = place.session("-c", code, program=sys.executable)
    session.wait_for("too many open files", stream="err")
    assert session.wait() == 2
    assert site.is_refused()


@pytest.mark.skipif(not psutil.LINUX, reason="the descriptors of a process are in /proc")
def test_side_commands_do_not_get_the_socket(place: Place) -> None:
    check = "ls /proc/self/fd >fds; test -s fds"
    site = Site(place, f"listen = true\nready = {{ exec = {json.dumps(check)} }}")
    site.start().wait_for("web.1 is ready")
    assert {int(number) for number in (place.folder / "fds").read_text().split()} <= {0, 1, 2, 3}  # 3 is the folder
