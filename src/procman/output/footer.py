"""Shows what stays at the bottom of a terminal: unfinished lines and the status line.

The rows are painted below the log and the cursor is put back to where they begin, so that "erase to the end of the
screen" takes them away whatever the terminal made of them when it was resized. They are taken away before any text
and come back behind it, in the same write: the log stays an ordinary log, in the terminal's own scrollback.
"""

from __future__ import annotations

import os
import time

from procman.output.outlet import LARGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from procman.output.outlet import Outlet
    from procman.output.ways import Buffer

INTERVAL = 0.1  # seconds between two repaints
MOST_HELD = 3  # unfinished lines at a time: the latest
ERASE = b"\r\x1b[J"
NO_WRAP, WRAP = b"\x1b[?7l", b"\x1b[?7h"  # a row wider than the terminal is cut off, never two rows
RESET = b"\x1b[0m"
USUAL_COLUMNS = 80


class Footer:
    """The bottom rows of one terminal. Text goes through ``put``; ``settle`` brings the rows back once a turn."""

    __slots__ = (
        "_clock",
        "_columns",
        "_held",
        "_outlet",
        "_painted",
        "_painted_at",
        "_paused",
        "_row",
        "_status",
        "_volume",
        "_window",
    )

    def __init__(self, outlet: Outlet, columns: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._outlet = outlet
        self._clock = clock
        self._columns = columns
        self._held: dict[Hashable, bytes] = {}
        self._status: Callable[[int], bytes] | None = None
        self._row: bytes | None = None  # the status line as it reads now; None: to be made
        self._painted: list[bytes] | None = None  # the rows on the screen; None: none are
        self._painted_at = float("-inf")
        self._paused = False
        self._volume = 0  # bytes of text that went by since `_window`, seconds of the clock
        self._window = float("-inf")
        outlet.footer = self

    def put(self, *parts: Buffer) -> None:
        """Pass text on to the outlet; the rows make way for it."""
        if self._painted is not None:
            self._painted = None
            self._outlet.put(ERASE)
        for part in parts:
            self._volume += len(part)
        self._outlet.put(*parts)

    def hold(self, key: Hashable, row: bytes) -> None:
        """Show an unfinished line, instead of what was held under this key."""
        self._held.pop(key, None)
        self._held[key] = row

    def release(self, key: Hashable) -> bool:
        """Forget an unfinished line; whether others are left."""
        self._held.pop(key, None)
        return bool(self._held)

    def show(self, status: Callable[[int], bytes] | None) -> None:
        """Show a status line: a function of the terminal's columns, called when something has changed."""
        self._status = status
        self._row = None

    @property
    def columns(self) -> int:
        """The width of the terminal; asked anew after ``resized``."""
        if self._columns is None:
            try:
                self._columns = os.get_terminal_size(self._outlet.fileno()).columns or USUAL_COLUMNS
            except OSError:
                self._columns = USUAL_COLUMNS
        return self._columns

    @property
    def next_repaint(self) -> float | None:
        """When the rows are due to be painted, in seconds of the clock; None: nothing has changed."""
        due = not self._paused and self._rows() != (self._painted or [])
        return self._painted_at + INTERVAL if due else None

    def settle(self) -> None:
        """Bring the rows back below the text of this turn, or paint what has changed, at most ten times a second.

        After a few lines they come back at once: a log that trickles must not make them flicker.
        """
        if self._paused or (self._painted is None and not self._held and self._status is None):
            return
        rows = self._rows()
        if rows == (self._painted or []):
            return
        now = self._clock()
        trickle = self._painted is None and self._volume < LARGE and not self._outlet.blocked
        if trickle or now >= self._painted_at + INTERVAL:
            self._paint(rows, now)

    def resized(self) -> None:
        """The terminal has another size: paint the rows anew."""
        self._columns = self._row = None
        self._vanish()

    def pause(self) -> None:
        """Leave the terminal to somebody else, until ``resume``."""
        self._vanish()
        self._paused = True

    def resume(self) -> None:
        """The terminal is ours again."""
        self._paused = False

    def leave(self) -> None:
        """Vanish for good."""
        self._vanish()
        self._held.clear()
        self._status = None

    def _rows(self) -> list[bytes]:
        rows = list(self._held.values())[-MOST_HELD:]
        if self._row is None:
            self._row = self._status(self.columns) if self._status is not None else b""
        if self._row:
            rows.append(self._row)
        return rows

    def _paint(self, rows: list[bytes], now: float) -> None:
        up = b"\x1b[%dA" % (len(rows) - 1) if len(rows) > 1 else b""
        body = (RESET + b"\r\n").join(rows) + RESET
        self._outlet.put(ERASE + NO_WRAP + body + WRAP + b"\r" + up if rows else ERASE)
        self._painted = rows or None
        self._painted_at = now
        if now >= self._window + INTERVAL:
            self._window, self._volume = now, 0

    def _vanish(self) -> None:
        if self._painted is not None:
            self._outlet.put(ERASE)
            self._painted = None
