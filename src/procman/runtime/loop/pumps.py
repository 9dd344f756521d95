"""Does: reads what children write, fairly, and stops reading while nobody takes our output.

All pumps share a poller of their own inside the engine's: taking that one descriptor out of the engine's poller stops
them all at once, the children block in their own `write`, and the kernel does our back-pressure.
"""

from __future__ import annotations

import errno
import os
import time

from procman.core.text.lines import LineBuffer, goes_up
from procman.output.outlet import LARGE_CHUNK
from procman.output.writers import enlarge_pipe
from procman.runtime.system.poller import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.output.hub import Hub
    from procman.output.outlet import Outlet

CHUNK = 64 << 10  # bytes a read: the default size of a pipe
WIDE = 128 << 10  # bytes a read, and the size of the pipe, of a child that has filled its own pipe again and again
FULL = 48 << 10  # bytes of a read that found the pipe full: what is written next may not fit in the rest of a page
PATIENCE = 4  # full pipes before that: a burst at the start is no flood
MOST_WIDE = 128  # pipes at a time: the 8 MiB more are an eighth of what one user's pipes may hold (pipe(7))
FLOOD = 16 << 10  # bytes of a read after which more is likely to wait
TURN = 512 << 10  # bytes of floods after which signals, ends and deadlines have their turn: about half a millisecond
LONGEST = 0.05  # seconds of a turn: colors and cursors, or what is highlighted, may cost a thousand times what lines do
ALONE = 256 << 10  # bytes of one flood before anybody is asked who else has something to say
FEW = 8  # floods whose pipes a core's cache holds: each is read once and then the next; of more, one has a whole turn
ASK = 2 << 20  # bytes of waiting floods before anybody is asked again: to ask a hundred costs what 20 KiB of lines do
SILENCE = 0.15  # seconds after which a line without its end is shown: a prompt; in a footer, if it grows still: a bar
STILL = 1.2  # seconds after which rows that were painted over are shown as they are: a clock among them ticks sooner


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
        if len(chunk) >= LARGE_CHUNK and self._pass_on(chunk):
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
        self._unasked = 0  # bytes of floods since anybody was asked
        self._most = ALONE  # bytes of a flood before the next has its turn
        self._may_widen = MOST_WIDE
        self.dropped = 0  # bytes that were never shown

    def fileno(self) -> int:
        """Readable when a child has written."""
        return self._poller.fileno()

    def add(self, fd: int, name: str, stream: str, hear: Callable[[bytes, bytes], None] | None = None) -> Pump:
        """Begin to read `fd`; `hear`: who answers what is asked there."""
        pump = Pump(fd, name, stream, self._hub, self._unserved, hear)
        self._by_fd[fd] = pump
        self._poller.add(fd, pump.announce)
        return pump

    @property
    def backlog(self) -> bool:
        """Whether pumps that were ready have not been served: the output was full, or the turn was over."""
        return bool(self._unserved)

    def serve(self) -> None:
        """Read from whoever is ready, until the output is full or the time is up; in a flood several times before the
        rest of the turn, which costs a sixth of a chunk's way. Who has not been served comes first in the next turn.
        """
        left = TURN
        until = time.monotonic() + LONGEST
        while left > 0 and not self._outlet.blocked and time.monotonic() < until:
            if self._unasked >= ASK or not self._unserved:
                self._ask()
            flooded = self._serve_waiting(left, until)
            if not flooded:
                return
            left -= flooded

    def _ask(self) -> None:
        """Ask who has something to say: he stands behind those who wait already, but who says little before all floods.

        Else a flood would be read again and again before the quiet child (p99 of its delay: 240 ms instead of 3).
        """
        self._unasked = 0
        for announce in self._poller.ready(0):
            announce()
        number = len(self._unserved)
        self._most = ALONE if number == 1 else FLOOD if number <= FEW else TURN
        if number > 1:
            self._unserved.sort(key=_size)

    def _serve_waiting(self, left: int, until: float) -> int:
        """Read from one after the other, not longer than ``until``, nor when so many bytes came in large chunks, behind
        which there may be more; how many. Who was no flood so far is read once: of a hundred who begin at the same
        time, each is soon heard.
        """
        unserved = self._unserved
        alone = len(unserved) == 1
        flooded = 0
        while unserved and flooded < left and not self._outlet.blocked:
            self._outlet.eager = alone
            pump = unserved.pop(0)
            flooded += self._serve(pump, self._most if pump.taken >= FLOOD else FLOOD, until)
            if time.monotonic() >= until:
                break
        self._outlet.eager = False
        self._unasked += flooded
        return flooded

    def _serve(self, pump: Pump, most: int, until: float) -> int:
        """Read chunks up to so many bytes, not longer than ``until``, as long as they are large; how many bytes those
        were."""
        pump.waits = False
        if self._by_fd.get(pump.fd) is not pump:  # gone, and its number may be another's already
            return 0
        flooded = 0
        while pump.read() and pump.last_size >= FLOOD:
            flooded += pump.last_size
            if flooded >= most or self._outlet.blocked or time.monotonic() >= until:
                break
        pump.taken = flooded or pump.last_size
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
        """Wait for the end of the painting, which is not the end of all words: only who goes up puts it off."""
        paints = (pump.name, pump.stream) in self._hub.painting
        if pump.climbs or not paints:
            self._painting.pop(pump, None)
            pump.climbs = False
        if paints:
            now = time.monotonic()
            self._painting.setdefault(pump, now + STILL)
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
            pump.leave_rows()
            self._hub.release(pump.name, pump.stream)
            if pump.buffer.unfinished:
                self._offer(pump, now)
        for pump in _due(self._unfinished, now):
            self._offer(pump, now)

    def _offer(self, pump: Pump, now: float) -> None:
        self._unfinished.pop(pump, None)
        if pump.leave_rows() and (pump.name, pump.stream) in self._hub.painting:
            self._painting.pop(pump, None)
            self._painting[pump] = now + STILL
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


def _size(pump: Pump) -> int:
    """The bytes of its last turn; floods are all alike, so that they keep the order in which they came: if the largest
    were always the last, it might never be its turn.
    """
    return min(pump.taken, FLOOD)


def _due(times: dict[Pump, float], now: float) -> Iterator[Pump]:
    """Take out whose time has come; the times are in order."""
    while times:
        pump, due = next(iter(times.items()))
        if due > now:
            return
        del times[pump]
        yield pump
