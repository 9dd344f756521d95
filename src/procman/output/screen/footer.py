"""The bottom rows of a terminal: unfinished lines and the status line.

The rows are painted below the log, and the cursor returns to where they start. So "erase to the end of the screen"
removes them, whatever the terminal made of them when it was resized. They are erased before any text and painted again
after it, in the same write: the log stays an ordinary log, in the terminal's own scrollback.

This happens at most ten times a second. Text in between waits for the next repaint, so that the rows do not flicker. A
flood does not wait, and tells the terminal to show nothing until the rows are back (decision 21).
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.outlet import Buffer, Outlet

REPAINT_INTERVAL = 0.1  # seconds between two repaints
FLOOD_SIZE = 64 << 10  # bytes: more text than this does not wait for the next repaint
HELD_FRACTION = 4  # unfinished lines get one in four rows of the terminal
MIN_HELD = 3  # unfinished lines shown on any terminal
ERASE = b"\r\x1b[J"
NO_WRAP, WRAP = b"\x1b[?7l", b"\x1b[?7h"  # a row wider than the terminal is cut off instead of wrapped
BEGIN, END = b"\x1b[?2026h", b"\x1b[?2026l"  # "show all of this at once"; terminals that do not know it ignore it
PASTES = b"\x1b[?2004h", b"\x1b[?2004l"  # "bracketed paste" (xterm's ctlseqs): on and off
RESET = b"\x1b[0m"
DEFAULT_SIZE = os.terminal_size((80, 24))


class Footer:
    """The bottom rows of one terminal. Text goes through ``put``; ``repaint`` repaints the rows once per turn."""

    __slots__ = (
        "_begun",
        "_clock",
        "_held",
        "_moving",
        "_outlet",
        "_painted",
        "_painted_at",
        "_paused",
        "_row",
        "_size",
        "_status",
        "_text",
        "_volume",
    )

    def __init__(
        self, outlet: Outlet, size: tuple[int, int] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outlet = outlet
        self._clock = clock
        self._size = size  # columns and rows; None: not measured yet
        self._held: dict[tuple[str, str], bytes] = {}
        self._moving: set[tuple[str, str]] = set()  # keys of lines that have changed: bars, not prompts
        self._status: Callable[[int], bytes] | None = None
        self._row: bytes | None = None  # the current status line; None: out of date
        self._painted: list[bytes] | None = None  # the rows on the screen, or None
        self._painted_at = float("-inf")
        self._begun = False  # whether the terminal waits for END
        self._paused = False
        self._text: list[Buffer] = []  # text for the next repaint
        self._volume = 0  # bytes of text since the last one
        outlet.footer = self

    def put(self, *parts: Buffer) -> None:
        """Queue text for the next repaint. A flood is written immediately."""
        for part in parts:
            self._volume += len(part)
        self._text += parts
        if self._volume > FLOOD_SIZE:
            self._write_flood()

    def hold(self, key: tuple[str, str], row: bytes) -> None:
        """Show an unfinished line in place of the one with the same key."""
        if self._held.get(key, row) != row:
            self._moving.add(key)
        self._held[key] = row

    def release(self, key: tuple[str, str]) -> bool:
        """Forget an unfinished line. Return whether others are left."""
        self._held.pop(key, None)
        self._moving.discard(key)
        return bool(self._held)

    @property
    def held(self) -> tuple[tuple[str, str], ...]:
        """The keys of all unfinished lines: instance and stream."""
        return tuple(self._held)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The instances whose unfinished lines stand still: prompts, not bars. Empty for most turns of the loop."""
        return tuple(key[0] for key in self._held if key not in self._moving) if self._held else ()

    def show(self, status: Callable[[int], bytes] | None) -> None:
        """Show a status line, given as a function of the terminal's columns."""
        self._status = status
        self._row = None

    @property
    def columns(self) -> int:
        """The width of the terminal; measured again after ``resized``."""
        return self._measured()[0]

    @property
    def next_repaint(self) -> float | None:
        """When the next repaint is due, in seconds of the clock; None if nothing changed or the reader is stuck."""
        if self._paused or self._outlet.blocked:
            return None
        due = self._text or self._rows() != (self._painted or [])
        return self._painted_at + REPAINT_INTERVAL if due else None

    def repaint(self) -> None:
        """Write the text of this turn and repaint the rows below it, at most ten times a second."""
        if self._paused or (self._painted is None and not self._held and self._status is None):
            self._erase()
            return
        rows = self._rows()
        if not rows and self._painted is None:
            self._erase()
        elif (self._text or rows != (self._painted or [])) and not self._outlet.blocked:
            now = self._clock()
            if now >= self._painted_at + REPAINT_INTERVAL:
                self._paint(rows, now)

    def bracket_pastes(self, on: bool) -> None:
        """Switch bracketed paste on or off: the terminal then marks where pasted text starts and ends."""
        self._outlet.put(PASTES[not on])

    def resized(self) -> None:
        """Adapt to a new size of the terminal, and paint the rows again."""
        self._size = self._row = None
        self._erase()

    def pause(self) -> None:
        """Leave the terminal to another program until ``resume``."""
        self._erase()
        self._paused = True

    def resume(self) -> None:
        """Use the terminal again."""
        self._paused = False

    def close(self) -> None:
        """Remove the rows for good."""
        self._erase()
        self._held.clear()
        self._status = None

    def _measured(self) -> tuple[int, int]:
        if self._size is None:
            try:
                columns, rows = os.get_terminal_size(self._outlet.fileno())
            except OSError:
                columns, rows = DEFAULT_SIZE
            self._size = columns or DEFAULT_SIZE.columns, rows or DEFAULT_SIZE.lines
        return self._size

    def _rows(self) -> list[bytes]:
        """Return the bottom rows: no more than fit, since the terminal would push others into the log."""
        rows = self._held_rows()
        if self._row is None:
            self._row = self._status(self.columns) if self._status is not None else b""
        if self._row:
            rows.append(self._row)
        return rows[-self._measured()[1] :] if len(rows) > 1 else rows

    def _held_rows(self) -> list[bytes]:
        """Return the unfinished lines for which there is room, the latest ones.

        Lines that stand still go first, since they may be prompts for the user.
        """
        if len(self._held) <= MIN_HELD:
            return list(self._held.values())
        most = max(MIN_HELD, self._measured()[1] // HELD_FRACTION)
        last = set(sorted(self._held, key=lambda key: key not in self._moving)[-most:])
        return [row for key, row in self._held.items() if key in last]

    def _paint(self, rows: list[bytes], now: float) -> None:
        up = b"\x1b[%dA" % (len(rows) - 1) if len(rows) > 1 else b""
        body = NO_WRAP + (RESET + b"\r\n").join(rows) + RESET + WRAP + b"\r" + up if rows else b""
        self._outlet.put(BEGIN + ERASE, *self._text, body + END)
        self._text.clear()
        self._painted = rows or None
        self._painted_at = now
        self._begun = False
        self._volume = 0

    def _write_flood(self) -> None:
        """Write the text immediately. The terminal waits for the rows, which are painted when they are due."""
        if self._painted is not None:
            self._painted = None
            self._begun = True
            self._outlet.put(BEGIN + ERASE)
        self._write_text()

    def _erase(self) -> None:
        """Erase the rows and write the text."""
        if self._painted is not None or self._begun:
            self._painted = None
            self._begun = False
            self._outlet.put(ERASE + END)
        self._write_text()

    def _write_text(self) -> None:
        if self._text:
            self._outlet.put(*self._text)
            self._text.clear()
