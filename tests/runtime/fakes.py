"""A kernel in memory: processes, signals, /proc and a clock, for tests that start no process and never sleep.

The kernel is faked at its own border, the system calls, so that all of procman's code above them runs as it is. Pipes
and descriptors are real. The clock moves only when a process would sleep: a wait goes straight to the next thing that
was planned with `Kernel.after`. Waiting forever with nothing planned is an error, and so is not waiting at all.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import heapq
import io
import itertools
import os
import resource
import select
import signal
import termios
import time
from typing import Any, NoReturn

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.output.hub import Hub
from procman.output.outlet import Outlet
from procman.output.sink import Sink
from procman.output.sinks.history import History
from procman.runtime.loop.component import QuietComponent
from procman.runtime.loop.engine import Engine
from procman.runtime.loop.signal_requests import JobControl, SignalRequests
from procman.runtime.processes.children import Children
from procman.runtime.processes.launcher import Launcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

    from procman.core.lifecycle.instance import Instance
    from procman.runtime.loop.component import Component
    from procman.runtime.processes.pty import Window

FIRST_PID = 4_000_000_000  # no real process has such a number
WALL_CLOCK = 1_700_000_000.123456  # seconds since 1970 when the kernel's clock was 0
MOST_POLLS = 1000  # at one moment of the clock; more of them is a loop that spins
DEADLY = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGKILL, signal.SIGUSR1})
RLIMIT_LOCKS = 10
_real = {
    name: getattr(os, name)
    for name in ("open", "listdir", "readlink", "stat", "kill", "getpgid", "getsid", "waitpid", "waitid", "openpty")
}
_real_open = builtins.open
_real_monotonic, _real_sleep = time.monotonic, time.sleep
_real_epoll, _real_poll = select.epoll, select.poll


def wait_until_readable(fd: int, limit: float = 10.0) -> None:
    """What goes through a pseudo-terminal arrives a moment later: the kernel's own thread carries it. In true seconds;
    only a hang reaches the limit."""
    poll = _real_poll()
    poll.register(fd, select.POLLIN)
    poll.poll(limit * 1000)


def open_descriptors() -> list[int]:
    """All of this process but those of threads that watch the disk, which come and go."""
    found = []
    for fd in map(int, _real["listdir"]("/proc/self/fd")):
        try:
            target = _real["readlink"](f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the descriptor of the listing itself
        if not target.startswith("anon_inode:"):
            found.append(fd)
    return sorted(found)


def _unread(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4), "little")


def _wait_until(condition: Callable[[], bool], limit: float = 10.0) -> None:
    end = _real_monotonic() + limit
    while not condition() and _real_monotonic() < end:
        _real_sleep(0.0002)


def read_whole(fd: int, size: int) -> bytes:
    """Read so many bytes from a pseudo-terminal, as soon as all of them have arrived."""
    _wait_until(lambda: _unread(fd) >= size)
    return os.read(fd, 1 << 16)


class SpinningError(AssertionError):
    """The loop asks again and again and never waits."""


class StuckError(AssertionError):
    """A wait for an event that will never happen."""


class Process:
    """One process. A test is its program: it writes, forks, ignores signals and exits."""

    def __init__(self, kernel: Kernel, parent: int, command: str, env: dict[str, str]) -> None:
        self.kernel = kernel
        self.pid = next(kernel.pids)
        self.parent = parent
        self.group = self.session = self.pid
        self.command = command
        self.env = env
        self.locks = kernel.limits[RLIMIT_LOCKS][0]
        self.fds: dict[int, int] = {}
        self.state = "S"
        self.end: tuple[int | None, int | None] | None = None  # exit code, signal
        self.ignores: set[int] = set()
        self.blocked: set[int] = set()  # shown in /proc only
        self.caught: set[int] = set()  # shown in /proc, and survived
        self.immortal = False  # hangs in the kernel
        self.slow_to_stop = False
        self.pending: list[int] = []
        self.got: list[int] = []
        self.on_signal: Callable[[int], None] = lambda _number: None
        self.uid = os.geteuid()
        self.started = self.pid
        kernel.processes[self.pid] = self

    @property
    def name(self) -> str:
        return self.env.get("PROCMAN_INSTANCE", "")

    @property
    def alive(self) -> bool:
        return self.end is None

    def write(self, data: bytes, stream: int = 1) -> int:
        """Write what fits in the pipe."""
        fd = self.fds[stream]
        master = self.kernel.masters[os.ttyname(fd)] if os.isatty(fd) else -1
        before = _unread(master) if master >= 0 else 0
        try:
            size = os.write(fd, data)
        except BlockingIOError:
            return 0
        if master >= 0:
            _wait_until(lambda: _unread(master) >= before + size)
        return size

    def fork(self, command: str = "helper", *, own_session: bool = False, env: dict[str, str] | None = None) -> Process:
        """A child of this process, in its group or in a session of its own."""
        child = Process(self.kernel, self.pid, command, self.env if env is None else env)
        child.locks = self.locks
        if not own_session:
            child.group, child.session = self.group, self.session
        child.fds = {fd: os.dup(number) for fd, number in self.fds.items()}
        return child

    def close_output(self) -> None:
        """Close both streams, and stay alive."""
        for fd in (1, 2):
            os.close(self.fds.pop(fd))

    def exit(self, code: int = 0) -> None:
        """End by itself."""
        self._end(code, None)

    def take(self, number: int) -> None:
        """A signal arrives."""
        if not self.alive:
            return
        if number != 0:
            self.got.append(number)
        if self.state == "T" and number not in (signal.SIGKILL, signal.SIGCONT):
            self.pending.append(number)
        elif number == signal.SIGSTOP and not self.slow_to_stop:
            self.state = "T"
        elif number == signal.SIGCONT:
            self.state = "S"
            pending, self.pending = self.pending, []
            for one in pending:
                self.got.remove(one)
                self.take(one)
        elif self._dies_of(number):
            self._end(None, number)
        self.on_signal(number)

    def _dies_of(self, number: int) -> bool:
        if number == signal.SIGKILL:
            return not self.immortal
        return number in DEADLY and number not in self.ignores | self.caught

    def _end(self, code: int | None, number: int | None) -> None:
        if not self.alive:
            return
        self.end, self.state = (code, number), "Z"
        for fd in self.fds.values():
            os.close(fd)
        self.fds.clear()
        for fd, (process, writer) in list(self.kernel.pidfds.items()):
            if process is self:
                os.close(writer)
                del self.kernel.pidfds[fd]
        for child in list(self.kernel.processes.values()):
            if child.parent == self.pid:
                child.parent = self.kernel.us  # a subreaper adopts them
        if self.parent == self.kernel.us:
            self.kernel.signals.arrive(signal.SIGCHLD)
        else:
            del self.kernel.processes[self.pid]  # its parent reaps it


class Signals:
    """The signals that were sent to us, as the engine reads them."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def arrive(self, *numbers: int) -> None:
        os.write(self.writer, bytes(numbers))

    def fileno(self) -> int:
        return self.reader

    def read(self) -> bytes:
        try:
            return os.read(self.reader, 4096)
        except BlockingIOError:
            return b""


