"""Shows what takes too long to find: a limit for searches by patterns that others have written."""

from __future__ import annotations

import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import TypeVar

    T = TypeVar("T")

LIMIT = 1.0  # seconds of computing for all searches by one pattern: those that take longer may well take for ever
FREE = 1e-6  # seconds for each byte, which do not count: most patterns take a tenth of that
SHARE = 0.1  # of the time that passes does not count either: a line now and then may be a hard one
LEAST = 1e-3  # seconds: a timer that is set to nothing would never go off


class TimeLimit:
    """How long the searches by one pattern may take together: many that take half a second each are as bad as one that
    never ends.

    What is measured is our own computing, so that a busy machine or a Ctrl-Z is no reason; `re` looks for signals while
    it searches.
    """

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left = LIMIT
        self._at = time.monotonic()

    def search(self, find: Callable[[], T], size: int) -> T:
        """What is found in so many bytes, or TimeoutError: `(a+)+$` doubles its time with each letter, and all would
        wait for it."""
        before, self._at = self._at, time.monotonic()
        self._left = min(LIMIT, self._left + SHARE * (self._at - before)) + size * FREE
        signal.signal(signal.SIGVTALRM, _too_slow)
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(LEAST, self._left))
            return find()
        finally:
            self._left = signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError
