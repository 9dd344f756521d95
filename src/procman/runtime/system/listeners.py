"""Listening sockets, and the processes that hold them: from /proc/net and /proc/PID/fd (proc(5))."""

from __future__ import annotations

import os
import sys

from procman.runtime.system.procfs import is_zombie, listing, proc_is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Iterable

LISTEN = b"0A"  # TCP_LISTEN, net/tcp_states.h
LOCAL_ADDRESS, STATE, INODE = 1, 3, 9  # fields of a row
_ANY4, _ANY6 = b"0" * 8, b"0" * 32


def is_local(connection: socket.socket) -> bool:
    """Return whether a connection leads to this machine."""
    here, there = connection.getsockname()[0], connection.getpeername()[0]
    return bool(here == there or there.startswith("127."))


def listening_inodes(address: str, port: int) -> frozenset[int]:
    """Return the sockets that answer at a local address; empty if that cannot be seen.

    A socket that is bound to the address itself wins over one that is bound to all addresses.
    """
    exact = _hexadecimal(address)
    found: dict[bytes, set[int]] = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for local, inode in _rows(path, b":%04X" % port):
            found.setdefault(local, set()).add(inode)
    order = (exact, _ANY6) if ":" in address else (exact, _hexadecimal(f"::ffff:{address}"), _ANY4, _ANY6)
    for wanted in order:
        if wanted in found:
            return frozenset(found[wanted])
    return frozenset()


def unix_inodes(path: str) -> frozenset[int]:
    """Return the listening sockets that are bound to a path; empty if that cannot be seen."""
    try:
        with open("/proc/net/unix", "rb") as file:
            rows = [line.split(maxsplit=7) for line in file]
    except OSError:
        return frozenset()
    accepts = b"00010000"  # __SO_ACCEPTCON, include/linux/net.h
    return frozenset(
        int(row[6]) for row in rows if len(row) == 8 and row[3] == accepts and row[7][:-1] == os.fsencode(path)
    )


def all_inodes(port: int) -> frozenset[int]:
    """Return the sockets that listen on a port, at any address; empty if that cannot be seen."""
    return frozenset(inode for path in ("/proc/net/tcp", "/proc/net/tcp6") for _, inode in _rows(path, b":%04X" % port))


def sees_listeners() -> bool:
    """Return whether the system has tables of listening sockets."""
    return os.access("/proc/net/tcp", os.R_OK)


def inodes_of(ports: Collection[int]) -> dict[int, frozenset[int]]:
    """Return the sockets that listen on each of the ports, at any address, from one look at the tables."""
    found: dict[int, set[int]] = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for local, inode in _listening(path, b" %b " % LISTEN):
            port = int(local.rpartition(b":")[2], 16)
            if port in ports:
                found.setdefault(port, set()).add(inode)
    return {port: frozenset(inodes) for port, inodes in found.items()}


def _rows(path: str, port: bytes) -> Iterable[tuple[bytes, int]]:
    """Yield address and inode of each listening socket on the port."""
    for local, inode in _listening(path, port):
        if local.endswith(port):
            yield local[: -len(port)], inode


def _listening(path: str, part: bytes) -> Iterable[tuple[bytes, int]]:
    """Yield address with port, and inode, of each listening socket in whose row this is."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return
    for line in lines:
        if part in line:
            fields = line.split()
            if fields[STATE] == LISTEN:
                yield fields[LOCAL_ADDRESS], int(fields[INODE])


def _hexadecimal(address: str) -> bytes:
    """Return an address as the kernel's tables write it: words of 32 bits in the machine's order."""
    import _socket

    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    packed = _socket.inet_pton(family, address.partition("%")[0])
    words = (int.from_bytes(packed[i : i + 4], sys.byteorder) for i in range(0, len(packed), 4))
    return b"".join(b"%08X" % word for word in words)


def holds(pid: int, inodes: frozenset[int]) -> bool:
    """Return whether a process is known to hold one of the sockets."""
    return bool(inodes) and _holds(pid, {f"socket:[{inode}]" for inode in inodes}) is True


def holders(pids: Iterable[int], inodes: frozenset[int]) -> list[int]:
    """Return those of ``pids`` that hold one of the sockets, or that do not let us see what they hold."""
    names = {f"socket:[{inode}]" for inode in inodes}
    return [pid for pid in pids if _holds(pid, names) is not False]


def _holds(pid: int, names: set[str]) -> bool | None:
    """Return whether a process holds one of the sockets; None if it exists, but may not be looked at."""
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except PermissionError:
        return False if is_zombie(pid) else None  # that of a zombie belongs to root
    except OSError:
        return False
    found: bool | None = False
    for number in numbers:
        try:
            if os.readlink(f"{folder}/{number}") in names:
                return True
        except PermissionError:
            found = None  # root in a container may list, but not read, the files of another user's process
        except OSError:
            pass  # it has just been closed
    return found


def owner_of(inodes: frozenset[int]) -> str:
    """Return what holds one of the sockets: ``pid 812 (node server.js)``."""
    from procman.runtime.system.port_owner import described

    names = {f"socket:[{inode}]" for inode in inodes}
    pids = (int(name) for name in (listing("/proc") if proc_is_ours() else []) if name.isdigit())
    pid = next((pid for pid in pids if _holds(pid, names)), None)
    return "a process of another user" if pid is None else described(pid)
