"""Who listens on a busy port."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.runtime.system import port_owner
from procman.runtime.system.port_owner import busy_ports, owner, owners, port_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESSES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::1"), (socket.AF_INET6, "")]


@pytest.fixture(params=ADDRESSES, ids=["127.0.0.1", "0.0.0.0", "::1", "::"])
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    family, address = request.param
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    port = listener.getsockname()[1]
    with listener, held_elsewhere(family, port):
        yield port


@contextmanager
def held_elsewhere(family: int, port: int) -> Iterator[None]:
    """Hold the port in the other family without listening: another process, which would be named, cannot take it."""
    other, address = (socket.AF_INET, "127.0.0.1") if family == socket.AF_INET6 else (socket.AF_INET6, "::1")
    with socket.socket(other) as holder:
        try:
            holder.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                pytest.skip("the number is in use in the other family")
        yield


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_port_somebody_listens_on_is_busy(taken: int) -> None:
    assert busy_ports([taken]) == {taken}


def test_a_port_nobody_listens_on_is_free() -> None:
    assert busy_ports([free_port()]) == set()


def test_looking_leaves_the_port_free() -> None:
    port = free_port()
    busy_ports([port])
    with socket.create_server(("127.0.0.1", port)):
        assert busy_ports([port]) == {port}


def test_the_owner_is_named_by_pid_and_command(taken: int) -> None:
    assert owner(taken).startswith(f"pid {os.getpid()} (")


def test_the_command_of_a_stranger_stays_one_harmless_line() -> None:
    code = (
        "import socket, sys; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", f"# \x1b[31m\n{code}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        named = owner(int(stranger.stdout.readline()))
        stranger.kill()
    assert named.startswith(f"pid {stranger.pid} (")
    assert named.isprintable()


def test_nobody_is_named_where_nobody_is_found() -> None:
    assert owner(free_port()) in {"a process of another user", "another process"}


def test_a_warning_names_the_instance(taken: int) -> None:
    plan = InstancePlan("web.1", "web", 1, taken, "x", "/", {}, RestartPolicy(), StopPolicy())
    portless = InstancePlan("clock.1", "clock", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
    (warning,) = port_warnings([plan, portless])
    assert warning.startswith(f"port {taken} of web.1 is taken by pid {os.getpid()} (")


# On other systems ---------------------------------------------------------------------------------------------------


class Sockets:
    """The sockets of a system: which families it has, and which ports are taken in them."""

    AF_INET, AF_INET6, SOCK_STREAM = 2, 10, 1
    SOL_SOCKET, SO_REUSEADDR, IPPROTO_IPV6, IPV6_V6ONLY = 1, 2, 41, 26

    def __init__(self, monkeypatch: pytest.MonkeyPatch, families: tuple[int, ...]) -> None:
        self.families = families
        self.error = 0
        self.options: dict[int, set[tuple[int, int, int]]] = {}
        self.bound: list[int] = []
        self.open = 0
        for name in ("AF_INET", "AF_INET6", "SOCK_STREAM", "SOL_SOCKET", "SO_REUSEADDR", "IPPROTO_IPV6", "IPV6_V6ONLY"):
            monkeypatch.setattr(f"_socket.{name}", getattr(self, name))
        monkeypatch.setattr("_socket.socket", self._socket)

    def _socket(self, family: int, kind: int) -> Any:
        if family not in self.families:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        self.open += 1
        options = self.options.setdefault(family, set())

        def bind(address: tuple[str, int]) -> None:
            assert address == ("", 5000)
            self.bound.append(family)
            if self.error:
                raise OSError(self.error, "no")

        def close() -> None:
            self.open -= 1

        return SimpleNamespace(setsockopt=lambda *option: options.add(option), bind=bind, close=close)


@pytest.mark.parametrize(
    ("families", "error", "busy", "bound"),
    [
        ((10, 2), 0, False, [10]),
        ((10, 2), errno.EADDRINUSE, True, [10]),
        ((10, 2), errno.EADDRNOTAVAIL, False, [10, 2]),
        ((2,), 0, False, [2]),
        ((2,), errno.EADDRINUSE, True, [2]),
        ((2,), errno.EACCES, False, [2]),
        ((), 0, False, []),
    ],
)
def test_a_port_is_tried_in_the_families_that_there_are(
    monkeypatch: pytest.MonkeyPatch, families: tuple[int, ...], error: int, busy: bool, bound: list[int]
) -> None:
    sockets = Sockets(monkeypatch, families)
    sockets.error = error
    assert busy_ports([5000]) == ({5000} if busy else set())
    assert (sockets.bound, sockets.open) == (bound, 0)
    for family in bound:
        both = {(sockets.IPPROTO_IPV6, sockets.IPV6_V6ONLY, 0)} if family == sockets.AF_INET6 else set()
        assert sockets.options[family] == {(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)} | both


def connection(port: int | None, pid: int | None, status: str = psutil.CONN_LISTEN) -> Any:
    return SimpleNamespace(laddr=None if port is None else SimpleNamespace(port=port), pid=pid, status=status)


@pytest.mark.parametrize(
    ("connections", "named"),
    [
        ([connection(5000, 7)], "pid 7"),
        ([connection(5000, None), connection(5000, 8)], "pid 8"),
        ([connection(5000, 7, "ESTABLISHED"), connection(5000, 8)], "pid 8"),
        ([connection(None, 7), connection(5001, 8)], "a process of another user"),
        ([], "a process of another user"),
    ],
)
def test_the_owner_is_who_listens_at_the_port(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any], named: str
) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda _kind: connections)
    monkeypatch.setattr(port_owner, "described", lambda pid: f"pid {pid}")
    assert owner(5000) == named


def test_without_permission_the_owner_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_kind: object) -> list[object]:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    assert owner(5000) == "another process"


def test_one_look_is_for_all_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def connections(kind: str) -> list[Any]:
        looks.append(kind)
        return [connection(5000, 7), connection(5001, 8)]

    monkeypatch.setattr(psutil, "net_connections", connections)
    monkeypatch.setattr(port_owner, "described", lambda pid: f"pid {pid}")
    assert owners({5000, 5001, 5002}) == {5000: "pid 7", 5001: "pid 8", 5002: "a process of another user"}
    assert owners(set()) == {}
    assert looks == ["tcp"]


class Seen:
    """Processes with their command lines, names and environments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[str] = []
        self.environ = b""
        self.folder: str | None = "/srv/app"
        process = SimpleNamespace(cmdline=lambda: self.words, name=lambda: "kthread")
        monkeypatch.setattr(psutil, "Process", lambda _pid: process)
        monkeypatch.setattr(port_owner, "environ_of", lambda _pid: self.environ)
        monkeypatch.setattr(os, "readlink", self._readlink)

    def _readlink(self, path: str) -> str:
        if path != f"/proc/{0xABC}/cwd" or self.folder is None:
            raise FileNotFoundError
        return self.folder


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["node", "server.js"], "node server.js"),
        ([], "kthread"),
        (["a", " b\n", "\x1b"], "a b ?"),
        (["x" * 60], "x" * 60),
        (["x" * 61], "x" * 59 + "…"),
    ],
)
def test_a_process_is_described_by_its_command(seen: Seen, words: list[str], shown: str) -> None:
    seen.words = words
    assert port_owner.described(7) == f"pid 7 ({shown})"


