"""The lines of output that the screen holds: bounded, filtered by level, searched, and laid out in rows."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from procman.cli.tui.log_text import plain
from procman.output.sinks.severity import RANKS, severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_LINES = 20_000
MAX_SIZE = 16 << 20  # bytes
MAX_LENGTH = 16 << 10  # bytes of a line; of a longer one, the rest is not shown
LEVELS = ("", "debug", "info", "warn", "error")  # the lowest that is shown; an empty one shows all lines
_CUT = "… (more)".encode()


class LogLine:
    """A line of output. ``at`` and ``end`` are its positions, ``time`` is in seconds since the epoch.

    A line without a name is a note of the screen itself. ``width`` is its width in cells, ``wrapped`` how many rows it
    takes in a certain width; both are measured when they are needed.
    """

    __slots__ = ("at", "end", "level", "name", "raw", "time", "width", "wrapped")

    def __init__(self, at: int, name: str, time: float, raw: bytes) -> None:
        self.at = at
        self.end = at + len(raw) + 1
        self.name = name
        self.time = time
        self.raw = raw if len(raw) <= MAX_LENGTH else raw[:MAX_LENGTH].decode("utf-8", "ignore").encode() + _CUT
        self.width = -1  # not measured yet
        self.wrapped = (0, 1)
        self.level = -1

    @property
    def text(self) -> str:
        """The line as it is shown, without its colors."""
        return plain(self.raw)


class LogLines:
    """The lines of some instances, in the order of their publication. ``measure`` returns the cells of a string."""

    def __init__(self, measure: Callable[[str], int] = len) -> None:
        self.lines: list[LogLine] = []
        self.shown: list[LogLine] = []  # those of the level
        self.level = ""
        self.dropped = 0  # lines at the start of `shown` that the latest `append` has dropped
        self._size = 0
        self._measure = measure

    def clear(self) -> None:
        """Forget all lines."""
        self.lines.clear()
        self.shown.clear()
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for older lines."""
        return len(self.lines) >= MAX_LINES or self._size >= MAX_SIZE

    def append(self, lines: Sequence[LogLine]) -> None:
        """Add the latest lines. The oldest ones leave, as many as do not fit."""
        self._size += sum(len(line.raw) for line in lines)
        self.lines += lines
        self.shown += self._of_level(lines)
        self.dropped = 0
        surplus = self._surplus()
        if surplus:
            gone = set(map(id, self.lines[:surplus]))
            del self.lines[:surplus]
            self.dropped = sum(id(line) in gone for line in self.shown[:surplus])
            del self.shown[: self.dropped]

    def _surplus(self) -> int:
        surplus = max(0, len(self.lines) - MAX_LINES)
        self._size -= sum(len(line.raw) for line in self.lines[:surplus])
        while self._size > MAX_SIZE:
            self._size -= len(self.lines[surplus].raw)
            surplus += 1
        return surplus

    def prepend(self, lines: Sequence[LogLine]) -> int:
        """Add older lines. Return how many of them are shown."""
        self._size += sum(len(line.raw) for line in lines)
        self.lines[:0] = lines
        shown = self._of_level(lines)
        self.shown[:0] = shown
        return len(shown)

    def set_level(self, level: str) -> None:
        """Show only lines of this level or above; with an empty one all."""
        self.level = level
        self.shown = self._of_level(self.lines)

    def _of_level(self, lines: Iterable[LogLine]) -> list[LogLine]:
        lowest = RANKS.get(self.level, 0)
        return [line for line in lines if not lowest or not line.name or _level_of(line) >= lowest]

    def find(self, text: str, start: int, step: int) -> int | None:
        """Return the first shown line from ``start`` on that holds the text, in steps of 1 or -1; None without one.

        Upper and lower case are the same, unless the text has capitals.
        """
        matches = matcher(text)
        at = start
        while 0 <= at < len(self.shown):
            if matches(self.shown[at].text):
                return at
            at += step
        return None

    def width_of(self, line: LogLine) -> int:
        """Return the cells that a line takes."""
        if line.width < 0:
            line.width = self._measure(line.text)
        return line.width

    def cuts(self, line: LogLine, wrap: int) -> list[int]:
        """Return the cell at which each row of a line starts, if no row is wider than ``wrap`` cells."""
        width, text = self.width_of(line), line.text
        if width == len(text):  # each character is one cell wide
            return list(range(0, width or 1, wrap))
        starts, at = [0], 0
        for char in text:
            cells = self._measure(char)
            if at + cells - starts[-1] > wrap and at > starts[-1]:
                starts.append(at)
            at += cells
        return starts

    def rows(self, wrap: int) -> Rows:
        """Return the rows of what is shown, wrapped to this many cells, or not (0)."""
        return Rows([self._height(line, wrap) for line in self.shown] if wrap else [1] * len(self.shown))

    def _height(self, line: LogLine, wrap: int) -> int:
        if line.wrapped[0] != wrap:
            line.wrapped = wrap, len(self.cuts(line, wrap)) if self.width_of(line) > wrap else 1
        return line.wrapped[1]


def matcher(text: str) -> Callable[[str], bool]:
    """Return what tells whether a line holds the text; see ``LogLines.find``."""
    if text == text.lower():
        return lambda line: text in line.lower()
    return lambda line: text in line


def _level_of(line: LogLine) -> int:
    if line.level < 0:
        line.level = severity(line.text)
    return line.level


class Rows:
    """Which row shows which part of which line; ``heights`` says how many rows each line takes."""

    def __init__(self, heights: Iterable[int]) -> None:
        self._ends = list(accumulate(heights))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._ends[-1] if self._ends else 0

    def first(self, line: int) -> int:
        """Return the first row of a line."""
        return self._ends[line - 1] if line else 0

    def end(self, line: int) -> int:
        """Return the row after the last one of a line."""
        return self._ends[line]

    def at(self, row: int) -> tuple[int, int]:
        """Return the line that a row shows, and which row of the line it is."""
        line = bisect_right(self._ends, row)
        return line, row - self.first(line)
