"""Says which processes of a group a stop signal is for: the program alone, or all of the group.

A program that handles the signal knows what to do with its own processes: a prefork worker (celery, gunicorn, a pool of
multiprocessing) lets them finish the job at hand. So the signal goes to the leader alone, if it handles it. A leader
that does not handle it would end immediately, and its group would get the signal next, so the whole group gets it
together. The same goes for a leader that ignores it.

Linux only, since /proc shows what a process handles. Elsewhere the command says whether its leader is a program.
"""

from __future__ import annotations

import os
import sys
import time

from procman.core.procfile.command import argv, is_simple
from procman.runtime.system.descendants import group_of
from procman.runtime.system.procfs import children_of, comm_of, content, is_zombie

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable

    from procman.core.model.plan import InstancePlan
else:
    import _signal as signal  # without the enums: see signals.py

LOOKS = 4  # more, at a process that blocks signals and may do so only for a moment
LOOK_PAUSE = 0.0003  # seconds between them
SHELLS = frozenset((b"sh", b"bash", b"dash", b"zsh", b"ksh", b"mksh", b"ash", b"busybox"))
_PASS_ON = frozenset((b"npm", b"npx", b"yarn", b"pnpm", b"make", b"gmake", b"just"))  # to a shell, which then ends
_SIGNAL_SET_SIZE = 8  # bytes
_SIGTIMEDWAIT = {"x86_64": b"128", "aarch64": b"137", "riscv64": b"137", "ppc64le": b"176", "s390x": b"177"}
"""The number of rt_sigtimedwait(2) by machine, from Linux's tables of system calls."""
_DISPOSITIONS = {b"SigBlk": "blocked", b"SigIgn": "ignored", b"SigCgt": "caught"}  # of /proc/PID/status, proc(5)
_ENDING = sum(1 << (one - 1) for one in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))


def programs_of(leader: int, number: int, plan: InstancePlan, on_terminal: bool) -> list[int]:
    """Return the processes that get the stop signal `number` first; an empty list stands for the whole group.

    That is the leader, or the programs behind a shell that the user wants kept out (`stop_to = "program"`).
    """
    if plan.stop.to == "group":
        return []
    told = dispositions(leader)
    if told is None:
        return [leader] if plan.stop.to or _is_program(plan.command) else []
    wanted = plan.stop.to == "program"
    if not handles(leader, number):
        if not wanted:
            return []
        return living_children(leader) if is_shell(leader) else [leader] if _has(told, "ignored", number) else []
    if number == signal.SIGINT and is_shell(leader) and not wanted:
        return []  # shells handle it by themselves, and wait for what they run
    return [] if on_terminal and is_launcher(leader, number) and not wanted else [leader]


def handles(pid: int, number: int) -> bool:
    """Return whether a process has a handler for the signal, or blocks it in order to wait for it."""
    told = dispositions(pid)
    return told is not None and (_has(told, "caught", number) or _has(told, "blocked", number))


def ignores(pid: int, number: int) -> bool:
    """Return whether a process ignores the signal, as the background jobs of a shell ignore INT."""
    told = dispositions(pid)
    return told is not None and _has(told, "ignored", number)


def _has(told: dict[str, int], kind: str, number: int) -> bool:
    return bool(told.get(kind, 0) & 1 << (number - 1))


def dispositions(pid: int) -> dict[str, int] | None:
    """Return the sets of signals that a process has blocked, ignored and caught; None where that cannot be seen.

    The mask is that of the main thread. A signal that another thread waits for is blocked there, or it would end all.
    What is blocked only for a moment does not count.
    """
    told, is_passing = _read_status(pid)
    for _ in range(LOOKS):
        if told is None or not is_passing:
            break
        time.sleep(LOOK_PAUSE)
        told, is_passing = _read_status(pid)
    if told is None:
        return None
    if told["blocked"] & _ENDING and is_shell(pid):
        told["blocked"] = 0  # dash blocks all while it looks for children that have ended, bash around a fork
    told["blocked"] |= _awaited(pid)
    return told


def _read_status(pid: int) -> tuple[dict[str, int] | None, bool]:
    """Return the sets of signals, and whether what is blocked may be blocked only for a moment.

    The C library blocks all signals while a process forks, and it is running then, or waits without being interruptible
    for the child to execute its program (vfork(2)). A process that waits for the signals themselves is sleeping.
    """
    try:
        lines = content(f"/proc/{pid}/status").splitlines()
    except OSError:
        return None, False
    fields = dict(line.partition(b":")[::2] for line in lines)
    told = {kind: int(fields.get(name, b"0"), 16) for name, kind in _DISPOSITIONS.items()}
    is_busy = fields.get(b"State", b"").strip()[:1] in (b"R", b"D")
    return told, is_busy and bool(told["blocked"] & ~told["caught"] & _ENDING)


def _awaited(pid: int) -> int:
    """Return the set of signals that a process waits for in sigwait(3).

    The kernel takes them out of the mask while it waits, so they do not show as blocked. The set itself is in the
    memory of the process, at the address that is the first argument of the system call, as proc(5) shows it. It is
    recognized by its number, since not every kernel gives a name in /proc/PID/wchan.
    """
    try:
        number, *arguments = content(f"/proc/{pid}/syscall").split()
        if number != _SIGTIMEDWAIT.get(os.uname().machine):
            return 0
        address = int(arguments[0], 16)
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return int.from_bytes(memory.read(_SIGNAL_SET_SIZE), sys.byteorder)
    except (OSError, ValueError, IndexError):
        return 0


def is_shell(pid: int) -> bool:
    """Return whether a process is a shell. A script is called by its own name, so the file that runs counts, too."""
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).encode()
    except OSError:
        program = b""
    return program in SHELLS or comm_of(pid).strip() in SHELLS


def is_launcher(pid: int, number: int) -> bool:
    """Return whether a process handles the signal `number` only by ending, and leaves its program behind.

    `npm start` passes TERM on to its shell, and ends with it; `go run` ends alone. On a terminal their end would hang
    up on the program.
    """
    try:
        words = content(f"/proc/{pid}/cmdline").replace(b" ", b"\0").split(b"\0")[:2]
    except OSError:
        return False
    names = {word.rpartition(b"/")[2].partition(b".")[0] for word in words}
    if words[:1] and words[0].rpartition(b"/")[2] == b"go":
        return True
    return bool(names & _PASS_ON) and any(is_shell(one) and not handles(one, number) for one in children_of(pid))


def living_children(pid: int) -> list[int]:
    """Return the children of a process that have not ended."""
    return [one for one in children_of(pid) if not is_zombie(one)]


def others_of(leader: int, orphans: Iterable[int]) -> list[int]:
    """Return the living processes of a leader's group but the leader: descendants of it, or of what we adopted."""
    found, unseen = [], [*children_of(leader), *orphans]
    while unseen:
        pid = unseen.pop()
        if group_of(pid) == leader and not is_zombie(pid):
            found.append(pid)
        unseen += children_of(pid)
    return found


def _is_program(command: str) -> bool:
    """Return whether the leader of this command is a program and not a shell, judged by the command alone."""
    if not is_simple(command):
        return False
    return os.path.basename(argv(command)[0]).encode() not in SHELLS
