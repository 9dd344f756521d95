"""Who listens at a port, seen on sockets of this process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from procman.runtime.system.listeners import all_inodes, holders, holds, is_local, listening_inodes, owner_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs /proc/net")
OURS = os.getpid()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def inodes_of(listener: socket.socket, address: str = "127.0.0.1") -> frozenset[int]:
    return listening_inodes(address, listener.getsockname()[1])


def test_a_listening_socket_is_found_by_its_address(listener: socket.socket) -> None:
    inode = int(os.readlink(f"/proc/self/fd/{listener.fileno()}").strip("socket:[]"))
    assert inodes_of(listener) == {inode}
    assert inodes_of(listener, "127.0.0.2") == frozenset()


def test_what_listens_on_a_port_is_found_at_any_address(listener: socket.socket) -> None:
    assert all_inodes(listener.getsockname()[1]) == inodes_of(listener)


def test_a_socket_of_all_addresses_answers_at_each() -> None:
    with socket.create_server(("", 0)) as made:
        assert inodes_of(made, "127.0.0.1") == inodes_of(made, "127.0.0.2") != frozenset()


def test_a_connected_socket_does_not_listen(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as client:
        assert is_local(client)
        assert listening_inodes("127.0.0.1", client.getsockname()[1]) == frozenset()


def test_holders_are_those_that_have_the_socket_open(listener: socket.socket) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert holders([OURS, other.pid], inodes_of(listener)) == [OURS]
        other.communicate(b"\n")
    assert holders([OURS, other.pid], inodes_of(listener)) == [OURS]  # it is gone, and holds nothing


def test_what_has_ended_and_is_not_reaped_holds_nothing(listener: socket.socket) -> None:
    asker = os.fork()
    if asker == 0:
        found = 9
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)  # root may look at the descriptors of anything
            zombie = os.fork()
            if zombie == 0:
                os._exit(0)
            os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
            found = len(holders([zombie], inodes_of(listener)))
        finally:
            os._exit(found)
    assert os.waitstatus_to_exitcode(os.waitpid(asker, 0)[1]) == 0


def test_what_may_be_listed_but_not_read_may_hold_anything(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    inodes = inodes_of(listener)

    def refuse(path: str) -> str:
        raise PermissionError(path)  # as to root in a container, for the process of another user

    monkeypatch.setattr(os, "readlink", refuse)
    assert holders([OURS], inodes) == [OURS]
    assert not holds(OURS, inodes)


def test_the_owner_is_named(listener: socket.socket) -> None:
    assert owner_of(inodes_of(listener)).startswith(f"pid {OURS} (")
    assert owner_of(frozenset({0})) == "a process of another user"
