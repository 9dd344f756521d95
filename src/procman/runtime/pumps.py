"""Does: reads what children write, fairly, and stops reading while nobody takes our output.

A pump moves chunks from one descriptor into a LineBuffer and whole lines from there to the hub. All pumps share a
poller of their own inside the engine's: taking that one descriptor out of the engine's poller stops them all at once,
the children block in their own `write`, and the kernel does our back-pressure.
"""

from __future__ import annotations

import errno
import os
import time

from procman.core.lines import LineBuffer
from procman.output.outlet import LARGE
from procman.output.ways import enlarge_pipe
from procman.runtime.poller import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.output.hub import Hub
    from procman.output.outlet import Outlet

CHUNK = 64 << 10  # bytes a read: the default size of a pipe
WIDE = 128 << 10  # bytes a read, and the size of the pipe, of a child that has filled its own pipe again and again
FULL = 48 << 10  # bytes of a read that found the pipe full: what is written next may not fit in the rest of a page
PATIENCE = 16  # full pipes before that: a burst at the start is no flood
MOST_WIDE = 128  # pipes at a time: the 8 MiB more are an eighth of what one user's pipes may hold (pipe(7))
FLOOD = 16 << 10  # bytes of a read after which more is likely to wait
TURN = 512 << 10  # bytes of floods before signals, ends and deadlines have their turn: about half a millisecond
ALONE = 256 << 10  # bytes of one flood before anybody is asked who else has something to say
SILENCE = 0.15  # seconds after which a line without its end is shown: a prompt; in a footer, if it grows still: a bar
STILL = 1.2  # seconds after which rows that were painted over are shown as they are: a clock among them ticks sooner


class Pump:
    """One descriptor of one child on its way to the hub."""

    __slots__ = (
        "_hub",
        "_most",
        "_unserved",
        "buffer",
        "ended",
        "fd",
        "fills",
        "goes_on",
        "last_size",
        "name",
        "stream",
    )

    def __init__(self, fd: int, name: str, stream: str, hub: Hub, unserved: list[Pump]) -> None:
        self.fd = fd
        self.name = name
        self.stream = stream
        self.buffer = LineBuffer(fold=not hub.raw)
        self.ended = False
        self.last_size = 0
        self.goes_on = False  # the last chunk ended no line
        self.fills = 0  # times that a whole pipe was read at once
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
        if self._hub.taps:
            self._tap(chunk)
        if len(chunk) >= LARGE and self._pass_on(chunk):
            return True
        lines = self.buffer.feed(chunk)
        self.goes_on = not lines
        if lines:
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

    def _tap(self, chunk: bytes) -> None:
        tap = self._hub.taps.get(self.name)
        if tap is not None:
            tap(chunk)

    def discard(self) -> int:
        """Throw away at most one pipe's fill; returns the number of bytes."""
        try:
            return len(os.read(self.fd, 16 * CHUNK))
        except OSError:
            return 0

    def show_partial(self) -> bool:
        """Show the line that has not ended yet: somebody may be waiting for an answer to it. True: not now."""
        return self._hub.partial(self.name, self.stream, self.buffer.tail)

    def finish(self) -> None:
        """Pass on what is left: a last line without its newline."""
        rest = self.buffer.flush()
        if rest:
            self._hub.publish(self.name, self.stream, rest)
        self._hub.release(self.name, self.stream)


