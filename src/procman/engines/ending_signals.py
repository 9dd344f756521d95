"""The signals that end the work of an engine: where they are raised, and when they are held back."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_CLEANING = 5.0  # seconds after Ctrl-C in which another one does not interrupt the cleaning up


class EndedError(KeyboardInterrupt):
    """A signal other than that of Ctrl-C ends the work. ``number`` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class EndingSignals:
    """Raises what ends the work where it is: KeyboardInterrupt for Ctrl-C, EndedError for TERM and for a hang-up.

    Two that follow each other closely are meant as one: the second would interrupt the cleaning up after the first, and
    leave the lock of a deployment behind.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._end_work)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end_work(self, number: int, _frame: object) -> None:
        time_now = time.monotonic()
        if self._first is not None and time_now - self._first < _CLEANING:
            return
        self._first = time_now
        raise KeyboardInterrupt if number == signal.SIGINT else EndedError(number)


@contextmanager
def held_signals() -> Iterator[None]:
    """Hold back what ends the work while a child starts: one that is not known yet would never be ended."""
    seen: list[int] = []
    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, lambda number, _frame: seen.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if seen:
            signal.raise_signal(seen[0])
