"""Gives the terminal to one process, and prints the output of all others above its unfinished rows.

Its bytes pass unchanged. When there is other output, the rows that it has not finished are erased and drawn again below
that, in the same write: see emulator.py. While the process uses the whole screen, other output is kept until the screen
is free. Whatever lends the terminal has switched the translation of newlines off.
"""

from __future__ import annotations

import time

from procman.output.outlet import LARGE_CHUNK
from procman.output.screen.emulator import Emulator
from procman.output.screen.footer import ERASE, NO_WRAP, REPAINT_INTERVAL, WRAP, Footer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.outlet import Buffer, Outlet

MAX_KEPT = 256 << 10  # bytes of other output kept while the process uses the whole screen
POSITIONING_TIME = 5.0  # seconds that a process owns the screen after it has positioned the cursor (`top`)
TO_BOTTOM = b"\x1b[999B"
ORIGIN = b"6"  # private mode: rows count from the top margin; its end moves the cursor to the first row
TITLES = b"\x1b]0;", b"\x1b]2;"
KEEP_TITLE, RESTORE_TITLE = b"\x1b[22;0t", b"\x1b[23;0t"  # of the window, on a stack of xterm and others


class Passthrough(Footer):
    """A footer that can lend the terminal to one process. ``announce`` is called with a message if lines were lost."""

    __slots__ = (
        "_blank",
        "_emulator",
        "_full_until",
        "_here",
        "_kept",
        "_kept_size",
        "_lent",
        "_lost",
        "_status_wanted",
        "_titled",
        "_up",
        "_window",
        "_with_status",
        "_yielded",
        "announce",
    )

    def __init__(
        self,
        outlet: Outlet,
        status: bool = True,
        size: tuple[int, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``status``: whether to show the status line while the terminal is not lent."""
        super().__init__(outlet, size, clock)
        self._emulator = Emulator(self.columns)
        self._status_wanted = status
        self._lent = False
        self._here = False  # whether its rows are on the screen
        self._up, self._blank = 0, True  # its rows above the cursor, and whether it has written any
        self._with_status = False  # whether our own rows are shown below them
        self._yielded = False  # it uses the whole screen but has to wait, because our own rows are shown
        self._full_until = 0.0  # until then it counts as using the whole screen, although not the alternate one
        self._window = float("-inf")  # start of counting the volume while the terminal is lent
        self._titled = False  # whether the process has changed the window's title
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._lost = 0  # lines of other output that did not fit
        self.announce: Callable[[str], None] = _ignore

    @classmethod
    def in_place_of(cls, footer: Footer) -> Passthrough:
        """Return one that has taken over the rows of a plain footer, and its place in the outlet."""
        new = cls(footer._outlet, clock=footer._clock)
        for name in Footer.__slots__:
            setattr(new, name, getattr(footer, name))
        return new

    # The process -----------------------------------------------------------------------------------------------------

    @property
    def lent(self) -> bool:
        """Whether the process has the terminal now."""
        return self._lent

    @property
    def is_painted_by_it(self) -> bool:
        """Whether the screen holds what only the process can draw again."""
        return self._emulator.alternate and not self._yielded

    def begin(self) -> None:
        """Forget the rows of the last child when a new one starts."""
        self._emulator = Emulator(self.columns)

    def lend(self) -> None:
        """Give the terminal to the process."""
        self._erase()
        self._volume = 0
        self._lent = self._here = True
        self._outlet.put(b"" if self._emulator.blank else self._emulator.picture(), self._emulator.redo())
        self._note()

    def take_back(self, reset: bytes = b"") -> None:
        """Take the terminal back. What the process has started to write stays on the screen.

        ``reset`` resets what is not followed: margins, the cursor's shape, colors of the terminal.
        """
        if not self._lent:
            return
        self._show()
        emulator = self._emulator
        moves = bool(emulator.modes.get(ORIGIN))
        is_full = moves or self._full_until > self._clock()
        down = TO_BOTTOM if is_full else b"\x1b[%dB" % emulator.down if emulator.down else b""
        self._outlet.put(emulator.undo(), reset, RESTORE_TITLE if self._titled else b"")
        self._outlet.put(b"\x1b[0m", b"" if emulator.blank and not moves else down + b"\r\n")
        self._titled = False
        self._here, self._yielded, self._full_until = False, True, 0.0
        self._release_kept()
        self._lent = self._with_status = self._yielded = False

    def on_output(self, chunk: bytes) -> None:
        """Show output of the process."""
        if not self._lent or self._yielded:
            self._follow(chunk)
            return
        self._show()
        if not self._titled and any(title in chunk for title in TITLES):
            self._titled = True
            self._outlet.put(KEEP_TITLE)
        self._outlet.put(chunk)
        self._volume += len(chunk)
        self._emulator.feed(chunk)
        self._note()
        if self._emulator.placed:
            self._emulator.placed = False
            self._full_until = self._clock() + POSITIONING_TIME
        if self._with_status and self._emulator.alternate:
            self._yield()
        elif self._has_kept and not self._is_full:
            self._release_kept()

    def _follow(self, chunk: bytes) -> None:
        """Follow the process while it is not shown. It may leave the alternate screen by itself."""
        was_alternate = self._emulator.alternate
        self._emulator.feed(chunk)
        self._emulator.placed = False
        if self._yielded and was_alternate and not self._emulator.alternate:
            self._yielded = False
            self._hide()
        elif self._yielded and not was_alternate:
            self._emulator.begin()  # what it has drawn meanwhile is not on the screen

    def show_own_rows(self, wanted: bool) -> bool:
        """Show our own rows below those of the process, or hide them. Return whether it has to redraw its screen."""
        if wanted == self._with_status or not self._lent:
            return False
        self._with_status = wanted
        if wanted:
            self._yield()
            return False
        self._show()
        self._outlet.put(self._emulator.redo())
        was_away, self._yielded = self._yielded, False
        return was_away

    def _yield(self) -> None:
        """Reset the terminal to its default modes, which also leaves the alternate screen."""
        is_placed = self._is_full and not self._emulator.alternate
        self._yielded = self._is_full
        self._outlet.put(self._emulator.undo())
        if is_placed:  # what it has drawn on the main screen stays above
            self._outlet.put(b"\x1b[0m" + TO_BOTTOM + b"\r\n")
            self._emulator.begin()
            self._note()
            self._full_until = 0.0
        self._release_kept()

    def flush(self) -> None:
        """Write everything queued before the terminal's settings change, which give newlines another meaning."""
        if not self._lent:
            self._erase()
        try:
            self._outlet.flush()
        except BrokenPipeError:
            pass  # the loop finds out by itself

    # Other output ----------------------------------------------------------------------------------------------------

    def put(self, *parts: Buffer) -> None:
        """Show other output above the process."""
        if not self._lent:
            super().put(*parts)
        elif self._is_full:
            self._keep(b"".join(parts))
        else:
            self._hide()
            for part in parts:
                self._volume += len(part)
                self._outlet.put(bytes(part).replace(b"\n", b"\r\n"))

    @property
    def _is_full(self) -> bool:
        """Whether the process uses the whole screen."""
        return not self._yielded and (self._emulator.alternate or self._full_until > self._clock())

    def _keep(self, text: bytes) -> None:
        """Keep the latest output; of a chunk that is too large by itself, its last lines."""
        self._kept.append(text)
        self._kept_size += len(text)
        while self._kept_size > MAX_KEPT:
            lost = self._kept.pop(0)
            self._kept_size -= len(lost)
            if not self._kept and (end := lost.find(b"\n", len(lost) - MAX_KEPT - 1) + 1):
                self._kept, self._kept_size = [lost[end:]], len(lost) - end
                lost = lost[:end]
            self._lost += lost.count(b"\n")

    @property
    def _has_kept(self) -> bool:
        return bool(self._kept or self._lost)

    def _release_kept(self) -> None:
        kept, self._kept, self._kept_size = b"".join(self._kept), [], 0
        lost, self._lost = self._lost, 0
        if lost:
            self.announce(f"{lost} line{'s were' if lost > 1 else ' was'} not shown; see `procman logs`")
        if kept:
            self.put(kept)

    # The bottom rows -------------------------------------------------------------------------------------------------

    @property
    def next_repaint(self) -> float | None:
        """See Footer.next_repaint. Kept output is due when the screen is free."""
        if not self._lent or self._paused:
            return super().next_repaint
        if self._has_kept and not self._emulator.alternate:
            return self._full_until
        due = not self._is_full and (not self._here or self._below() != (self._painted or []))
        return self._painted_at + REPAINT_INTERVAL if due else None

    def repaint(self) -> None:
        """See Footer.repaint. The rows of the process come first."""
        if not self._lent or self._paused:
            super().repaint()
            return
        if self._is_full:
            return
        if self._has_kept:
            self._release_kept()
        rows = self._below()
        if self._here and rows == (self._painted or []):
            return
        now = self._clock()
        trickle = not self._here and self._volume < LARGE_CHUNK and not self._outlet.blocked
        if trickle or now >= self._painted_at + REPAINT_INTERVAL:
            self._show(rows)
            self._painted_at = now
            if now >= self._window + REPAINT_INTERVAL:
                self._window, self._volume = now, 0

    def resized(self) -> None:
        """Adapt to a new size of the terminal."""
        if self._lent and self._painted is not None:
            self._hide()
        super().resized()
        self._emulator.resize(self.columns)

    def pause(self) -> None:
        """See Footer.pause."""
        self.take_back()
        super().pause()

    def close(self) -> None:
        """See Footer.close."""
        self.take_back()
        super().close()

    def _rows(self) -> list[bytes]:
        rows = super()._rows()
        return rows if self._status_wanted or self._lent or not self._row else rows[:-1]

    def _below(self) -> list[bytes]:
        return self._rows() if self._with_status else []

    def _note(self) -> None:
        """Note how many of its rows are on the screen, to erase them later."""
        self._up, self._blank = self._emulator.up, self._emulator.blank

    def _hide(self) -> None:
        """Erase the rows of the process and everything below them."""
        if not self._here:
            return
        if not self._blank or self._painted is not None:
            up = b"\x1b[%dA" % self._up if self._up else b""
            self._outlet.put(b"\x1b[0m" + up + ERASE)
        self._emulator.forget_above()
        self._here = False
        self._painted = None

    def _show(self, below: list[bytes] | None = None) -> None:
        """Draw the rows of the process, and our own rows below; put the cursor where the process left it."""
        if self._here and not below and self._painted is None:
            return
        if not self._is_full:  # else it has drawn them itself
            self._hide()
            self._outlet.put(self._emulator.picture([NO_WRAP + row + WRAP for row in below or ()]))
        self._here = True
        self._painted = below or None
        self._note()


def _ignore(_message: str) -> None:
    """Do nothing: no receiver is set."""
