"""A notification socket for each instance that has a check by notify, as systemd gives one to its services.

The protocol is sd_notify(3): datagrams with lines such as READY=1, STATUS=loading and WATCHDOG=1, sent to the address
in NOTIFY_SOCKET. The socket lasts as long as the session, and what an earlier life has sent is dropped before the next.
"""

from __future__ import annotations

import errno
import os
import struct

from procman.runtime.processes.spawn import SpawnError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from procman.core.model.plan import InstancePlan
else:
    import _socket as socket  # what `socket` wraps, whose import takes 7 ms

MOST_BYTES = 4096  # of a datagram; systemd reads as many
MOST_PER_TURN = 64  # datagrams, so that a flood does not block the loop
MOST_TURNS = 64  # how often before a life, so that another process cannot hold it up; a queue is much shorter
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_PASS_CREDENTIALS, _SCM_CREDENTIALS = 16, 2  # SO_PASSCRED and SCM_CREDENTIALS of Linux: other systems lack the names


class NotifySockets:
    """The sockets by instance."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def equip(self, plan: InstancePlan, env: dict[str, str]) -> None:
        """Add the variables that the next life of an instance needs. Raises SpawnError if there is no socket."""
        try:
            own = self._sockets.get(plan.name) or self._open(plan.name)
        except OSError as error:
            raise SpawnError(f"cannot start: no socket for notifications: {error.strerror}", None) from None
        for _ in range(MOST_TURNS):
            if not [*self.messages(plan.name)]:  # of an earlier life
                break
        env["NOTIFY_SOCKET"] = "@" + own.getsockname()[1:].decode()
        if plan.watchdog is not None:
            env["WATCHDOG_USEC"] = str(round(plan.watchdog * 1_000_000))

    def fileno(self, name: str) -> int:
        """Return the descriptor of the instance's socket."""
        return self._sockets[name].fileno()

    def messages(self, name: str) -> Iterator[tuple[int, int, str]]:
        """Yield what is there to read: the pid and the uid of each sender, and its text."""
        own = self._sockets[name]
        for _ in range(MOST_PER_TURN):
            try:
                data, extra, _flags, _address = own.recvmsg(MOST_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
            except OSError:  # nothing is left
                return
            sender = next((one for level, kind, one in extra if (level, kind) == _CREDENTIALS_KEY), b"")
            if len(sender) == _CREDENTIALS.size:
                pid, uid, _gid = _CREDENTIALS.unpack(sender)
                yield pid, uid, data.decode(errors="replace")

    def _open(self, name: str) -> socket.socket:
        """Open a socket at an address of the kernel's choice, which ends with it and needs no file (unix(7))."""
        if not os.path.exists("/proc/net/unix"):
            raise OSError(errno.EOPNOTSUPP, "this system has no abstract addresses")
        own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # Python makes it close-on-exec
        try:
            own.setblocking(False)
            own.setsockopt(socket.SOL_SOCKET, _PASS_CREDENTIALS, 1)
            own.bind("")
        except OSError:
            own.close()
            raise
        self._sockets[name] = own
        return own


_CREDENTIALS_KEY = (socket.SOL_SOCKET, _SCM_CREDENTIALS)
