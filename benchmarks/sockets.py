"""Counts what clients see while a server restarts three times: with its own socket, with `listen`, and under circus.

    python benchmarks/sockets.py [--crash] [--circus CIRCUSD] [SERVER …]

With --crash the server is killed by SIGKILL instead, and its supervisor starts it again.

Three clients request one page after another over loopback, without a pause. gunicorn and uvicorn must be installed
beside this Python, node on PATH.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIN = Path(sys.executable).parent
CLIENTS, TIMES = 3, 3
WSGI = """
import time
time.sleep(0.4)  # as imports would
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
ASGI = """
import time
time.sleep(0.4)
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
NODE = """
const server = require('http').createServer((request, response) => response.end('ok'));
const where = process.env.FD ? { fd: +process.env.FD } : { host: '127.0.0.1', port: process.env.PORT };
setTimeout(() => server.listen(where), 400);
process.on('SIGTERM', () => server.close());
"""
PROGRAMS = {"gunicorn": ("app.py", WSGI), "uvicorn": ("app.py", ASGI), "node": ("server.js", NODE)}
OWN = {
    "gunicorn": f"{BIN}/gunicorn --no-control-socket -b 127.0.0.1:$PORT app:app",
    "uvicorn": f"{BIN}/uvicorn --no-access-log --lifespan off --port $PORT app:app",
    "node": "node server.js",
}
KEPT = {
    "gunicorn": f"{BIN}/gunicorn --no-control-socket app:app",
    "uvicorn": f"{BIN}/uvicorn --no-access-log --lifespan off --fd 3 app:app",
    "node": "FD=3 node server.js",
}
CIRCUS = {
    "gunicorn": f"{BIN}/gunicorn --no-control-socket -b fd://$(circus.sockets.web) app:app",
    "uvicorn": f"{BIN}/uvicorn --no-access-log --lifespan off --fd $(circus.sockets.web) app:app",
    "node": "env FD=$(circus.sockets.web) node server.js",
}


class Load:
    """The clients, and what they saw."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: Counter[str] = Counter()
        self.slowest = 0.0
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
            began = time.monotonic()
            self.seen[outcome(self.port)] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


def outcome(port: int) -> str:
    """Make one request; return what became of it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := client.recv(65536):
                data += chunk
    except ConnectionRefusedError:
        return "refused"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "hung"
    return "answered" if data.endswith(b"ok") else "cut off"


def until_answered(port: int) -> None:
    """Wait until the server answers."""
    while outcome(port) != "answered":
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that nothing has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def procman(folder: Path, port: int, line: str, overlay: str, *, crash: bool) -> Iterator[Callable[[], None]]:
    """Run a line under procman; yield what restarts or kills it."""
    (folder / "Procfile").write_text(f"web: {line}\n")
    (folder / "procman.toml").write_text(f"port = {port}\n{overlay}")
    with running([f"{BIN}/procman", "start"], folder):
        yield lambda: run([f"{BIN}/procman", *(("signal", "KILL") if crash else ("restart",)), "web"], folder)


@contextlib.contextmanager
def circus(folder: Path, port: int, line: str, circusd: str, *, crash: bool) -> Iterator[Callable[[], None]]:
    """Run a command under circus, with a socket of its own; yield what restarts or kills it."""
    end = f"ipc://{folder}/circus"
    (folder / "circus.ini").write_text(
        f"[circus]\nendpoint = {end}.a\npubsub_endpoint = {end}.b\nstats_endpoint = {end}.c\n"
        f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n"
        f"[watcher:web]\ncmd = {line}\nuse_sockets = True\ncopy_env = True\nworking_dir = {folder}\n"
    )
    control = str(Path(circusd).with_name("circusctl"))
    with running([circusd, "circus.ini"], folder):
        words = ("signal", "web", "9") if crash else ("restart", "web", "--waiting")
        yield lambda: run([control, "--endpoint", f"{end}.a", *words], folder)


@contextlib.contextmanager
def running(words: list[str], folder: Path) -> Iterator[None]:
    """Run a command beside the measurement."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, cwd=folder, **quiet)  # noqa: S603 (what is measured)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def run(words: list[str], folder: Path) -> None:
    """Run a command to its end."""
    subprocess.run(words, cwd=folder, capture_output=True, check=True, timeout=60)  # noqa: S603 (what is measured)


def measure(server: str, manager: Callable[[Path, int], contextlib.AbstractContextManager[Callable[[], None]]]) -> str:
    """Return one row of the table."""
    name, program = PROGRAMS[server]
    with tempfile.TemporaryDirectory() as temporary:
        folder, port = Path(temporary), free_port()
        (folder / name).write_text(program)
        with manager(folder, port) as restart:
            until_answered(port)
            with Load(port) as load:
                for _ in range(TIMES):
                    restart()
                    until_answered(port)
    counts = "".join(f"{load.seen[what]:>10}" for what in ("answered", "refused", "reset", "cut off", "hung"))
    return f"{counts}{load.slowest:>9.1f} s"


def main() -> None:
    """Measure each server with each manager, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--circus", default=shutil.which("circusd"))
    parser.add_argument("--crash", action="store_true")
    parser.add_argument("servers", nargs="*", default=list(PROGRAMS))
    given = parser.parse_args()
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    print(f"{'':30}{'answered':>10}{'refused':>10}{'reset':>10}{'cut off':>10}{'hung':>10}{'slowest':>11}")
    for server in given.servers:
        managers = {
            "procman, its own socket": partial(procman, line=OWN[server], overlay="", crash=given.crash),
            "procman, listen": partial(
                procman, line=KEPT[server], overlay="[process.web]\nlisten = true\n", crash=given.crash
            ),
        }
        if given.circus:
            managers["circus, its socket"] = partial(
                circus, line=CIRCUS[server], circusd=given.circus, crash=given.crash
            )
        for manager, start in managers.items():
            print(
                f"{server + ': ' + manager:<33}{measure(server, start)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
