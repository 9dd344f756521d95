"""Does: looks at what descends from this process, and ends it: subreaper, orphans, kill until nothing is left."""

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

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

REAPED_PER_ROUND = 256  # a process that forks faster than we reap must not hold us here for ever
PAUSE = 0.001  # seconds between two rounds of killing
LAST_KILLS = 5.0  # seconds until what does not die of SIGKILL is given up: it hangs in the kernel


def prctl(option: int, value: int) -> bool:
    """Call prctl(2); False where the system has none.

    ctypes' C half is used where it has the calls (CPython has had them since 2.5): the Python half costs 3 ms.
    """
    try:
        import _ctypes

        libc = _ctypes.dlopen(None, 2)  # type: ignore[arg-type]  # None is the program itself; 2 is RTLD_NOW
        address = _ctypes.dlsym(libc, "prctl")
        return bool(_ctypes.call_function(address, (option, value, 0, 0, 0)) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def become_subreaper() -> bool:
    """Orphans of our descendants become our children instead of init's (prctl(2), Linux 3.4)."""
    return prctl(PR_SET_CHILD_SUBREAPER, 1)


def send(pid: int, number: int) -> None:
    """Signal one process; that it is gone, or not ours to signal, is no news."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def send_group(group: int, number: int) -> None:
    """Signal a process group; macOS says EPERM when only zombies are left in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def group_of(pid: int) -> int:
    """The process group of `pid`; -1 when it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def session_of(pid: int) -> int:
    """The session of `pid`; -1 when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def peek(pid: int) -> ExitStatus | None:
    """How `pid` ended, or None while it lives; without reaping it (waitid(2), WNOWAIT)."""
    try:
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return ExitStatus(code=0)  # reaped by somebody else; its status is lost
    if info is None:
        return None
    if info.si_code == os.CLD_EXITED:
        return ExitStatus(code=info.si_status)
    return ExitStatus(signal=info.si_status)


def end_of(child: int) -> int | None:
    """The exit code of `child`, or the number of the signal that killed it below 0; None while it lives."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def in_shell(end: int) -> int:
    """Such an end as a shell has it."""
    return end if end >= 0 else 128 - end


def reap_some() -> bool:
    """Reap up to 256 children; False when there is no child at all any more: nothing of ours is left."""
    try:
        for _ in range(REAPED_PER_ROUND):
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
    except ChildProcessError:
        return False
    return True


def prior_children() -> tuple[int, ...]:
    """The children that this process had before it became procman (`other & exec procman start`): not of our making.

    None for PID 1, whose end is theirs as well.
    """
    return () if os.getpid() == 1 else tuple(own_children())


def kill_until_empty(spare: tuple[int, ...] = ()) -> list[int]:
    """SIGKILL and reap all our children, adopted ones included, until the kernel says that there is none.

    A subreaper's children are all that ever came from it, and an unreaped child's pid cannot be recycled, so nobody
    else is hit and an empty result proves that nothing is left. Returns the pids that outlived LAST_KILLS: they hang
    in the kernel (state D). `spare` are children to leave alone.
    """
    end = time.monotonic() + LAST_KILLS
    while reap_some():  # in the usual end there is nobody, and nothing has to be read
        left = [pid for pid in own_children() if pid not in spare]
        for pid in left:
            send(pid, signal.SIGKILL)
        if os.getpid() == 1 and not proc_is_ours():
            send(-1, signal.SIGKILL)  # all of our namespace; pids of the outer one would be others in here
        if spare and not left:
            return []
        if time.monotonic() > end:
            return [pid for pid in left if not is_zombie(pid)]
        time.sleep(PAUSE)
    return []
