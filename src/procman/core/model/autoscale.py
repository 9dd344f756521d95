"""How the number of instances of a process type follows a measured number. Pure: it measures nothing itself."""

from __future__ import annotations

from math import ceil


class Autoscale:
    """The rule of one process type. Times are in seconds.

    Either the command `exec` prints the number, or, if it is empty, the number is the CPU time per second that all
    instances use together. Each instance stands for `per_instance` of it: 100 waiting jobs, or 0.8 CPUs. There are
    never fewer than `lowest` instances or more than `highest`. It is measured each `interval`. Fewer instances are left
    only if no measurement of the last `cooldown` asked for more.
    """

    __slots__ = ("cooldown", "exec", "highest", "interval", "lowest", "per_instance")

    def __init__(
        self,
        exec: str,  # noqa: A002 (the key's name)
        per_instance: float,
        highest: int,
        lowest: int = 1,
        cooldown: float = 60.0,
        interval: float = 15.0,
    ) -> None:
        self.exec = exec
        self.per_instance = per_instance
        self.highest = highest
        self.lowest = lowest
        self.cooldown = cooldown
        self.interval = interval

    def count(self, number: float) -> int:
        """Return how many instances `number` needs, within the limits."""
        if number >= self.per_instance * self.highest:
            return self.highest
        return max(self.lowest, ceil(number / self.per_instance))


class Stabilization:
    """The counts that the latest measurements asked for, so that a short lull does not remove what is needed again.

    It works like the stabilization window of Kubernetes' HorizontalPodAutoscaler: more at once, fewer only when the
    whole window agrees. It begins with the count at its start.
    """

    def __init__(self, count: int, now: float) -> None:
        self._counts: list[tuple[float, int]] = [(now, count)]

    def settle(self, count: int, cooldown: float, now: float) -> int:
        """Return the count to have now, given that the latest measurement asks for `count`."""
        self._counts = [(when, one) for when, one in self._counts if now - when < cooldown]
        self._counts.append((now, count))
        return max(one for _, one in self._counts)
