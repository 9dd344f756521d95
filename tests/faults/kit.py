"""What the fault tests have in common: misbehaving children, a look at processes, and who may do what here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import termios
import time

import psutil
import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from harness import Place, Session

PYTHON = f"{sys.executable} -I -S -E"
NOBODY = 65534
ROLES = {"procman": "guardian", "procman-watch": "watchdog", "procman-manager": "manager"}
LIMIT = harness.LIMIT

# A daemon as the textbooks have it (fork, setsid, fork) that also forgets where it came from: it leaves group and
# session, and clears its environment. Only a subreaper can find it.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
    os._exit(0)
os.wait()
print("daemon away", flush=True)
time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 100000)
"""


def miss(reason: str) -> NoReturn:
    """Skip, or fail where everything is required to be there (PROCMAN_FAULTS=required)."""
    if os.environ.get("PROCMAN_FAULTS") == "required":
        pytest.fail(f"required here, but {reason}")
    pytest.skip(reason)


def need_linux() -> None:
    """For what only a subreaper or /proc can do."""
    if sys.platform != "linux":
        pytest.skip("only Linux has subreapers and /proc")


def need_root() -> None:
    """For tests that mount, limit or become another user."""
    need_linux()
    if os.geteuid() != 0:
        miss("this takes root")


def need_tool(name: str) -> str:
    """The path of a program of the system."""
    path = shutil.which(name)
    if path is None:
        miss(f"there is no {name}")
    return path


def script(place: Place, name: str, text: str) -> str:
    """Write a Python program in the place; the command that runs it."""
    return f"{PYTHON} {place.write(name, text)}"


_unique = iter(range(1, 1 << 30))


def sleep_time() -> str:
    """A unique argument for `sleep`, by which a process is found whatever else it hides."""
    return f"{40_000_000 + os.getpid()}.{next(_unique)}"


def running(argument: str) -> list[int]:
    """The pids of all sleepers that have this argument, without zombies."""
    if not os.path.isdir("/proc/self"):
        return [process.pid for process in psutil.process_iter() if _has(process, argument)]
    wanted = b"\0" + argument.encode() + b"\0"  # looked for often: psutil takes ten times as long
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _ends_with(name, wanted)]


def _ends_with(pid: str, argument: bytes) -> bool:
    """Whether it is a sleeper with this argument; a zombie has none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            words = file.read()
    except OSError:
        return False
    return words.endswith(argument) and words.partition(b"\0")[0].endswith(b"sleep")


def _has(process: psutil.Process, argument: str) -> bool:
    try:
        return process.name() == "sleep" and argument in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def wait_until(true: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Look until it is so."""
    end = time.monotonic() + limit
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.01)


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped a process."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def stop(pid: int) -> None:
    """Stop a process by a signal, and wait until it is: it has to run once more for that."""
    kill(pid, number=signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid), "the stop")


def wait_gone(*arguments: str, limit: float = LIMIT) -> None:
    """Wait until no process with one of these arguments runs."""
    wait_until(lambda: not any(map(running, arguments)), f"the end of {[(a, running(a)) for a in arguments]}", limit)


def wait_running(number: int, *arguments: str) -> None:
    """Wait until so many processes with these arguments run."""
    wait_until(lambda: sum(len(running(a)) for a in arguments) == number, f"{number} times {arguments}")


def roles(session: Session) -> dict[str, int]:
    """The pids of guardian, watchdog and manager of a session that has begun its output. Parents win: a child has the
    manager's name until it has changed its own."""
    return {ROLES[name]: pid for pid in reversed(all_pids(session)) if (name := name_of(pid)) in ROLES}


def stop_when_up(place: Place, session: Session, up: str = "up", limit: float = LIMIT) -> None:
    """Stop a session whose process has written ``up``, and let it end only when it has written ``asked``."""
    session.wait_for(rf"\| {up}", limit)
    session.signal(signal.SIGTERM)
    session.wait_for(r"\| (server )?asked")
    place.write("go", "")


def is_over(session: Session) -> bool:
    """Whether it has ended, and was not reaped yet."""
    return os.waitid(os.P_PID, session.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def name_of(pid: int) -> str:
    """The name of a process; empty if it has ended by now."""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def left_of(script: Session) -> list[int]:
    """The processes that are left of a procman that a script has started: but for the script and its sleep."""
    own = {script.pid, *(child.pid for child in psutil.Process(script.pid).children() if name_of(child.pid) == "sleep")}
    return [pid for pid in script.survivors() if pid not in own and psutil.pid_exists(pid)]


def kill(*pids: int, number: int = signal.SIGKILL) -> None:
    """Signal all of them in one go."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def all_pids(session: Session) -> list[int]:
    """The visible process and everything below it."""
    visible = psutil.Process(session.pid)
    return [visible.pid, *(p.pid for p in visible.children(recursive=True))]


def resident(pids: list[int]) -> int:
    """The memory that these processes have for themselves, in bytes (what they share is not counted)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(pid).memory_full_info().uss
    return total


def as_nobody(place: Place, *limits: str) -> str:
    """A program that is `procman` run by an ordinary user, with `prlimit` options such as "--nproc=20".

    The right to read everything is kept, and no other: the interpreter under test may lie in a folder of root's.
    """
    need_root()
    drop = (
        f"{need_tool('setpriv')} --reuid={NOBODY} --regid={NOBODY} --clear-groups"
        " --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search"
    )
    limit = f"{need_tool('prlimit')} {' '.join(limits)} " if limits else ""
    path = place.write("as-nobody", f'#!/bin/sh\nexec {drop} {limit}{harness.PROCMAN} "$@"\n', mode=0o755)
    for folder in (place.folder, *place.folder.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/pytest-of-root"):
            folder.chmod(0o755)
    return str(path)


def wrapper(place: Place, text: str, name: str = "wrapper") -> str:
    """A program that prepares something, in shell, and then becomes `procman` by `exec "$PROCMAN" "$@"`."""
    return str(place.write(name, f"#!/bin/sh\nPROCMAN={harness.PROCMAN}\n{text}\n", mode=0o755))


def in_pid_namespace(place: Place) -> str:
    """A program that runs `procman` as PID 1 of a namespace, with a /proc of its own."""
    need_linux()
    unshare = need_tool("unshare")
    words = [unshare, "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        words += ["--user", "--map-root-user"]
    if subprocess.run([*words, harness.PROCMAN, "--version"], capture_output=True, check=False).returncode != 0:
        miss("namespaces are not available here, or procman is out of their reach")
    return wrapper(place, f'exec {" ".join(words)} "$PROCMAN" "$@"', "pid-one")


def full_pipe() -> tuple[int, int]:
    """A full pipe that is not read: its reading and its writing end."""
    reader, writer = os.pipe()
    fill(writer)
    return reader, writer


def fill(fd: int) -> None:
    """Write until it would block."""
    os.set_blocking(fd, False)
    for piece in (b"x" * 65536, b"x"):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, piece)
    os.set_blocking(fd, True)


def read_all(fd: int, limit: float = LIMIT) -> bytes:
    """Read a descriptor to its end."""
    parts: list[bytes] = []
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if select.select([fd], [], [], 1)[0]:
            part = os.read(fd, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
    raise AssertionError("no end of it")


def cpu_seconds(pids: list[int]) -> float:
    """The processor time that these processes have used so far."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def descriptors(pid: int) -> int:
    """How many descriptors a process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def pipe_fill(fd: int) -> int:
    """How many bytes wait in a pipe."""
    waiting = bytearray(4)
    fcntl.ioctl(fd, termios.FIONREAD, waiting)
    return int.from_bytes(waiting, sys.byteorder)
