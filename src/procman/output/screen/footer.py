"""Shows what stays at the bottom of a terminal: unfinished lines and the status line.

The rows are painted below the log and the cursor is put back to where they begin, so that "erase to the end of the
screen" takes them away whatever the terminal made of them when it was resized. They are taken away before any text
and come back behind it, in the same write: the log stays an ordinary log, in the terminal's own scrollback.

That happens ten times a second at most. What is said in between waits for the next time, so that nobody sees the rows
gone; a flood does not wait, and asks the terminal to show nothing before they are back (decision 21).
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.outlet import Outlet
    from procman.output.writers import Buffer

INTERVAL = 0.1  # seconds between two repaints
FLOOD = 64 << 10  # bytes: more than that between two repaints does not wait for the second
PART = 4  # a quarter of the rows is for unfinished lines
LEAST = 3  # of them have room on any terminal
ERASE = b"\r\x1b[J"
NO_WRAP, WRAP = b"\x1b[?7l", b"\x1b[?7h"  # a row wider than the terminal is cut off, never two rows
BEGIN, END = b"\x1b[?2026h", b"\x1b[?2026l"  # "show all of this at once"; terminals that do not know it ignore it
PASTES = b"\x1b[?2004h", b"\x1b[?2004l"  # "bracketed paste" (xterm's ctlseqs): on and off
RESET = b"\x1b[0m"
USUAL_SIZE = os.terminal_size((80, 24))


class Footer:
    """The bottom rows of one terminal. Text goes through ``put``; ``settle`` brings the rows back once a turn."""

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
        self._size = size  # columns and rows; None: to be asked
        self._held: dict[tuple[str, str], bytes] = {}
        self._moving: set[tuple[str, str]] = set()  # whose line has changed since it is held: bars, not prompts
        self._status: Callable[[int], bytes] | None = None
        self._row: bytes | None = None  # the status line as it reads now; None: to be made
        self._painted: list[bytes] | None = None  # the rows on the screen; None: none are
        self._painted_at = float("-inf")
        self._begun = False  # the terminal waits for END
        self._paused = False
        self._text: list[Buffer] = []  # waits for the next repaint
        self._volume = 0  # bytes of text since the last one
        outlet.footer = self

    def put(self, *parts: Buffer) -> None:
        """Take text: it leaves with the next repaint, or at once where it is a flood or no rows are below it."""
        for part in parts:
            self._volume += len(part)
        self._text += parts
        if self._volume > FLOOD:
            self._rush()

    def hold(self, key: tuple[str, str], row: bytes) -> None:
        """Show an unfinished line, instead and in the place of what was held under this key."""
        if self._held.get(key, row) != row:
            self._moving.add(key)
        self._held[key] = row

    def release(self, key: tuple[str, str]) -> bool:
        """Forget an unfinished line; whether others are left."""
        self._held.pop(key, None)
        self._moving.discard(key)
        return bool(self._held)

    @property
    def held(self) -> tuple[tuple[str, str], ...]:
        """The keys of all that is held: instance and stream."""
        return tuple(self._held)

    def show(self, status: Callable[[int], bytes] | None) -> None:
        """Show a status line: a function of the terminal's columns, called when something has changed."""
        self._status = status
        self._row = None

    @property
    def columns(self) -> int:
        """The width of the terminal; asked anew after ``resized``."""
        return self._measured()[0]

    @property
    def next_repaint(self) -> float | None:
        """When the rows are due to be painted, in seconds of the clock; None: nothing has changed, or nobody reads."""
        if self._paused or self._outlet.blocked:
            return None
        due = self._text or self._rows() != (self._painted or [])
        return self._painted_at + INTERVAL if due else None

    def settle(self) -> None:
        """Let the text of this turn go, with the rows below it, and paint what has changed; ten times a second."""
        if self._paused or (self._painted is None and not self._held and self._status is None):
            self._make_way()
            return
        rows = self._rows()
        if not rows and self._painted is None:
            self._make_way()
        elif (self._text or rows != (self._painted or [])) and not self._outlet.blocked:
            now = self._clock()
            if now >= self._painted_at + INTERVAL:
                self._paint(rows, now)

    def bracket_pastes(self, on: bool) -> None:
        """Ask the terminal to say where what is pasted begins and ends, or no longer."""
        self._outlet.put(PASTES[not on])

    def resized(self) -> None:
        """The terminal has another size: paint the rows anew."""
        self._size = self._row = None
        self._make_way()

    def pause(self) -> None:
        """Leave the terminal to somebody else, until ``resume``."""
        self._make_way()
        self._paused = True

    def resume(self) -> None:
        """The terminal is ours again."""
        self._paused = False

    def leave(self) -> None:
        """Vanish for good."""
        self._make_way()
        self._held.clear()
        self._status = None

    def _measured(self) -> tuple[int, int]:
        if self._size is None:
            try:
                columns, rows = os.get_terminal_size(self._outlet.fileno())
            except OSError:
                columns, rows = USUAL_SIZE
            self._size = columns or USUAL_SIZE.columns, rows or USUAL_SIZE.lines
        return self._size

    def _rows(self) -> list[bytes]:
        """What stays at the bottom; not more than fits, or rows would be pushed into the log."""
        rows = self._held_rows()
        if self._row is None:
            self._row = self._status(self.columns) if self._status is not None else b""
        if self._row:
            rows.append(self._row)
        return rows[-self._measured()[1] :] if len(rows) > 1 else rows

    def _held_rows(self) -> list[bytes]:
        """The unfinished lines for which there is room: those that stand still, since somebody may have to answer, and
        then those that move; of each the latest."""
        if len(self._held) <= LEAST:
            return list(self._held.values())
        most = max(LEAST, self._measured()[1] // PART)
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

    def _rush(self) -> None:
        """Let the text go, and the terminal wait for the rows, which come when they are due."""
        if self._painted is not None:
            self._painted = None
            self._begun = True
            self._outlet.put(BEGIN + ERASE)
        self._let_go()

    def _make_way(self) -> None:
        """Let the text go without the rows."""
        if self._painted is not None or self._begun:
            self._painted = None
            self._begun = False
            self._outlet.put(ERASE + END)
        self._let_go()

    def _let_go(self) -> None:
        if self._text:
            self._outlet.put(*self._text)
            self._text.clear()
