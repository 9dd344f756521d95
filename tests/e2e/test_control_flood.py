"""Clients of a session that is busy, hostile or many: served, refused or dropped; the output never suffers."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

import harness
from faults import kit
from procman.runtime.control.endpoint import socket_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness import Place, Session

FLOOD_BYTES = 100 << 20
FLOOD = """\
import os, sys
line = b"%s %08d " + b"~" * 85 + b"\\n"
count, size = int(sys.argv[2]), 500
for start in range(0, count, size):
    data = b"".join(line % (sys.argv[1].encode(), number) for number in range(start, min(start + size, count)))
    while data:
        data = data[os.write(1, data) :]
"""


def path_of(folder: Path, env: Mapping[str, str | None] | None = None) -> str:
    """Where the session of this folder listens."""
    candidates = socket_paths(f"{folder}/Procfile", str(folder), None, harness.environment(env))
    [path, *_] = [path for path in candidates if os.path.exists(path)]
    return path


def connected(place: Place) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path_of(place.folder))
    client.settimeout(60)
    return client


def answer(client: socket.socket) -> dict[str, object]:
    """The last record of an answer; an empty one when the session hung up."""
    with client.makefile("rb") as lines:
        for line in lines:
            record: dict[str, object] = json.loads(line)
            if record.get("done"):
                return record
    return {}


def send(client: socket.socket, data: bytes) -> None:
    try:
        client.sendall(data)
    except OSError:
        pass  # it has hung up already, which is its right


def manager_of(session: Session) -> psutil.Process:
    """Our own process that does the work: the deepest one that is still procman's."""
    chain = [psutil.Process(session.pid)]
    while children := [child for child in chain[-1].children() if kit.name_of(child.pid).startswith("procman")]:
        chain.append(children[0])
    return chain[-1]


@pytest.fixture
def session(place: Place) -> Session:
    place.procfile("web: sleep 1000\n")
    session = place.start()
    session.wait_for(r"web\.1 started")
    return session


# Many, and rude ------------------------------------------------------------------------------------------------------


def test_a_hundred_clients_at_once_are_all_served(place: Place, session: Session) -> None:
    clients = [connected(place) for _ in range(100)]
    for client in clients:
        client.sendall(b'{"verb": "ps"}\n')
    assert all(answer(client)["instances"] for client in clients)
    for client in clients:
        client.close()


def test_silent_clients_never_lock_a_user_out(place: Place, session: Session) -> None:
    idle = [connected(place) for _ in range(400)]
    assert place.call("ps").code == 0
    for client in idle:
        client.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"\xff\xfe garbage\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[" * 60_000 + b"\n",
        b"{}\n",
        b'{"verb": "exec"}\n',
        b'{"verb": "ps", "names": "web"}\n',
        b'{"verb": "stop", "names": ["web"], "wait": "no"}\n',
        b"x" * (1 << 20),
        b'{"verb": "ps", "names": ["' + b"x" * (1 << 20) + b'"]}\n',
    ],
    ids=["bytes", "http", "brackets", "empty", "verb", "kind", "flag", "endless", "megabyte"],
)
def test_what_is_no_request_is_refused_and_harms_nobody(place: Place, session: Session, request_: bytes) -> None:
    with connected(place) as client:
        send(client, request_)
        assert answer(client)["code"] == 2
        with contextlib.suppress(ConnectionResetError):  # what it did not want to read
            assert client.recv(1) == b""
    assert place.call("ps").code == 0


@pytest.mark.parametrize("verb", ["ps", "start", "stop", "why", "logs"])
def test_names_without_end_are_refused_in_a_short_sentence(place: Place, session: Session, verb: str) -> None:
    for names in ([f"n{number:06}" for number in range(5000)], ["n" * 60_000], ["n*" * 30_000]):
        with connected(place) as client:
            send(client, json.dumps({"verb": verb, "names": names}).encode() + b"\n")
            refused = answer(client)
        assert refused["code"] == 2
        assert re.match('there is no process "n', str(refused["error"]))
        assert len(json.dumps(refused)) < 2000


def test_clients_that_vanish_are_forgotten(place: Place, session: Session) -> None:
    manager = manager_of(session)
    before = manager.num_fds()
    for number in range(200):
        client = connected(place)
        send(
            client,
            (b"", b'{"verb": "p', b'{"verb": "ps"}\n', b'{"verb": "events"}\n', b'{"verb": "logs", "follow": true}\n')[
                number % 5
            ],
        )
        client.close()
    assert place.call("restart", "web").code == 0
    assert descriptors_of(manager, before) <= before


def descriptors_of(manager: psutil.Process, hoped: int) -> int:
    """Return how many it has open, once all clients have gone."""
    end = time.monotonic() + harness.LIMIT
    while (open_now := manager.num_fds()) > hoped and time.monotonic() < end:
        time.sleep(0.01)
    return open_now


def test_many_requests_on_one_connection_are_answered_in_turn(place: Place, session: Session) -> None:
    with connected(place) as client, client.makefile("rb") as lines:
        send(client, b'{"verb": "hello"}\n' * 500)
        assert {json.loads(lines.readline())["pid"] for _ in range(500)} == {session.pid}


@pytest.fixture
def hallway() -> Iterator[Path]:
    """A folder for sockets that another user can reach; the usual one is that of all sessions of this user."""
    with tempfile.TemporaryDirectory(prefix="procman-test-", dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_not_let_in(place: Place, hallway: Path) -> None:
    code = (
        "import os, socket, sys\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "client.settimeout(30)\n"
        'try:\n    client.connect(sys.argv[1]); client.sendall(b\'{"verb": "stop"}\\n\')\n'
        "    sys.exit(len(client.recv(1)))\n"
        "except OSError:\n    pass\n"
    )
    runtime: dict[str, str | None] = {"XDG_RUNTIME_DIR": str(hallway)}
    place.procfile("web: exec sleep 1000\n")
    session = place.start(env=runtime)
    session.wait_for(r"web\.1 started")
    assert place.call("wait", env=runtime).code == 0
    path = path_of(place.folder, runtime)
    assert path.startswith(str(hallway))
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 0
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o666)  # even with the door wide open
    try:
        assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 0
    finally:
        os.chmod(path, 0o600)
        os.chmod(os.path.dirname(path), 0o700)
    assert place.call("ps", env=runtime).code == 0


# Busy ----------------------------------------------------------------------------------------------------------------


# The same, and then 5 MB/s until the file `enough` exists: on a busy machine the clients arrive slowly, and a flood at
# full speed would fill the disk by then.
LONG_FLOOD = """\
import os, sys, time
line = b"%s %08d " + b"~" * 85 + b"\\n"
least, start, size = int(sys.argv[2]), 0, 500
while start < least or not os.path.exists("enough"):
    data = b"".join(line % (sys.argv[1].encode(), number) for number in range(start, start + size))
    start += size
    while data:
        data = data[os.write(1, data) :]
    if start > least:
        time.sleep(0.01)
open("count." + sys.argv[1], "w").write(str(start))
"""
FLOOD_LINE = re.compile(rb"(?P<name>[ab])\.1 +\| (?P=name) (?P<number>\d{8}) ~{85}\n")


def test_output_stays_whole_while_clients_come_and_go(place: Place) -> None:
    count = FLOOD_BYTES // 2 // 100
    place.write("flood.py", LONG_FLOOD)
    place.procfile(f"a: {sys.executable} flood.py a {count}\nb: {sys.executable} flood.py b {count}\nweb: sleep 1000\n")
    out = place.folder / "out"
    with out.open("wb") as file:
        session = place.session("start", "--no-timestamp", "--restart", "never", stdout=file.fileno())
    while b"a.1" not in head(out):
        assert session.process.poll() is None
    followers = [place.session("logs", "-f") for _ in range(2)]
    for rounds in range(1, 4):
        for words in (("scale", f"web={1 + rounds % 3}"), ("logs", "-n", "50"), ("ps", "web"), ("why",)):
            assert place.call(*words).code == 0
        with connected(place) as rude:
            send(rude, b'{"verb": "logs", "follow": true}\n')
            rude.recv(1000)
    assert all(row["state"] == "running" for row in instances(place)), "the flood was over before all had come"
    place.write("enough", "")
    while any(row["state"] == "running" for row in instances(place) if row["type"] != "web"):
        assert place.call("ps", "web").code == 0
    assert place.call("stop").code == 0
    session.wait()
    for follower in followers:
        follower.kill()
    assert_whole(place, count)


def head(path: Path) -> bytes:
    """Return the begin of a file that grows."""
    with path.open("rb") as file:
        return file.read(10_000)


def assert_whole(place: Place, least: int) -> None:
    """Every line of a and of b is there, whole, once and in order."""
    seen = {b"a": 0, b"b": 0}
    with (place.folder / "out").open("rb") as file:
        for found in filter(None, map(FLOOD_LINE.fullmatch, file)):
            assert int(found["number"]) == seen[found["name"]]
            seen[found["name"]] += 1
    for name, count in seen.items():
        assert count == int((place.folder / f"count.{name.decode()}").read_text())
        assert count >= least


