"""The processes of a running tool, their memory, CPU and context switches, from /proc. Linux only."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Process:
    """One line of /proc/PID/stat."""

    __slots__ = ("name", "parent", "pid", "state")

    def __init__(self, pid: int, name: str, state: str, parent: int) -> None:
        self.pid = pid
        self.name = name
        self.state = state
        self.parent = parent


def all_processes() -> dict[int, Process]:
    """Return every process of the machine, by pid."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            text = _read(f"/proc/{entry}/stat")
            if text:
                head, _, tail = text.rpartition(")")
                state, parent, *_ = tail.split()
                found[int(entry)] = Process(int(entry), head.partition("(")[2], state, int(parent))
    return found


def descendants(root: int) -> list[Process]:
    """Return a process and all its descendants."""
    by_pid = all_processes()
    by_parent: dict[int, list[Process]] = {}
    for process in by_pid.values():
        by_parent.setdefault(process.parent, []).append(process)
    tree = [by_pid[root]] if root in by_pid else []
    for process in tree:
        tree += by_parent.get(process.pid, [])
    return tree


def executable(pid: int) -> str:
    """Return the file that a process executes, or an empty string if it is gone."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def running(program: Path) -> list[int]:
    """Return the pids of the processes that execute this file, without zombies."""
    path = str(program)
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and executable(int(entry)) == path]


def mentioning(word: Path) -> list[int]:
    """Return the pids of the processes with this path in their command line; zombies have none."""
    return [
        int(entry) for entry in os.listdir("/proc") if entry.isdigit() and str(word) in _read(f"/proc/{entry}/cmdline")
    ]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the user and system time of processes so far, in seconds, at the scheduler's resolution."""
    total = 0
    for pid in pids:
        for task in _listing(f"/proc/{pid}/task"):
            fields = _read(f"/proc/{pid}/task/{task}/schedstat").split()
            total += int(fields[0]) if fields else 0
    return total / 1e9


def context_switches(pids: Iterable[int]) -> int:
    """Return the voluntary and involuntary switches of all threads so far."""
    total = 0
    for pid in pids:
        for task in _listing(f"/proc/{pid}/task"):
            for line in _read(f"/proc/{pid}/task/{task}/status").splitlines():
                if "ctxt_switches" in line:
                    total += int(line.split()[1])
    return total


def pss(pids: Iterable[int]) -> float:
    """Return the proportional memory (PSS) of processes, in megabytes of 10**6 bytes."""
    total = 0
    for pid in pids:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total / 1e6


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _listing(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
