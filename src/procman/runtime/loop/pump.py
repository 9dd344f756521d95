"""Does: reads what one child writes, chunk by chunk, and gives whole lines to the hub."""

from __future__ import annotations

import errno
import os

from procman.core.text.lines import LineBuffer, goes_up
from procman.output.outlet import LARGE
from procman.output.writers import enlarge_pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.hub import Hub

CHUNK = 64 << 10  # bytes a read: the default size of a pipe
WIDE = 128 << 10  # bytes a read, and the size of the pipe, of a child that has filled its own pipe again and again


class Pump:
    """One descriptor of one child on its way to the hub."""

    __slots__ = (
        "_hear",
        "_hub",
        "_most",
        "_unserved",
        "buffer",
        "climbs",
        "ended",
        "fd",
        "fills",
        "goes_on",
        "last_size",
        "name",
        "stream",
        "taken",
        "waits",
    )

    def __init__(
        self,
        fd: int,
        name: str,
        stream: str,
        hub: Hub,
        unserved: list[Pump],
        hear: Callable[[bytes, bytes], None] | None = None,
    ) -> None:
        """``hear`` gets the unfinished line and the chunk behind it, if that has an escape sequence and nobody who is
        attached sees it: his terminal answers."""
        self.fd = fd
        self.name = name
        self.stream = stream
        self.buffer = LineBuffer(fold=not hub.raw)
        self.ended = False
        self.climbs = False  # it paints: the cursor was sent up
        self.last_size = 0
        self.taken = 0  # bytes, in its last turn
        self.waits = False  # announced, and not served yet
        self.goes_on = False  # the last chunk ended no line
        self.fills = 0  # times that a whole pipe was read at once
        self._hear = hear
        self._hub = hub
        self._most = CHUNK  # bytes a read
        self._unserved = unserved

    @property
    def is_wide(self) -> bool:
        """Whether more is read at once than a pipe usually holds."""
        return self._most > CHUNK

    def widen(self) -> None:
        """Let the child write more, and read more, at once: fewer calls and wake-ups for each byte, on both sides."""
        if enlarge_pipe(self.fd, WIDE):
            self._most = WIDE

    def announce(self) -> None:
        """There is something to read: be served in this turn, or in one of the next."""
        if not self.waits:
            self.waits = True
            self._unserved.append(self)

    def read(self) -> bool:
        """Move one chunk; False when there was none."""
        try:
            chunk = os.read(self.fd, self._most)
        except BlockingIOError:
            self.last_size = 0
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # how a pseudo-terminal says end of file on Linux
                raise
            chunk = b""
        self.last_size = len(chunk)
        if not chunk:
            self.ended = True
            return False
        if self._hub.taps or self._hear is not None:
            self._let_hear(chunk)
        if self._hub.painting:
            self.climbs |= goes_up(chunk)
        if len(chunk) >= LARGE and self._pass_on(chunk):
            return True
        lines = self.buffer.feed(chunk)
        self.goes_on = not lines
        if lines:
            if self.buffer.unfinished and goes_up(self.buffer.tail):
                self._hub.look_ahead(self.name, self.stream, self.buffer.tail)
            self._hub.publish(self.name, self.stream, lines)
        return True

    def _pass_on(self, chunk: bytes) -> bool:
        """Publish a large chunk without copying its lines together; False when it has to be looked at."""
        if not self._hub.is_plain(self.name, self.stream, self.buffer.tail, chunk):
            return False
        taken = self.buffer.take(chunk)
        if taken is None:
            return False
        before, end = taken
        self.goes_on = False
        self._hub.publish_parts(self.name, self.stream, before, chunk, end)
        return True

    def _let_hear(self, chunk: bytes) -> None:
        tap = self._hub.taps.get(self.name)
        if tap is not None:
            tap(chunk)
        elif self._hear is not None and b"\x1b[" in chunk:
            self._hear(self.buffer.tail, chunk)

    def discard(self) -> int:
        """Throw away at most one pipe's fill; returns the number of bytes."""
        try:
            return len(os.read(self.fd, 16 * CHUNK))
        except OSError:
            return 0

    def leave_rows(self) -> bool:
        """Pass on what the line that has not ended yet painted over other rows; whether it did."""
        lines = self.buffer.leave_rows()
        if lines:
            self._hub.publish(self.name, self.stream, lines)
        return bool(lines)

    def show_partial(self) -> bool:
        """Show the line that has not ended yet: somebody may be waiting for an answer to it. True: not now."""
        return self._hub.partial(self.name, self.stream, self.buffer.tail)

    def finish(self) -> None:
        """Pass on what is left: a last line without its newline."""
        rest = self.buffer.flush()
        if rest:
            self._hub.publish(self.name, self.stream, rest)
        self._hub.release(self.name, self.stream)
