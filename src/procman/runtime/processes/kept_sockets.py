"""Opens listening sockets, keeps them open over the lives of instances, and passes each to its own instances only.

Our descriptors are close-on-exec. A child gets copies from number 3, as sd_listen_fds(3) expects them: LISTEN_FDS is
their number and LISTEN_FDNAMES their names. LISTEN_PID is the child's pid, which only the child knows before it runs:
a shell sets it, and then becomes the program.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select

from procman.core.model.listen import MOST_SOCKETS
from procman.errors import UsageError
from procman.runtime.processes.spawn import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection, Iterable

    from procman.core.model.listen import Listen, ListeningSocket
    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.spawn import FileAction
    from procman.runtime.system.descriptors import DescriptorLimit
else:
    import _socket as socket  # what `socket` wraps, whose import takes 7 ms

FIRST = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
ABOVE = FIRST + MOST_SOCKETS  # our own numbers are not among those that a child gets
HIGH = 64  # where there is room, they leave the low numbers to what has to have one
BACKLOG = 4096  # connections that wait while nothing accepts; the system may allow fewer (net.core.somaxconn)
SET_PID = "export LISTEN_PID=$$; "  # put before a command
_TCP_INFO, _WAITING = 11, slice(24, 28)  # tcpi_unacked: of a listening socket, the length of its queue (tcp_get_info)


class KeptSockets:
    """The open sockets by address."""

    def __init__(self, limit: DescriptorLimit) -> None:
        self._limit = limit
        self._open: dict[str, socket.socket] = {}
        self._files: dict[str, tuple[int, int]] = {}  # device and inode of each Unix socket that we have made
        self.on_lost: Callable[[str], None] = _ignore  # gets the address of a socket that is closed to be bound again

    def __contains__(self, address: str) -> bool:
        return address in self._open

    def open_all(self, plans: Iterable[InstancePlan]) -> None:
        """Open the sockets of what a session starts with. Raises UsageError if one cannot be opened."""
        for plan in plans:
            if plan.listen is not None and (plan.autostart or plan.listen.on_connection):
                try:
                    self.open(plan.listen)
                except OSError as error:
                    self.keep_only(())
                    hint = "" if error.errno != errno.EADDRINUSE else _HINT
                    raise UsageError(f"{plan.name} {self._trouble(error)}", hint) from None

    def open(self, listen: Listen) -> list[int]:
        """Open what is not open yet; return the descriptors. Raises OSError, whose text names the address."""
        return [self._kept(one).fileno() for one in listen.sockets]

    def fileno(self, address: str) -> int:
        """Return the descriptor of an open socket."""
        return self._open[address].fileno()

    def is_lost(self, address: str) -> bool:
        """Return whether clients cannot find an open socket: its file was deleted, or another one is in its place."""
        return address in self._files and _identity(address) != self._files[address]

    def equip(self, plan: InstancePlan, env: dict[str, str], actions: list[FileAction]) -> str:
        """Add what the next life of an instance needs to get its sockets; return what goes before its command.

        Raises SpawnError if one cannot be opened.
        """
        assert plan.listen is not None
        try:
            fds = self._limit.lower_copies(self.open(plan.listen), ABOVE)
        except OSError as error:
            raise SpawnError(self._trouble(error), None) from None
        actions += [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds, FIRST)]
        env["LISTEN_FDS"] = str(len(fds))
        env["LISTEN_FDNAMES"] = ":".join(one.name for one in plan.listen.sockets)
        return SET_PID

    def keep_only(self, addresses: Collection[str]) -> None:
        """Close all others."""
        for address in [address for address in self._open if address not in addresses]:
            self.close(address)

    def close(self, address: str) -> None:
        """Close a socket, so that its clients are refused as soon as no child holds it either."""
        kept = self._open.pop(address, None)
        if kept is None:
            return
        kept.close()
        mine = self._files.pop(address, None)
        if mine is not None and _identity(address) == mine:
            _unlink(address)

    def waiting(self, address: str) -> int | None:
        """Return how many connections wait to be accepted; None if the system only says that there are some."""
        kept = self._open[address]
        if kept.family != socket.AF_UNIX:
            try:
                return int.from_bytes(kept.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 104)[_WAITING], "little")
            except OSError:
                pass  # not Linux
        poll = select.poll()
        poll.register(kept.fileno(), select.POLLIN)
        return None if poll.poll(0) else 0

    def _trouble(self, error: OSError) -> str:
        """Return why a socket cannot be opened, as a clause: what has the address, or what the system says."""
        address = str(error.filename)
        if error.errno == errno.EADDRINUSE:
            return f"cannot listen on {address}: it is taken by {self._owner(address)}"
        return f"cannot listen on {address}: {(error.strerror or str(error)).lower()}"

    def _owner(self, address: str) -> str:
        from procman.runtime.system.listeners import owner_of, unix_inodes
        from procman.runtime.system.port_owner import owner

        if "/" not in address:
            return owner(int(address.rpartition(":")[2]))
        lost = {os.fstat(kept.fileno()).st_ino for kept in self._open.values()}  # ours, without their file
        inodes = unix_inodes(address) - lost
        return owner_of(inodes) if inodes else "another process"

    def _kept(self, wanted: ListeningSocket) -> socket.socket:
        if wanted.address in self._open and not self.is_lost(wanted.address):
            return self._open[wanted.address]
        made = _unix(wanted.address) if wanted.is_path else _tcp(wanted)
        identity = _identity(wanted.address) if wanted.is_path else None
        try:
            number = _high_number(made.fileno())
        except OSError as error:
            if identity is not None:
                _unlink(wanted.address)
            raise OSError(error.errno, error.strerror, wanted.address) from None
        finally:
            made.close()
        if wanted.address in self._open:
            self.on_lost(wanted.address)
            self.close(wanted.address)
        self._open[wanted.address] = socket.socket(made.family, made.type, 0, number)
        if identity is not None:
            self._files[wanted.address] = identity
        return self._open[wanted.address]


def _ignore(_address: str) -> None:
    """Do nothing, until something watches over the sockets."""


def _high_number(fd: int) -> int:
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH)
    except OSError:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, ABOVE)


def _unlink(path: str) -> None:
    """Remove the file of a socket. One that may not be removed any more is stale, and replaced by the next session."""
    try:
        os.unlink(path)
    except OSError:
        pass


_HINT = "choose another base with -p, or use --port-conflict bump"


def _tcp(wanted: ListeningSocket) -> socket.socket:
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not count
        made.bind((wanted.host, wanted.port or 0))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, wanted.address) from None
    return made


def _unix(path: str) -> socket.socket:
    """Bind a Unix socket. One that nothing answers at is left from a process that was killed, so it is replaced."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _remove_stale(path)
        made.bind(path)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, path) from None
    return made


def _remove_stale(path: str) -> None:
    import stat

    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "it exists and is not a socket", path)
    except FileNotFoundError:
        return
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.setblocking(False)
        client.connect(path)
    except ConnectionRefusedError:
        os.unlink(path)
    except BlockingIOError:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path) from None  # its queue is full
    else:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)
    finally:
        client.close()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
