"""Shows bytes to a descriptor: owes them, never waits for it, knows when it is full."""

from __future__ import annotations

import select
import time

from procman.output.writers import CLOSED, FILE, Writer, writer_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from procman.output.writers import Buffer

    class Footer(Protocol):
        """What stays below the lines on a terminal."""

        def settle(self) -> None:
            """All text of this turn is in the outlet: come back below it."""

        def leave(self) -> None:
            """Nothing more will come: vanish."""


LARGE = 4096  # bytes: what is larger leaves at once; gathering large chunks halves the throughput
GATHER = 65536  # bytes of small parts that wait for the end of the turn
KEPT = 512 << 10  # bytes of freed memory that stay ours
MOST_PARTS = 900  # vectors in one writev; IOV_MAX is 1024


class Outlet:
    """The only writer to our stdout while the engine runs.

    ``owed`` bytes wait; ``blocked`` says that the reader was full when we last tried: read no child, wait until
    ``fileno()`` is writable, then flush. So little more than one turn's chunks is ever owed. ``dropped`` bytes were
    lost to an error of the system, the first of which is in ``error``. If that cut a line (a full disk takes half of
    it), the next that is taken begins in a row of its own.
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
        self._cut = False  # the last byte that was taken ends no line, and what comes behind it is owed
        self._torn = False  # it was, and is dropped
        self.owed = 0
        self.blocked = False
        self.dropped = 0
        self.eager = False  # nothing more comes in this turn: what is put need not wait for its end
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
        """Owe these bytes, in order. Small ones wait for ``flush`` unless ``eager``; a large one leaves at once."""
        size = 0
        for part in parts:
            size += len(part)
        self.owed += size
        self._queue += parts
        if (size >= LARGE or self.eager or self.owed >= GATHER) and not self.blocked:
            self._push()
        elif len(self._queue) >= MOST_PARTS:
            self._queue = [b"".join(self._queue)]  # a stuck reader must not cost us an object for every line

    def flush(self) -> None:
        """Give what is owed as far as the reader takes it. Raises BrokenPipeError once the reader is gone."""
        if self.footer is not None:
            self.footer.settle()
        if self._queue:
            self._push()
        if self._gone:
            raise BrokenPipeError(32, "the reader of our output is gone")

    def close(self, deadline: float) -> None:
        """Flush until ``deadline`` (monotonic seconds), drop the rest, give back what is ours. Never raises."""
        if self.footer is not None:
            self.footer.leave()
            self.footer = None
        self._push()
        while self.owed and (left := deadline - time.monotonic()) > 0:
            waiting = select.poll()
            waiting.register(self._writer.fd, select.POLLOUT)
            waiting.poll(left * 1000)
            self._push()
        self._drop()
        self._writer.close()

    def _push(self) -> None:
        """Write until nothing is owed or the reader is full; a write that was cut short goes on."""
        self.blocked = False
        while self._queue:
            batch = self._queue if len(self._queue) <= MOST_PARTS else self._queue[:MOST_PARTS]
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
    """Free one large block: glibc then keeps blocks up to this size for the next chunk instead of giving them back and
    faulting them in again (mallopt(3), M_MMAP_THRESHOLD), which costs a fifth of the output path. Never touched."""
    bytes(KEPT)


def complaint(outlet: Outlet) -> str:
    """What went wrong with our output, as one sentence, or an empty text."""
    if not outlet.error and not outlet.dropped:
        return ""
    reason = f" ({outlet.error})" if outlet.error else ""
    return f"{outlet.dropped} bytes of output could not be written{reason}"


def write_stderr(text: str) -> None:
    """Write `text` to stderr as far as it takes it at once; a stuck reader must not hold us, and may be ours too."""
    outlet = Outlet(2)
    outlet.put(text.encode())
    outlet.close(0.0)


def report_loss(outlet: Outlet, unread: int) -> None:
    """Say how many bytes of output were lost, if any were: in `outlet`, or `unread` ones that never got there."""
    if outlet.error:
        write_stderr(f"procman: {complaint(outlet)}\n")
    elif lost := outlet.dropped + unread:
        write_stderr(f"procman: {lost} bytes of output were not read by anybody and are lost\n")
