"""The clock of a host, by which procman knows for how long a process has been running there."""

from __future__ import annotations

from dataclasses import dataclass

INEXACT = "~"  # before an uptime that may differ from the clock of systemd


@dataclass(frozen=True, slots=True)
class HostClock:
    """What a host says: the seconds of systemd's clock, or its uptime unless ``is_exact``, and the time since 1970."""

    uptime: float
    now: float
    is_exact: bool = True


def parse_clock(line: str) -> HostClock:
    """Parse what the scripts print: ``3474.51 1796009370``. More words may follow."""
    uptime, now = line.split()[:2]
    return HostClock(float(uptime.removeprefix(INEXACT)), float(now), not uptime.startswith(INEXACT))
