"""Does: finds what a dead session has left running, names it, and ends it when asked.

Guardian, watchdog and manager end everything as long as one of them lives; only when all three are killed in the same
instant is something left. It is known by the mark that every child carries, PROCMAN_SESSION, which begins with the
manager's pid. A process with such a mark is a leftover when it is our own user's and of our namespace, and its manager
is gone: no process has that pid, or one that is younger than the leftover, so that the pid was given out again.
Whatever is in doubt is not touched.
"""

from __future__ import annotations

import errno
import os
import time

from procman.runtime.system.procfs import environ_of, stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable
else:
    import _signal as signal  # without the enums: see signals.py

MARK = b"PROCMAN_SESSION="
INSTANCE = b"PROCMAN_INSTANCE="
START_TIME = 19  # field 22 of /proc/PID/stat, counted after the command
STATE = 0
WORDS = 60  # characters of a command line that are shown
PAUSE = 0.02  # seconds between two looks at who has ended


class Leftover:
    """A process of a dead session: its pid, the session's mark, and when it was started (clock ticks since boot)."""

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
        """Whether its instance (web.1) or process type (web) is among the names; no name at all means every one."""
        return not names or self.instance in names or self.instance.rpartition(".")[0] in names


def find_leftovers() -> list[Leftover]:
    """All leftovers that are ours to end, the oldest first. Empty where there is no /proc (macOS)."""
    try:
        names = os.listdir("/proc")
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return []
    found = [_leftover(int(name), namespace) for name in names if name.isdigit()]
    return sorted((one for one in found if one is not None), key=lambda one: one.started)


def _leftover(pid: int, namespace: str) -> Leftover | None:
    """What `pid` is, if it is a leftover: all of user, mark, namespace and manager must say so."""
    if not _is_ours(pid):
        return None
    session = _marked(pid, MARK)
    if not session or pid == os.getpid() or _namespace_of(pid) != namespace:
        return None
    fields = stat_fields(pid)
    if not fields or fields[STATE] in (b"Z", b"X"):
        return None
    started = int(fields[START_TIME])
    if _has_manager(session, started):
        return None
    return Leftover(pid, session, started, _marked(pid, INSTANCE), _command_of(pid))


def _is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def _marked(pid: int, mark: bytes) -> str:
    data = environ_of(pid)
    if mark not in data:
        return ""
    marks = [item for item in data.split(b"\0") if item.startswith(mark)]
    return marks[0][len(mark) :].decode("ascii", "replace") if marks else ""


def _namespace_of(pid: int) -> str:
    """In another namespace the manager's pid means somebody else."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _has_manager(session: str, started: int) -> bool:
    """Whether the manager named by the mark may be alive; a mark that is not of our making counts as alive."""
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
    return shown if len(shown) <= WORDS else shown[: WORDS - 1] + "…"


def end_leftovers(leftovers: Iterable[Leftover], grace: float) -> list[Leftover]:
    """Ask each to end, kill after `grace` seconds what is left; returns those that live on (state D, or not ours).

    A pidfd holds each process fast, so that none can be taken for another that got its pid meanwhile.
    """
    held = [(one, fd) for one in leftovers if (fd := _hold(one)) is not None]
    try:
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process could not obey
            _signal_all(held, number)
        _wait_for(held, grace)
        _signal_all(held, signal.SIGKILL)
        _wait_for(held, grace)
        return [one for one, fd in held if not _has_ended(fd)]
    finally:
        for _, fd in held:
            os.close(fd)


def _hold(leftover: Leftover) -> int | None:
    """A pidfd of the leftover, if the pid is still its own."""
    try:
        fd = os.pidfd_open(leftover.pid)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise
    fields = stat_fields(leftover.pid)
    if fields and int(fields[START_TIME]) == leftover.started and _marked(leftover.pid, MARK) == leftover.session:
        return fd
    os.close(fd)
    return None


def _signal_all(held: Iterable[tuple[Leftover, int]], number: int) -> None:
    for _, fd in held:
        try:
            signal.pidfd_send_signal(fd, number)
        except (ProcessLookupError, PermissionError):
            continue


def _wait_for(held: Iterable[tuple[Leftover, int]], limit: float) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end and not all(_has_ended(fd) for _, fd in held):
        time.sleep(PAUSE)


def _has_ended(fd: int) -> bool:
    """A pidfd is readable when its process has ended (pidfd_open(2))."""
    import select

    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
