"""Lets the guardian end while the session continues: the manager then has no terminal, and is the visible pid itself.

The shell waits for the guardian alone, so its end gives the terminal back. The watchdog learns of it before, through
the pipe that wakes it: otherwise it would take the guardian's end for a kill.
"""

from __future__ import annotations

import os

from procman.runtime.guardian import guardian
from procman.runtime.system.descriptors import close_streams
from procman.runtime.system.procfs import set_title


def is_possible() -> bool:
    """Return whether there are both a guardian to end and a watchdog to stay."""
    return guardian.guardian_pid is not None and guardian.watchdog_pipe is not None


def release_guardian() -> None:
    """Leave the user's terminal, and session, and let the guardian end with 0."""
    assert guardian.guardian_pid is not None
    assert guardian.guardian_pipe is not None
    assert guardian.watchdog_pipe is not None
    guardian.terminal.forget()
    close_streams()
    os.setsid()  # we do not lead our group: the guardian does, or the shell
    set_title("procman", "procman: manager")
    guardian.visible_pid = os.getpid()
    os.write(guardian.watchdog_pipe, bytes((guardian.RELEASED,)))
    os.kill(guardian.guardian_pid, guardian.RELEASE)
    os.close(guardian.guardian_pipe)
    guardian.guardian_pid = guardian.guardian_pipe = None