class Pumps:
    """All pumps of the engine."""

    def __init__(self, hub: Hub, outlet: Outlet) -> None:
        self._hub = hub
        self._outlet = outlet
        self._poller = Poller()
        self._by_fd: dict[int, Pump] = {}
        self._unfinished: dict[Pump, float] = {}  # when to show its line; in the order of time
        self._painting: dict[Pump, float] = {}  # when to show its rows, unless more are painted; in the order of time
        self._unserved: list[Pump] = []
        self._may_widen = MOST_WIDE
        self.dropped = 0  # bytes that were never shown

    def fileno(self) -> int:
        """Readable when a child has written."""
        return self._poller.fileno()

    def add(self, fd: int, name: str, stream: str) -> Pump:
        """Begin to read `fd`."""
        pump = Pump(fd, name, stream, self._hub, self._unserved)
        self._by_fd[fd] = pump
        self._poller.add(fd, pump.announce)
        return pump

    @property
    def backlog(self) -> bool:
        """Whether pumps that were ready have not been served, because the output was full."""
        return bool(self._unserved)

    def serve(self) -> None:
        """Read from whoever is ready, until the output is full; in a flood several times before the rest of the turn,
        which costs a sixth of a chunk's way.
        """
        left = TURN
        while left > 0 and not self._outlet.blocked:
            flooded = self._serve_ready()
            if not flooded:
                return
            left -= flooded

    def _serve_ready(self) -> int:
        """Read from each; how many bytes came in large chunks, behind which there may be more.

        Who was ready and not served comes first the next time, the smallest reader before the others: else a flood
        would be polled again and again before the quiet child (p99 of its delay: 240 ms instead of 3).
        """
        unserved = self._unserved
        if not unserved:
            for announce in self._poller.ready(0):
                announce()
        most = ALONE
        if len(unserved) > 1:
            unserved.sort(key=_last_size)
            most = FLOOD
        flooded = 0
        while unserved and not self._outlet.blocked:
            flooded += self._serve(unserved.pop(0), most)
        return flooded

    def _serve(self, pump: Pump, most: int) -> int:
        """Read chunks up to so many bytes, as long as they are large; how many bytes those were."""
        if self._by_fd.get(pump.fd) is not pump:  # gone, and its number may be another's already
            return 0
        flooded = 0
        while pump.read() and pump.last_size >= FLOOD:
            flooded += pump.last_size
            if flooded >= most or self._outlet.blocked:
                break
        if pump.last_size >= FULL:
            self._notice_full(pump)
        if pump.ended:
            self._poller.remove(pump.fd)
        if self._unfinished and not self._grows(pump):
            self._unfinished.pop(pump, None)
        if pump.buffer.unfinished:
            self._unfinished.setdefault(pump, time.monotonic() + SILENCE)
        if self._hub.painting:
            self._notice_painting(pump)
        return flooded

    def _grows(self, pump: Pump) -> bool:
        """Whether what is due to be shown has only changed, and it can be taken back."""
        return self._hub.has_footer and (pump.goes_on or (pump.name, pump.stream) in self._hub.painting)

    def _notice_painting(self, pump: Pump) -> None:
        self._painting.pop(pump, None)
        if (pump.name, pump.stream) in self._hub.painting:
            now = time.monotonic()
            self._painting[pump] = now + STILL
            if self._hub.has_footer:
                self._unfinished.setdefault(pump, now + SILENCE)

    def _notice_full(self, pump: Pump) -> None:
        pump.fills += 1
        if pump.fills == PATIENCE and self._may_widen:
            pump.widen()
            self._may_widen -= pump.is_wide

    def next_deadline(self) -> float | None:
        """When the first unfinished line, or the first rows that are painted over, are due to be shown."""
        due = next(iter(self._unfinished.values()), None)
        if self._painting:
            still = next(iter(self._painting.values()))
            return still if due is None else min(due, still)
        return due

    def show_partials(self, now: float) -> None:
        """Show the unfinished lines, and the painted rows, of those who have been silent for long enough."""
        for pump in _due(self._painting, now):
            self._hub.release(pump.name, pump.stream)
            if pump.buffer.unfinished:
                self._offer(pump, now)
        for pump in _due(self._unfinished, now):
            self._offer(pump, now)

    def _offer(self, pump: Pump, now: float) -> None:
        self._unfinished.pop(pump, None)
        if pump.show_partial():
            self._unfinished[pump] = now + SILENCE

    def drain(self, pump: Pump, until: float) -> bool:
        """Read what is there after the child's end, not waiting for an end of file that a grandchild may hold back.

        False when the output was full before that and `until` has not come yet: try again.
        """
        while time.monotonic() < until:
            if self._outlet.blocked:
                return False
            if not pump.read():
                break
        return True

    def remove(self, pump: Pump) -> None:
        """Show the last words, and stop reading. What is still unread was written to a reader who does not read."""
        if self._outlet.blocked:
            self.dropped += pump.discard()
        pump.finish()
        self._unfinished.pop(pump, None)
        self._painting.pop(pump, None)
        self._may_widen += pump.is_wide
        self._poller.remove(pump.fd)
        del self._by_fd[pump.fd]
        os.close(pump.fd)


def _last_size(pump: Pump) -> int:
    return pump.last_size


def _due(times: dict[Pump, float], now: float) -> Iterator[Pump]:
    """Take out whose time has come; the times are in order."""
    while times:
        pump, due = next(iter(times.items()))
        if due > now:
            return
        del times[pump]
        yield pump
