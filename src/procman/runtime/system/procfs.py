"""Reads what /proc says about processes, and sets the names of our own."""

from __future__ import annotations

import os

COMM_LIMIT = 15  # bytes of a command name, proc(5)
ARG_START, ARG_END = 45, 46  # fields 48 and 49 of /proc/PID/stat, counted after the command


def own_children() -> list[int]:
    """Return the pids of our direct children, including zombies and adopted orphans; a few small calls on Linux."""
    me = os.getpid()
    if not proc_is_ours():
        return []
    try:
        return _children_of_thread(me, str(me))
    except OSError:
        return _children_by_scan(me)


def children_of(parent: int) -> list[int]:
    """Return the pids of another process's direct children, including zombies; empty without /proc."""
    if not proc_is_ours():
        return []
    found = []
    for thread in listing(f"/proc/{parent}/task"):
        try:
            found += _children_of_thread(parent, thread)
        except OSError:
            pass  # it has just ended
    return found


def descendants_of(ancestor: int) -> set[int]:
    """Return the pids of a process and of all below it, zombies included."""
    found: set[int] = set()
    unseen = [ancestor]
    while unseen:
        pid = unseen.pop()
        if pid not in found:
            found.add(pid)
            unseen += children_of(pid)
    return found


def _children_of_thread(process: int, thread: str) -> list[int]:
    """Return the children that this thread has forked (proc(5))."""
    return [int(pid) for pid in content(f"/proc/{process}/task/{thread}/children").split()]


def content(path: str) -> bytes:
    """Read a file below /proc. A Python file object would also ask for its size and position each time."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def proc_is_ours() -> bool:
    """Return whether /proc shows our pids: after `unshare --pid` without --mount-proc it shows the outer namespace's.

    True without /proc (macOS), where nothing can be misread.
    """
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return True


def _children_by_scan(parent: int) -> list[int]:
    """Find the children among all processes, for kernels without CONFIG_PROC_CHILDREN. Empty without /proc (macOS)."""
    return [int(name) for name in listing("/proc") if name.isdigit() and parent_of(int(name)) == parent]


def listing(folder: str) -> list[str]:
    """Return the names in a folder; empty if it cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat after the command: state, ppid, pgrp, session, …; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def parent_of(pid: int) -> int | None:
    """Return the parent's pid, or None if the process is gone."""
    fields = stat_fields(pid)
    return int(fields[1]) if fields else None


def is_zombie(pid: int) -> bool:
    """Return whether the process has ended and waits to be reaped; True as well if it is gone."""
    fields = stat_fields(pid)
    return not fields or fields[0] in (b"Z", b"X")


def is_awake(pid: int) -> bool:
    """Return whether the process exists and is not stopped (state T, proc(5)); False if that cannot be seen."""
    return proc_is_ours() and stat_fields(pid)[:1] not in ([b"T"], [])


def comm_of(pid: int) -> bytes:
    """Return the short name of `pid` and a newline; empty if it is gone, or without /proc."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read()
    except OSError:
        return b""


def environ_of(pid: int) -> bytes:
    """Return the environment that `pid` was started with, as NUL-separated bytes; empty if we may not read it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def set_title(comm: str, arguments: str = "") -> None:
    """Set our short name (`ps -o comm`) and, if given, our arguments (`ps -o args`). Linux only; errors are ignored.

    The kernel shows the arguments from our own memory (proc(5), /proc/PID/cmdline), where they are overwritten. So a
    longer title is cut to the length of the command line that we were started with.
    """
    try:
        with open("/proc/self/comm", "wb", buffering=0) as file:
            file.write(comm.encode()[:COMM_LIMIT])
        if arguments:
            _overwrite_arguments(arguments.encode())
    except (OSError, ValueError, IndexError):
        return


def _overwrite_arguments(title: bytes) -> None:
    with open("/proc/self/stat", "rb", buffering=0) as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[ARG_START]), int(fields[ARG_END])
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        # The last byte stays NUL; with another value the kernel reads on into the environment.
        os.pwrite(memory, title[: end - start - 1].ljust(end - start, b"\0"), start)
    finally:
        os.close(memory)
