"""Does: remembers how the terminal was, for the case that the manager cannot give it back any more."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # without the enums: see signals.py

# Half a sequence in which we were killed, of any kind, and an update that was to be seen when it is whole. CAN (0x18)
# ends a sequence, ST (ESC \\) a string where CAN does not. Neither is shown, nor does anything where none is open.
ENDED = b"\x18\x1b\\\x1b[?2026l"
# Colors, no wrapping, bracketed paste, and a status line, that nobody takes away any more.
LEFT = ENDED + b"\x1b[0m\x1b[?7h\x1b[?2004l\r\x1b[J"
# The keyboard without kitty's protocol and xterm's modifyOtherKeys. More is popped than any terminal keeps: nobody is
# left who knows how much was pushed. First of all, for a terminal that takes the last of it for underlining.
USUAL_KEYS = b"\x1b[<99u\x1b[=0u\x1b[>4m"
# What a process may have left that had the terminal: colors, a hidden cursor, no wrapping, other cursor keys and
# keypad, bracketed paste, reports of mouse and focus.
USUAL_MODES = b"\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1l\x1b>\x1b[?2004l"
USUAL_MODES += b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l"
# The other screen as well, whose keyboard is its own, and only reached from there. Its last line stays.
RESET = ENDED + USUAL_KEYS + b"\x1b[?1047l" + USUAL_KEYS + USUAL_MODES + b"\x1b[J\r\n"


class SavedTerminal:
    """The settings of the terminal at our start; nothing at all where there is no terminal.

    It has a descriptor of its own: the watchdog lets go of 0, 1 and 2. From a session of its own the watchdog may
    still set it: job control only restrains processes whose controlling terminal it is (tty_check_change(), Linux).
    """

    def __init__(self, fd: int | None = None, attributes: list[Any] | None = None) -> None:
        self._fd = fd
        self._attributes = attributes

    def restore(self, *, alone: bool = False) -> None:
        """Put it back as it was, if it is as the manager had set it: else it is the shell's already, which asks for
        its next line. From the background it is not tried, but by who is ``alone``: the shell took the terminal since
        all of us seemed to be gone, and not every shell sets it (dash). Then TTOU must not stop us."""
        if self._fd is None or self._attributes is None:
            return
        import termios

        from procman.runtime.system.tty import in_foreground, key_by_key, raw

        try:
            if alone:
                signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
            elif not in_foreground(self._fd):
                return
            found = termios.tcgetattr(self._fd)
            lent = (raw(self._attributes), raw(self._attributes, signals=True))
            if found in (key_by_key(self._attributes), *lent):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
                os.write(self._fd, RESET if found in lent else LEFT)
        except (OSError, termios.error):
            pass  # the terminal is gone as well


def saved_terminal() -> SavedTerminal:
    """The terminal behind stdin as it is now, if stdout is one too: only then does the manager change it."""
    try:
        if not (os.isatty(0) and os.isatty(1)):
            return SavedTerminal()
        import termios

        return SavedTerminal(os.dup(0), termios.tcgetattr(0))
    except (OSError, ImportError):
        return SavedTerminal()
