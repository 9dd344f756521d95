"""Runs a session in the background of `procman test`, and no longer than its command."""

from __future__ import annotations

import os

from procman.runtime.system.descendants import prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # without the enums: see signals.py

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Background:
    """A fork of ours that does `work` in a session of its own, so that keys of the terminal do not reach it.

    Its output goes to the file `log`. It gets SIGTERM when we end, for whatever reason; then it calls ``on_orphaned``
    at its own end.
    """

    def __init__(self, work: Callable[[], int], log: str, on_orphaned: Callable[[], None] = lambda: None) -> None:
        us = os.getpid()
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                _detach(log)
                code = 143 if os.getppid() != us else work()
                if os.getppid() != us:
                    on_orphaned()
            finally:
                os._exit(code)

    def code(self) -> int | None:
        """Return its exit code, once it has ended; 0 if another part of the program has reaped it."""
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._code = code if code >= 0 else 128 - code
        return self._code

    def end(self) -> None:
        """Send it SIGTERM, and wait for its end."""
        if self.code() is None:
            os.kill(self.pid, signal.SIGTERM)
            try:
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass  # reaped already


def _detach(log: str) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    for fd, to in ((null, 0), (output, 1), (output, 2)):
        os.dup2(fd, to)
    os.close(null)
    os.close(output)
