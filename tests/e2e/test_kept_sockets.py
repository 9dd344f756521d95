"""Servers behind a kept socket, under a load without pause: none of their clients is refused, and none is cut off."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

BIN = Path(sys.executable).parent
CLIENTS = 3
# When uvicorn stops, it closes the connections that it has accepted, but whose requests it has not read yet.
CLOSES_UNREAD = ("uvicorn",)
WSGI = """
import os, time
time.sleep(0.2)  # as imports would
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [os.environ["PS"].encode()]
"""
ASGI = """
import os, time
time.sleep(0.2)
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": os.environ["PS"].encode()})
"""
NODE = """
const server = require('http').createServer((request, response) => response.end(process.env.PS));
setTimeout(() => server.listen({ fd: 3 }), 200);
process.on('SIGTERM', () => server.close());
"""
PLAIN = """
import os, signal, socket, sys, time
time.sleep(0.2)
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
server = socket.socket(fileno=3)
server.settimeout(0.05)
while not stopped:
    try:
        connection, _ = server.accept()
    except TimeoutError:
        continue
    with connection:
        connection.settimeout(5)
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + os.environ["PS"].encode())
"""
SERVERS = {
    "gunicorn": f"{BIN}/gunicorn --no-control-socket app:app",
    "uvicorn": f"{BIN}/uvicorn --fd 3 --lifespan off --no-access-log app:app",
    "node": "node server.js",
    "python": f"{sys.executable} app.py",
}
PROGRAMS = {"gunicorn": WSGI, "uvicorn": ASGI, "node": NODE, "python": PLAIN}


class Load:
    """Clients that request one page after another, without a pause, until they are stopped."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.results: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                body = request(self.port)
            except ConnectionRefusedError:
                self.results["refused"] += 1
            except ConnectionError:
                self.results["reset"] += 1
            except TimeoutError:
                self.results["hung"] += 1
            else:
                self.results["answered" if body else "cut off"] += 1
                self.answers[body] += 1

    def require_no_loss(self, server: str, stops: int) -> None:
        """Fail if a client was refused, or was cut off although its server knows how to stop."""
        lost = self.results["reset"] + self.results["cut off"]
        assert self.results["refused"] + self.results["hung"] == 0, self.results
        assert lost <= (stops * CLIENTS if server in CLOSES_UNREAD else 0), self.results


def request(port: int) -> str:
    """Return the body of one answer, which names the instance."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        data = b""
        while chunk := client.recv(65536):
            data += chunk
    return data.partition(b"\r\n\r\n")[2].decode()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, place: Place) -> str:
    """The name of a server, whose program and Procfile are in place."""
    name: str = request.param
    if name == "node" and shutil.which("node") is None:
        pytest.skip("node is not installed")
    if name in ("gunicorn", "uvicorn") and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    place.write("server.js" if name == "node" else "app.py", PROGRAMS[name])
    place.procfile(f"web: {SERVERS[name]}\n")
    return name


def started(place: Place, overlay: str) -> tuple[Session, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    place.write("procman.toml", f"port = {port}\n[process.web]\nlisten = true\n{overlay}\n")
    session = place.start()
    session.wait_for("web.1 started")
    request(port)
    return session, port


def changed(place: Place, session: Session, name: str) -> None:
    """Change a file until the watcher sees it: it needs a moment before it sees anything."""
    for number in range(60):
        place.write(name, str(number))
        try:
            session.wait_for(f"web.1: {name} has changed", limit=1.0)
        except AssertionError:
            continue
        return
    raise AssertionError(f"{name} is not watched:\n{session!r}")


def test_no_client_is_refused_while_it_is_restarted(place: Place, server: str) -> None:
    session, port = started(place, "")
    with Load(port) as load:
        for _ in range(3):
            assert place.call("restart", "web").code == 0
            request(port)
    load.require_no_loss(server, stops=3)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_the_server_of_the_documentation_loses_nothing(place: Place) -> None:
    pytest.importorskip("uvicorn")
    text = (Path(__file__).parents[2] / "docs" / "sockets.md").read_text()
    program = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "uvicorn.Server" in block)
    assert program.count("sleep(0.2)") == program.count("fd=3") == 1
    patient = program.replace("sleep(0.2)", "sleep(2)")  # on a busy machine, a client may pause before it sends
    place.write("serve.py", patient.replace("fd=3", 'fd=3, lifespan="off"'))
    place.write("app.py", ASGI)
    place.procfile(f"web: {sys.executable} serve.py\n")
    _, port = started(place, "")
    with Load(port) as load:
        for _ in range(2):
            assert place.call("restart", "web").code == 0
            request(port)
    load.require_no_loss("serve.py", stops=2)


def test_no_client_is_refused_while_instances_that_share_a_socket_come_and_go(place: Place, server: str) -> None:
    _, port = started(place, "share = true\nformation = 2")
    with Load(port) as load:
        assert place.call("restart", "--rolling", "web").code == 0
        assert place.call("scale", "web=3").code == 0
        while len(load.answers) < 3:
            request(port)
        assert place.call("scale", "web=1").code == 0
        request(port)
    load.require_no_loss(server, stops=4)
    assert load.answers.keys() >= {"web.1", "web.2", "web.3"}


def test_all_that_share_a_socket_are_ready_when_a_request_to_it_is_answered(place: Place) -> None:
    place.write("app.py", PLAIN)
    place.procfile(f"web: {SERVERS['python']}\n")
    started(place, "share = true\nformation = 3\nready = { http = '/' }\nhealth = { http = '/' }")
    assert place.call("wait").code == 0, place.call("why").out
    assert place.call("scale", "web=5").code == 0


def test_no_client_is_refused_while_it_crashes(place: Place, server: str) -> None:
    """What the server has accepted is lost with it, and what a worker accepts that lives for a moment longer."""
    session, port = started(place, "backoff = '100ms'")
    with Load(port) as load:
        assert place.call("signal", "KILL", "web").code == 0
        session.wait_for("web.1 restarting")
        session.wait_for("web.1 started")
        request(port)
    assert load.results["refused"] + load.results["hung"] == 0, load.results
    assert load.results["reset"] + load.results["cut off"] <= 2 * CLIENTS, load.results


def test_no_client_is_refused_while_a_watched_file_changes(place: Place, server: str) -> None:
    pytest.importorskip("watchfiles")
    pytest.importorskip("pathspec")
    session, port = started(place, 'watch = ["*.txt"]')
    with Load(port) as load:
        changed(place, session, "page.txt")
        session.wait_for("web.1 started")
        request(port)
    load.require_no_loss(server, stops=1)
