"""Pseudo-terminals for children, sized to the part of our own terminal that a child may fill."""

from __future__ import annotations

import os
import termios

from procman.output.sinks.label import NAME_WIDTH
from procman.runtime.system.tty import LOCAL_FLAGS, OUTPUT_FLAGS, window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan

QUERY_ENDS = (b"6n", b"5n", b"[c", b"0c")  # how queries to a terminal end, see pty_replies.py
MAX_WAITING_KEYS = 64 << 10  # bytes that may wait for a program that does not read
KEY_RETRY_INTERVAL = 0.02  # seconds until a full terminal is tried again
KEYS_PER_WRITE = 1024  # bytes
SIZE_WITHOUT_TERMINAL = (40, 120)  # rows and columns, if our output is not a terminal, or we have left it
CONTROL_CHARACTERS = 6  # index into the attributes of a terminal, termios(3)


FULL_SCREEN = (b"\x1b[H", b"\x1b[2J", b"\x1b[?1049h", b";1H")  # a line-by-line program never writes these


class Window:
    """The part of our terminal that a child may fill: its size, less our prefix.

    ``usual`` is whether a child gets a terminal if its plan does not say.
    """

    __slots__ = ("_fd", "_lent_to", "_prefix_width", "_usual", "ends_lines")

    def __init__(
        self, fd: int, prefix_width: int, usual: bool = True, lent_to: str = "", ends_lines: bool = False
    ) -> None:
        """``lent_to`` is the instance that has the whole terminal; ``ends_lines`` adds a return to each newline."""
        self._fd = fd
        self._prefix_width = prefix_width
        self._usual = usual
        self._lent_to = lent_to
        self.ends_lines = ends_lines

    def of(self, plan: InstancePlan) -> Window | None:
        """Return what this child may fill, or None if it gets pipes."""
        if plan.name == self._lent_to:
            return Window(self._fd, 0, ends_lines=True)
        if not self.is_for(plan.pty):
            return None
        longer = len(plan.name) - NAME_WIDTH  # shorter names are padded to this width
        return Window(self._fd, self._prefix_width + longer) if longer > 0 and self._prefix_width > NAME_WIDTH else self

    def is_for(self, wish: bool | None) -> bool:
        """Return whether a child gets a terminal; ``wish`` is what its plan says, None if nothing."""
        return self._usual if wish is None else wish

    def size(self) -> tuple[int, int]:
        """Return rows and columns. Without a terminal of ours nothing stands beside the lines.

        At least 20 columns are left if the terminal has them: few programs bear less.
        """
        size = window_size(self._fd)
        if size is None:
            return SIZE_WITHOUT_TERMINAL
        rows, columns = size
        return rows, max(columns - self._prefix_width, min(columns, 20))


