"""Makes sure that the process of ``procman run`` does not outlive it, even if procman is killed with SIGKILL.

PR_SET_PDEATHSIG would need code between fork and exec, and would reach the shell of a line but not what the shell runs.
Instead a fork of ours sleeps in a session of its own and holds the reading end of a pipe; only we hold the writing end.
When we are gone it reads the end of file, and kills the child and its descendants. It costs half a millisecond and,
shared pages aside, less than a megabyte. When the command ends normally, we dismiss it first, so that what the child
left running on purpose (``redis-server --daemonize yes``) continues.
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

DISMISS = b"."  # the byte that ends the watcher
MAX_DESCRIPTORS = 65536


class RunWatcher:
    """A context in which the process ``child`` dies with us."""

    def __init__(self, child: int) -> None:
        self.child = child
        self.watcher = 0
        self.writer = -1

    def __enter__(self) -> RunWatcher:
        if os.getpid() != 1:  # the end of PID 1 ends every process of its namespace
            self._start()
        return self

    def _start(self) -> None:
        """Fork the watcher. If the system lacks processes, descriptors or calls for it, continue without one."""
        opened: list[int] = []
        try:
            reader, self.writer = os.pipe()
            opened.append(reader)
            identity = _identity_of(self.child)
            opened += [identity] if identity >= 0 else []
            self.watcher = os.fork()
        except OSError:
            pass
        else:
            if self.watcher == 0:
                _watch(self.child, identity, reader)
        finally:
            for fd in opened:
                os.close(fd)

    def __exit__(self, *_: object) -> None:
        if self.watcher:
            try:
                os.write(self.writer, DISMISS)
                os.waitpid(self.watcher, 0)
            except (BrokenPipeError, ChildProcessError):  # it was killed, and reaped with the others
                return


def _identity_of(child: int) -> int:
    """Return a pidfd of the child, or -1 on a system that has none (before Linux 5.3, in some sandboxes, macOS)."""
    try:
        return int(os.pidfd_open(child)) if hasattr(os, "pidfd_open") else -1
    except OSError:
        return -1


def _watch(child: int, identity: int, reader: int) -> None:
    """Wait for the end of our parent; this is the fork. Never returns."""
    try:
        os.setsid()
        _close_all_but({identity, reader})
        set_title("procman-watcher")
        if os.read(reader, 1) != DISMISS and not _has_ended(identity):
            end_tree(child)
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    """Close all other descriptors: a pipe of the user's must not stay open because of us."""
    below = 0
    for fd in (*sorted(kept), MAX_DESCRIPTORS):
        os.closerange(below, fd)
        below = fd + 1


def _has_ended(identity: int) -> bool:
    """Return whether the process of a pidfd has ended, so that its pid may be recycled; False on macOS, unknown."""
    return identity >= 0 and bool(select.select([identity], [], [], 0)[0])


def end_tree(root: int) -> None:
    """Kill a process and its descendants. Stop them first, since a stopped process does not fork."""
    tree: list[int] = []
    new = [root]
    while new:
        for pid in new:
            send(pid, signal.SIGSTOP)
        tree += new
        new = [child for pid in tree for child in children_of(pid) if child not in tree]
    for pid in tree:
        send(pid, signal.SIGKILL)