class Kernel:
    """All processes of a test, and its clock. `sent` notes each signal: (pid, number), a group as a negative pid."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.us = os.getpid()
        self.now = 1000.0
        self.pids = itertools.count(FIRST_PID)
        self.limits = {resource.RLIMIT_NOFILE: (4096, 4096), RLIMIT_LOCKS: (-1, -1)}
        self.processes: dict[int, Process] = {}
        self.signals = Signals()
        self.sent: list[tuple[int, int]] = []
        self.refusals: list[OSError] = []  # what the next spawns fail with
        self.on_spawn: Callable[[Process], object] = lambda _process: None
        self.spawned: list[Process] = []
        self.reaped: list[int] = []
        self.waits: list[float | None] = []  # each timeout that a poller had to wait for, except 0
        self.epolls: list[Epoll] = []
        self.stopped_us = 0
        self.pidfds: dict[int, tuple[Process, int]] = {}  # the process behind each, and what its end closes
        self.masters: dict[str, int] = {}  # of pseudo-terminals, by the path of the other side
        self._planned: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._polls = 0
        self._patch(monkeypatch)

    # What a test does ---------------------------------------------------------------------------------------------

    def after(self, seconds: float, happening: Callable[[], object]) -> None:
        """Let something happen during a wait, so many seconds from now."""
        heapq.heappush(self._planned, (self.now + seconds, next(self._order), happening))

    def process(self, name: str) -> Process:
        """The child that is the present life of the instance `name`."""
        return next(
            one
            for one in reversed(self.spawned)
            if one.name == name and one.alive and not one.command.startswith("side-")
        )

    def named(self, name: str) -> list[Process]:
        """All lives of an instance, and its side commands, in the order in which they were started."""
        return [one for one in self.spawned if one.name == name]

    @property
    def living(self) -> list[str]:
        return [one.command for one in self.processes.values() if one.alive]

    def signals_to(self, process: Process) -> list[int]:
        """What was sent to it: alone, or with its group."""
        return [number for pid, number in self.sent if pid in (process.pid, -process.group)]

    # Time ---------------------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """time.sleep: everything that was planned meanwhile happens."""
        until = self.now + seconds
        while self._planned and self._planned[0][0] <= until:
            self._happen()
        self._move(until)

    def wait(self, timeout: float | None) -> bool:
        """Let the next thing happen within `timeout` seconds; False when the time is over."""
        if self._planned and (timeout is None or self._planned[0][0] <= self.now + timeout):
            self._happen()
            return True
        if timeout is None:
            raise StuckError("it would sleep for ever")
        self._move(self.now + timeout)
        return False

    def _happen(self) -> None:
        due, _, happening = heapq.heappop(self._planned)
        self._move(due)
        happening()

    def _move(self, now: float) -> None:
        if now > self.now:
            self._polls = 0
        self.now = max(now, self.now)

    def count_poll(self) -> None:
        self._polls += 1
        if self._polls > MOST_POLLS:
            raise SpinningError(f"{MOST_POLLS} polls, and no time has passed")

    # System calls -------------------------------------------------------------------------------------------------

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("open", "listdir", "readlink", "stat", "kill", "killpg", "getpgid", "getsid", "waitpid", "waitid"):
            monkeypatch.setattr(os, name, getattr(self, f"_{name}"))
        monkeypatch.setattr(os, "posix_spawn", self._posix_spawn)
        monkeypatch.setattr(os, "fork", _no_fork)
        monkeypatch.setattr(os, "pidfd_open", self._pidfd_open)
        monkeypatch.setattr("_signal.pidfd_send_signal", self._pidfd_send_signal)
        monkeypatch.setattr(os, "openpty", self._openpty)
        monkeypatch.setattr(builtins, "open", self._open_file)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: WALL_CLOCK + self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(select, "epoll", lambda: Epoll(self))
        monkeypatch.setattr(select, "poll", lambda: Poll(self))
        for name in ("getrlimit", "setrlimit", "prlimit"):
            monkeypatch.setattr(resource, name, getattr(self, f"_{name}"))

    def _posix_spawn(self, program: str, words: list[str], env: dict[str, str], **more: Any) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        assert more["setsid"]
        child = Process(self, self.us, words[-1], dict(env))
        for action in more["file_actions"]:
            if action[0] == os.POSIX_SPAWN_OPEN:
                child.fds[action[1]] = _real["open"](action[2], action[3] | os.O_NOCTTY)
            else:
                child.fds[action[2]] = os.dup(child.fds.get(action[1], action[1]))
        for fd in (1, 2):
            os.set_blocking(child.fds[fd], False)
        self.spawned.append(child)
        self.on_spawn(child)
        return child.pid

    def _openpty(self) -> tuple[int, int]:
        master, slave = _real["openpty"]()
        self.masters[os.ttyname(slave)] = master
        return master, slave

    def _pidfd_open(self, pid: int, _flags: int = 0) -> int:
        process = self._existing(pid)
        reader, writer = os.pipe()
        self.pidfds[reader] = process, writer
        return reader

    def _pidfd_send_signal(self, fd: int, number: int) -> None:
        if fd not in self.pidfds:
            raise ProcessLookupError
        self.pidfds[fd][0].take(number)

    def _kill(self, pid: int, number: int) -> None:
        if pid == self.us:
            self.stopped_us += number == signal.SIGSTOP
            self.sent.append((pid, number))
            return
        process = self._existing(pid)
        self.sent.append((pid, number))
        process.take(number)

    def _killpg(self, group: int, number: int) -> None:
        members = [one for one in self.processes.values() if one.group == group]
        if not members:
            raise ProcessLookupError
        self.sent.append((-group, number))
        for one in members:
            one.take(number)

    def _getpgid(self, pid: int) -> int:
        return self._existing(pid).group if pid not in (0, self.us) else _real["getpgid"](pid)

    def _getsid(self, pid: int) -> int:
        return self._existing(pid).session if pid not in (0, self.us) else _real["getsid"](pid)

    def _existing(self, pid: int) -> Process:
        if pid not in self.processes:
            raise ProcessLookupError(errno.ESRCH, "No such process")
        return self.processes[pid]

    def _children(self, parent: int) -> list[Process]:
        return [one for one in self.processes.values() if one.parent == parent]

    def _waitid(self, _kind: int, pid: int, options: int) -> Any:
        assert options & os.WNOWAIT
        assert options & os.WNOHANG
        process = self.processes.get(pid)
        if process is None or process.parent != self.us:
            raise ChildProcessError
        if process.end is None:
            return None
        code, number = process.end
        return _WaitInfo(os.CLD_EXITED if number is None else os.CLD_KILLED, code if number is None else number)

    def _waitpid(self, pid: int, options: int) -> tuple[int, int]:
        candidates = [one for one in self._children(self.us) if pid in (-1, one.pid)]
        if not candidates:
            raise ChildProcessError
        ended = next((one for one in candidates if one.end is not None), None)
        if ended is None:
            assert options & os.WNOHANG, "waitpid would block"
            return 0, 0
        del self.processes[ended.pid]
        self.reaped.append(ended.pid)
        code, number = ended.end or (0, None)
        return ended.pid, (code or 0) << 8 if number is None else number

    # /proc --------------------------------------------------------------------------------------------------------

    def _proc(self, path: object) -> bytes | None:
        """The contents of a file below /proc; None for any other file. Raises FileNotFoundError."""
        if not isinstance(path, str) or not path.startswith("/proc/"):
            return None
        _, _, number, *rest = path.split("/")
        if number == "self" or not number.isdigit():
            return None
        pid = int(number)
        if rest[:1] == ["task"] and rest[-1:] == ["children"]:
            return b"".join(b"%d " % one.pid for one in self._children(pid))
        if pid not in self.processes:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self._file_of(self.processes[pid], rest[0])

    def _file_of(self, one: Process, name: str) -> bytes:
        if name == "stat":
            fields = [one.state, one.parent, one.group, one.session, *[0] * 15, one.started, *[0] * 30]
            return f"{one.pid} (a (b) c) {' '.join(map(str, fields))}\n".encode()
        if name == "status":
            kinds = (one.blocked, one.ignores, one.caught)
            blocked, ignored, caught = (sum(1 << (number - 1) for number in them) for them in kinds)
            sets = f"SigBlk:\t{blocked:x}\nSigIgn:\t{ignored:x}\nSigCgt:\t{caught:x}\n"
            return f"Name:\tx\nState:\t{one.state} (a state)\n{sets}".encode()
        if name == "environ":
            return b"".join(f"{key}={value}\0".encode() for key, value in one.env.items())
        if name == "cmdline":
            return one.command.replace(" ", "\0").encode() + b"\0"
        if name == "syscall":
            return b"running\n"
        assert name == "comm"
        return one.command.split()[0].encode() + b"\n"

    def _open(self, path: Any, flags: int, *more: Any, **named: Any) -> int:
        content = self._proc(path)
        if content is None:
            return int(_real["open"](path, flags, *more, **named))
        fd = os.memfd_create("proc")
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def _open_file(self, path: Any, *more: Any, **named: Any) -> Any:
        content = self._proc(path)
        return _real_open(path, *more, **named) if content is None else io.BytesIO(content)

    def _listdir(self, path: Any = ".") -> list[str]:
        if path == "/proc":
            return [*map(str, self.processes), "meminfo"]
        if isinstance(path, str) and path.startswith("/proc/") and path.endswith("/task"):
            pid = int(path.split("/")[2])
            self._existing(pid)
            return [str(pid)]
        found: list[str] = _real["listdir"](path)
        return found

    def _readlink(self, path: Any, **named: Any) -> str:
        if isinstance(path, str) and path.startswith("/proc/") and path.endswith("/ns/pid"):
            if path.split("/")[2] != "self":
                self._proc(path.replace("/ns/pid", "/comm"))
            return "pid:[1]"
        return str(_real["readlink"](path, **named))

    def _stat(self, path: Any, **named: Any) -> Any:
        if isinstance(path, str) and path.startswith(f"/proc/{FIRST_PID // 1000}"):
            return _Owned(self._existing(int(path.split("/")[2])).uid)
        return _real["stat"](path, **named)

    # Limits -------------------------------------------------------------------------------------------------------

    def _getrlimit(self, which: int) -> tuple[int, int]:
        return self.limits[which]

    def _setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        self.limits[which] = limits

    def _prlimit(self, pid: int, which: int, limits: tuple[int, int] | None = None) -> tuple[int, int]:
        process = self._existing(pid)
        if limits is not None:
            process.env["limited"] = f"{which} {limits}"
        return process.locks, -1


class _WaitInfo:
    def __init__(self, code: int, status: int | None) -> None:
        self.si_code = code
        self.si_status = status


class _Owned:
    def __init__(self, uid: int) -> None:
        self.st_uid = uid


def _no_fork() -> NoReturn:
    raise AssertionError("a unit test starts no process")


class Epoll:
    """epoll(7) on real descriptors and the kernel's clock. `events` is what is waited for, by descriptor."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._epoll = _real_epoll()
        self.events: dict[int, int] = {}
        kernel.epolls.append(self)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def register(self, fd: int, events: int) -> None:
        self._epoll.register(fd, events)
        self.events[fd] = events

    def modify(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)
        self.events[fd] = events

    def unregister(self, fd: int) -> None:
        self._epoll.unregister(fd)
        del self.events[fd]

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        limit = None if timeout < 0 else timeout
        if limit != 0:
            self._kernel.waits.append(limit)
        until = None if limit is None else self._kernel.now + limit
        while True:
            self._kernel.count_poll()
            ready = self._epoll.poll(0)
            left = None if until is None else until - self._kernel.now
            if ready or (left is not None and left <= 0):
                return ready
            self._kernel.wait(left)

    def close(self) -> None:
        self._epoll.close()


