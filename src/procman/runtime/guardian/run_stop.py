"""Stops the command of ``procman run`` when procman gets a signal for it, and then what the command leaves behind.

A signal to procman's pid alone (`kill`, `timeout`, `docker stop`) must reach the program, which may sit behind a shell
that neither passes it on nor waits. So the rest of the command's group is signalled as ``start`` would do it. What is
left when the command has ended gets TERM, and KILL at the end of the grace. What a command has started keeps running if
the command ends by itself, since it may be a daemon on purpose.
"""

from __future__ import annotations

import time

from procman.runtime.processes.recipients import handles, ignores, is_shell
from procman.runtime.system.descendants import become_subreaper, group_of, kill_until_empty, reap_some, send
from procman.runtime.system.procfs import children_of, is_zombie, own_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Collection
else:
    import _signal as signal  # without the enums: see signals.py

REPEAT_AFTER = 0.3  # seconds: some shells and `timeout` deliver one signal twice
STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
WAKING = (signal.SIGCHLD, *STOPPING)
LOOK_INTERVAL = 0.05  # seconds between two looks at what is left: its grandchildren end without a signal to us


class RunStop:
    """The stop of one command. ``spared`` are children of ours that are not the command's."""

    def __init__(self, child: int, spared: Collection[int], grace: float) -> None:
        self._child = child
        self._spared = tuple(spared)
        self._grace = grace
        self._asked: dict[int, int] = {}  # the last signal that a descendant got
        self._at = time.monotonic()
        self.rest_due: float | None = None  # when the rest of the group is signalled, if it has not been
        become_subreaper()  # from now on what loses its parent becomes our child

    def send(self, number: int, everyone: bool) -> None:
        """Send the signal to the command; with ``everyone``, to its whole group if it does not handle the signal."""
        rest = self._rest_of_group() if everyone else []
        first = handles(self._child, number) and not (number == signal.SIGINT and is_shell(self._child))
        send(self._child, number)
        if first and everyone and is_shell(self._child):  # its trap may wait for a command, even one not started yet
            self.rest_due = time.monotonic() + self._grace / 2
        elif not first:
            self._send_each(rest, number)

    def send_to_rest(self) -> None:
        """Send TERM to the rest of the group: the shell that got the signal has not ended within half of the grace."""
        self.rest_due = None
        self._send_each(self._rest_of_group(), signal.SIGTERM)

    def _rest_of_group(self) -> list[int]:
        group = group_of(self._child)
        return [pid for pid in _tree([self._child]) if pid != self._child and group_of(pid) == group]

    def _send_each(self, pids: Collection[int], number: int) -> None:
        for pid in pids:
            self._asked[pid] = number
            send(pid, number)

    def end_rest(self) -> None:
        """Stop what the ended command has left: TERM, and KILL after the grace or if we get another signal."""
        now = time.monotonic()
        end = now + self._grace
        while (left := self._left()) and now < end:
            for pid in left:
                if pid not in self._asked or ignores(pid, self._asked[pid]):
                    self._send_each([pid], signal.SIGTERM)
                    send(pid, signal.SIGCONT)  # a stopped process could not react
            number, now = _next_signal(LOOK_INTERVAL), time.monotonic()
            if number in STOPPING and now - self._at >= REPEAT_AFTER:
                break
        if left:
            for pid in left:
                send(pid, signal.SIGKILL)
            kill_until_empty(self._spared)

    def _left(self) -> list[int]:
        """Return what lives of the command's processes; reap those that have ended."""
        reap_some()
        return [pid for pid in _tree([pid for pid in own_children() if pid not in self._spared]) if not is_zombie(pid)]


def _tree(roots: list[int]) -> list[int]:
    """Return the processes and all their descendants."""
    found: list[int] = []
    unseen = list(roots)
    while unseen:
        pid = unseen.pop()
        found.append(pid)
        unseen += children_of(pid)
    return found


def _next_signal(limit: float) -> int | None:
    """Wait for a child's end or a stop signal; return its number, or None after ``limit`` seconds."""
    if not hasattr(signal, "sigtimedwait"):  # macOS
        time.sleep(limit)
        pending = signal.sigpending() & set(STOPPING)
        return int(signal.sigwait(pending)) if pending else None
    info = signal.sigtimedwait(WAKING, limit)
    return None if info is None else info.si_signo
