"""Reads the output of children fairly, and stops reading while our own output is not taken.

All pumps share a poller of their own inside the engine's. Taking that one descriptor out of the engine's poller stops
all of them; the children then block in their own `write`, so the kernel does the back-pressure.
"""

from __future__ import annotations

import errno
import os
import time

from procman.core.text.lines import LineBuffer, goes_up
from procman.output.outlet import LARGE_CHUNK, enlarge_pipe
from procman.runtime.system.descriptors import replace_by_null
from procman.runtime.system.poller import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.output.hub import Hub
    from procman.output.outlet import Outlet

CHUNK_SIZE = 64 << 10  # bytes per read: the default size of a pipe
WIDE_CHUNK_SIZE = 128 << 10  # bytes per read, and the size of the pipe, of a child that keeps filling its pipe
FULL_PIPE_SIZE = 48 << 10  # bytes of a read that found the pipe full: the next write may not fit in it
FULL_READS_TO_WIDEN = 4  # full pipes before a pump is widened: a burst at the start is not a flood
MAX_WIDE_PUMPS = 128  # at a time: the 8 MiB more are an eighth of what one user's pipes may hold (pipe(7))
FLOOD_SIZE = 16 << 10  # bytes of a read after which more is likely to wait
TURN_SIZE = 512 << 10  # bytes of floods before signals, exits and deadlines are handled: about half a millisecond
TURN_LIMIT = 0.05  # seconds of a turn: colors, cursors and highlighting may cost a thousand times what plain lines do
LONE_FLOOD_SIZE = 256 << 10  # bytes of one flood before the others are polled
MAX_SHARED_FLOODS = 8  # their pipes fit in a core's cache, so each is read once; of more, one gets a whole turn
BYTES_PER_POLL = 2 << 20  # bytes of floods until the others are polled: a hundred polls cost as much as 20 KiB
MAX_OWED = 4 << 20  # bytes of ended children that may wait for a slow reader; more delay their ends
PARTIAL_DELAY = 0.15  # seconds until an unfinished line is shown: a prompt, or in a footer, if it still grows, a bar
WATCH_RETRY_INTERVAL = 0.1  # seconds
PAINTING_DELAY = 1.2  # seconds until rows that were painted over are shown as they are: a clock among them ticks sooner


class Pump:
    """Moves the output of one descriptor of one child to the hub, chunk by chunk, as whole lines."""

    __slots__ = (
        "_hub",
        "_most",
        "_on_output",
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
        on_output: Callable[[bytes, bytes], None] | None = None,
    ) -> None:
        """``on_output`` gets the unfinished line and the chunk after it, if the chunk has an escape sequence.

        It does not while a client is attached, whose own terminal answers.
        """
        self.fd = fd
        self.name = name
        self.stream = stream
        self.buffer = LineBuffer(fold=not hub.raw)
        self.ended = False
        self.climbs = False  # it sent the cursor up: it paints
        self.last_size = 0
        self.taken = 0  # bytes in its last turn
        self.waits = False  # queued and not served yet
        self.goes_on = False  # the last chunk ended no line
        self.fills = 0  # times that one read found the pipe full
        self._on_output = on_output
        self._hub = hub
        self._most = CHUNK_SIZE  # bytes per read
        self._unserved = unserved

    @property
    def is_wide(self) -> bool:
        """Whether one read may take more than a pipe usually holds."""
        return self._most > CHUNK_SIZE

    def widen(self) -> None:
        """Enlarge the pipe and the reads: fewer calls and wake-ups per byte, on both sides."""
        if enlarge_pipe(self.fd, WIDE_CHUNK_SIZE):
            self._most = WIDE_CHUNK_SIZE

    def on_readable(self) -> None:
        """Queue, to be served in this turn or one of the next."""
        if not self.waits:
            self.waits = True
            self._unserved.append(self)

    def read(self) -> bool:
        """Move one chunk; return False if there was none."""
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
        if self._hub.taps or self._on_output is not None:
            self._pass_to_tap(chunk)
        if self._hub.painting:
            self.climbs |= goes_up(chunk)
        if len(chunk) >= LARGE_CHUNK and self._publish_whole(chunk):
            return True
        lines = self.buffer.feed(chunk)
        self.goes_on = not lines
        if lines:
            if self.buffer.unfinished and goes_up(self.buffer.tail):
                self._hub.look_ahead(self.name, self.stream, self.buffer.tail)
            self._hub.publish(self.name, self.stream, lines)
        return True

    def _publish_whole(self, chunk: bytes) -> bool:
        """Publish a large chunk without copying its lines together; return False if it has to be examined."""
        if not self._hub.is_plain(self.name, self.stream, self.buffer.tail, chunk):
            return False
        taken = self.buffer.take(chunk)
        if taken is None:
            return False
        before, end = taken
        self.goes_on = False
        self._hub.publish_parts(self.name, self.stream, before, chunk, end)
        return True

    def _pass_to_tap(self, chunk: bytes) -> None:
        tap = self._hub.taps.get(self.name)
        if tap is not None:
            tap(chunk)
        elif self._on_output is not None and b"\x1b[" in chunk:
            self._on_output(self.buffer.tail, chunk)

    def discard(self) -> int:
        """Throw away at most what a pipe holds; return the number of bytes."""
        try:
            return len(os.read(self.fd, 16 * CHUNK_SIZE))
        except OSError:
            return 0

    def leave_rows(self) -> bool:
        """Publish what the unfinished line painted over other rows; return whether there was any."""
        lines = self.buffer.leave_rows()
        if lines:
            self._hub.publish(self.name, self.stream, lines)
        return bool(lines)

    def show_partial(self) -> bool:
        """Show the unfinished line, which may be a prompt. Return True if that has to wait."""
        return self._hub.partial(self.name, self.stream, self.buffer.tail)

    def finish(self) -> None:
        """Publish a last line that has no newline."""
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
        self._unfinished: dict[Pump, float] = {}  # when to show its line, soonest first
        self._painting: dict[Pump, float] = {}  # when to show its rows, soonest first
        self._unwatched: dict[Pump, float] = {}  # when to try again to poll it, soonest first
        self._unserved: list[Pump] = []
        self._unpolled = 0  # bytes of floods since the last poll
        self._most = LONE_FLOOD_SIZE  # bytes of a flood before the next one is served
        self._may_widen = MAX_WIDE_PUMPS
        self.dropped = 0  # bytes that were never shown

    def fileno(self) -> int:
        """Return a descriptor that is readable when a child has written."""
        return self._poller.fileno()

    def add(self, fd: int, name: str, stream: str, on_output: Callable[[bytes, bytes], None] | None = None) -> Pump:
        """Begin to read `fd`; see Pump for `on_output`."""
        pump = Pump(fd, name, stream, self._hub, self._unserved, on_output)
        self._by_fd[fd] = pump
        self._watch(pump)
        return pump

    def _watch(self, pump: Pump) -> None:
        """Poll the descriptor. If the kernel has no memory or no more watches for it, try again soon."""
        try:
            self._poller.add(pump.fd, pump.on_readable)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.ENOMEM):
                raise
            self._unwatched[pump] = time.monotonic() + WATCH_RETRY_INTERVAL

    def _watch_again(self, now: float) -> None:
        for pump in list(_due(self._unwatched, now)):
            pump.on_readable()
            self._watch(pump)

    @property
    def backlog(self) -> bool:
        """Whether ready pumps were not served: the output was full, or the turn was over."""
        return bool(self._unserved)

    def serve(self) -> None:
        """Read from the pumps that are ready until the output is full or the turn is over.

        In a flood this reads several times before the rest of the turn, which costs a sixth of a chunk's way. Pumps
        that were not served are first in the next turn.
        """
        left = TURN_SIZE
        until = time.monotonic() + TURN_LIMIT
        while left > 0 and not self._outlet.blocked and time.monotonic() < until:
            if self._unpolled >= BYTES_PER_POLL or not self._unserved:
                self._poll()
            flooded = self._serve_waiting(left, until)
            if not flooded:
                return
            left -= flooded

    def _poll(self) -> None:
        """Poll for readable pipes and queue them after those already waiting; light writers go ahead of floods.

        Otherwise a flood would be read again and again before a quiet child (p99 of its delay: 240 ms instead of 3).
        """
        self._unpolled = 0
        for on_readable in self._poller.ready(0):
            on_readable()
        number = len(self._unserved)
        self._most = LONE_FLOOD_SIZE if number == 1 else FLOOD_SIZE if number <= MAX_SHARED_FLOODS else TURN_SIZE
        if number > 1:
            self._unserved.sort(key=_size)

    def _serve_waiting(self, left: int, until: float) -> int:
        """Read from one pump after the other, until ``until`` or until ``left`` bytes came in large chunks.

        Returns the number of those bytes. A pump that was not a flood so far is read once, so that of a hundred that
        begin at the same time each is served soon.
        """
        unserved = self._unserved
        alone = len(unserved) == 1
        flooded = 0
        while unserved and flooded < left and not self._outlet.blocked:
            self._outlet.eager = alone
            pump = unserved.pop(0)
            flooded += self._serve(pump, self._most if pump.taken >= FLOOD_SIZE else FLOOD_SIZE, until)
            if time.monotonic() >= until:
                break
        self._outlet.eager = False
        self._unpolled += flooded
        return flooded

    def _serve(self, pump: Pump, most: int, until: float) -> int:
        """Read chunks as long as they are large, up to ``most`` bytes or until ``until``; return their bytes."""
        pump.waits = False
        if self._by_fd.get(pump.fd) is not pump:  # removed, and its number may be another's by now
            return 0
        flooded = 0
        while pump.read() and pump.last_size >= FLOOD_SIZE:
            flooded += pump.last_size
            if flooded >= most or self._outlet.blocked or time.monotonic() >= until:
                break
        pump.taken = flooded or pump.last_size
        if pump.last_size >= FULL_PIPE_SIZE:
            self._notice_full(pump)
        if pump.ended:
            self._poller.remove(pump.fd)
        if self._unfinished and not self._grows(pump):
            self._unfinished.pop(pump, None)
        if pump.buffer.unfinished:
            self._unfinished.setdefault(pump, time.monotonic() + PARTIAL_DELAY)
        if self._hub.painting:
            self._notice_painting(pump)
        return flooded

    def _grows(self, pump: Pump) -> bool:
        """Return whether an unfinished line that is due has only grown, and can be replaced once it is shown."""
        return self._hub.has_footer and (pump.goes_on or (pump.name, pump.stream) in self._hub.painting)

    def _notice_painting(self, pump: Pump) -> None:
        """Wait for the end of the painting, which only a move up puts off, not other output."""
        paints = (pump.name, pump.stream) in self._hub.painting
        if pump.climbs or not paints:
            self._painting.pop(pump, None)
            pump.climbs = False
        if paints:
            now = time.monotonic()
            self._painting.setdefault(pump, now + PAINTING_DELAY)
            if self._hub.has_footer:
                self._unfinished.setdefault(pump, now + PARTIAL_DELAY)

    def _notice_full(self, pump: Pump) -> None:
        pump.fills += 1
        if pump.fills == FULL_READS_TO_WIDEN and self._may_widen:
            pump.widen()
            self._may_widen -= pump.is_wide

    def next_deadline(self) -> float | None:
        """Return when the first unfinished line, or the first painted rows, must be shown, or a poll be tried again."""
        due = next(iter(self._unfinished.values()), None)
        if self._painting or self._unwatched:
            more = [next(iter(times.values())) for times in (self._painting, self._unwatched) if times]
            return min(more) if due is None else min(due, *more)
        return due

    def show_partials(self, now: float) -> None:
        """Show the unfinished lines and painted rows that are due."""
        if self._unwatched:
            self._watch_again(now)
        for pump in _due(self._painting, now):
            pump.leave_rows()
            self._hub.release(pump.name, pump.stream)
            if pump.buffer.unfinished:
                self._show_partial(pump, now)
        for pump in _due(self._unfinished, now):
            self._show_partial(pump, now)

    def _show_partial(self, pump: Pump, now: float) -> None:
        self._unfinished.pop(pump, None)
        if pump.leave_rows() and (pump.name, pump.stream) in self._hub.painting:
            self._painting.pop(pump, None)
            self._painting[pump] = now + PAINTING_DELAY
        if pump.show_partial():
            self._unfinished[pump] = now + PARTIAL_DELAY

    def drain(self, pump: Pump, until: float) -> bool:
        """Read what is left after the child's end, without waiting for an end of file, which a grandchild may delay.

        A full output does not delay this: what the pipe held at the child's end is at most WIDE_CHUNK_SIZE. Returns
        False, to be tried again, if the output already owes MAX_OWED for many such ends.
        """
        excess = 0
        while time.monotonic() < until:
            if self._outlet.blocked and (excess >= WIDE_CHUNK_SIZE or self._outlet.owed >= MAX_OWED):
                return excess >= WIDE_CHUNK_SIZE
            if not pump.read():
                break
            excess += pump.last_size if self._outlet.blocked else 0
        return True

    def hang_up(self, pump: Pump) -> None:
        """Close a terminal but keep the number. The kernel sends HUP to its group, also to another user's process."""
        self._poller.remove(pump.fd)
        replace_by_null(pump.fd)

    def remove(self, pump: Pump) -> None:
        """Publish the last line, and stop reading. If the output is full, the unread bytes are counted as dropped."""
        if self._outlet.blocked:
            self.dropped += pump.discard()
        pump.finish()
        self._unfinished.pop(pump, None)
        self._painting.pop(pump, None)
        self._unwatched.pop(pump, None)
        self._may_widen += pump.is_wide
        self._poller.remove(pump.fd)
        del self._by_fd[pump.fd]
        os.close(pump.fd)


def _size(pump: Pump) -> int:
    """Return the bytes of its last turn. All floods are equal, so they keep their order.

    If the largest were always the last, it might never be served.
    """
    return min(pump.taken, FLOOD_SIZE)


def _due(times: dict[Pump, float], now: float) -> Iterator[Pump]:
    """Remove and return the pumps that are due; the times are in order."""
    while times:
        pump, due = next(iter(times.items()))
        if due > now:
            return
        del times[pump]
        yield pump
