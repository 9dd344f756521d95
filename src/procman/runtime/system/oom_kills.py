"""Which processes the kernel has killed for a lack of memory, as far as it counts them here or its log names them."""

from __future__ import annotations

import os

from procman.runtime.system.procfs import content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

V2 = "/sys/fs/cgroup"
V1 = "/sys/fs/cgroup/memory"
VMSTAT = "/proc/vmstat"  # of the whole system, since Linux 4.13
LOG = "/dev/kmsg"
MOST_RECORDS = 20_000  # of the log: 10 µs each
RECORD_SIZE = 8192  # bytes; the kernel cuts longer ones
_KILLED = b"illed process "  # "Memory cgroup out of memory: Killed process 4711 (python3) …", mm/oom_kill.c
_AT_LIMIT = b"oom_memcg="  # "oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/system.slice/a.scope,…"
_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # the inode of the namespace whose pids the log has (PROC_PID_INIT_INO)


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


def named_in_log(pids: Collection[int], path: str = LOG) -> set[int]:
    """Return those of these processes that the log names as killed for a lack of memory.

    There are none if it cannot be read: it is often for root only (kernel.dmesg_restrict), and has other pids than a
    container.
    """
    try:
        if os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE:
            return set()
    except OSError:
        return set()
    return {pid for record in _records(path, _KILLED) for pid in pids if _KILLED + b"%d " % pid in record}


def reached_by_log(group: str, path: str = LOG) -> bool:
    """Whether the log says that the kernel has killed because a control group of this name was at its limit."""
    ends = (record.partition(_AT_LIMIT)[2].partition(b",")[0] for record in _records(path, _AT_LIMIT))
    return any(end.endswith(f"/{group}".encode()) for end in ends)


def _records(path: str, having: bytes) -> Iterator[bytes]:
    """Yield the records of the log that have some text; none if it cannot be read.

    Each read returns one. Those that were overwritten meanwhile are an error (EPIPE).
    """
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for _ in range(MOST_RECORDS):
            try:
                record = os.read(log, RECORD_SIZE)
            except BrokenPipeError:
                continue
            except OSError:  # none is left
                return
            if not record:
                return
            if having in record:
                yield record
    finally:
        os.close(log)


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