def test_output_stays_whole_while_terminals_are_attached_and_left(place: Place) -> None:
    count = FLOOD_BYTES // 2 // 100
    place.write("flood.py", LONG_FLOOD)
    quietly = f"stty -echo; exec {sys.executable} flood.py"  # echoed input would be in the middle of a line
    place.procfile(f"a: {quietly} a {count}\nb: {quietly} b {count}\nweb: sleep 1000\n")
    out = place.folder / "out"
    with out.open("wb") as file:
        session = place.session("start", "--pty", "--no-timestamp", "--restart", "never", stdout=file.fileno())
    while b"a.1" not in head(out):
        assert session.process.poll() is None
    lazy = connected(place)
    send(lazy, b'{"verb": "attach", "text": "b"}\n')  # and never reads
    for rounds in range(1, 6):
        terminal = place.session("attach", "a", pty=True)
        terminal.resize(rows=20 + rounds % 5, columns=100 + rounds % 7)
        with connected(place) as rude:
            send(rude, b'{"verb": "attach", "text": "a"}\n')
            rude.recv(1000)
            send(rude, b'{"verb": "keys", "text": "x"}\n{"verb": "keys", "te')
        assert place.call("scale", f"web={1 + rounds % 2}").code == 0
        with contextlib.suppress(OSError):  # another client may have attached and ended it
            terminal.type(b"\x1d")
        assert terminal.wait() in (0, 1)
    lazy.close()
    assert all(row["state"] == "running" for row in instances(place)), "the flood was over before all had come"
    place.write("enough", "")
    while any(row["state"] == "running" for row in instances(place) if row["type"] != "web"):
        assert place.call("ps", "web").code == 0
    assert place.call("stop").code == 0
    session.wait()
    assert_whole(place, count)


def instances(place: Place) -> list[dict[str, object]]:
    with connected(place) as client:
        client.sendall(b'{"verb": "ps"}\n')
        rows = answer(client)["instances"]
        assert isinstance(rows, list)
        return rows


def test_a_reader_that_does_not_read_costs_neither_time_nor_memory(place: Place) -> None:
    count = (50 << 20) // 100
    place.write("flood.py", FLOOD)
    place.procfile(
        f"web: sleep 1000\na: while ! test -e go; do sleep 0.05; done; exec {sys.executable} flood.py a {count}\n"
    )
    out = place.folder / "out"
    with out.open("wb") as file:
        session = place.session("start", "--restart", "never", stdout=file.fileno())
    while not os.path.exists(out) or b"a.1 started" not in out.read_bytes():
        assert session.process.poll() is None
    lazy = []
    for _ in range(5):
        client = connected(place)
        client.sendall(b'{"verb": "logs", "follow": true}\n')
        client.recv(10)
        lazy.append(client)
    manager = manager_of(session)
    before = manager.memory_info().rss
    place.write("go", "")
    assert answer_when_down(place, "a.1")
    assert manager.memory_info().rss - before < 24 << 20  # five of them are owed 1 MiB each at most
    with lazy[0].makefile("rb") as lines:
        skipped = next(json.loads(line)["skipped"] for line in lines if line.startswith(b'{"skipped"'))
    assert skipped > 0
    for client in lazy:
        client.close()


def answer_when_down(place: Place, name: str) -> bool:
    """Wait until an instance is at rest, by its events."""
    with connected(place) as client, client.makefile("rb") as lines:
        client.sendall(b'{"verb": "events"}\n')
        for row in instances(place):
            if row["name"] == name and row["state"] == "exited":
                return True
        return any(json.loads(line).get("event") == "exited" for line in lines)


def free_row(length: int) -> int:
    """The first of so many free ports in a row, below those that the system gives and above those of test_control."""
    for base in random.sample(range(22_000, 24_000 - length), 100):
        with contextlib.ExitStack() as probes:
            try:
                for port in range(base, base + length):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise AssertionError("no ports in a row are free")


def test_scaling_up_and_down_leaves_no_process_descriptor_or_port(place: Place) -> None:
    listening = (
        "import os, socket, time\n"
        "server = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"
        "time.sleep(1000)\n"
    )
    place.write("app.py", listening)
    place.procfile(f"web: {sys.executable} app.py\n")
    base = free_row(50)
    session = place.start("-p", str(base))
    session.wait_for(r"web\.1 started")
    manager = manager_of(session)
    assert place.call("scale", "web=2").code == 0
    assert place.call("scale", "web=1").code == 0
    descriptors, processes = manager.num_fds(), len(session.survivors())
    for _ in range(10):
        assert place.call("scale", "web=50").code == 0
        assert len(instances(place)) == 50
        assert place.call("scale", "web=1").code == 0
        assert [row["name"] for row in instances(place)] == ["web.1"]
    assert descriptors_of(manager, descriptors) <= descriptors
    assert len(session.survivors()) == processes
    for port in range(base + 1, base + 50):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    assert place.call("stop").code == 0
    assert session.wait() == 0
    assert "all stopped: 1 instance; exit status 0" in session.text
