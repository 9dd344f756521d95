"""How many processes the kernel has killed for a lack of memory, as far as it counts them here."""

from __future__ import annotations

import os

from procman.runtime.system.procfs import content

V2 = "/sys/fs/cgroup"
V1 = "/sys/fs/cgroup/memory"
VMSTAT = "/proc/vmstat"  # of the whole system, since Linux 4.13


def oom_kills() -> int | None:
    """Return the count of the nearest place that has one: our control group of version 2 or 1, or the whole system.

    The group counts its own processes, whatever group or machine ran out of memory (cgroup-v2.rst, memory.events). None
    if nothing counts them.
    """
    own = _in_own_group()
    return counted(VMSTAT) if own is None else own


def oom_kills_before() -> int | None:
    """Return the count at our start if it is known without a look at that time: PID 1 is the first of its group."""
    return 0 if os.getpid() == 1 and _in_own_group() is not None else None


def _in_own_group() -> int | None:
    v2, v1 = _own_groups()
    places = (f"{V2}{v2}/memory.events", f"{V1}{v1}/memory.oom_control", f"{V1}/memory.oom_control")
    return next((count for count in map(counted, places) if count is not None), None)


def counted(path: str, key: bytes = b"oom_kill") -> int | None:
    """Return the number of OOM kills in a file with a name and a number on each line; None if it has none."""
    try:
        lines = content(path).splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [key]), None)


def _own_groups() -> tuple[str, str]:
    """Return the paths of our control group in version 2, and in the memory hierarchy of version 1."""
    v2, v1 = "", ""
    try:
        lines = content("/proc/self/cgroup").decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return v2, v1
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            v2 = path
        elif "memory" in controllers.split(","):
            v1 = path
    return v2.rstrip("/"), v1.rstrip("/")