WEB = b"PROCMAN_INSTANCE=web.1\0PROCMAN_SESSION=abc-1\0"


@pytest.mark.parametrize(
    ("environ", "folder", "described"),
    [
        (
            b"PROCMAN_INSTANCE=web.1\0PROCMAN_SESSION=abc-1\0",
            "/srv/app",
            "web.1 of the session in /srv/app (pid 7, serve)",
        ),
        (b"PROCMAN_INSTANCE=web.1\0PROCMAN_SESSION=abc-1\0", None, "pid 7 (serve)"),
        (b"PROCMAN_INSTANCE=\0PROCMAN_SESSION=abc-1\0", "/srv/app", "pid 7 (serve)"),
        (b"PROCMAN_INSTANCE=web.1\0", "/srv/app", "pid 7 (serve)"),
        (b"PROCMAN_INSTANCE=web.1\0PROCMAN_SESSION=-abc\0", "/srv/app", "pid 7 (serve)"),
        (b"", "/srv/app", "pid 7 (serve)"),
    ],
)
def test_an_instance_of_a_living_session_is_named_with_it(
    seen: Seen, environ: bytes, folder: str | None, described: str
) -> None:
    seen.words, seen.environ, seen.folder = ["serve"], environ, folder
    assert port_owner.described(7) == described


# Reservations


class Other:
    """A process with reservations of its own: it takes one port, answers whether it has it, and waits."""

    SCRIPT = (
        "import sys; from procman.runtime.system.port_owner import *; "
        "open_reservations(sys.argv[1]); print(reserve(int(sys.argv[2])), flush=True); sys.stdin.read()"
    )

    def __init__(self, folder: Path, port: int) -> None:
        words = [sys.executable, "-c", self.SCRIPT, str(folder), str(port)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.has_it = self.process.stdout.readline() == "True\n"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def reservations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(port_owner, "_reservations", None)
    port_owner.open_reservations(str(tmp_path))
    yield tmp_path
    if port_owner._reservations is not None:
        os.close(port_owner._reservations)


def test_a_port_is_reserved_by_one_session_until_it_ends(reservations: Path) -> None:
    other = Other(reservations, 5000)
    assert other.has_it
    assert not port_owner.reserve(5000)
    assert port_owner.reserve(5001)
    other.end()
    assert port_owner.reserve(5000)
    late = Other(reservations, 5000)
    assert not late.has_it
    late.end()


def test_a_session_may_reserve_its_own_port_again_and_release_it(reservations: Path) -> None:
    assert port_owner.reserve(5000)
    assert port_owner.reserve(5000)
    port_owner.release(5000)
    other = Other(reservations, 5000)
    assert other.has_it
    other.end()


def test_what_is_forked_does_not_release_a_reservation(reservations: Path) -> None:
    assert port_owner.reserve(5000)
    child = os.fork()
    if not child:
        os.close(port_owner._reservations or -1)
        os._exit(0)
    os.waitpid(child, 0)
    other = Other(reservations, 5000)
    assert not other.has_it
    other.end()


def test_the_file_stays_empty_and_private(reservations: Path) -> None:
    port_owner.reserve(65535)
    (file,) = reservations.iterdir()
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (0, 0o600)


@pytest.mark.parametrize("kind", ["missing", "link", "folder"])
def test_without_the_file_nothing_is_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(port_owner, "_reservations", None)
    monkeypatch.setattr(port_owner, "_network", lambda: "")
    folder = tmp_path / "gone" if kind == "missing" else tmp_path
    if kind == "link":
        (tmp_path / "ports").symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        (tmp_path / "ports").mkdir()
    port_owner.open_reservations(str(folder))
    assert port_owner.reserve(5000)
    assert not (tmp_path / "elsewhere").exists()