class Poll:
    """poll(2), likewise; its timeout is in milliseconds."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._poll = _real_poll()

    def register(self, fd: int, events: int) -> None:
        self._poll.register(fd, events)

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        until = None if timeout is None else self._kernel.now + timeout / 1000
        while True:
            self._kernel.count_poll()
            ready = self._poll.poll(0)
            left = None if until is None else until - self._kernel.now
            if ready or (left is not None and left <= 0):
                return ready
            self._kernel.wait(left)


# A whole run ----------------------------------------------------------------------------------------------------------


def a_plan(name: str, command: str = "serve", *, grace: float = 5.0, **more: Any) -> InstancePlan:
    """The plan of an instance, `web.1`; `more` are attributes of it."""
    process_type, _, number = name.partition(".")
    env = {"PATH": "/nowhere", "PROCMAN_INSTANCE": name, "PROCMAN_SESSION": "s1"}
    restart = more.pop("restart", None) or RestartPolicy()
    stop = more.pop("stop", None) or StopPolicy(grace=grace)
    plan = InstancePlan(name, process_type, int(number or 1), None, command, os.getcwd(), env, restart, stop)
    for key, value in more.items():
        setattr(plan, key, value)
    return plan


class Screen(Sink):
    """Shows lines as they are, and notes them."""

    __slots__ = ("announced", "closed", "lines", "on_partial", "outlet", "parts", "reopened")

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.lines: list[tuple[str, bytes]] = []
        self.parts: list[bytes] = []  # chunks that were not copied
        self.announced: list[str] = []
        self.reopened = 0
        self.closed = False
        self.on_partial: Callable[[bytes], object] = lambda _tail: None

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        self.on_partial(tail)
        return False

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        self.lines.append((name, lines))
        self.outlet.put(lines)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        self.parts.append(chunk)
        super().publish_parts(name, stream, before, chunk, end)

    def announce(self, text: str) -> None:
        self.announced.append(text)

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed = True


class Recorder(QuietComponent):
    """A component that notes what it is told, with the time."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._began = kernel.now
        self.events: list[tuple[str, str]] = []
        self.times: dict[tuple[str, str], float] = {}  # seconds since the start, of the latest such event
        self.calls: list[str] = []
        self.closed_with: int | None = None

    def open(self, poller: object) -> None:
        self.calls.append("open")

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        assert now == self._kernel.now
        self.events.append((action, instance.name))
        self.times[action, instance.name] = round(now - self._began, 6)

    def tick(self, now: float) -> None:
        assert now == self._kernel.now

    def close(self, now: float, code: int) -> None:
        assert self.closed_with is None
        self.closed_with = code
        self.calls.append("close")


