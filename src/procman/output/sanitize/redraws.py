"""Follows rows that a child overwrites again and again, and shows only what changed in them.

BuildKit and the Ink programs of npm draw a block of rows, move up and draw it again. ``docker pull`` moves up,
overwrites one row and moves down again, all of it without ever ending a line. The log gets the content of each such row
when a line follows that overwrites nothing, or when the redrawing pauses, unless it only repeats what the log has.
"""

from __future__ import annotations

import re

from procman.core.text.lines import STAYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ESC = 27
MAX_ROWS = 100
STEADY_FRAMES = 20  # frames without a change before a row is shown: one or two seconds at ten to thirty a second
LONG_ROW = 4096  # bytes: of a longer row only a hash is kept, to see whether it changes
_MAX_HELD = 256 * 1024  # bytes of rows held back, if long rows are among them
_MOVES = re.compile(rb"\x1b\[([0-9]{0,4})([ABEFHJ])")
_ARRIVES = re.compile(rb"\x1b\[[0-9]{0,4}[ABEF]\r*\Z")
_ERASES = re.compile(rb"\x1b\[[0-2]?K")
_WIPES = re.compile(  # the whole row
    rb"\x1b\[2K|(?:\r|\x1b\[(?:[01]?G|[0-9]{3,4}D))\x1b\[0?[JK]"
)
_COLORS = re.compile(rb"\x1b\[[0-9:;]*m")


def leaves_row_alone(line: bytes) -> bool:
    """Whether the line ends in a row that the cursor has only moved to, up or down."""
    return _ARRIVES.search(line) is not None


def climb(data: bytes) -> int:
    """Return how many rows the cursor moves up from where it is, MAX_ROWS at most."""
    up = highest = 0
    for match in _MOVES.finditer(data):
        distance = max(1, int(match[1] or b"1"))
        if match[2] in b"AF":
            up += distance
            highest = max(highest, up)
        elif match[2] in b"BE":
            up -= distance
    return min(highest, MAX_ROWS)


