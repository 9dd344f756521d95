"""Non-blocking writers, one for each kind of descriptor."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Buffer: TypeAlias = bytes | bytearray | memoryview

PIPE = "pipe"
TERMINAL = "terminal"
SOCKET = "socket"
FILE = "file"
CLOSED = "closed"

PIPE_SIZE = 256 << 10  # bytes: 35-45 % more throughput than 64 KiB; 1 MiB gives no more and triples the delay
F_SETPIPE_SZ = 1031  # fcntl(2); Linux only, and not in `fcntl` before Python 3.10
F_GETPIPE_SZ = 1032
SAFE_WRITE = 256  # bytes that a terminal takes without blocking once it polls writable (WAKEUP_CHARS, drivers/tty)


class Writer:
    """Writes directly: to a regular file, or to our own non-blocking description of a pipe or terminal."""

    __slots__ = ("fd", "kind", "owned")

    def __init__(self, fd: int, kind: str, *, owned: bool = False) -> None:
        self.fd = fd
        self.kind = kind
        self.owned = owned

    def send(self, parts: Sequence[Buffer]) -> int:
        """Write some of these bytes and return how many. Raises BlockingIOError if none fit now, OSError if none ever
        will."""
        return os.writev(self.fd, parts)

    def close(self) -> None:
        """Close the descriptor if it is ours."""
        if self.owned:
            os.close(self.fd)
            self.owned = False


class CarefulWriter(Writer):
    """Writes to a shared blocking descriptor, which we must not make non-blocking: polls, then writes a little."""

    __slots__ = ()

    def send(self, parts: Sequence[Buffer]) -> int:
        """See Writer.send."""
        if not _writable(self.fd):
            raise BlockingIOError(errno.EAGAIN, "full")
        return os.write(self.fd, memoryview(parts[0])[:SAFE_WRITE])


class SocketWriter(Writer):
    """Writes to a socket with a flag per message (MSG_DONTWAIT), which leaves shared descriptions unchanged."""

    __slots__ = ("_flags", "_socket")

    def __init__(self, fd: int) -> None:
        import socket

        self._socket = socket.socket(fileno=os.dup(fd))
        self._flags = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
        super().__init__(self._socket.fileno(), SOCKET, owned=True)

    def send(self, parts: Sequence[Buffer]) -> int:
        """See Writer.send."""
        return self._socket.sendmsg(parts, (), self._flags)

    def close(self) -> None:
        """See Writer.close."""
        self._socket.close()


class NullWriter(Writer):
    """Discards everything: stdout was closed on purpose."""

    __slots__ = ()

    def send(self, parts: Sequence[Buffer]) -> int:
        """See Writer.send."""
        return sum(map(len, parts))


def writer_for(fd: int) -> Writer:
    """Return a writer for ``fd`` that never blocks and never changes the state that other processes share with us."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return NullWriter(fd, CLOSED)
    if stat.S_ISSOCK(mode):
        return SocketWriter(fd)
    if stat.S_ISFIFO(mode):
        writer = _own_or_careful(fd, PIPE)
        enlarge_pipe(writer.fd, PIPE_SIZE)
        return writer
    if os.isatty(fd):
        return _own_or_careful(fd, TERMINAL)
    return Writer(fd, FILE)  # a new description of a file would have its own offset; /dev/null is never full


def _own_or_careful(fd: int, kind: str) -> Writer:
    for path in _paths(fd, kind):
        try:
            own = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            continue
        return Writer(own, kind, owned=True)
    return Writer(fd, kind) if not os.get_blocking(fd) else CarefulWriter(fd, kind)


def _paths(fd: int, kind: str) -> list[str]:
    """Return paths that open the same pipe or terminal again. /dev/fd on macOS only duplicates the description."""
    paths = [f"/proc/self/fd/{fd}"] if sys.platform == "linux" else []
    if kind == TERMINAL:
        paths += [os.ttyname(fd)] if sys.platform != "linux" else []
        paths += ["/dev/tty"] if _controls_us(fd) else []
    return paths


def _controls_us(fd: int) -> bool:
    """Whether ``fd`` is our controlling terminal: tcgetpgrp(3) fails with ENOTTY on every other one."""
    try:
        os.tcgetpgrp(fd)
    except OSError:
        return False
    return True


def enlarge_pipe(fd: int, size: int) -> bool:
    """Make a pipe hold at least ``size`` bytes. Return False if that fails: on other systems than Linux, if ``fd`` is
    not a pipe, or beyond the user's limit (pipe(7), /proc/sys/fs/pipe-user-pages-soft)."""
    try:
        if fcntl.fcntl(fd, F_GETPIPE_SZ) < size:
            fcntl.fcntl(fd, F_SETPIPE_SZ, size)
    except OSError:
        return False
    return True


def _writable(fd: int) -> bool:
    waiting = select.poll()
    waiting.register(fd, select.POLLOUT)
    return bool(waiting.poll(0))
