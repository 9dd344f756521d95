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
MARK_OVERHEAD = 80  # bytes that a mark of an entry costs
SYSTEM = "system"
NO_MARKS: list[int] = []  # shared by entries that nothing joins


class Entry:
    """Whole lines of one moment. ``time`` is seconds since the epoch, ``size`` roughly the bytes of memory used.

    ``at`` is the position of the first line in the output of the session: how many bytes came before it; ``end`` is
    that after the last line. If output of other instances came between its lines, ``marks`` holds, for each later
    piece, its offset here and its position.
    """

    __slots__ = ("at", "end", "marks", "name", "parts", "size", "stream", "time")

    def __init__(self, name: str, moment: float, stream: str, at: int, end: int, *parts: Buffer) -> None:
        self.name = name
        self.time = moment
        self.stream = stream
        self.at = at
        self.end = end
        self.marks = NO_MARKS
        self.parts = parts
        self.size = sum(map(len, parts)) + ENTRY_OVERHEAD

    @property
    def lines(self) -> bytes:
        """All lines, joined."""
        return b"".join(self.parts)

    def pieces(self) -> list[tuple[int, bytes]]:
        """Return the pieces between which output of other instances came, each with its position."""
        lines, marks = self.lines, self.marks
        starts, places = (0, *marks[::2]), (self.at, *marks[1::2])
        return [(at, lines[start:end]) for start, end, at in zip(starts, (*starts[1:], None), places, strict=True)]


