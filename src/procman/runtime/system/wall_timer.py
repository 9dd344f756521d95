"""A descriptor that is readable at a moment of the wall clock, or when the clock is set: timerfd_create(2).

Deadlines of the loop are those of the monotonic clock, which stands still while the machine is suspended, and does not
notice that the wall clock was set.
"""

from __future__ import annotations

import os

from procman.runtime.system.descendants import call_libc

_CLOCK_REALTIME = 0
_CLOSE_ON_EXEC, _NON_BLOCKING = 0o2000000, 0o4000  # TFD_CLOEXEC, TFD_NONBLOCK
_ABSOLUTE, _CANCEL_ON_SET = 1, 2  # TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET


class WallTimer:
    """One timer. Where the system has none, ``fd`` is -1 and nothing happens."""

    def __init__(self) -> None:
        self.fd = call_libc("timerfd_create", _CLOCK_REALTIME, _CLOSE_ON_EXEC | _NON_BLOCKING)

    def set(self, moment: float | None) -> None:
        """Be readable at that moment, in seconds since 1970, and not at all for None."""
        if self.fd == -1:
            return
        import struct

        seconds = 0.0 if moment is None else max(moment, 1.0)
        value = struct.pack("@4l", 0, 0, int(seconds), int(seconds % 1 * 1e9))  # struct itimerspec: no interval
        call_libc("timerfd_settime", self.fd, _ABSOLUTE | _CANCEL_ON_SET, value, 0)

    def acknowledge(self) -> None:
        """Read it, so that it is not readable any more."""
        try:
            os.read(self.fd, 8)
        except OSError:  # ECANCELED: the clock was set
            pass

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd != -1:
            os.close(self.fd)
            self.fd = -1
