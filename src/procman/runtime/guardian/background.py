"""Does: runs a session behind the command that it is for, and never longer than that (`procman test`)."""

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
    """A process of ours that does `work` in a session of its own: keys of the terminal are not for it.

    What it prints goes to the file `log`. It is asked to end when we end, however that comes to pass.
    """

    def __init__(self, work: Callable[[], int], log: str) -> None:
        us = os.getpid()
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                _go_behind(log)
                code = 143 if os.getppid() != us else work()
            finally:
                os._exit(code)

    def code(self) -> int | None:
        """Its exit code, once it has ended; 0 if somebody else has reaped it."""
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
        """Ask it to end, and wait until it has."""
        if self.code() is None:
            os.kill(self.pid, signal.SIGTERM)
            try:
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass  # reaped already


def _go_behind(log: str) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    shown = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    for fd, to in ((null, 0), (shown, 1), (shown, 2)):
        os.dup2(fd, to)
    os.close(null)
    os.close(shown)
