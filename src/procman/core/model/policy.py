"""The rules of one instance: when it is restarted, and how it is stopped."""

from __future__ import annotations


class RestartPolicy:
    """When an instance is restarted. All times are in seconds.

    `mode` is "on-failure", "always" or "never". `max_restarts` is the budget: that many quick deaths in a row make the
    instance FAILED. A death is quick if the child ran for less than `min_uptime`; a longer life resets the count. The
    exit codes `success_codes` (128 + n for signal n) are not failures.
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
        """Whether the exit code (0-255, 128 + n for signal n) counts as success."""
        return code in self.success_codes

    def is_quick(self, ran: float) -> bool:
        """Whether the end of a life of `ran` seconds is a quick death."""
        return ran < self.min_uptime

    def delay(self, quick_deaths: int, jitter: float = 1.0) -> float:
        """Return the seconds to wait after that many quick deaths in a row: 0, 1, 2, 4 … 30, times `jitter`."""
        if quick_deaths < 1:
            return 0.0
        doublings = min(quick_deaths - 1, 64)  # 2.0 ** 1024 overflows; the ceiling is reached long before
        return float(min(self.backoff * 2.0**doublings, self.backoff_max) * jitter)


class StopPolicy:
    """How an instance is stopped: the number of the stop signal, and the seconds of `grace` before KILL.

    A `command` that is not empty runs instead of the signal; if it fails, the signal follows. `to` is "program" or
    "group", what gets the signal first, or empty: the program if it handles the signal, else its group.
    """

    __slots__ = ("command", "grace", "signal_number", "to")

    def __init__(self, signal_number: int = 15, grace: float = 5.0, command: str = "", to: str = "") -> None:
        self.signal_number = signal_number
        self.grace = grace
        self.command = command
        self.to = to

    @property
    def has_two_steps(self) -> bool:
        """Whether the signal may be for the program alone, so that the rest gets it at half of the grace."""
        return not self.command and self.to != "group"
