"""Signals and reaps the descendants of this process, as their subreaper, until none is left."""

from __future__ import annotations

import os
import time

from procman.core.model.status import ExitStatus
from procman.runtime.system.procfs import is_zombie, own_children, proc_is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without the enums: see signals.py

# Whether a child's end can be seen before it is reaped, and what lives of its group. Without waitid (macOS before
# Python 3.13) or /proc, a child is reaped immediately. The number of its group stays taken as long as a process of it
# lives (POSIX: fork(2) gives no pid that is a group's), so we can still signal the group, and check whether it is
# alive.
PEEKS = hasattr(os, "waitid") and os.path.exists("/proc/self/stat")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

MAX_REAPED = 256  # per round: a process that forks faster than we reap must not block us
PAUSE = 0.001  # seconds between two rounds of killing
KILL_LIMIT = 5.0  # seconds until a process that survives SIGKILL is given up: it hangs in the kernel


def prctl(option: int, value: int) -> bool:
    """Call prctl(2); return False if the system has none."""
    return call_libc("prctl", option, value, 0, 0, 0) == 0


def call_libc(name: str, *arguments: int | bytes) -> int:
    """Call a function of the C library that Python lacks; return its result, or -1 if the system does not have it.

    This uses the C half of ctypes, whose Python half costs 3 ms. CPython has had these calls since 2.5.
    """
    try:
        import _ctypes

        libc = _ctypes.dlopen(None, 2)  # type: ignore[arg-type]  # None is the program itself; 2 is RTLD_NOW
        return int(_ctypes.call_function(_ctypes.dlsym(libc, name), arguments))
    except (ImportError, OSError, AttributeError):
        return -1


def become_subreaper() -> bool:
    """Adopt the orphans of our descendants instead of leaving them to init (prctl(2), Linux 3.4)."""
    return prctl(PR_SET_CHILD_SUBREAPER, 1)


def send(pid: int, number: int) -> None:
    """Signal one process; ignore that it is gone, or not ours to signal."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def send_group(group: int, number: int) -> None:
    """Signal a process group, if it exists. macOS reports EPERM if only zombies are left in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def may_signal(pid: int) -> bool:
    """Return whether we may signal a process; not if it has become another user's, by `sudo`, say."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass
    return True


def group_of(pid: int) -> int:
    """Return the process group of `pid`; -1 if it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def session_of(pid: int) -> int:
    """Return the session of `pid`; -1 if it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def peek(pid: int) -> ExitStatus | None:
    """Return how `pid` ended, or None while it lives, without reaping it (waitid(2), WNOWAIT); see PEEKS."""
    try:
        if not (PEEKS and hasattr(os, "waitid")):
            end = end_of(pid)
            return None if end is None else ExitStatus(code=end) if end >= 0 else ExitStatus(signal=-end)
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return ExitStatus(code=0)  # reaped elsewhere; its status is lost
    if info is None:
        return None
    if info.si_code == os.CLD_EXITED:
        return ExitStatus(code=info.si_status)
    return ExitStatus(signal=info.si_status)


def group_lives(group: int) -> bool:
    """Return whether a process of a group lives whose leader is reaped; False if it is not ours to signal.

    macOS reports EPERM if only zombies are left. Those that we have adopted are reaped first.
    """
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_of(child: int) -> int | None:
    """Reap `child`. Return its exit code, or minus the number of the signal that killed it; None while it lives."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def in_shell(end: int) -> int:
    """Return the exit code that a shell gives such an end: 128 + n for signal n."""
    return end if end >= 0 else 128 - end


def reap_some() -> bool:
    """Reap up to MAX_REAPED children; return False if no child is left."""
    try:
        for _ in range(MAX_REAPED):
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
    except ChildProcessError:
        return False
    return True


def prior_children() -> tuple[int, ...]:
    """Return the children that this process had before it became procman (`other & exec procman start`).

    Empty for PID 1, whose end is theirs too.
    """
    return () if os.getpid() == 1 else tuple(own_children())


def kill_until_empty(spare: tuple[int, ...] = ()) -> list[int]:
    """Kill and reap all our children, adopted ones included, until the kernel reports that none is left.

    All descendants of a subreaper become its children, and the pid of an unreaped child is not recycled. So no other
    process is hit, and an empty result proves that nothing is left. Returns the pids that survived KILL_LIMIT: they
    hang in the kernel (state D), or are another user's. `spare` are children to leave alone.
    """
    end = time.monotonic() + KILL_LIMIT
    while reap_some():  # usually nothing is left, and /proc need not be read
        left = [pid for pid in own_children() if pid not in spare]
        for pid in left:
            send(pid, signal.SIGKILL)
        if os.getpid() == 1 and not proc_is_ours():
            send(-1, signal.SIGKILL)  # all of our namespace; /proc shows pids of the outer one
        if spare and not left:
            return []
        if time.monotonic() > end or (left and not any(is_zombie(pid) or may_signal(pid) for pid in left)):
            return [pid for pid in left if not is_zombie(pid)]
        time.sleep(PAUSE)
    return []
