"""Finds ports that are already taken, and the processes that listen on them; reserves those of this session."""

from __future__ import annotations

import errno
import os

from procman.runtime.system.procfs import environ_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from procman.core.model.plan import InstancePlan

_MAX_COMMAND = 60  # characters of the other process's command line that are shown


def port_warnings(instances: Iterable[InstancePlan]) -> list[str]:
    """Return a sentence for each instance whose port is already taken."""
    wanted = {instance.own_port: instance.name for instance in instances if instance.own_port is not None}
    taken = owners(busy_ports(wanted))
    return [f"port {port} of {wanted[port]} is taken by {taken[port]}" for port in sorted(taken)]


def busy_ports(ports: Iterable[int]) -> set[int]:
    """Return those of ``ports`` on which a process of this machine listens, at any address."""
    return {port for port in ports if _is_busy(port)}


def _is_busy(port: int) -> bool:
    """Return whether the port cannot be bound: 11 µs per port; reading the kernel's tables in /proc/net takes 3 ms.

    ``_socket`` is what ``socket`` wraps; importing the latter would add 7 ms to the start.
    """
    import _socket as net

    for family in (net.AF_INET6, net.AF_INET):  # IPv6 may be switched off
        try:
            trial = net.socket(family, net.SOCK_STREAM)
        except OSError:
            continue
        try:
            trial.setsockopt(net.SOL_SOCKET, net.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not count
            if family == net.AF_INET6:
                trial.setsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY, 0)
            trial.bind(("", port))
            return False
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
        finally:
            trial.close()
    return False


# Between the choice of a port and the moment when its process listens, seconds may pass. So each session of a user
# locks the byte at the number of each of its ports, in a file that stays empty. Such a lock belongs to the process
# (fcntl(2), "record locks"): what is forked does not have it, and none is left when the session ends in any way.
_reservations: int | None = None  # the descriptor of the file


def open_reservations(folder: str) -> None:
    """Reserve ports in this folder from now on. Where the file cannot be opened, none are reserved."""
    global _reservations  # noqa: PLW0603 (a process has one session, and closing a second descriptor drops all locks)
    if _reservations is not None:
        return
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        _reservations = os.open(f"{folder}/ports{_network()}", flags, 0o600)
    except OSError:
        pass


def _network() -> str:
    """Return what identifies the network namespace: each has its own ports, but two may share a folder."""
    try:
        return f"-{os.stat('/proc/self/ns/net').st_ino}"
    except OSError:
        return ""


def reserve(port: int) -> bool:
    """Reserve a port until this session ends. Return whether it is not reserved by another session of this user."""
    return _lock(port, release=False)


def release(port: int) -> None:
    """Give up the reservation of a port."""
    _lock(port, release=True)


def _lock(port: int, *, release: bool) -> bool:
    if _reservations is None:
        return True
    import fcntl

    try:
        fcntl.lockf(_reservations, fcntl.LOCK_UN if release else fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError as error:  # other errors are those of a file system without locks
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True


def owner(port: int) -> str:
    """Return what listens on ``port``: ``pid 812 (node server.js)``, or the instance of another session."""
    return owners((port,))[port]


def owners(ports: Collection[int]) -> dict[int, str]:
    """Return what listens on each of the ports, from one look at all sockets, which takes 30 ms or more.

    Only this imports psutil.
    """
    if not ports:
        return {}
    import psutil

    pids: dict[int, int] = {}
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.pid and one.laddr:
                pids.setdefault(one.laddr.port, one.pid)
    except (psutil.Error, OSError):
        return dict.fromkeys(ports, "another process")
    return {port: described(pids[port]) if port in pids else "a process of another user" for port in ports}


def described(pid: int) -> str:
    """Return pid and command of a process, and its instance and folder if it is of a session."""
    import psutil

    from procman.core.text.printable import printable

    try:
        words = psutil.Process(pid).cmdline() or [psutil.Process(pid).name()]
    except (psutil.Error, OSError):
        return "another process"
    command = printable(" ".join(" ".join(words).split()))
    command = command if len(command) <= _MAX_COMMAND else command[: _MAX_COMMAND - 1] + "…"
    instance = instance_of(pid)
    return f"{instance} (pid {pid}, {command})" if instance else f"pid {pid} ({command})"


def instance_of(pid: int) -> str:
    """Return the instance that a process belongs to, and the folder of its session; empty if no living session started
    it.

    A session's id starts with the pid of its manager, which works in the session's folder.
    """
    from procman.core.text.printable import printable

    pairs = (variable.partition(b"=") for variable in environ_of(pid).split(b"\0"))
    variables = {name: value.decode("utf-8", "replace") for name, _, value in pairs if name.startswith(b"PROCMAN_")}
    instance = variables.get(b"PROCMAN_INSTANCE", "")
    try:
        folder = os.readlink(f"/proc/{int(variables[b'PROCMAN_SESSION'].partition('-')[0], 16)}/cwd")
    except (KeyError, ValueError, OSError):
        return ""
    return printable(f"{instance} of the session in {folder}") if instance else ""
