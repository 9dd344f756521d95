"""Shows what takes too long to find: a limit for searches by patterns that others have written."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import TypeVar

    T = TypeVar("T")

LIMIT = 1.0  # seconds of computing for what was read at once: a search that takes longer may well take for ever


def in_time(search: Callable[[], T]) -> T:
    """What the search gives, or TimeoutError: `(a+)+$` doubles its time with each letter, and all would wait for it.

    What is measured is our own computing, so that a busy machine or a Ctrl-Z is no reason; `re` looks for signals while
    it searches.
    """
    signal.signal(signal.SIGVTALRM, _too_slow)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
        return search()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError
