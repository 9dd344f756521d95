"""Which instances use their ports, although their commands do not name them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from procman.cli.control import usage
from procman.cli.control.usage import note_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.cli.control.connection import Record

SERVER = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); print(flush=True); sys.stdin.read()"


@pytest.fixture
def servers() -> Iterator[list[tuple[int, int]]]:
    """Three pids and ports: the first two listen on theirs, the second below a shell."""
    found = []
    running = []
    for command in ("exec", "true;"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            line = f"{command} {sys.executable} -c '{SERVER}' {listener.fileno()}; true"
            server = subprocess.Popen(
                ["/bin/sh", "-c", line],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )
            running.append(server)
            assert server.stdout is not None
            server.stdout.readline()
            found.append((server.pid, listener.getsockname()[1]))
    idle = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    running.append(idle)
    yield [*found, (idle.pid, found[0][1])]
    for process in running:
        process.communicate()


def rows_of(servers: list[tuple[int, int]]) -> list[Record]:
    return [{"name": f"web.{at}", "pid": pid, "port": port} for at, (pid, port) in enumerate(servers, 1)]


@pytest.mark.parametrize("tables", [True, False], ids=["proc", "psutil"])
def test_a_tree_that_listens_on_its_port_uses_it(
    servers: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, tables: bool
) -> None:
    if not tables:
        monkeypatch.setattr("procman.runtime.system.listeners.sees_listeners", lambda: False)
    rows = rows_of(servers)
    note_ports(rows)
    assert [row.get("has_port", False) for row in rows] == [True, True, False]
    assert rows[0]["url"] == f"http://localhost:{servers[0][1]}"


def test_what_has_no_process_or_no_port_is_left_out() -> None:
    rows: list[Record] = [{"pid": None, "port": 5000}, {"pid": os.getpid(), "port": None}, {"has_port": True}]
    note_ports(rows)
    assert [row.get("url") for row in rows] == [None, None, None]


def test_one_look_at_the_processes_is_for_all_of_them(
    servers: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    members = usage._members

    def counted(roots: list[int]) -> object:
        looks.append(roots)
        return members(roots)

    monkeypatch.setattr(usage, "_members", counted)
    note_ports(rows_of(servers))
    assert len(looks) == 1
