"""Shows what changed of rows that a child paints over again and again: a cursor that goes up, lines that come anew.

BuildKit and the Ink programs of npm draw a block of rows, go up and draw it again; `docker pull` goes up, paints over
one row and comes down again, all of it without ever ending a line. A log keeps of each such row what stands there when
a line comes that is painted over nothing, or when the painting pauses, and leaves out what only repeats what is there.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ROWS = 100
LONG = 4096  # bytes: of a longer row it is remembered only whether it is the same
_MOST_WAITING = 256 * 1024  # bytes, if long rows are among them
_MOVES = re.compile(rb"\x1b\[([0-9]{0,4})([ABEFHJ])")
_COMES = re.compile(rb"\x1b\[[0-9]{0,4}[ABEF]\r*\Z")
_ERASES = re.compile(rb"\x1b\[[0-2]?K")
_WIPES = re.compile(  # the whole row, whatever stands there
    rb"\x1b\[2K|(?:\r|\x1b\[(?:[01]?G|[0-9]{3,4}D))\x1b\[0?[JK]"
)
_COLORS = re.compile(rb"\x1b\[[0-9:;]*m")


def leaves_row_alone(line: bytes) -> bool:
    """Whether the line ends in a row that the cursor has only come to, up or down."""
    return _COMES.search(line) is not None


class Redraws:
    """The latest rows of one stream, and how many of them lie below the cursor, to be painted over.

    ``clean`` makes a piece of a line harmless.
    """

    __slots__ = ("_below", "_clean", "_gone", "_painted", "_passed", "_rows", "calm", "latest")

    def __init__(self, clean: Callable[[bytes], bytes]) -> None:
        self._clean = clean
        self._rows: list[bytes | None] = []  # as they are remembered; None: from before we were here
        # Rows that were painted over, and may be again, with what the log says in their place.
        self._painted: dict[int, tuple[bytes, bytes | None]] = {}
        self._gone: list[bytes] = []  # and those that are on the screen no more
        self._below = 0
        self.calm = False  # the painting was over: what is written over a row does not wait before the cursor goes up
        self._passed = False  # this line has painted a row on its way
        self.latest = b""  # what was painted over last

    def move(self, line: bytes) -> bytes:
        """Follow the cursor through a line; gives what is left of the line in the row where it ends."""
        left = b""
        begin = 0
        for match in _MOVES.finditer(line):
            if match[2] in b"ABEF":
                left += self._passing(line[begin : match.start()], up=match[2] in b"AF")
                begin = match.end()
            self._move(match[1], match[2])
        return left + line[begin:]

    @property
    def holds(self) -> bool:
        """Whether there are rows that ``painted`` would give."""
        return bool(self._gone) or any(self._rows[place] != said for place, (_, said) in self._painted.items())

    def gone(self) -> list[bytes]:
        """The rows that nothing can be painted over any more, once, from above."""
        rows, self._gone = self._gone, []
        return rows

    def painted(self) -> list[bytes]:
        """The rows that were painted over, once, from above."""
        self._forget()
        return self.gone()

    def _move(self, count: bytes, kind: bytes) -> None:
        distance = max(1, int(count or b"1"))
        if kind in b"AF":
            self.calm = False
            self._below = min(MOST_ROWS, self._below + distance)
            self._reach(self._below - len(self._rows))
        elif kind in b"BE":
            self._below = max(0, self._below - distance)
        elif kind == b"J" and count in (b"", b"0"):
            self._erase_below()
        else:  # the whole screen is cleared, or the cursor goes somewhere we cannot follow
            self._forget()
            self._rows.clear()
            self._below = 0

    def _reach(self, unknown: int) -> None:
        """Put rows of which we know nothing before all others."""
        if unknown > 0:
            self._rows[:0] = [None] * unknown
            self._painted = {at + unknown: row for at, row in self._painted.items()}

    def _passing(self, piece: bytes, *, up: bool) -> bytes:
        """Paint a piece over the row of the cursor; gives its colors back, which stay on, or all of it where that is no
        row of before, nor becomes one because the cursor leaves it for those above."""
        left = not_wiped(piece)
        row = self._clean(left)
        if not self._below:
            if not up or not row:
                return left
            self._begin_row()
        if row:
            self._passed = True
            self._paint(row)
        elif _ERASES.search(piece):
            self._wipe(len(self._rows) - self._below)
        return b"".join(_COLORS.findall(piece))

    def _begin_row(self) -> None:
        if len(self._rows) >= MOST_ROWS:
            self._forget()
            del self._rows[0]
        self._rows.append(None)
        self._below = 1

    def _wipe(self, place: int) -> None:
        """What waits in this row will not be seen any more, and is new if it comes again: the log does not say it."""
        waiting = self._painted.pop(place, None)
        if waiting is not None:
            self._rows[place] = waiting[1]

    def _paint(self, row: bytes) -> None:
        place = len(self._rows) - self._below
        self.latest = row or self.latest
        before, now = self._rows[place], _remembered(row)
        if before != now:
            said = self._painted[place][1] if place in self._painted else before
            self._rows[place] = now
            self._painted[place] = row, said
            if len(row) > LONG and sum([len(waiting) for waiting, _ in self._painted.values()]) > _MOST_WAITING:
                self._forget()

    def passed(self) -> bool:
        """Whether this line, which ends now, has painted a row on its way."""
        passed, self._passed = self._passed, False
        return passed

    def take_over(self, line: bytes | None, *, bare: bool) -> bool:
        """Paint a whole line, or nothing, over the row of the cursor; whether there is such a row. A ``bare`` line end
        leaves what waits there."""
        if not self._below:
            return False
        if line is not None and not (bare and len(self._rows) - self._below in self._painted):
            self._paint(line)
        self._below -= 1
        return True

    def add(self, line: bytes) -> None:
        """Take a line that is painted over nothing, behind all that was ``painted``."""
        self._rows.append(_remembered(line))
        del self._rows[:-MOST_ROWS]

    def _erase_below(self) -> None:
        """What was painted below goes, and what comes there now is new, even if it reads the same."""
        begin = len(self._rows) - self._below
        if self._rows[begin:].count(None) == self._below:
            return
        for place in range(begin, len(self._rows)):
            self._painted.pop(place, None)
            self._rows[place] = None

    def _forget(self) -> None:
        """Nothing more will be painted over these: they stay in the log as they are."""
        for place in sorted(self._painted):
            row, said = self._painted[place]
            if self._rows[place] != said:
                self._gone.append(row)
        self._painted.clear()


def _remembered(row: bytes) -> bytes:
    """What a row is known again by: itself, or, if it is long, what no other row comes to but by chance in 2^64."""
    return row if len(row) <= LONG else b"\n%d" % hash(row)


def not_wiped(piece: bytes) -> bytes:
    """What is left of a piece that wipes out its row: the colors, and what stands behind."""
    end = 0
    for match in _WIPES.finditer(piece):
        end = match.end()
    return b"".join(_COLORS.findall(piece[:end])) + piece[end:]
