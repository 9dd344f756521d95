"""Shows what changed of rows that a child paints over again and again: a cursor that goes up, lines that come anew.

Docker, BuildKit and the Ink programs of npm draw a block of rows, go up and draw it again. A log keeps every line that
reads differently from the one it would replace, and leaves out those that only repeat what is there.
"""

from __future__ import annotations

import re

MOST_ROWS = 100
_MOVES = re.compile(rb"\x1b\[([0-9]{0,4})([ABEFHJ])")
_UP = re.compile(rb"\x1b\[[0-9]*[AF]")


def goes_up(line: bytes) -> bool:
    """Whether the cursor is moved up in this line: the first one begins the bookkeeping."""
    return _UP.search(line) is not None


class Redraws:
    """The latest rows of one stream, and how many of them lie below the cursor, to be painted over."""

    __slots__ = ("_below", "_rows")

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._below = 0

    def move(self, line: bytes) -> None:
        """Follow the cursor through the escape sequences of a line."""
        for count, kind in _MOVES.findall(line):
            distance = max(1, int(count or b"1"))
            if kind in b"AF":
                self._below = min(len(self._rows), self._below + distance)
            elif kind in b"BE":
                self._below = max(0, self._below - distance)
            elif kind == b"J" and count in (b"", b"0"):
                self._erase_below()
            else:  # the whole screen is cleared, or the cursor goes somewhere we cannot follow
                self._rows.clear()
                self._below = 0

    def repeats(self, line: bytes) -> bool:
        """Take the next row; whether it is the same that is there already."""
        if not self._below:
            self._rows.append(line)
            del self._rows[:-MOST_ROWS]
            return False
        place = len(self._rows) - self._below
        self._below -= 1
        if self._rows[place] == line:
            return True
        self._rows[place] = line
        return False

    def _erase_below(self) -> None:
        del self._rows[len(self._rows) - self._below :]
        self._below = 0
