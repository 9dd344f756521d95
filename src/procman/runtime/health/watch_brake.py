"""Slows down a process that is restarted because it writes a file that it watches."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LOOP_TIME = 3.0  # seconds after a start: a change within them may be the process's own
FREE_RESTARTS = 4  # such restarts in a row that are not slowed down: a user may save as quickly
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds, as for quick deaths


class Brake:
    """Counts restarts that follow each other quickly because of the same files, by instance. Times are in seconds."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._suspects: dict[str, set[str]] = {}
        self._due: dict[str, float] = {}

    def pause(self, name: str, started: float | None, paths: Sequence[str], now: float) -> float | None:
        """Return None if a restart because of these paths may happen now, else the pause before it.

        The pause is 0 if it has begun already.
        """
        is_loop = started is not None and now - started < LOOP_TIME
        suspects = self._suspects.get(name, set())
        if name in self._due and suspects.issuperset(paths):
            return 0.0
        if not is_loop or not suspects.intersection(paths):
            self._counts[name] = 0
            suspects = set()
        self._due.pop(name, None)
        self._counts[name] += 1
        self._suspects[name] = suspects | set(paths)
        excess = self._counts[name] - FREE_RESTARTS - 1
        if excess < 0:
            return None
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(excess, 10))
        self._due[name] = now + pause
        return pause

    def next_deadline(self) -> float | None:
        """Return when the next restart that was held back is due, or None."""
        return min(self._due.values(), default=None)

    def release(self, now: float) -> list[str]:
        """Return the instances whose pause is over."""
        names = [name for name, due in self._due.items() if due <= now]
        for name in names:
            del self._due[name]
        return names
