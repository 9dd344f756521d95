"""The latest lines of every instance with their times, bounded in bytes."""

from __future__ import annotations

import time

from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from procman.output.outlet import Buffer
else:
    from _collections import deque  # the C type alone: `collections` and what it imports take 2 ms

MAX_SIZE = 128 << 10  # bytes per instance
MAX_TOTAL = 32 << 20  # bytes of all instances together: with many of them, each has less than MAX_SIZE
MIN_SIZE = 8 << 10  # bytes per instance, however many there are: enough for the twenty lines of a failure card
MAX_JOINED = 4096  # bytes: smaller lines of one moment share an entry, because an object costs more than a line
MOMENT = 0.1  # seconds
ENTRY_OVERHEAD = 160  # bytes that an entry costs in addition to its lines
SYSTEM = "system"


class Entry:
    """Whole lines of one moment. ``time`` is seconds since the epoch, ``size`` roughly the bytes of memory used."""

    __slots__ = ("name", "parts", "size", "stream", "time")

    def __init__(self, name: str, moment: float, stream: str, *parts: Buffer) -> None:
        self.name = name
        self.time = moment
        self.stream = stream
        self.parts = parts
        self.size = sum(map(len, parts)) + ENTRY_OVERHEAD

    @property
    def lines(self) -> bytes:
        """All lines, joined."""
        return b"".join(self.parts)


class InstanceHistory:
    """The entries of one instance, oldest first, and its unfinished line.

    Short lines of one ``stream`` join the latest entry, ``recent``, until its moment is over.
    """

    __slots__ = ("entries", "partial", "recent", "size", "stream", "until")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.size = 0  # bytes of all entries except the latest
        self.partial = b""
        self.recent = bytearray()
        self.stream = ""
        self.until = 0.0

    def begin(self, name: str, now: float, stream: str, lines: bytes) -> None:
        """Start an entry. Later short lines may join short ones; a large chunk is kept as it is."""
        if len(lines) < MAX_JOINED:
            self.recent = bytearray(lines)
            self.stream, self.until = stream, now + MOMENT
            self.add(Entry(name, now, stream, self.recent))
        else:
            self.until = 0.0
            self.add(Entry(name, now, stream, lines))

    def add(self, entry: Entry) -> None:
        """Append an entry, and count the previous one, which nothing joins any more."""
        if self.entries:
            self.size += self.entries[-1].size
        self.entries.append(entry)

    def shrink(self, limit: int) -> None:
        """Drop the oldest entries as long as ``limit`` bytes remain."""
        latest = self.entries[-1].size - ENTRY_OVERHEAD
        while self.size > limit and self.size + latest - (oldest := self.entries[0].size) >= limit:
            self.size -= oldest
            self.entries.popleft()


class History(Sink):
    """Keeps about MAX_SIZE bytes of each instance. A large chunk is kept as it is, not copied."""

    __slots__ = ("_clock", "_instances", "_limit")

    def __init__(self, instances: int = 1, clock: Callable[[], float] = time.time) -> None:
        """``instances``: how many share the memory."""
        self._clock = clock
        self._instances: dict[str, InstanceHistory] = {}
        self.make_room(instances)

    def make_room(self, instances: int) -> None:
        """Divide the memory among this many instances."""
        self._limit = min(MAX_SIZE, max(MIN_SIZE, MAX_TOTAL // max(1, instances)))

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Keep these lines, and drop the oldest ones beyond the limit."""
        history = self._of(name)
        history.partial = b""
        recent = history.recent
        now = self._clock()
        if now < history.until and stream == history.stream and len(recent) < MAX_JOINED > len(lines):
            recent += lines
            history.entries[-1].size += len(lines)
            return
        history.begin(name, now, stream, lines)
        history.shrink(self._limit)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Keep these lines uncopied, which keeps the whole ``chunk`` in memory."""
        history = self._of(name)
        history.partial = b""
        history.until = 0.0
        entry = Entry(name, self._clock(), stream, before, memoryview(chunk)[:end])
        entry.size += len(chunk) - end  # the unused rest of the chunk stays in memory as well
        history.add(entry)
        history.shrink(self._limit)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Keep the unfinished line, for clients that attach."""
        self._of(name).partial = tail
        return False

    def announce(self, text: str) -> None:
        """Keep a line of ``system``."""
        self.publish(SYSTEM, SYSTEM, text.encode("utf-8", "replace") + b"\n")

    def last(self, name: str, count: int) -> list[bytes]:
        """Return at most ``count`` of the latest lines, oldest first, without their newlines."""
        history = self._instances.get(name)
        if history is None or count <= 0:
            return []
        taken: list[bytes] = []
        found = 0
        for entry in reversed(history.entries):
            taken.append(entry.lines)
            found += taken[-1].count(b"\n")
            if found >= count:
                break
        return b"".join(reversed(taken)).split(b"\n")[:-1][-count:]

    def unfinished(self, name: str) -> bytes:
        """Return the instance's unfinished line, as far as it was shown."""
        history = self._instances.get(name)
        return history.partial if history else b""

    def recall(self, is_meant: Callable[[str], bool], since: float | None, count: int | None) -> list[Entry]:
        """Return the entries of all instances that ``is_meant`` accepts, oldest first.

        ``since`` leaves out older entries (seconds since the epoch), ``count`` all but the last lines.
        """
        histories = [history for name, history in self._instances.items() if is_meant(name)]
        for history in histories:
            history.until = 0.0  # nothing may join them: the caller reads them later, and gets new lines live as well
        entries = [entry for history in histories for entry in history.entries]
        if since is not None:
            entries = [entry for entry in entries if entry.time >= since]
        entries.sort(key=lambda entry: entry.time)
        return entries if count is None else _tail(entries, count)

    def _of(self, name: str) -> InstanceHistory:
        return self._instances.get(name) or self._instances.setdefault(name, InstanceHistory())

    def forget(self, name: str) -> None:
        """Drop everything of an instance that is gone for good."""
        self._instances.pop(name, None)


def _tail(entries: list[Entry], count: int) -> list[Entry]:
    taken: list[Entry] = []
    for entry in reversed(entries):
        if count <= 0:
            break
        lines = entry.lines.split(b"\n")[:-1]
        count -= len(lines)
        if count < 0:
            kept = b"\n".join(lines[-count:]) + b"\n"
            entry = Entry(entry.name, entry.time, entry.stream, kept)  # noqa: PLW2901 (the last one needed)
        taken.append(entry)
    taken.reverse()
    return taken
