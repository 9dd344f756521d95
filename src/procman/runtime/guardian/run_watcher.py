"""Does: sees to it that a one-off does not outlive ``procman run``, even when that is killed with SIGKILL.

PR_SET_PDEATHSIG would need code between fork and exec, and reaches the shell of a line but not what the shell runs.
Instead a fork of ours, asleep in a session of its own, holds the reading end of a pipe whose writing end is ours alone:
when we are gone it reads the end of file, and kills the child and all that descends from it. It costs half a
millisecond and, shared pages aside, less than a megabyte. A normal end cuts the line first, so that what the child left
running on purpose (``redis-server --daemonize yes``) goes on.
"""

from __future__ import annotations

import os
import select

from procman.runtime.system.descendants import send
from procman.runtime.system.procfs import children_of, set_title

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

CUT = b"."
MOST_DESCRIPTORS = 65536


class RunWatcher:
    """Between entering and leaving, the process ``child`` dies with us."""

    def __init__(self, child: int) -> None:
        self.child = child
        self.watcher = 0
        self.writer = -1

    def __enter__(self) -> RunWatcher:
        if os.getpid() != 1:  # the end of PID 1 ends every process of its namespace
            self._tie()
        return self

    def _tie(self) -> None:
        identity = os.pidfd_open(self.child) if hasattr(os, "pidfd_open") else -1
        reader, self.writer = os.pipe()
        try:
            self.watcher = os.fork()
        except OSError:  # no process to be had: then without
            return
        if self.watcher == 0:
            _watch(self.child, identity, reader)
        os.close(reader)

    def __exit__(self, *_: object) -> None:
        if self.watcher:
            try:
                os.write(self.writer, CUT)
                os.waitpid(self.watcher, 0)
            except (BrokenPipeError, ChildProcessError):  # it was killed, and reaped among the strangers
                return


def _watch(child: int, identity: int, reader: int) -> None:
    """In the fork: wait for the end of our parent. Never returns."""
    try:
        os.setsid()
        _close_all_but({identity, reader})
        set_title("procman-watcher")
        if os.read(reader, 1) != CUT and not _has_ended(identity):
            end_tree(child)
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    """A pipe of the user's must not stay open for our sake."""
    below = 0
    for fd in (*sorted(kept), MOST_DESCRIPTORS):
        os.closerange(below, fd)
        below = fd + 1


def _has_ended(identity: int) -> bool:
    """Whether the process behind a pidfd has ended, so that its pid may be a stranger's by now; unknown on macOS."""
    return identity >= 0 and bool(select.select([identity], [], [], 0)[0])


def end_tree(root: int) -> None:
    """SIGKILL a process and its descendants; they are stopped first, since what is stopped forks no more."""
    tree: list[int] = []
    fresh = [root]
    while fresh:
        for pid in fresh:
            send(pid, signal.SIGSTOP)
        tree += fresh
        fresh = [child for pid in tree for child in children_of(pid) if child not in tree]
    for pid in tree:
        send(pid, signal.SIGKILL)
