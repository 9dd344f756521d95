"""Shows what changed of rows that a child paints over again and again: a cursor that goes up, lines that come anew.

BuildKit and the Ink programs of npm draw a block of rows, go up and draw it again; `docker pull` goes up, paints over
one row and comes down again, all of it without ever ending a line. A log keeps of each such row what stands there when
a line comes that is painted over nothing, or when the painting pauses, and leaves out what only repeats what is there.
"""

from __future__ import annotations

import re

from procman.core.text.lines import STAYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ESC = 27
MOST_ROWS = 100
STEADY = 20  # frames in which a row reads the same: at ten to thirty a second, one to two seconds
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


def climb(data: bytes) -> int:
    """How far the cursor goes up from where it is: the rows above that it comes to, MOST_ROWS at most."""
    up = highest = 0
    for match in _MOVES.finditer(data):
        distance = max(1, int(match[1] or b"1"))
        if match[2] in b"AF":
            up += distance
            highest = max(highest, up)
        elif match[2] in b"BE":
            up -= distance
    return min(highest, MOST_ROWS)


def reached(rows: list[bytes], behind: int, known: bool) -> set[int]:
    """Which of these rows the cursor goes back to at once, as a spinner does that ends its row and then wipes it out.

    ``behind`` is how far it goes up behind the last; ``known``: whether there are rows before the first. Who goes up
    farther than that paints over others, and his rows stay where they are.
    """
    climbs = [*(climb(row.removesuffix(STAYS[:-1])) for row in rows), behind]
    found = set()
    up = 0
    for at in range(len(rows), 0, -1):
        up = max(up - 1, climbs[at] if known or climbs[at] <= at else 0)
        if up > 0:
            found.add(at - 1)
    return found


class _Row:
    """One row: what is ``seen`` in it, what was seen before it was erased, and what the log has ``said`` in its place.
    None: not known, or nothing."""

    __slots__ = ("before", "painted", "said", "seen", "since", "text")

    def __init__(self, line: bytes | None = None) -> None:
        self.seen = self.said = None if line is None else _remembered(line)
        self.before: bytes | None = None
        self.text = b""  # what the log would say now
        self.painted = False  # over what the log has said
        self.since = 0  # the frame in which it came to read as it does

    @property
    def waits(self) -> bool:
        """Whether the log has not said yet what is seen here."""
        return self.seen not in (None, self.said)

    def paint(self, line: bytes, frame: int) -> None:
        now = _remembered(line)
        if now == self.seen:
            return
        if now != self.before:
            self.since = frame
        self.seen = now
        self.before = None
        self.text = line
        self.painted = True

    def say(self) -> bytes:
        """What waits here; it waits no more."""
        text, self.text = self.text, b""
        self.said = self.seen
        self.painted = False
        return text

    def erase(self, leaving: bytes | None = None) -> None:
        """What waits here is not seen any more."""
        self.before, self.seen = self.seen, leaving
        self.text = b""
        self.painted = False


