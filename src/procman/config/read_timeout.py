"""A timeout for reading files, since the whole engine waits for it.

A file may be a named pipe without a writer, or lie on a disk that does not respond. At the start, the user can
interrupt that (see `obey_early_signals`); a running session would not even notice a stop signal.
"""

from __future__ import annotations

import sys

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
RETRY_INTERVAL = 0.1  # seconds; an alarm just before a system call blocks does not interrupt it, but the next one does


def read_in_time(read: Callable[[], T]) -> T:
    """Return what `read` returns. Raises ConfigError if it takes longer than LIMIT seconds."""
    if sys.platform == "win32":  # it has no alarm, and no session that would wait
        return read()
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
    signal.setitimer(signal.ITIMER_REAL, LIMIT, RETRY_INTERVAL)
    try:
        return read()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)  # raise only once: `read` has ended when the next alarm arrives
    raise ConfigError(
        f"could not read the files within {LIMIT:.0f} seconds",
        "is one of them a named pipe without a writer, or on a disk that does not respond?",
    )
