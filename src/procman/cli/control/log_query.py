"""Which output ``logs`` shows, and cursors.

A position is a number of bytes: those of all output of a session before it. A cursor names a session and a position,
that after a line; so each line has one.
"""

from __future__ import annotations

import time

from procman.errors import UsageError
from procman.runtime.control.tasks import is_meant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Record = dict[str, object]
    Piece = tuple[Record, bytes]  # a record and its lines
    Output = Iterator[Piece]


class Query:
    """Which output is wanted. ``after`` and ``before`` are positions; ``since`` and ``until`` are ages in seconds.

    ``lines`` is how many at the end are enough, None if all are needed. ``previous``: only that of the life before.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.after: int | None = None
        self.before: int | None = None
        self.since: float | None = None
        self.until: float | None = None
        self.lines: int | None = None
        self.follow = False
        self.previous = False
        self._now = time.time()

    def is_meant(self, name: str) -> bool:
        """Return whether output of this instance is wanted."""
        return is_meant(self.names, name)

    def is_wanted(self, name: str, moment: float) -> bool:
        """Return whether output of this instance and of this time, in seconds since the epoch, is wanted."""
        is_late = self.since is None or moment >= self._now - self.since
        is_early = self.until is None or moment <= self._now - self.until
        return is_late and is_early and self.is_meant(name)


def read_cursor(text: str, flag: str) -> tuple[str, int]:
    """Return the session and the position of a cursor. Raises UsageError if it is not one."""
    session, _, position = text.rpartition(":")
    if not (session and position.isascii() and position.isdigit() and len(position) <= 18):
        raise UsageError(f'{flag} must be a cursor of logs --json, such as 1a2b-0123456789ab:4096, not "{text[:100]}"')
    return session, int(position)


def lines_after(lines: bytes, size: int) -> bytes:
    """Return the lines after the first ``size`` bytes; a line that begins before them is left out."""
    if 0 < size < len(lines) and lines[size - 1] != 10:
        size = lines.index(b"\n", size) + 1
    return lines[max(0, size) :]
