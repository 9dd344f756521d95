"""When an instance runs by the clock."""

from __future__ import annotations

from procman.core.text.values import format_duration

SKIP, QUEUE, REPLACE = "skip", "queue", "replace"
OVERLAPS = (SKIP, QUEUE, REPLACE)


class Schedule:
    """The times of a process: those of a cron expression, or one after each period of `every` seconds.

    `timezone` is a name such as ``Europe/Berlin``, empty for that of the machine. `overlap` says what happens if the
    previous run is still going on: "skip", "queue" (run once more after it) or "replace" (restart it). With `catch_up`
    a run that was missed is made up for, once. A run that lasts longer than `timeout` seconds has failed.
    """

    __slots__ = ("catch_up", "cron", "every", "overlap", "timeout", "timezone")

    def __init__(
        self,
        cron: str = "",
        every: float | None = None,
        timezone: str = "",
        overlap: str = SKIP,
        catch_up: bool = False,
        timeout: float | None = None,
    ) -> None:
        self.cron = cron
        self.every = every
        self.timezone = timezone
        self.overlap = overlap
        self.catch_up = catch_up
        self.timeout = timeout

    @property
    def words(self) -> str:
        """The times, for a message."""
        return self.cron if self.every is None else f"every {format_duration(self.every)}"

    def __repr__(self) -> str:
        return f"Schedule({self.words!r})"