class Redraws:
    """The latest rows of one stream, and how many of them lie below the cursor, to be painted over.

    ``clean`` makes a piece of a line harmless. A frame begins where the cursor has come up and a line ends: it is
    painted from there on downwards, so that the rows above it stay as they are, and new rows below belong to it.
    """

    __slots__ = (
        "_anew",
        "_below",
        "_by_frames",
        "_clean",
        "_climb",
        "_frame",
        "_gone",
        "_passed",
        "_rows",
        "calm",
        "latest",
    )

    def __init__(self, clean: Callable[[bytes], bytes]) -> None:
        self._clean = clean
        self._rows: list[_Row] = []
        self._gone: list[bytes] = []  # what waited in rows that nothing is painted over any more
        self._below = 0
        self._climb = 0  # how far the cursor came up in this line
        self._anew = True  # nothing was painted before this line for some time
        self._frame = 0  # how many there were
        self._by_frames = False
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
        return bool(self._gone) or any(row.waits for row in self._rows)

    @property
    def paints_new(self) -> bool:
        """Whether a new row belongs to a frame, and may be painted over as well."""
        return self._by_frames and not self.calm

    def gone(self) -> list[bytes]:
        """The rows that nothing can be painted over any more, once, from above."""
        rows, self._gone = self._gone, []
        return rows

    def painted(self) -> list[bytes]:
        """The rows that were painted over, once, from above."""
        self._leave(self._rows)
        return self.gone()

    def _move(self, count: bytes, kind: bytes) -> None:
        distance = max(1, int(count or b"1"))
        if kind in b"AF":
            self._anew = self.calm or (self._anew and self._climb > 0)
            self.calm = False
            self._below = min(MOST_ROWS, self._below + distance)
            self._climb = max(self._climb, self._below)
            self._rows[:0] = [_Row() for _ in range(self._below - len(self._rows))]  # of which we know nothing
        elif kind in b"BE":
            self._climb = 0  # it paints single rows: any may be next
            self._below = max(0, self._below - distance)
        elif kind == b"J" and count in (b"", b"0"):
            self._erase_below()
        else:  # the whole screen is cleared, or the cursor goes somewhere we cannot follow
            self._leave(self._rows)
            self._rows.clear()
            self._below = self._climb = 0
            self._by_frames = False

    def _passing(self, piece: bytes, *, up: bool) -> bytes:
        """Paint a piece over the row of the cursor; gives its colors back, which stay on, or all of it where that is no
        row of before, nor becomes one because the cursor leaves it for those above."""
        left = not_wiped(piece)
        row = self._clean(left)
        if not self._below:
            if not up or not row:
                return left
            self._append(_Row())
            self._below = 1
        if row:
            self._passed = True
            self._paint(row)
        elif _ERASES.search(piece):
            row_here = self._rows[-self._below]
            row_here.erase(row_here.said)
        return b"".join(_COLORS.findall(piece)) if ESC in piece else b""

    def _erase_below(self) -> None:
        """What is painted there after a pause is new, even if it reads the same."""
        for row in self._rows[len(self._rows) - self._below :]:
            row.erase()
            if self._anew:
                row.said = None

    def _append(self, row: _Row) -> None:
        if len(self._rows) >= MOST_ROWS:
            self._leave(self._rows[:1])
            del self._rows[0]
        self._rows.append(row)

    def _paint(self, line: bytes) -> None:
        self.latest = line or self.latest
        row = self._rows[-self._below]
        row.paint(line, self._frame)
        if row.waits and row.since <= self._frame - STEADY:  # what is done is painted on and on, too
            self._leave([row])
        if len(line) > LONG and sum([len(row.text) for row in self._rows]) > _MOST_WAITING:
            self._leave(self._rows)

    def passed(self) -> bool:
        """Whether this line, which ends now, has painted a row on its way."""
        passed, self._passed = self._passed, False
        return passed

    def take_over(self, line: bytes | None, *, bare: bool) -> bool:
        """Paint a whole line, or nothing, over the row of the cursor; whether there is such a row. A ``bare`` line end
        leaves what waits there."""
        climb, self._climb = self._climb, 0
        if climb and line is not None:
            self._begin_frame(len(self._rows) - climb)
        if not self._below:
            return False
        if line is not None and not (bare and self._rows[-self._below].painted):
            self._paint(line)
        self._below -= 1
        return True

    def _begin_frame(self, top: int) -> None:
        self._frame += 1
        self._by_frames = True
        self._leave(self._rows[:top])

    def add(self, line: bytes) -> None:
        """Take a line that is painted over nothing, behind all that was ``painted``."""
        self._append(_Row(line))

    def begin(self, line: bytes) -> None:
        """Take a line that is painted over nothing, and waits as what was painted does."""
        self._append(_Row())
        self._below = 1
        self._paint(line)
        self._below = 0

    def _leave(self, rows: list[_Row]) -> None:
        """Nothing more will be painted over these: they stay in the log as they are."""
        self._gone += [row.say() for row in rows if row.waits]


def _remembered(row: bytes) -> bytes:
    """What a row is known again by: itself, or, if it is long, what no other row comes to but by chance in 2^64."""
    return row if len(row) <= LONG else b"\n%d" % hash(row)


def not_wiped(piece: bytes) -> bytes:
    """What is left of a piece that wipes out its row: the colors, and what stands behind."""
    if ESC not in piece:
        return piece
    end = 0
    for match in _WIPES.finditer(piece):
        end = match.end()
    return b"".join(_COLORS.findall(piece[:end])) + piece[end:]