class Pty:
    """A pseudo-terminal: we read `master`, the child opens `path`, and `slave` keeps it alive until then."""

    __slots__ = ("_window", "master", "path", "slave", "viewer")

    def __init__(self, master: int, slave: int, path: str, window: Window) -> None:
        self.master = master
        self.slave = slave
        self.path = path
        self.viewer: tuple[int, int] | None = None  # rows and columns of an attached client, which shows all of it
        self._window = window

    def close_slave(self) -> None:
        """Close our copy of the child's side, so that the terminal ends with the child."""
        os.close(self.slave)
        self.slave = -1

    def fit(self) -> None:
        """Take the window's size. If it changed, the kernel sends WINCH to the child (tty_ioctl(4), TIOCSWINSZ)."""
        self._resize(*(self.viewer or self._window.size()))

    def _resize(self, rows: int, columns: int) -> None:
        try:
            termios.tcsetwinsize(self.master, (rows, columns))
        except termios.error:
            pass  # the child's side is gone

    def shrink(self) -> None:
        """Be one row lower until `fit`: programs repaint their whole screen when its size changes."""
        rows, columns = self._window.size()
        self._resize(max(1, rows - 1), columns)

    def show_to(self, viewer: tuple[int, int] | None) -> None:
        """Take the size of an attached client, in rows and columns; None when no client is attached any more."""
        self.viewer = viewer
        try:
            _add_returns(self.master, viewer is not None or self._window.ends_lines)
        except termios.error:
            pass  # the child's side is gone
        self.fit()

    def on_output(self, before: bytes, chunk: bytes) -> None:
        """Answer the queries in a chunk; ``before`` is the unfinished line that it continues.

        Only a program that does not read whole lines waits for an answer.
        """
        if not any(query in chunk for query in QUERY_ENDS) or self.modes()[1]:
            return
        from procman.runtime.processes.pty_replies import replies

        try:
            if reply := replies(before, chunk, self._window.size()[0]):
                os.write(self.master, reply)
        except OSError:
            pass  # the program asks more than it reads, or is gone

    def makes_signals(self) -> bool:
        """Return whether Ctrl-C and the like currently send signals, and are not just keys."""
        try:
            return bool(termios.tcgetattr(self.master)[LOCAL_FLAGS] & termios.ISIG)
        except termios.error:
            return False  # the child's side is gone

    def interrupt(self) -> None:
        """Write the interrupt character. The kernel then sends INT to the group, for which we need no permission."""
        try:
            os.write(self.master, termios.tcgetattr(self.master)[CONTROL_CHARACTERS][termios.VINTR])
        except (OSError, termios.error):
            pass  # the child's side is gone, or its program does not read

    def modes(self) -> tuple[bool, bool]:
        """Return whether it puts a return before each newline, and whether the program reads whole lines."""
        try:
            attributes = termios.tcgetattr(self.master)
        except termios.error:
            return True, True  # the child's side is gone
        output, local = attributes[OUTPUT_FLAGS], attributes[LOCAL_FLAGS]
        return bool(output & termios.OPOST and output & termios.ONLCR), bool(local & termios.ICANON)


class Returns:
    """Puts a return before each newline for a screen, where the child's terminal does not.

    The pty starts in that mode while it is shown whole, but at every prompt readline restores the mode that it found at
    its first one. A program that places the cursor itself means a bare newline, until it reads whole lines again.
    """

    __slots__ = ("_places_cursor",)

    def __init__(self) -> None:
        self._places_cursor = False

    def add(self, pty: Pty | None, chunk: bytes) -> bytes:
        """Return the chunk as a screen needs it."""
        adds_returns, whole_lines = pty.modes() if pty is not None else (True, True)
        if whole_lines:
            self._places_cursor = False
        if not adds_returns and any(mark in chunk for mark in FULL_SCREEN):
            self._places_cursor = True
        if adds_returns or self._places_cursor or b"\n" not in chunk:
            return chunk
        return chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class KeyQueue:
    """Keys on their way to a program. They wait here while its terminal is full because it does not read."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys = bytearray()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def is_full(self) -> bool:
        """Whether no more keys should be read from the keyboard for now."""
        return len(self._keys) >= MAX_WAITING_KEYS

    def add(self, keys: bytes) -> None:
        """Queue some keys; `write_to` sends them."""
        self._keys += keys

    def clear(self) -> None:
        """Forget all keys."""
        self._keys.clear()

    def write_to(self, pty: Pty | None) -> bool:
        """Write as many keys as the terminal takes now; return whether it took any.

        If keys are left, try again after `KEY_RETRY_INTERVAL`.
        """
        before = len(self._keys)
        try:
            while self._keys and pty is not None:
                del self._keys[: os.write(pty.master, bytes(self._keys[:KEYS_PER_WRITE]))]
        except BlockingIOError:
            pass  # the program does not read
        except OSError:
            self._keys.clear()  # there will be no reader
            return False
        return len(self._keys) < before


def open_pty(window: Window) -> Pty:
    """Open a pseudo-terminal of that size that leaves newlines alone. Raises OSError if the system has none."""
    master, slave = os.openpty()
    try:
        pty = Pty(master, slave, os.ttyname(slave), window)
        os.set_blocking(master, False)
        _add_returns(slave, window.ends_lines)
    except (OSError, termios.error) as error:
        os.close(master)
        os.close(slave)
        raise OSError(*error.args) from None
    pty.fit()
    return pty


def _add_returns(fd: int, wanted: bool) -> None:
    """Set ONLCR. Without it a newline stays one byte, so we read what the child wrote; a screen needs the return."""
    attributes = termios.tcgetattr(fd)
    attributes[OUTPUT_FLAGS] &= ~termios.ONLCR
    attributes[OUTPUT_FLAGS] |= termios.ONLCR if wanted else 0
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
