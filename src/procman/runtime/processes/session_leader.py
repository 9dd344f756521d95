"""Keeps the leader of a session until the rest of its group has ended, so that its end does not hang up on them.

When a process ends that leads a session with a terminal, every process in the terminal's foreground group gets SIGHUP
(POSIX.1-2017, "Consequences of Process Termination" of _exit(2)). A shell that runs `migrate && server` ends as soon as
its group gets the stop signal, and the server would be hung up in the middle of its last requests. So such a leader is
stopped (SIGSTOP) before its group gets the signal, and continued, to its end, when no other process of it is left.

Linux only, since /proc shows what is left. A leader that handles the signal by itself is not touched.
"""

from __future__ import annotations

import time

from procman.runtime.processes.recipients import dispositions, others_of
from procman.runtime.system.descendants import send, send_group
from procman.runtime.system.procfs import is_zombie, stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
else:
    import _signal as signal  # without the enums: see signals.py

STOP_LIMIT = 0.05  # seconds to wait here for a leader to stop; it mostly sleeps and needs none
LATE_STOP_LIMIT = 2.0  # seconds for one that gets no processor meanwhile; the loop continues
STOP_PAUSE = 0.0002  # seconds between two checks of that
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05  # seconds until the next look at what is left; doubles
ORPHANS_AGE = 0.005  # seconds that a list of orphans is used, while a thousand leaders get their signal

# These do not end a process by default (signal(7)), or cannot wait (KILL), or are what we keep away (HUP).
_NOT_ENDING = frozenset(
    {
        signal.SIGHUP,
        signal.SIGKILL,
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGURG,
        signal.SIGWINCH,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
    }
)


class SessionLeaders:
    """The leaders that are stopped. ``orphans()`` returns the processes that we have adopted."""

    def __init__(self, orphans: Callable[[], list[int]]) -> None:
        self._find_orphans = orphans
        self._orphans: list[int] = []
        self._found_at = float("-inf")
        self._held: set[int] = set()
        self._late: dict[int, tuple[int, float]] = {}  # not stopped yet: the signal for its group, and the limit
        self._programs: dict[int, Sequence[int]] = {}  # what alone gets the signal, of each leader that is late
        self._pause = FIRST_PAUSE
        self._look_at: float | None = None

    def hold(self, leader: int, number: int, programs: Sequence[int] = (), force: bool = False) -> bool:
        """Send the stop signal `number` to the leader's group, or to `programs` alone, but keep the leader itself.

        Returns False, and does nothing, if that is not needed: no other process lives in the group, or the leader does
        not end by the signal, unless `force` is set. Leaders must be children of ours, so that their numbers are not
        recycled.
        """
        now = time.monotonic()
        if now - self._found_at > ORPHANS_AGE:
            self._find(now)
        if not (self._others_live(leader) and (force or _ends_by(leader, number))):
            return False
        send_group(leader, signal.SIGCONT)  # a stopped process could not react; sent later it would wake the leader
        send(leader, signal.SIGSTOP)
        self._held.add(leader)
        self._programs[leader] = programs
        if _stops_soon(leader):
            self._signal(leader, number)
        else:  # signalled now it would end, and its terminal would hang up on the others
            self._late[leader] = (number, time.monotonic() + LATE_STOP_LIMIT)
        self._pause = FIRST_PAUSE
        self._look_at = time.monotonic() + self._pause
        return True

    def next_deadline(self) -> float | None:
        """Return when to look again, in seconds of the monotonic clock: no signal reports the ends of grandchildren."""
        return self._look_at

    def tick(self, now: float) -> None:
        """Continue the leaders whose groups have ended."""
        if self._look_at is None or now < self._look_at:
            return
        for leader in list(self._late):
            self._signal_late(leader, now)
        self._find(now)
        for leader in [pid for pid in self._held if pid not in self._late and not self._others_live(pid)]:
            self._held.remove(leader)
            send(leader, signal.SIGCONT)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._look_at = now + self._pause if self._held else None

    def forget(self, leader: int) -> None:
        """Forget a leader that has ended, before its number is released."""
        self._held.discard(leader)
        self._late.pop(leader, None)
        self._programs.pop(leader, None)

    def _signal(self, leader: int, number: int) -> None:
        if not self._programs.get(leader):
            send_group(leader, number)
            return
        for pid in (leader, *self._programs[leader]):
            send(pid, number)

    def _signal_late(self, leader: int, now: float) -> None:
        """Signal the group of a leader that has stopped at last, has ended, or has not stopped within its limit."""
        number, until = self._late[leader]
        running = not _is_stopped(leader) and not is_zombie(leader)
        if running and now < until:
            return
        del self._late[leader]
        self._signal(leader, number)
        if running:
            self._held.discard(leader)
            send(leader, signal.SIGCONT)

    def _find(self, now: float) -> None:
        self._orphans = self._find_orphans()
        self._found_at = now

    def _others_live(self, leader: int) -> bool:
        return bool(others_of(leader, self._orphans))


def _ends_by(pid: int, number: int) -> bool:
    """Return whether the process has left this signal to its default action, which ends it."""
    told = None if number in _NOT_ENDING else dispositions(pid)
    return told is not None and not any(signals & 1 << (number - 1) for signals in told.values())


def _is_stopped(pid: int) -> bool:
    return stat_fields(pid)[:1] == [b"T"]


def _stops_soon(pid: int) -> bool:
    """Wait a moment for the process to stop: with both signals pending, the kernel delivers the lower first, TERM."""
    end = time.monotonic() + STOP_LIMIT
    while not (stopped := _is_stopped(pid)) and time.monotonic() < end:
        time.sleep(STOP_PAUSE)
    return stopped
