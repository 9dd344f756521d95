"""Does: names our own processes in `ps` and `top`, so that guardian, watchdog and manager can be told apart."""

from __future__ import annotations

import os

COMM_LIMIT = 15  # bytes of a command name, proc(5)
ARG_START, ARG_END = 45, 46  # fields 48 and 49 of /proc/PID/stat, counted after the command


def set_title(comm: str, arguments: str = "") -> None:
    """Set the short name (`ps -o comm`) and, if given, the arguments (`ps -o args`). Linux only; failing is fine.

    The arguments are overwritten where the kernel shows them from: our own memory (proc(5), /proc/PID/cmdline), so
    that a longer title is cut to the length of the command line that we were started with.
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
        # The last byte stays NUL: another value there makes the kernel read on into the environment.
        os.pwrite(memory, title[: end - start - 1].ljust(end - start, b"\0"), start)
    finally:
        os.close(memory)
