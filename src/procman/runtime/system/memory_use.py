"""How much memory a process uses."""

from __future__ import annotations

import os

from procman.runtime.system.procfs import content

_PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


def memory_of(pid: int) -> int:
    """Return the memory of a process in bytes, 0 if it is gone.

    That is its share of what it has in memory and in swap: pages that several processes have, as after a fork, count
    once in their sum. Without that figure, everything that it has in memory.
    """
    try:
        lines = content(f"/proc/{pid}/smaps_rollup").splitlines()
        fields = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        return 1024 * (fields[b"Pss:"] + fields.get(b"SwapPss:", 0))
    except (OSError, KeyError, ValueError, IndexError):
        return _resident(pid)


def _resident(pid: int) -> int:
    try:
        return int(content(f"/proc/{pid}/statm").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
