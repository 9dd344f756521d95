"""Shows again: the latest lines of every instance with their times, bounded in bytes."""

from __future__ import annotations

import time

from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from procman.output.writers import Buffer
else:
    from _collections import deque  # the C type alone: `collections` and what it imports take 2 ms

LIMIT = 128 << 10  # bytes an instance
TOTAL = 32 << 20  # bytes of all instances: with many of them each has less
LEAST = 8 << 10  # bytes an instance has in any case: the twenty lines of a failure card
JOIN = 4096  # bytes up to which lines of one moment share an entry: an object for each would weigh more than they
MOMENT = 0.1  # seconds
OVERHEAD = 160  # bytes that an entry costs beside its lines
SYSTEM = "system"


class Entry:
    """Whole lines of one moment, a time of the system's clock; ``size`` is about the bytes that they take."""

    __slots__ = ("name", "parts", "size", "stream", "time")

    def __init__(self, name: str, moment: float, stream: str, *parts: Buffer) -> None:
        self.name = name
        self.time = moment
        self.stream = stream
        self.parts = parts
        self.size = sum(map(len, parts)) + OVERHEAD

    @property
    def lines(self) -> bytes:
        """The lines as one piece."""
        return b"".join(self.parts)


class Past:
    """The entries of one instance, oldest first, and the line that it has not ended.

    Short lines of one moment and ``stream`` join the latest entry, ``recent``, until that moment is over.
    """

    __slots__ = ("entries", "partial", "recent", "size", "stream", "until")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.size = 0  # of all entries but the latest
        self.partial = b""
        self.recent = bytearray()
        self.stream = ""
        self.until = 0.0

    def begin(self, name: str, now: float, stream: str, lines: bytes) -> None:
        """Begin an entry: of short lines, which others may join, or of many that are kept as they are."""
        if len(lines) < JOIN:
            self.recent = bytearray(lines)
            self.stream, self.until = stream, now + MOMENT
            self.add(Entry(name, now, stream, self.recent))
        else:
            self.until = 0.0
            self.add(Entry(name, now, stream, lines))

    def add(self, entry: Entry) -> None:
        """Put an entry behind the others, and weigh the one before: nothing joins that any more."""
        if self.entries:
            self.size += self.entries[-1].size
        self.entries.append(entry)

    def shrink(self, limit: int) -> None:
        """Forget the oldest entries as long as so many bytes are left without them."""
        latest = self.entries[-1].size - OVERHEAD
        while self.size > limit and self.size + latest - (oldest := self.entries[0].size) >= limit:
            self.size -= oldest
            self.entries.popleft()


class History(Sink):
    """Remembers about ``limit`` bytes of each instance. A large chunk is kept as it is, not copied."""

    __slots__ = ("_clock", "_limit", "_pasts")

    def __init__(self, instances: int = 1, clock: Callable[[], float] = time.time) -> None:
        """``instances``: how many will share the memory."""
        self._limit = LIMIT
        self._clock = clock
        self._pasts: dict[str, Past] = {}
        self.make_room(instances)

    def make_room(self, instances: int) -> None:
        """Divide the memory among so many."""
        self._limit = min(LIMIT, max(LEAST, TOTAL // max(1, instances)))

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Keep these lines, and forget the oldest when they are too much."""
        past = self._past(name)
        past.partial = b""
        recent = past.recent
        now = self._clock()
        if now < past.until and stream == past.stream and len(recent) < JOIN > len(lines):
            recent += lines
            past.entries[-1].size += len(lines)
            return
        past.begin(name, now, stream, lines)
        past.shrink(self._limit)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Keep these lines as they are, all of ``chunk`` with them."""
        past = self._past(name)
        past.partial = b""
        past.until = 0.0
        entry = Entry(name, self._clock(), stream, before, memoryview(chunk)[:end])
        entry.size += len(chunk) - end  # it lives as long, whatever becomes of it
        past.add(entry)
        past.shrink(self._limit)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Keep a line that has not ended, for who attaches to it."""
        self._past(name).partial = tail
        return False

    def announce(self, text: str) -> None:
        """Keep a line of our own."""
        self.publish(SYSTEM, SYSTEM, text.encode("utf-8", "replace") + b"\n")

    def last(self, name: str, count: int) -> list[bytes]:
        """The latest lines of an instance, oldest first, at most ``count``, without their newlines."""
        past = self._pasts.get(name)
        if past is None or count <= 0:
            return []
        taken: list[bytes] = []
        found = 0
        for entry in reversed(past.entries):
            taken.append(entry.lines)
            found += taken[-1].count(b"\n")
            if found >= count:
                break
        return b"".join(reversed(taken)).split(b"\n")[:-1][-count:]

    def unfinished(self, name: str) -> bytes:
        """The line that the instance has not ended, as far as it was shown."""
        past = self._pasts.get(name)
        return past.partial if past else b""

    def recall(self, is_meant: Callable[[str], bool], since: float | None, count: int | None) -> list[Entry]:
        """The entries of all who are meant, oldest first: those after ``since``, the last ``count`` lines of them."""
        pasts = [past for name, past in self._pasts.items() if is_meant(name)]
        for past in pasts:
            past.until = 0.0  # entries may be read later: what joined them then would come twice, as it comes live too
        entries = [entry for past in pasts for entry in past.entries]
        if since is not None:
            entries = [entry for entry in entries if entry.time >= since]
        entries.sort(key=lambda entry: entry.time)
        return entries if count is None else _tail(entries, count)

    def _past(self, name: str) -> Past:
        return self._pasts.get(name) or self._pasts.setdefault(name, Past())

    def forget(self, name: str) -> None:
        """Drop what is kept of an instance that will not come back."""
        self._pasts.pop(name, None)


def _tail(entries: list[Entry], count: int) -> list[Entry]:
    taken: list[Entry] = []
    for entry in reversed(entries):
        if count <= 0:
            break
        lines = entry.lines.split(b"\n")[:-1]
        count -= len(lines)
        if count < 0:
            kept = b"\n".join(lines[-count:]) + b"\n"
            entry = Entry(entry.name, entry.time, entry.stream, kept)  # noqa: PLW2901 (the last one taken)
        taken.append(entry)
    taken.reverse()
    return taken
