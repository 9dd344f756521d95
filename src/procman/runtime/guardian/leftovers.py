"""Finds the processes that a dead session left running: `procman start` names them, `procman prune` stops them.

Guardian, watchdog and manager end everything as long as one of them lives. Only if all three are killed in the same
instant are processes left. Every child carries PROCMAN_SESSION, which begins with the manager's pid. A process with it
is a leftover if it belongs to our user and namespace and its manager is gone: no process has that pid, or one that is
younger than the leftover, so the pid was recycled. When in doubt, procman does not touch a process.
"""

from __future__ import annotations

import errno
import os
import time

from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.procfs import environ_of, is_zombie, listing, stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable

    from procman.runtime.system.poller import Poller
else:
    import _signal as signal  # without the enums: see signals.py

SESSION = b"PROCMAN_SESSION="
INSTANCE = b"PROCMAN_INSTANCE="
START_TIME = 19  # field 22 of /proc/PID/stat, counted after the command
STATE = 0
MAX_SHOWN = 5  # leftovers that `start` names
NOTICE_DELAY = 0.1  # seconds from the start to the look: not before the children are up
MAX_COMMAND = 60  # characters of a command line that are shown
NO_PIDFD = -1
POLL_INTERVAL = 0.02  # seconds between two looks at what has ended


class Leftover:
    """A process of a dead session: its pid, its PROCMAN_SESSION, and when it started (clock ticks since boot)."""

    __slots__ = ("command", "instance", "pid", "session", "started")

    def __init__(self, pid: int, session: str, started: int, instance: str, command: str) -> None:
        self.pid = pid
        self.session = session
        self.started = started
        self.instance = instance
        self.command = command

    def __str__(self) -> str:
        return f"{self.instance}, pid {self.pid} ({self.command})"

    def is_called(self, names: Iterable[str]) -> bool:
        """Return whether its instance (web.1) or process type (web) is among the names; no names mean all."""
        return not names or self.instance in names or self.instance.rpartition(".")[0] in names


def find_leftovers() -> list[Leftover]:
    """Return all leftovers that are ours to end, the oldest first. Empty without /proc (macOS)."""
    try:
        names = os.listdir("/proc")
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return []
    found = [_leftover(int(name), namespace) for name in names if name.isdigit()]
    return sorted((one for one in found if one is not None), key=lambda one: one.started)


def _leftover(pid: int, namespace: str) -> Leftover | None:
    """Return `pid` as a leftover, or None if its user, environment, namespace or manager says otherwise."""
    if not _is_ours(pid):
        return None
    session = _variable(pid, SESSION)
    if not session or pid == os.getpid() or _namespace_of(pid) != namespace:
        return None
    fields = stat_fields(pid)
    if not fields or fields[STATE] in (b"Z", b"X"):
        return None
    started = int(fields[START_TIME])
    if _has_manager(session, started):
        return None
    return Leftover(pid, session, started, _variable(pid, INSTANCE), _command_of(pid))


def _is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def _variable(pid: int, name: bytes) -> str:
    data = environ_of(pid)
    if name not in data:
        return ""
    found = [item for item in data.split(b"\0") if item.startswith(name)]
    return found[0][len(name) :].decode("ascii", "replace") if found else ""


