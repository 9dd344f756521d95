"""Non-blocking output: a queue of bytes before a descriptor, its writer, and our own lines on stderr."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, TypeAlias

    Buffer: TypeAlias = bytes | bytearray | memoryview

    class Footer(Protocol):
        """The bottom rows of a terminal."""

        def repaint(self) -> None:
            """Repaint the rows below the text of this turn, all of which is in the outlet."""

        def close(self) -> None:
            """Remove the rows for good."""


LARGE_CHUNK = 4096  # bytes: a chunk of this size is written immediately; gathering large chunks halves the throughput
MAX_GATHERED = 65536  # bytes of small parts that wait for the end of the turn
RETAINED_MEMORY = 512 << 10  # bytes: freed blocks up to this size stay with the process
MAX_PARTS = 900  # vectors in one writev; IOV_MAX is 1024


class Outlet:
    """The only writer to our stdout while the engine runs.

    ``owed`` bytes are queued. ``blocked`` says that the reader was full at the last attempt: callers then read no
    child, wait until ``fileno()`` is writable, and flush. So the queue holds little more than the chunks of one turn.

    ``dropped`` bytes were lost to system errors; ``error`` describes the first. If an error cut a line (a full disk
    takes half of it), the next line that is written starts in a row of its own.
    """

    __slots__ = (
        "_cut",
        "_gone",
        "_queue",
        "_torn",
        "_writer",
        "blocked",
        "dropped",
        "eager",
        "error",
        "footer",
        "owed",
    )

    def __init__(self, fd: int) -> None:
        _keep_freed_memory()
        self._writer: Writer = writer_for(fd)
        self._queue: list[Buffer] = []
        self._gone = False
        self._cut = False  # a line is written in part; the rest of it is queued
        self._torn = False  # the rest of such a line was dropped
        self.owed = 0
        self.blocked = False
        self.dropped = 0
        self.eager = False  # write immediately, because nothing else follows in this turn
        self.error = ""
        self.footer: Footer | None = None

    @property
    def kind(self) -> str:
        """What the descriptor is: "pipe", "terminal", "socket", "file" or "closed"."""
        return self._writer.kind

    @property
    def pollable(self) -> bool:
        """Whether a poller takes ``fileno()``; a regular file is always writable and never polled."""
        return self._writer.kind not in (FILE, CLOSED)

    def fileno(self) -> int:
        """What to poll for writability."""
        return self._writer.fd

    def put(self, *parts: Buffer) -> None:
        """Queue these bytes.

        Small parts wait for ``flush`` unless ``eager`` is set; a large one is written immediately.
        """
        size = 0
        for part in parts:
            size += len(part)
        self.owed += size
        self._queue += parts
        if (size >= LARGE_CHUNK or self.eager or self.owed >= MAX_GATHERED) and not self.blocked:
            self._push()
        elif len(self._queue) >= MAX_PARTS:
            self._queue = [b"".join(self._queue)]  # a stuck reader must not cost an object per line

    def flush(self) -> None:
        """Write as much of the queue as the reader takes. Raises BrokenPipeError once the reader is gone."""
        if self.footer is not None:
            self.footer.repaint()
        if self._queue:
            self._push()
        if self._gone:
            raise BrokenPipeError(32, "the reader of our output is gone")

    def close(self, deadline: float) -> None:
        """Flush until ``deadline`` (monotonic seconds), drop the rest, close our descriptor. Never raises."""
        if self.footer is not None:
            self.footer.close()
            self.footer = None
        self._end_writing(deadline)

    def discard_from_now_on(self, deadline: float) -> None:
        """Flush until ``deadline`` (monotonic seconds), drop the rest, and write nothing more. Never raises.

        A poller must have forgotten ``fileno()``.
        """
        self._end_writing(deadline)
        self._writer = NullWriter(self._writer.fd, CLOSED)

    def _end_writing(self, deadline: float) -> None:
        self._push()
        while self.owed and (left := deadline - time.monotonic()) > 0:
            waiting = select.poll()
            waiting.register(self._writer.fd, select.POLLOUT)
            waiting.poll(left * 1000)
            self._push()
        self._drop()
        self._writer.close()

    def _push(self) -> None:
        """Write until the queue is empty or the reader is full; continue after a short write."""
        self.blocked = False
        while self._queue:
            batch = self._queue if len(self._queue) <= MAX_PARTS else self._queue[:MAX_PARTS]
            try:
                if self._torn:
                    self._writer.send((b"\n",))
                    self._torn = False
                sent = self._writer.send(batch)
            except BlockingIOError:
                self.blocked = True
                return
            except (BrokenPipeError, ConnectionResetError):
                self._gone = True
                self._drop()
            except OSError as error:
                self.error = self.error or error.strerror or str(error)
                self._torn = self._torn or self._cut
                self._drop()
            else:
                self._forget(sent)

    def _forget(self, sent: int) -> None:
        self.owed -= sent
        if not self.owed:
            self._cut = False
            self._queue.clear()
            return
        if sent:
            self._cut = _byte_at(sent - 1, self._queue) != 10
        whole = 0
        for part in self._queue:
            if len(part) > sent:
                break
            sent -= len(part)
            whole += 1
        del self._queue[:whole]
        if sent:
            self._queue[0] = memoryview(self._queue[0])[sent:]

    def _drop(self) -> None:
        self.dropped += self.owed
        self.owed = 0
        self._queue.clear()
        self._cut = self.blocked = False


def _byte_at(place: int, parts: Sequence[Buffer]) -> int:
    for part in parts:
        if place < len(part):
            return part[place]
        place -= len(part)
    raise IndexError(place)


def _keep_freed_memory() -> None:
    """Free one large block that is never touched.

    glibc then keeps freed blocks up to this size for the next chunk (mallopt(3), M_MMAP_THRESHOLD). Otherwise it gives
    them back and faults them in again, which costs a fifth of the output path.
    """
    bytes(RETAINED_MEMORY)


def complaint(outlet: Outlet) -> str:
    """Return what went wrong with our output, as one sentence, or an empty string."""
    if not outlet.error and not outlet.dropped:
        return ""
    reason = f" ({outlet.error})" if outlet.error else ""
    return f"{outlet.dropped} bytes of output could not be written{reason}"


def write_stderr(text: str) -> None:
    """Write as much of ``text`` to stderr as it takes without blocking, because its reader may be stuck."""
    outlet = Outlet(2)
    outlet.put(text.encode())
    outlet.close(0.0)


def report_loss(outlet: Outlet, unread: int) -> None:
    """Report on stderr how many bytes of output were lost, if any were.

    They were dropped by the ``outlet``, or are the ``unread`` bytes that never reached it.
    """
    if outlet.error:
        write_stderr(f"procman: {complaint(outlet)}\n")
    elif lost := outlet.dropped + unread:
        write_stderr(f"procman: {lost} bytes of output were lost: the reader stopped reading\n")


# Writers --------------------------------------------------------------------------------------------------------------

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
