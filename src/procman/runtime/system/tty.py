"""The user's terminal: its size, whether it is ours, and its settings, which can be saved and restored."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # without the enums: see signals.py

INPUT_FLAGS = 0  # index in the list of tcgetattr
OUTPUT_FLAGS = 1
LOCAL_FLAGS = 3
CHARACTERS = 6

# Ends a sequence of any kind that we were killed in, and a synchronized update. CAN (0x18) ends a sequence, ST (ESC \\)
# a string if CAN does not. Neither is shown, nor does anything if nothing is open.
END_SEQUENCES = b"\x18\x1b\\\x1b[?2026l"
# Removes what a killed manager leaves: colors, no wrapping, bracketed paste, a status line.
RESTORE_OURS = END_SEQUENCES + b"\x1b[0m\x1b[?7h\x1b[?2004l\r\x1b[J"
# The keyboard without kitty's protocol and xterm's modifyOtherKeys. It pops more than any terminal keeps, since we do
# not know how much was pushed. It is first, for terminals that take its last part for underlining.
USUAL_KEYS = b"\x1b[<99u\x1b[=0u\x1b[>4m"
# What a process that had the terminal may leave: colors, a hidden cursor, no wrapping, other cursor keys and keypad,
# bracketed paste, reports of mouse and focus.
USUAL_MODES = b"\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1l\x1b>\x1b[?2004l"
USUAL_MODES += b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l"
# Rarer ones: insert mode, line drawing, a reverse screen, other reports of the mouse, reverse wrap, margins (which move
# the cursor, so it is saved), newline mode, reports of colors and sizes, the cursor's shape, a link, changed colors.
RARE_MODES = b"\x1b[4l\x1b(B\x0f\x1b[?5l\x1b[?9l\x1b[?1005l\x1b[?1015l\x1b[?1016l\x1b[?45l\x1b[?69l\x1b[20l"
RARE_MODES += b"\x1b7\x1b[r\x1b8\x1b[?2031l\x1b[?2048l\x1b[0 q"
RARE_MODES += b"\x1b]8;;\x1b\\\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\"
USUAL_MODES += RARE_MODES
# The alternate screen, too: its keyboard is separate, and can only be reached from there. Its last line stays.
RESTORE_ALL = END_SEQUENCES + USUAL_KEYS + b"\x1b[?1047l" + USUAL_KEYS + USUAL_MODES + b"\x1b[J\r\n"


def window_size(fd: int) -> tuple[int, int] | None:
    """Return rows and columns of the terminal behind `fd`, or None if there is none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return None
    return (rows, columns) if columns else None


def is_terminal(fd: int) -> bool:
    """Return whether `fd` is a terminal; False if it is closed."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def in_foreground(fd: int) -> bool:
    """Return whether our job may use the terminal behind `fd`; True as well if that is not our terminal."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


def key_by_key(attributes: list[Any]) -> list[Any]:
    """Return these settings without echo and line editing; Ctrl-C and Ctrl-Z stay signals."""
    import termios

    changed = [*attributes[:CHARACTERS], list(attributes[CHARACTERS])]
    changed[LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
    changed[CHARACTERS][termios.VMIN], changed[CHARACTERS][termios.VTIME] = 1, 0
    return changed


def raw(attributes: list[Any], signals: bool = False) -> list[Any]:
    """Return these settings with keys and output unchanged; with ``signals``, Ctrl-C and Ctrl-Z stay signals."""
    import termios

    changed = key_by_key(attributes)
    changed[INPUT_FLAGS] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    changed[OUTPUT_FLAGS] &= ~termios.OPOST
    changed[LOCAL_FLAGS] &= ~(termios.IEXTEN | (0 if signals else termios.ISIG))
    return changed


class SavedTerminal:
    """The settings of the terminal at our start; empty if there is no terminal.

    It has a descriptor of its own, since the watchdog closes 0, 1 and 2. The watchdog may still set it from its own
    session: job control only restrains processes whose controlling terminal it is (tty_check_change(), Linux).
    """

    def __init__(self, fd: int | None = None, attributes: list[Any] | None = None) -> None:
        self._fd = fd
        self._attributes = attributes

    def restore(self, *, alone: bool = False) -> None:
        """Restore the settings if they are those that the manager had set; otherwise the shell has it already.

        A background process does not try, unless it is ``alone``: the shell took the terminal since all of us seemed
        to be gone, and not every shell sets it (dash). Then TTOU must not stop us.
        """
        if self._fd is None or self._attributes is None:
            return
        import termios

        try:
            if alone:
                signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
            elif not in_foreground(self._fd):
                return
            found = termios.tcgetattr(self._fd)
            lent = (raw(self._attributes), raw(self._attributes, signals=True))
            if found in (key_by_key(self._attributes), *lent):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
                os.write(self._fd, RESTORE_ALL if found in lent else RESTORE_OURS)
        except (OSError, termios.error):
            pass  # the terminal is gone as well

    def forget(self) -> None:
        """Close the descriptor: whatever the terminal is used for from now on is not ours to change."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def saved_terminal() -> SavedTerminal:
    """Return the present settings of the terminal on stdin, if stdout is one too: only then the manager changes it."""
    try:
        if not (os.isatty(0) and os.isatty(1)):
            return SavedTerminal()
        import termios
    except (OSError, ImportError):
        return SavedTerminal()
    try:
        return SavedTerminal(os.dup(0), termios.tcgetattr(0))
    except (OSError, termios.error):
        return SavedTerminal()