def _namespace_of(pid: int) -> str:
    """Return the pid namespace: in another one, the manager's pid means another process."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _has_manager(session: str, started: int) -> bool:
    """Return whether the manager named by the session may be alive; a session that we did not name counts as alive."""
    number, dash, _ = session.partition("-")
    try:
        manager = int(number, 16)
    except ValueError:
        return True
    fields = stat_fields(manager)
    alive = bool(fields) and fields[STATE] not in (b"Z", b"X")
    return not dash or (alive and int(fields[START_TIME]) <= started)


def _command_of(pid: int) -> str:
    from procman.core.text.printable import printable

    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        words = ""
    shown = printable(words)
    return shown if len(shown) <= MAX_COMMAND else shown[: MAX_COMMAND - 1] + "…"


def end_marked(session: str, grace: float) -> None:
    """End what a session of ours has left, found by its mark: the last resort where orphans do not become our children.

    A process that has cleared its environment is not found.
    """
    pids = [int(name) for name in listing("/proc") if name.isdigit() and int(name) != os.getpid()]
    ours = [pid for pid in pids if _is_ours(pid) and _variable(pid, SESSION) == session]
    found = [Leftover(pid, session, int(fields[START_TIME]), "", "") for pid in ours if (fields := stat_fields(pid))]
    end_leftovers(found, grace)


def end_leftovers(leftovers: Iterable[Leftover], grace: float) -> list[Leftover]:
    """Send each SIGTERM, kill what is left after `grace` seconds; return the survivors (state D, or not ours).

    A pidfd pins each process, so that none can be mistaken for another that got its pid meanwhile. Where the system has
    none, its start time is compared before each signal.
    """
    held = [(one, fd) for one in leftovers if (fd := _hold(one)) is not None]
    try:
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process could not react
            _signal_all(held, number)
        _wait_for(held, grace)
        _signal_all(held, signal.SIGKILL)
        _wait_for(held, grace)
        return [one for one, fd in held if not _has_ended(one, fd)]
    finally:
        for _, fd in held:
            if fd != NO_PIDFD:
                os.close(fd)


def _hold(leftover: Leftover) -> int | None:
    """Return a pidfd of the leftover, NO_PIDFD if the system has none, or None if the pid is not its own any more."""
    fd = _pidfd_of(leftover.pid)
    if fd is None or _is_still(leftover):
        return fd
    if fd != NO_PIDFD:
        os.close(fd)
    return None


def _pidfd_of(pid: int) -> int | None:
    """Return a pidfd, NO_PIDFD on a system that has or permits none, or None if there is no such process."""
    if not (hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal")):
        return NO_PIDFD
    try:
        return int(os.pidfd_open(pid))
    except OSError as error:
        return None if error.errno in (errno.ESRCH, errno.EINVAL) else NO_PIDFD


def _is_still(leftover: Leftover) -> bool:
    """Return whether the process with this pid is the leftover."""
    fields = stat_fields(leftover.pid)
    return (
        bool(fields)
        and int(fields[START_TIME]) == leftover.started
        and _variable(leftover.pid, SESSION) == leftover.session
    )


def _signal_all(held: Iterable[tuple[Leftover, int]], number: int) -> None:
    for one, fd in held:
        try:
            if fd != NO_PIDFD and hasattr(signal, "pidfd_send_signal"):
                signal.pidfd_send_signal(fd, number)
            elif _is_still(one):
                os.kill(one.pid, number)
        except OSError:  # it has ended, or is not ours to signal
            continue


def _wait_for(held: Iterable[tuple[Leftover, int]], limit: float) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end and not all(_has_ended(one, fd) for one, fd in held):
        time.sleep(POLL_INTERVAL)


def _has_ended(leftover: Leftover, fd: int) -> bool:
    """Return whether the process has ended: then its pidfd is readable (pidfd_open(2))."""
    if fd == NO_PIDFD:
        return is_zombie(leftover.pid) or not _is_still(leftover)
    import select

    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


class LeftoverNotice(QuietComponent):
    """Names leftovers once, soon after the start: one of them may hold a port that an instance needs."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._due: float | None = None

    def open(self, poller: Poller) -> None:
        """Start the delay."""
        self._due = time.monotonic() + NOTICE_DELAY

    def next_deadline(self) -> float | None:
        """Return when to look; None once that is done."""
        return self._due

    def tick(self, now: float) -> None:
        """Look, and announce what was found."""
        if self._due is None or self._due > now:
            return
        self._due = None
        found = find_leftovers()
        if found:
            more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
            names = ", ".join(map(str, found[:MAX_SHOWN]))
            self._announce(
                f"warning: left over from a session that was killed: {names}{more}; `procman prune` stops them"
            )
