"""Does: looks at what descends from this process, and ends it: subreaper, orphans, kill until nothing is left."""

from __future__ import annotations

import errno
import os
import time

from procman.core.model.status import ExitStatus

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


def own_children() -> list[int]:
    """The pids of all our direct children, zombies and adopted orphans included; a few small calls on Linux."""
    me = os.getpid()
    if not proc_is_ours():
        return []
    try:
        return _children_of_thread(me, str(me))
    except OSError:
        return _children_by_scan(me)


def children_of(parent: int) -> list[int]:
    """The pids of another process' direct children, zombies included; empty where /proc does not tell."""
    if not proc_is_ours():
        return []
    found = []
    for thread in _listing(f"/proc/{parent}/task"):
        try:
            found += _children_of_thread(parent, thread)
        except OSError:
            pass  # it has just ended
    return found


def _children_of_thread(process: int, thread: str) -> list[int]:
    """Those that this thread has forked (proc(5))."""
    return [int(pid) for pid in content(f"/proc/{process}/task/{thread}/children").split()]


def content(path: str) -> bytes:
    """All of a file below /proc; an open file of Python's would ask for its size and place, too, at each look."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def proc_is_ours() -> bool:
    """Whether /proc speaks of our pids: after `unshare --pid` without --mount-proc it is still the outer namespace's.

    Without /proc (macOS) there is nothing to be misled by.
    """
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return True


def _children_by_scan(parent: int) -> list[int]:
    """For kernels without CONFIG_PROC_CHILDREN: look at every process. Empty without /proc (macOS)."""
    return [int(name) for name in _listing("/proc") if name.isdigit() and parent_of(int(name)) == parent]


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def stat_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat after the command: state, ppid, pgrp, session, …; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def parent_of(pid: int) -> int | None:
    """The parent's pid, or None when the process is gone."""
    fields = stat_fields(pid)
    return int(fields[1]) if fields else None


def is_zombie(pid: int) -> bool:
    """Whether it has ended and only waits to be reaped; a process that is gone counts too."""
    fields = stat_fields(pid)
    return not fields or fields[0] in (b"Z", b"X")


def is_awake(pid: int) -> bool:
    """Whether it is there and not stopped (state T, proc(5)); False as well where that cannot be seen."""
    return proc_is_ours() and stat_fields(pid)[:1] not in ([b"T"], [])


def comm_of(pid: int) -> bytes:
    """The short name of `pid` and a newline; empty when it is gone, or without /proc."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read()
    except OSError:
        return b""


def environ_of(pid: int) -> bytes:
    """The environment that `pid` was started with, as NUL-separated bytes; empty when we may not look."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


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


def close_inherited_on_exec() -> None:
    """Mark every inherited descriptor above 2 close-on-exec: a child gets 0, 1 and 2, whatever we were given."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for name in _listing(folder):
        if name.isdigit() and int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError as error:
                if error.errno != errno.EBADF:  # the descriptor of the listing itself
                    raise


def let_go_of_streams() -> None:
    """Hold neither the reader's pipe nor the terminal: who waits for their end waits for the manager alone."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError:  # no descriptor to be had: then these are given back
        os.closerange(0, 3)
        return
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def open_standard_descriptors() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed, so that no pipe of ours lands there."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this very one
