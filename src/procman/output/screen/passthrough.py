"""Shows one process as if the terminal were its own, and all others above what it is writing on.

Its bytes pass as they are. When somebody else has something to say, the rows that it has not finished make way, and
come back behind that, in the same write: see canvas.py. While it has the whole screen, what others say is kept until
it gives the screen back. Whoever lends the terminal has switched the translation of newlines off.
"""

from __future__ import annotations

import time

from procman.output.outlet import LARGE_CHUNK
from procman.output.screen.emulator import Emulator
from procman.output.screen.footer import ERASE, INTERVAL, NO_WRAP, WRAP, Footer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.outlet import Outlet
    from procman.output.writers import Buffer

MOST_KEPT = 256 << 10  # bytes of others, while one has the whole screen
PLACED = 5.0  # seconds that a process has the screen which sends the cursor to places of it (`top`)
BOTTOM = b"\x1b[999B"


class Passthrough(Footer):
    """A footer that can lend the terminal to one process. ``tell`` hears what was lost meanwhile, in words."""

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
        """``status``: whether the status line is shown while the terminal is not lent."""
        super().__init__(outlet, size, clock)
        self._emulator = Emulator(self.columns)
        self._status_wanted = status
        self._lent = False
        self._here = False  # its rows are on the screen
        self._up, self._blank = 0, True  # the rows above its cursor there, and whether there are any at all
        self._with_status = False  # our own rows are shown below them
        self._yielded = False  # it has the whole screen, but has to wait: we show ourselves
        self._full_until = 0.0  # it has shown that it uses the whole screen, if not the alternate one
        self._window = float("-inf")  # since when the volume is counted, while the terminal is lent
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._lost = 0  # lines
        self.announce: Callable[[str], None] = _keep_to_ourselves

    # The one who has it ---------------------------------------------------------------------------------------------

    @property
    def lent(self) -> bool:
        """Whether the terminal is the process' at the moment."""
        return self._lent

    @property
    def is_painted_by_it(self) -> bool:
        """Whether it has a screen that only it can paint anew."""
        return self._emulator.alternate and not self._yielded

    def begin(self) -> None:
        """A new life of the process: nothing is known of its rows."""
        self._emulator = Emulator(self.columns)

    def lend(self) -> None:
        """The terminal is the process' now."""
        self._make_way()
        self._volume = 0
        self._lent = self._here = True
        self._outlet.put(b"" if self._emulator.blank else self._emulator.picture(), self._emulator.redo())
        self._note()

    def take_back(self) -> None:
        """The terminal is ours again; what the process has begun to write stays."""
        if not self._lent:
            return
        self._come()
        emulator = self._emulator
        down = BOTTOM if self._full_until > self._clock() else b"\x1b[%dB" % emulator.down if emulator.down else b""
        self._outlet.put(emulator.undo(), b"\x1b[0m", b"" if emulator.blank else down + b"\r\n")
        self._here, self._yielded, self._full_until = False, True, 0.0
        self._release()
        self._lent = self._with_status = self._yielded = False

    def on_output(self, chunk: bytes) -> None:
        """Show what the process writes."""
        if not self._lent or self._yielded:
            self._wait(chunk)
            return
        self._come()
        self._outlet.put(chunk)
        self._volume += len(chunk)
        self._emulator.feed(chunk)
        self._note()
        if self._emulator.placed:
            self._emulator.placed = False
            self._full_until = self._clock() + PLACED
        if self._with_status and self._emulator.alternate:
            self._yield()
        elif self._kept and not self._is_full:
            self._release()

    def _wait(self, chunk: bytes) -> None:
        """It is not seen at the moment, and only followed; perhaps it gives the other screen back by itself."""
        was_alternate = self._emulator.alternate
        self._emulator.feed(chunk)
        self._emulator.placed = False
        if self._yielded and was_alternate and not self._emulator.alternate:
            self._yielded = False
            self._go()
        elif self._yielded and not was_alternate:
            self._emulator.begin()  # what it has painted meanwhile is nowhere

    def show_ourselves(self, wanted: bool) -> bool:
        """Show our own rows below those of the process, or no longer; whether it has to paint its screen anew."""
        if wanted == self._with_status or not self._lent:
            return False
        self._with_status = wanted
        if wanted:
            self._yield()
            return False
        self._come()
        self._outlet.put(self._emulator.redo())
        was_away, self._yielded = self._yielded, False
        return was_away

    def _yield(self) -> None:
        """Bring the terminal into its usual modes; that takes away the other screen, too. What was painted on this one
        stays above."""
        is_placed = self._is_full and not self._emulator.alternate
        self._yielded = self._is_full
        self._outlet.put(self._emulator.undo())
        if is_placed:
            self._outlet.put(b"\x1b[0m" + BOTTOM + b"\r\n")
            self._emulator.begin()
            self._note()
            self._full_until = 0.0
        self._release()

    def flush(self) -> None:
        """Give the terminal what it is owed, before its settings change, and newlines mean something else."""
        if not self._lent:
            self._make_way()
        try:
            self._outlet.flush()
        except BrokenPipeError:
            pass  # the loop will see that for itself

    # The others -----------------------------------------------------------------------------------------------------

    def put(self, *parts: Buffer) -> None:
        """Show text of others, above."""
        if not self._lent:
            super().put(*parts)
        elif self._is_full:
            self._keep(b"".join(parts))
        else:
            self._go()
            for part in parts:
                self._volume += len(part)
                self._outlet.put(bytes(part).replace(b"\n", b"\r\n"))

    @property
    def _is_full(self) -> bool:
        """Whether there is no place for others on the screen."""
        return not self._yielded and (self._emulator.alternate or self._full_until > self._clock())

    def _keep(self, text: bytes) -> None:
        self._kept.append(text)
        self._kept_size += len(text)
        while self._kept_size > MOST_KEPT:
            lost = self._kept.pop(0)
            self._kept_size -= len(lost)
            self._lost += lost.count(b"\n")

    def _release(self) -> None:
        kept, self._kept, self._kept_size = b"".join(self._kept), [], 0
        lost, self._lost = self._lost, 0
        if lost:
            self.announce(f"{lost} lines found no place on the screen; procman logs shows the latest")
        if kept:
            self.put(kept)

    # The rows at the bottom -----------------------------------------------------------------------------------------

    @property
    def next_repaint(self) -> float | None:
        """See Footer.next_repaint; what is kept is due when the screen is free."""
        if not self._lent or self._paused:
            return super().next_repaint
        if self._kept and not self._emulator.alternate:
            return self._full_until
        due = not self._is_full and (not self._here or self._below() != (self._painted or []))
        return self._painted_at + INTERVAL if due else None

    def settle(self) -> None:
        """See Footer.settle: the rows of the process come back first."""
        if not self._lent or self._paused:
            super().settle()
            return
        if self._is_full:
            return
        if self._kept:
            self._release()
        rows = self._below()
        if self._here and rows == (self._painted or []):
            return
        now = self._clock()
        trickle = not self._here and self._volume < LARGE_CHUNK and not self._outlet.blocked
        if trickle or now >= self._painted_at + INTERVAL:
            self._come(rows)
            self._painted_at = now
            if now >= self._window + INTERVAL:
                self._window, self._volume = now, 0

    def resized(self) -> None:
        """The terminal has another size."""
        if self._lent and self._painted is not None:
            self._go()
        super().resized()
        self._emulator.resize(self.columns)

    def pause(self) -> None:
        """See Footer.pause."""
        self.take_back()
        super().pause()

    def leave(self) -> None:
        """See Footer.leave."""
        self.take_back()
        super().leave()

    def _rows(self) -> list[bytes]:
        rows = super()._rows()
        return rows if self._status_wanted or self._lent or not self._row else rows[:-1]

    def _below(self) -> list[bytes]:
        return self._rows() if self._with_status else []

    def _note(self) -> None:
        """Remember what of it is on the screen, to find the way back up."""
        self._up, self._blank = self._emulator.up, self._emulator.blank

    def _go(self) -> None:
        """Take the rows of the process away, and what is below them."""
        if not self._here:
            return
        if not self._blank or self._painted is not None:
            up = b"\x1b[%dA" % self._up if self._up else b""
            self._outlet.put(b"\x1b[0m" + up + ERASE)
        self._emulator.forget_above()
        self._here = False
        self._painted = None

    def _come(self, below: list[bytes] | None = None) -> None:
        """Paint the rows of the process, and ours below them if there are any; the cursor is where it left it."""
        if self._here and not below and self._painted is None:
            return
        if not self._is_full:  # else it has painted them itself
            self._go()
            self._outlet.put(self._emulator.picture([NO_WRAP + row + WRAP for row in below or ()]))
        self._here = True
        self._painted = below or None
        self._note()


def _keep_to_ourselves(_words: str) -> None:
    """Nobody wants to hear it."""