class InstanceHistory:
    """The entries of one instance, oldest first, and its unfinished line.

    Short lines of one ``stream`` join the latest entry, ``recent``, until its moment is over. ``lives`` are the
    positions at which the latest two children started; ``lost`` is where the latest dropped entry ended, and
    ``lost_size`` how many bytes of lines were dropped.
    """

    __slots__ = ("entries", "lives", "lost", "lost_size", "partial", "recent", "size", "stream", "until")

    def __init__(self) -> None:
        self.lives: tuple[int, ...] = ()
        self.lost = 0
        self.lost_size = 0
        self.entries: deque[Entry] = deque()
        self.size = 0  # bytes of all entries except the latest
        self.partial = b""
        self.recent = bytearray()
        self.stream = ""
        self.until = 0.0

    def begin(self, name: str, now: float, stream: str, end: int, lines: bytes) -> None:
        """Start an entry. Later short lines may join short ones; a large chunk is kept as it is."""
        if len(lines) < MAX_JOINED:
            self.recent = bytearray(lines)
            self.stream, self.until = stream, now + MOMENT
            entry = Entry(name, now, stream, end - len(lines), end, self.recent)
            entry.marks = []
            self.add(entry)
        else:
            self.until = 0.0
            self.add(Entry(name, now, stream, end - len(lines), end, lines))

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
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Drop the oldest entry, and note what is lost."""
        entry = self.entries.popleft()
        self.lost = entry.end
        self.lost_size += sum(map(len, entry.parts)) if entry.marks else entry.end - entry.at


class History(Sink):
    """Keeps about MAX_SIZE bytes of each instance. A large chunk is kept as it is, not copied.

    ``position`` counts the bytes of all output of the session so far. It is the position of what is published next, so
    that of a line is the same for every reader that wants colors.
    """

    __slots__ = ("_clock", "_forgotten", "_instances", "_latest", "_limit", "position")

    def __init__(self, instances: int = 1, clock: Callable[[], float] = time.time) -> None:
        """``instances``: how many share the memory."""
        self._clock = clock
        self.position = 0
        self._instances: dict[str, InstanceHistory] = {}
        self._latest: InstanceHistory | None = None  # whose lines were the last ones
        self._forgotten: dict[str, tuple[int, int]] = {}  # where the output of instances ended, and its bytes
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
        size = len(lines)
        at = self.position
        self.position = end = at + size
        if now < history.until and stream == history.stream and len(recent) < MAX_JOINED > size:
            entry = history.entries[-1]
            if self._latest is not history:
                self._latest = history
                entry.marks += (len(recent), at)
                size += MARK_OVERHEAD
            recent += lines
            entry.size += size
            entry.end = end
            return
        self._latest = history
        history.begin(name, now, stream, end, lines)
        history.shrink(self._limit)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Keep these lines uncopied, which keeps the whole ``chunk`` in memory."""
        history = self._of(name)
        history.partial = b""
        history.until = 0.0
        at = self.position
        self.position = last = at + len(before) + end
        self._latest = history
        entry = Entry(name, self._clock(), stream, at, last, before, memoryview(chunk)[:end])
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

    def child_started(self, name: str, pid: int) -> None:
        """Note where the output of a new child begins."""
        history = self._of(name)
        history.until = 0.0  # its lines do not join those of the previous child
        history.lives = (*history.lives[-1:], self.position)

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

    def recall(
        self,
        is_meant: Callable[[str], bool],
        since: float | None,
        count: int | None,
        after: int = 0,
        before: int | None = None,
    ) -> list[Entry]:
        """Return the entries of all instances that ``is_meant`` accepts, by position.

        ``since`` leaves out older entries (seconds since the epoch), ``after`` those that end before that position,
        ``before`` those that begin after that one, and ``count`` those that only hold lines before the last ones.
        """
        histories = [history for name, history in self._instances.items() if is_meant(name)]
        for history in histories:
            history.until = 0.0  # nothing may join them: the caller reads them later, and gets new lines live as well
        entries = [entry for history in histories for entry in history.entries]
        if since is not None:
            entries = [entry for entry in entries if entry.time >= since]
        if after:
            entries = [entry for entry in entries if entry.end > after]
        if before is not None:
            entries = [entry for entry in entries if entry.at < before]
        entries.sort(key=lambda entry: entry.at)
        return entries if count is None else _tail(entries, count, self.position if before is None else before)

    def lost(self, is_meant: Callable[[str], bool], after: int = 0) -> tuple[int, int]:
        """Return up to which position lines of these instances are missing, and at most how many bytes ``after`` it.

        Nothing is missing after that position, so it is 0 if everything is still here.
        """
        ends = [(history.lost, history.lost_size) for name, history in self._instances.items() if is_meant(name)]
        ends += [lost for name, lost in self._forgotten.items() if is_meant(name)]
        end = max((end for end, _ in ends), default=0)
        return end, sum(min(size, max(0, end - after)) for end, size in ends)

    def size_of(self, name: str) -> int:
        """Return how many bytes of whole lines an instance has written so far."""
        history = self._instances.get(name)
        return history.lost_size + sum(len(part) for entry in history.entries for part in entry.parts) if history else 0

    def lives(self, is_meant: Callable[[str], bool]) -> dict[str, tuple[int, ...]]:
        """Return where the output of the latest two children of each instance begins."""
        return {name: history.lives for name, history in self._instances.items() if history.lives and is_meant(name)}

    def _of(self, name: str) -> InstanceHistory:
        return self._instances.get(name) or self._instances.setdefault(name, InstanceHistory())

    def forget(self, name: str) -> None:
        """Drop everything of an instance that is gone for good."""
        history = self._instances.pop(name, None)
        if history is not None:
            while history.entries:
                history.drop_oldest()
            end, size = self._forgotten.get(name, (0, 0))
            self._forgotten[name] = max(end, history.lost), size + history.lost_size


def _tail(entries: list[Entry], count: int, before: int) -> list[Entry]:
    """Return the last ``count`` lines that end before a position.

    Possibly more: those of an entry with marks or after the position, and what alternates with it.
    """
    start = len(entries)
    while start > 0 and count > 0:
        start -= 1
        count -= _lines_before(entries[start], before)
    if start == len(entries):
        return []
    first = entries[start]
    if count < 0 and not first.marks and first.end <= before:
        kept = b"".join(line + b"\n" for line in first.lines.split(b"\n")[-count:-1])
        first = Entry(first.name, first.time, first.stream, first.end - len(kept), first.end, kept)
    return [first if at == start else entry for at, entry in enumerate(entries) if entry.end > first.at]


def _lines_before(entry: Entry, before: int) -> int:
    """Return how many lines of an entry end before a position."""
    if entry.end <= before:
        return entry.lines.count(b"\n")
    return sum(piece[: before - at].count(b"\n") for at, piece in entry.pieces() if at < before)
