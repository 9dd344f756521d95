"""Decides whether a dead child comes back, when, and how a living one is asked to leave."""

from __future__ import annotations


class RestartPolicy:
    """When an instance is started again; all times in seconds.

    ``mode`` is "on-failure", "always" or "never". ``max_restarts`` is the budget: that many quick deaths in a row
    make it FAILED. A death is quick when the child ran for less than ``min_uptime``; a longer life resets the count.
    ``success_codes`` are the exit codes (128+n for signal n) that are no failure.
    """

    __slots__ = ("backoff", "backoff_max", "max_restarts", "min_uptime", "mode", "success_codes")

    def __init__(
        self,
        mode: str = "on-failure",
        max_restarts: int = 5,
        min_uptime: float = 10.0,
        backoff: float = 1.0,
        backoff_max: float = 30.0,
        success_codes: tuple[int, ...] = (0,),
    ) -> None:
        self.mode = mode
        self.max_restarts = max_restarts
        self.min_uptime = min_uptime
        self.backoff = backoff
        self.backoff_max = backoff_max
        self.success_codes = success_codes

    def is_success(self, code: int) -> bool:
        """Tell whether ``code`` (0-255, 128+n for signal n) is no failure."""
        return code in self.success_codes

    def is_quick(self, ran: float) -> bool:
        """Tell whether a life of ``ran`` seconds counts as a quick death."""
        return ran < self.min_uptime

    def delay(self, quick_deaths: int, jitter: float = 1.0) -> float:
        """Return the seconds to wait after so many quick deaths in a row: 0, 1, 2, 4 … 30, times ``jitter``."""
        if quick_deaths < 1:
            return 0.0
        doublings = min(quick_deaths - 1, 64)  # 2.0 ** 1024 overflows; the ceiling is reached long before
        return float(min(self.backoff * 2.0**doublings, self.backoff_max) * jitter)


class StopPolicy:
    """How an instance is asked to end: the signal's number, and the seconds of ``grace`` before KILL.

    ``command``, if not empty, is run in place of the signal; the signal follows when it fails.
    """

    __slots__ = ("command", "grace", "signal_number")

    def __init__(self, signal_number: int = 15, grace: float = 5.0, command: str = "") -> None:
        self.signal_number = signal_number
        self.grace = grace
        self.command = command
