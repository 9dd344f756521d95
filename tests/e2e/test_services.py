"""Dependencies on real services: `db` is ready by tcp and by exec before others use it, and is stopped after them.

Skipped where a service is not installed; with PROCMAN_SERVICES=required that is a failure.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import tempfile
from pathlib import Path

import pytest

import harness
from faults.kit import wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Place

CLIENT = """\
import os, socket, sys
connection = socket.create_connection(("127.0.0.1", int(os.environ["DB"])))
{talk}
print("served", flush=True)
sys.stdin.close()
import signal; signal.pause()
"""
PING = 'connection.sendall(b"PING\\r\\n"); assert connection.recv(100).startswith(b"+PONG")'
# The first message of PostgreSQL's protocol: "do you speak TLS?"; a server that is up says N or S.
SSL_REQUEST = 'connection.sendall(bytes((0, 0, 0, 8, 4, 210, 22, 47))); assert connection.recv(1) in b"NS"'


def require(*programs: str) -> list[str]:
    """The paths of the programs, or a skip."""
    places = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    found = [shutil.which(program, path=os.pathsep.join(places)) for program in programs]
    missing = [program for program, path in zip(programs, found, strict=True) if path is None]
    if missing and os.environ.get("PROCMAN_SERVICES") == "required":
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(
            f"not installed: {', '.join(missing)} (apt-get install redis-server postgresql, pip install celery redis)"
        )
    return [path for path in found if path is not None]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def holds(place: Place, db: str, port: int, overlay: str, talk: str) -> None:
    """web uses db as soon as it runs; db is stopped once web is gone."""
    place.write("client.py", CLIENT.format(talk=talk))
    place.procfile(f"web: python3 client.py\ndb: {db}\n")
    depends = f'[process.web]\ndepends_on = {{ db = "healthy" }}\nenv = {{ DB = {port} }}\nrestart = "never"\n'
    place.write("procman.toml", f"{depends}[process.db]\nport = {port}\n{overlay}")
    session = place.start("-t", "20", "--no-pty")
    for line in (r"db\.1 started", r"db\.1 is ready after", r"web\.1 started", r"web\.1 .*\| served"):
        session.wait_for(line)
    session.signal(signal.SIGTERM)
    session.wait_for(r"web\.1 stopped")
    session.wait_for(r"db\.1 stopped")
    assert session.wait() == 0
    session.wait_until_gone()


@pytest.mark.parametrize("ready", ["{{ tcp = {port} }}", '{{ exec = "{cli} -p {port} ping | grep -q PONG" }}'])
def test_redis_is_waited_for(place: Place, ready: str) -> None:
    server, cli = require("redis-server", "redis-cli")
    port = free_port()
    db = f"exec {server} --port {port} --save '' --bind 127.0.0.1"
    holds(place, db, port, f"ready = {ready.format(port=port, cli=cli)}\n", PING)


def test_redis_is_stopped_by_its_own_command(place: Place) -> None:
    server, cli = require("redis-server", "redis-cli")
    port = free_port()
    overlay = f'ready = {{ tcp = true }}\nstop_command = "{cli} -p {port} shutdown nosave"\n'
    holds(place, f"exec {server} --port {port} --save '' --bind 127.0.0.1", port, overlay, PING)


def as_postgres(place: Place) -> str:
    """What to put before a command to run it by the account of PostgreSQL, which may use the place from now on."""
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no account postgres")
    (setpriv,) = require("setpriv")
    os.chown(place.folder, account.pw_uid, account.pw_gid)
    return f"{setpriv} --reuid={account.pw_uid} --regid={account.pw_gid} --clear-groups "


@pytest.fixture
def open_place() -> Iterator[Place]:
    """A place that another user can reach: pytest's folders are root's alone; each pytest sees to it."""
    with tempfile.TemporaryDirectory(prefix="procman-test-", dir="/tmp") as name:
        yield from harness.places(Path(name))


@pytest.mark.parametrize("ready", ["{{ tcp = {port} }}", '{{ exec = "{cli} -q -h 127.0.0.1 -p {port}" }}'])
def test_postgresql_is_waited_for(open_place: Place, ready: str) -> None:
    place = open_place
    server, init, cli = require("postgres", "initdb", "pg_isready")
    port = free_port()
    become = as_postgres(place) if os.geteuid() == 0 else ""  # it refuses to run as root
    data = place.folder / "data"
    options = f"-p {port} -k {place.folder} -c listen_addresses=127.0.0.1"
    make = f"test -e {data} || {become}{init} -D {data} -A trust -E UTF8 >/dev/null"
    place.write("db.sh", f"{make}\nexec {become}{server} -D {data} {options}\n")
    overlay = f'ready = {ready.format(port=port, cli=cli)}\nstop_signal = "INT"\n'
    holds(place, "exec sh db.sh", port, overlay, SSL_REQUEST)


JOBS = """\
import os, time
from celery import Celery
app = Celery("jobs", broker=os.environ["BROKER"])
@app.task
def work():
    open("begun", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.05)
    open("done", "w").close()
"""


@pytest.mark.parametrize("way", ["TERM", "restart"])
@pytest.mark.parametrize("kind", ["--pty", "--no-pty"])
def test_celery_finishes_the_task_at_hand(place: Place, kind: str, way: str) -> None:
    server, celery = require("redis-server", "celery")
    port = free_port()
    broker = {"BROKER": f"redis://127.0.0.1:{port}/0"}
    place.write("jobs.py", JOBS)
    db = f"exec {server} --port {port} --save '' --bind 127.0.0.1"
    place.procfile(f"worker: {celery} -A jobs worker -c 2 -l INFO\ndb: {db}\n")
    overlay = f'[process.db]\nport = {port}\nready = {{ tcp = {port} }}\n[process.worker]\ndepends_on = ["db"]\n'
    place.write("procman.toml", f'{overlay}ready = {{ log = "ready\\\\." }}\n')
    session = place.start(kind, "-t", "120", env=broker)
    session.wait_for(r"worker\.1 is ready after")
    assert place.session("-A", "jobs", "call", "jobs.work", program=celery, env=broker).wait() == 0
    wait_until((place.folder / "begun").exists, "the task")
    asking = place.session("restart", "worker") if way == "restart" else None
    if asking is None:
        session.signal(signal.SIGTERM)
    session.wait_for(r"Warm shutdown")
    place.write("go", "")
    wait_until((place.folder / "done").exists, "the end of the task")
    if asking is not None:
        assert asking.wait() == 0
        session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert "WorkerLostError" not in session.text
    session.wait_until_gone()
