"""Does: a pseudo-terminal for a child, in the size of what it may fill of ours."""

from __future__ import annotations

import os
import termios

from procman.output.sinks.label import NAME_WIDTH
from procman.runtime.system.tty import LOCAL_FLAGS, OUTPUT_FLAGS, window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan

QUERY_ENDS = (b"6n", b"5n", b"[c", b"0c")  # of questions to a terminal, see answers.py


class Window:
    """What a child may fill of the terminal that we are shown on: its size, less our prefix.

    ``usual``: whether a child gets a terminal if nothing else is said of it.
    """

    __slots__ = ("_fd", "_lent_to", "_prefix_width", "_usual", "ends_lines")

    def __init__(
        self, fd: int, prefix_width: int, usual: bool = True, lent_to: str = "", ends_lines: bool = False
    ) -> None:
        """``lent_to``: the instance that has all of it; ``ends_lines``: a return is put before each newline."""
        self._fd = fd
        self._prefix_width = prefix_width
        self._usual = usual
        self._lent_to = lent_to
        self.ends_lines = ends_lines

    def of(self, plan: InstancePlan) -> Window | None:
        """What this child may fill; None: it gets no terminal."""
        if plan.name == self._lent_to:
            return Window(self._fd, 0, ends_lines=True)
        if not self.is_for(plan.pty):
            return None
        longer = len(plan.name) - NAME_WIDTH  # than the names are filled up to
        return Window(self._fd, self._prefix_width + longer) if longer > 0 and self._prefix_width > NAME_WIDTH else self

    def is_for(self, wish: bool | None) -> bool:
        """Whether a child gets a terminal; ``wish`` is what is said of this one."""
        return self._usual if wish is None else wish

    def size(self) -> tuple[int, int]:
        """Rows and columns; a very narrow window is not made narrower than programs can bear."""
        rows, columns = window_size(self._fd) or (24, 80)
        return rows, max(columns - self._prefix_width, min(columns, 20))


class Pty:
    """A pseudo-terminal: `master` is ours to read, `path` is what the child opens, `slave` keeps it alive till then."""

    __slots__ = ("_window", "master", "path", "slave", "viewer")

    def __init__(self, master: int, slave: int, path: str, window: Window) -> None:
        self.master = master
        self.slave = slave
        self.path = path
        self.viewer: tuple[int, int] | None = None  # rows and columns of who is attached; he sees more than we show
        self._window = window

    def child_has_it(self) -> None:
        """Close our copy of the child's side, so that the child's end is the terminal's end."""
        os.close(self.slave)
        self.slave = -1

    def fit(self) -> None:
        """Take the window's size; the kernel sends WINCH to the child when it changed (tty_ioctl(4), TIOCSWINSZ)."""
        self._resize(*(self.viewer or self._window.size()))

    def _resize(self, rows: int, columns: int) -> None:
        try:
            termios.tcsetwinsize(self.master, (rows, columns))
        except termios.error:
            pass  # the child's side is gone

    def nudge(self) -> None:
        """Be a row lower, until `fit`: programs paint their whole screen anew when its size changes."""
        rows, columns = self._window.size()
        self._resize(max(1, rows - 1), columns)

    def show_to(self, viewer: tuple[int, int] | None) -> None:
        """Be the screen of somebody who is attached, of that size, or nobody's any more."""
        self.viewer = viewer
        try:
            _end_lines_for_screens(self.master, viewer is not None or self._window.ends_lines)
        except termios.error:
            pass  # the child's side is gone
        self.fit()

    def hear(self, before: bytes, chunk: bytes) -> None:
        """Answer what is asked in a chunk, with the unfinished line ``before`` it: only who does not read whole lines
        waits for that."""
        if not any(query in chunk for query in QUERY_ENDS) or self.modes()[1]:
            return
        from procman.runtime.processes.pty_replies import answers

        try:
            if answer := answers(before, chunk, self._window.size()[0]):
                os.write(self.master, answer)
        except OSError:
            pass  # he asks more than he reads, or is gone

    def makes_signals(self) -> bool:
        """Whether Ctrl-C and its like are signals at the moment, and no mere keys."""
        try:
            return bool(termios.tcgetattr(self.master)[LOCAL_FLAGS] & termios.ISIG)
        except termios.error:
            return False  # the child's side is gone

    def modes(self) -> tuple[bool, bool]:
        """Whether it puts a return before each newline, and whether it gives the program whole lines."""
        try:
            attributes = termios.tcgetattr(self.master)
        except termios.error:
            return True, True  # the child's side is gone
        output, local = attributes[OUTPUT_FLAGS], attributes[LOCAL_FLAGS]
        return bool(output & termios.OPOST and output & termios.ONLCR), bool(local & termios.ICANON)


def open_pty(window: Window) -> Pty:
    """A pseudo-terminal of that size that leaves newlines alone. Raises OSError when there is none to be had."""
    master, slave = os.openpty()
    try:
        pty = Pty(master, slave, os.ttyname(slave), window)
        os.set_blocking(master, False)
        _end_lines_for_screens(slave, window.ends_lines)
    except (OSError, termios.error) as error:
        os.close(master)
        os.close(slave)
        raise OSError(*error.args) from None
    pty.fit()
    return pty


def _end_lines_for_screens(fd: int, wanted: bool) -> None:
    """Without ONLCR a newline stays one byte: what we read is what the child wrote. A screen needs the return, too."""
    attributes = termios.tcgetattr(fd)
    attributes[OUTPUT_FLAGS] &= ~termios.ONLCR
    attributes[OUTPUT_FLAGS] |= termios.ONLCR if wanted else 0
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