def reached(rows: list[bytes], behind: int, known: bool) -> set[int]:
    """Return the indexes of the rows that the cursor moves back to. A spinner that ends its row and erases it does so.

    ``behind`` is how far it moves up after the last row. ``known`` tells whether rows before the first are known. A
    stream that moves up beyond its own first row overwrites other output, so its rows are left alone.
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
    """One row: what is ``seen`` in it, what was seen before it was erased, and what the log has ``shown`` of it.

    None means unknown, or nothing.
    """

    __slots__ = ("before", "painted", "seen", "shown", "since", "text")

    def __init__(self, line: bytes | None = None) -> None:
        self.seen = self.shown = None if line is None else _fingerprint(line)
        self.before: bytes | None = None
        self.text = b""  # what the log would show now
        self.painted = False  # whether it has changed since the log showed it
        self.since = 0  # the frame of its last change

    @property
    def waits(self) -> bool:
        """Whether the log has not shown the content of this row yet."""
        return self.seen not in (None, self.shown)

    def paint(self, line: bytes, frame: int) -> None:
        now = _fingerprint(line)
        if now == self.seen:
            return
        if now != self.before:
            self.since = frame
        self.seen = now
        self.before = None
        self.text = line
        self.painted = True

    def pop(self) -> bytes:
        """Return the content that is held back, and count it as shown."""
        text, self.text = self.text, b""
        self.shown = self.seen
        self.painted = False
        return text

    def erase(self, leaving: bytes | None = None) -> None:
        """Forget the content of the row, which is no longer visible."""
        self.before, self.seen = self.seen, leaving
        self.text = b""
        self.painted = False


class Redraws:
    """The latest rows of one stream. Those from the cursor down are about to be overwritten.

    ``clean`` makes a piece of a line harmless. A frame begins where the cursor has moved up and a line ends. It is
    drawn downwards from there, so the rows above it no longer change, and new rows below belong to it.
    """

    __slots__ = (
        "_below",
        "_by_frames",
        "_clean",
        "_climb",
        "_frame",
        "_fresh",
        "_gone",
        "_passed",
        "_rows",
        "calm",
        "latest",
    )

    def __init__(self, clean: Callable[[bytes], bytes]) -> None:
        self._clean = clean
        self._rows: list[_Row] = []
        self._gone: list[bytes] = []  # content of rows that are no longer overwritten
        self._below = 0  # rows from the cursor's row down
        self._climb = 0  # how far the cursor has moved up in this line
        self._fresh = True  # the drawing starts after a pause
        self._frame = 0  # number of frames so far
        self._by_frames = False
        self.calm = False  # the redrawing has paused: rows are shown immediately until the cursor moves up again
        self._passed = False  # whether this line has drawn a row before it ends in another
        self.latest = b""  # the content drawn last

    def move(self, line: bytes) -> bytes:
        """Follow the cursor through a line. Return the part of the line in the row where it ends."""
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
        """Whether ``painted`` would return any rows."""
        return bool(self._gone) or any(row.waits for row in self._rows)

    @property
    def paints_new(self) -> bool:
        """Whether a new row belongs to a frame, and may be overwritten as well."""
        return self._by_frames and not self.calm

    def gone(self) -> list[bytes]:
        """Return the rows that can no longer be overwritten, each once, from the top."""
        rows, self._gone = self._gone, []
        return rows

    def painted(self) -> list[bytes]:
        """Return the rows that were overwritten, each once, from the top."""
        self._leave(self._rows)
        return self.gone()

    def _move(self, count: bytes, kind: bytes) -> None:
        distance = max(1, int(count or b"1"))
        if kind in b"AF":
            self._fresh = self.calm or (self._fresh and self._climb > 0)
            self.calm = False
            self._below = min(MAX_ROWS, self._below + distance)
            self._climb = max(self._climb, self._below)
            self._rows[:0] = [_Row() for _ in range(self._below - len(self._rows))]  # of unknown content
        elif kind in b"BE":
            self._climb = 0  # it draws single rows: any may be next
            self._below = max(0, self._below - distance)
        elif kind == b"J" and count in (b"", b"0"):
            self._erase_below()
        else:  # the screen is cleared, or the cursor moves to an unknown place
            self._leave(self._rows)
            self._rows.clear()
            self._below = self._climb = 0
            self._by_frames = False

    def _passing(self, piece: bytes, *, up: bool) -> bytes:
        """Overwrite the cursor's row with a piece of a line. Return its colors, which stay on.

        Return the whole piece if the cursor is not in an earlier row and does not leave this one upwards.
        """
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
            row_here.erase(row_here.shown)
        return b"".join(_COLORS.findall(piece)) if ESC in piece else b""

    def _erase_below(self) -> None:
        """Erase all rows below the cursor. After a pause, even the same content is shown again."""
        for row in self._rows[len(self._rows) - self._below :]:
            row.erase()
            if self._fresh:
                row.shown = None

    def _append(self, row: _Row) -> None:
        if len(self._rows) >= MAX_ROWS:
            self._leave(self._rows[:1])
            del self._rows[0]
        self._rows.append(row)

    def _paint(self, line: bytes) -> None:
        self.latest = line or self.latest
        row = self._rows[-self._below]
        row.paint(line, self._frame)
        if row.waits and row.since <= self._frame - STEADY_FRAMES:  # finished rows are redrawn as well
            self._leave([row])
        if len(line) > LONG_ROW and sum([len(row.text) for row in self._rows]) > _MAX_HELD:
            self._leave(self._rows)

    def passed(self) -> bool:
        """Whether the line that ends now has drawn another row before."""
        passed, self._passed = self._passed, False
        return passed

    def take_over(self, line: bytes | None, *, bare: bool) -> bool:
        """Overwrite the cursor's row with a whole line, or with nothing. Return whether there is such a row.

        A ``bare`` newline keeps what is held back there.
        """
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
        """Add a line that overwrites nothing, after all ``painted`` rows."""
        self._append(_Row(line))

    def begin(self, line: bytes) -> None:
        """Add a line that overwrites nothing but is held back like the overwritten rows."""
        self._append(_Row())
        self._below = 1
        self._paint(line)
        self._below = 0

    def _leave(self, rows: list[_Row]) -> None:
        """Release these rows, which no longer change."""
        self._gone += [row.pop() for row in rows if row.waits]


def _fingerprint(row: bytes) -> bytes:
    """Return what a row is recognized by: the row itself, or the hash of a long one (64 bits)."""
    return row if len(row) <= LONG_ROW else b"\n%d" % hash(row)


def not_wiped(piece: bytes) -> bytes:
    """Return what remains of a piece that erases its row: the colors, and what follows."""
    if ESC not in piece:
        return piece
    end = 0
    for match in _WIPES.finditer(piece):
        end = match.end()
    return b"".join(_COLORS.findall(piece[:end])) + piece[end:]
