"""Sockets that are kept open: how they are opened, what a child gets of them, and when they are closed."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from procman.core.model.listen import Listen, ListeningSocket
from procman.errors import UsageError
from procman.runtime.processes.kept_sockets import ABOVE, KeptSockets
from procman.runtime.processes.spawn import SpawnError
from procman.runtime.system.descriptors import DescriptorLimit
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def kept() -> Iterator[KeptSockets]:
    null = os.open(os.devnull, os.O_RDWR)
    sockets = KeptSockets(DescriptorLimit(1, null))
    yield sockets
    sockets.keep_only(())
    os.close(null)


def free_address(host: str = "127.0.0.1") -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{host}:{probe.getsockname()[1]}"


def of(*addresses: str) -> Listen:
    return Listen(tuple(ListeningSocket(f"s{n}", address) for n, address in enumerate(addresses)))


def test_it_is_opened_once_and_no_child_inherits_it(kept: KeptSockets) -> None:
    address = free_address()
    (fd,) = kept.open(of(address))
    assert kept.open(of(address)) == [fd]
    assert fd >= ABOVE
    assert not os.get_inheritable(fd)
    assert address in kept
    assert kept.fileno(address) == fd


def test_a_child_gets_copies_from_number_3_on(kept: KeptSockets, tmp_path: Path) -> None:
    plan = a_plan("web.1")
    plan.listen = of(free_address(), f"{tmp_path}/web.sock")
    env: dict[str, str] = {}
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = []
    assert kept.equip(plan, env, actions) == "export LISTEN_PID=$$; "
    assert [action[2] for action in actions] == [3, 4]
    assert env == {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "s0:s1"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how many wait")
def test_the_length_of_a_queue_is_known(kept: KeptSockets) -> None:
    address = free_address()
    kept.open(of(address))
    assert kept.waiting(address) == 0
    clients = [socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) for _ in range(3)]
    assert kept.waiting(address) == 3
    for client in clients:
        client.close()


def test_of_a_unix_socket_it_is_known_whether_something_waits(kept: KeptSockets, tmp_path: Path) -> None:
    path = f"{tmp_path}/deep/er/web.sock"
    kept.open(of(path))
    assert kept.waiting(path) == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        assert kept.waiting(path) is None


def test_what_is_closed_refuses_its_clients_and_leaves_no_file(kept: KeptSockets, tmp_path: Path) -> None:
    address, path = free_address(), f"{tmp_path}/web.sock"
    kept.open(of(address, path))
    kept.keep_only((address,))
    assert not os.path.exists(path)
    kept.close(address)
    kept.close(address)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))


def test_a_file_that_another_program_has_put_there_meanwhile_stays(kept: KeptSockets, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    kept.open(of(str(path)))
    path.unlink()
    path.write_text("not ours")
    kept.close(str(path))
    assert path.read_text() == "not ours"


def test_our_own_lost_socket_is_not_what_has_its_address(
    kept: KeptSockets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_plan("web.1")
    plan.listen = of(f"{tmp_path}/web.sock")
    kept.open(plan.listen)
    os.unlink(tmp_path / "web.sock")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("web.sock")  # the system shows this socket by its relative path
        other.listen()
        with pytest.raises(SpawnError, match=r"web\.sock: it is taken by another process$"):
            kept.equip(plan, {}, [])


def test_it_listens_on_ipv6(kept: KeptSockets) -> None:
    address = free_address("[::1]")
    try:
        kept.open(of(address))
    except OSError:
        pytest.skip("no IPv6 here")
    socket.create_connection(("::1", int(address.rpartition(":")[2]))).close()


def test_what_starts_with_the_session_is_opened_or_refused_as_a_whole(kept: KeptSockets) -> None:
    plans = [a_plan("web.1"), a_plan("web.2"), a_plan("late.1")]
    with socket.create_server(("127.0.0.1", 0)) as other:
        addresses = [free_address(), f"127.0.0.1:{other.getsockname()[1]}", free_address()]
        for plan, address in zip(plans, addresses, strict=True):
            plan.listen = of(address)
        plans[2].autostart = False
        with pytest.raises(
            UsageError, match=rf"web\.2 cannot listen on {addresses[1]}: it is taken by pid {os.getpid()}"
        ):
            kept.open_all(plans)
        assert addresses[0] not in kept
        with pytest.raises(SpawnError, match="cannot listen on"):
            kept.equip(plans[1], {}, [])
    kept.open_all(plans)
    assert addresses[1] in kept
    assert addresses[2] not in kept


def test_a_folder_that_cannot_be_written_is_named(kept: KeptSockets) -> None:
    plan = a_plan("web.1")
    plan.listen = of("/proc/web.sock")
    with pytest.raises(UsageError, match=r"web\.1 cannot listen on /proc/web\.sock: "):
        kept.open_all([plan])
