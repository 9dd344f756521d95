"""Does: gives up a reading that takes too long, since the whole engine waits for it.

A file may be a named pipe that nobody writes to, or lie on a disk that does not answer. At the start that is the user's
to end, see earshot.py; in a running session nothing would be heard meanwhile, not even that it shall end.
"""

from __future__ import annotations

from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
    from typing import TypeVar

    T = TypeVar("T")
else:
    import _signal as signal  # without the enums: see signals.py

LIMIT = 2.0  # seconds
AGAIN = 0.1  # an alarm just before a system call blocks is noted only: the next one interrupts it


def read_in_time(read: Callable[[], T]) -> T:
    """What ``read`` returns. Raises ConfigError where it takes too long."""
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
    signal.setitimer(signal.ITIMER_REAL, LIMIT, AGAIN)
    try:
        return read()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)  # once: nothing may be raised behind the reading
    raise ConfigError(
        f"the files could not be read within {LIMIT:.0f} seconds",
        "is one of them a named pipe that nobody writes to, or on a disk that does not answer?",
    )