class Run:
    """An engine and all that it drives, on a fake kernel; its output goes into a pipe that the test reads."""

    def __init__(
        self,
        kernel: Kernel,
        *plans: InstancePlan | str,
        exit_rule: str = "all",
        components: Callable[[Run], Sequence[Component]] = lambda _run: (),
        window: Window | None = None,
        separate: bool = False,
        guardian_pipe: int | None = None,
        stdout: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.supervisor = Supervisor([a_plan(p) if isinstance(p, str) else p for p in plans], exit_rule)
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.outlet = Outlet(writer if stdout is None else stdout)
        os.close(writer)
        self.screen = Screen(self.outlet)
        self.hub = Hub(self.screen, history=History(len(plans), lambda: WALL_CLOCK + kernel.now))
        self.children = Children("s1", len(plans), separate)
        self.children.announce = self.hub.announce
        self.launcher = Launcher(self.supervisor, self.children, window)
        self.foreground = JobControl(1)
        signals: Any = kernel.signals
        self.suspended: list[str] = []
        self.requests = SignalRequests(
            self.supervisor,
            self.children,
            self.hub,
            self.outlet,
            self.foreground,
            signals,
            guardian_pipe,
            lambda: self.suspended.append("guardian"),
        )
        self.recorder = Recorder(kernel)
        self.engine = Engine(
            self.supervisor,
            self.children,
            self.launcher,
            self.hub,
            self.outlet,
            self.requests,
            (self.recorder, *components(self)),
        )
        self.poller = kernel.epolls[-2]  # the engine's; the last one is that of its pumps
        self.pumps_poller = kernel.epolls[-1]

    def run(self) -> int:
        """From the first launch to the exit code."""
        self.launcher.begin()
        return self.engine.run()

    def after(self, seconds: float, happening: Callable[[], object]) -> None:
        self.kernel.after(seconds, happening)

    def signal(self, *numbers: int) -> None:
        self.kernel.signals.arrive(*numbers)

    def dies(self, child: Process, seconds: float, code: int = 3) -> None:
        self.after(seconds, lambda: child.exit(code))

    def exits(self, name: str, code: int = 0) -> Callable[[], object]:
        return lambda: self.kernel.process(name).exit(code)

    def read(self) -> bytes:
        """All that the reader of our output finds."""
        parts = []
        try:
            while part := os.read(self.reader, 1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    @property
    def events(self) -> list[tuple[str, str]]:
        return self.recorder.events

    def state(self, name: str) -> str:
        return self.supervisor.instances[name].state

    def lines(self, name: str) -> bytes:
        return b"".join(lines for who, lines in self.screen.lines if who == name)


def signal_names(numbers: Iterable[int]) -> list[str]:
    return [signal.Signals(number).name.removeprefix("SIG") for number in numbers]
