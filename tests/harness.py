"""Starts the installed ``procman`` for a test, reads its output, and leaves nothing of it behind.

A test never waits for a time: it waits for output, or for an end, with a limit that only a hang can reach.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import uuid
from pathlib import Path

import psutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

PROCMAN = str(Path(sys.executable).with_name("procman"))
STATE = f"{tempfile.gettempdir()}/procman-tests-{os.geteuid()}-state"  # the records of all sessions in the background
LIMIT = 60.0  # seconds; generous, so that only what hangs reaches it on a busy machine
MARK = "PROCMAN_TEST_MARK"  # every process of a session inherits it: that is how survivors are found
_FOREIGN = re.compile(
    r"^(PROCMAN_.*|PYTHON.*|PORT|PS|NO_COLOR|FORCE_COLOR|CLICOLOR.*|COLUMNS|LINES|INVOCATION_ID"
    r"|AGENT|AI_AGENT|CLAUDECODE|CODEX_.*|CURSOR_AGENT|GEMINI_CLI)$"
)

LISTENER = """import os, socket, time
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
print("listening", flush=True)
time.sleep(1000)
"""


class Finished:
    """What a finished command left: exit code and both streams as text."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment for a command under test: ours, without what would change its behavior; None takes one out."""
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    kept |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "XDG_STATE_HOME": STATE}
    for name, value in (changes or {}).items():
        kept.pop(name, None) if value is None else kept.update({name: value})
    return kept


def call(
    *words: str,
    cwd: Path,
    env: Mapping[str, str | None] | None = None,
    stdin: bytes = b"",
    limit: float = LIMIT,
    program: Sequence[str] = (PROCMAN,),
) -> Finished:
    """Run ``procman WORDS`` to its end. For commands that end by themselves. ``program``: another way to start it."""
    done = subprocess.run(
        [*program, *words], cwd=cwd, env=environment(env), input=stdin, capture_output=True, timeout=limit, check=False
    )
    return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


class Session:
    """A ``procman`` that runs beside the test; ``pty=True`` gives it a terminal of its own."""

    def __init__(
        self,
        *words: str,
        cwd: Path,
        env: Mapping[str, str | None] | None = None,
        pty: bool = False,
        program: str = PROCMAN,
        stdout: int | None = None,
    ) -> None:
        """``stdout``: a descriptor to write to instead of ours (a full pipe, a file); ``out`` stays empty then."""
        self.mark = uuid.uuid4().hex
        self.out = b""
        self.err = b""
        self._sought = {"out": 0, "err": 0}
        self._selector = selectors.DefaultSelector()
        surroundings = environment({**(env or {}), MARK: self.mark})
        start = self._start_on_terminal if pty else self._start_on_pipes
        self.process = start([program, *words], cwd, surroundings, stdout)
        self.pid = self.process.pid

    def _start_on_pipes(self, words: list[str], cwd: Path, env: dict[str, str], stdout: int | None) -> Process:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if process.stdout is not None:
            self._listen(process.stdout.fileno(), "out")
        assert process.stderr is not None
        self._listen(process.stderr.fileno(), "err")
        return process

    def _start_on_terminal(self, words: list[str], cwd: Path, env: dict[str, str], stdout: int | None) -> Process:
        self.terminal, slave = os.openpty()
        self.resize(rows=24, columns=80)
        process = subprocess.Popen(words, cwd=cwd, env=env, preexec_fn=lambda: os.login_tty(slave))  # noqa: PLW1509 (no threads)
        os.close(slave)
        self._listen(self.terminal, "out")
        return process

    def _listen(self, fd: int, stream: str) -> None:
        os.set_blocking(fd, False)
        self._selector.register(fd, selectors.EVENT_READ, stream)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, as a user who drags its corner."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Type on the terminal: ``b"\\x03"`` is Ctrl-C, ``b"\\x1a"`` is Ctrl-Z."""
        os.write(self.terminal, keys)

    def signal(self, number: int) -> None:
        """Signal the visible process, as ``kill`` would."""
        os.kill(self.pid, number)

    def wait_for_all(self, *patterns: str) -> None:
        """Read until each regular expression has appeared after the last match, in whatever order: of processes that
        run side by side, any may be the first.
        """
        start = self._sought["out"]
        last = start
        for pattern in patterns:
            self._sought["out"] = start
            last = max(last, self.wait_for(pattern).end())
        self._sought["out"] = last

    def wait_for(self, pattern: str, limit: float = LIMIT, stream: str = "out") -> re.Match[str]:
        """Read until the regular expression appears after the last match, and return it; fails on the end of output."""
        end = time.monotonic() + limit
        while True:
            text = getattr(self, stream).decode(errors="replace")
            if found := re.compile(pattern, re.MULTILINE).search(text, self._sought[stream]):
                self._sought[stream] = found.end()
                return found
            if not self._selector.get_map() or time.monotonic() > end:
                raise AssertionError(f"{pattern!r} did not come:\n{self!r}")
            self._read(end - time.monotonic())

    def _read(self, limit: float) -> None:
        for key, _ in self._selector.select(max(limit, 0)):
            try:
                chunk = os.read(key.fd, 1 << 20)
            except BlockingIOError:
                continue
            except OSError:  # EIO: the last process has left the terminal
                chunk = b""
            if not chunk:
                self._selector.unregister(key.fd)
            setattr(self, key.data, getattr(self, key.data) + chunk)

    def wait(self, limit: float = LIMIT) -> int:
        """Read to the end and return the exit status (-n after a signal, as subprocess says it)."""
        end = time.monotonic() + limit
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it does not end:\n{self!r}")
            self._read(0.02) if self._selector.get_map() else time.sleep(0.02)
        while self._selector.get_map() and self._selector.select(0):  # what it left in the pipes
            self._read(0)
        return self.process.returncode

    @property
    def text(self) -> str:
        """Standard output so far, decoded; on a terminal everything."""
        return self.out.decode(errors="replace")

    def survivors(self) -> list[int]:
        """The pids of all processes that carry our mark: the command, its helpers, its children and theirs."""
        return [process.pid for process in _marked(self.mark)]

    def wait_until_gone(self, limit: float = LIMIT) -> None:
        """Fail, unless every process that carries our mark ends within the limit."""
        end = time.monotonic() + limit
        while left := _marked(self.mark):
            if time.monotonic() > end:
                raise AssertionError(f"still there: {[_describe(process) for process in left]}\n{self!r}")
            self._read(0.02) if self._selector.get_map() else time.sleep(0.02)

    def kill(self) -> None:
        """End all of it, whatever state it is in; done by the fixture."""
        for _ in range(50):
            # procman is held, so that it starts nothing new; then its children go first: a leftover would be news to
            # other tests.
            for process in filter(_is_procman, _marked(self.mark)):
                _kill(process.pid, signal.SIGSTOP)
            left = _marked(self.mark)
            _signal_all(left, signal.SIGKILL)
            if self.process.poll() is not None and not left:
                break
            _kill(self.pid) if self.process.poll() is None else time.sleep(0.02)
        self.process.wait(LIMIT)  # on a busy machine, even an end by SIGKILL takes its time
        self._close()

    def _close(self) -> None:
        self._selector.close()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        if hasattr(self, "terminal"):
            os.close(self.terminal)

    def __repr__(self) -> str:
        status = self.process.poll()
        state = "running" if status is None else f"exit status {status}"
        return f"pid {self.pid}, {state}\n--- stdout\n{self.text}\n--- stderr\n{self.err.decode(errors='replace')}"


Process = subprocess.Popen[bytes]


def _marked(mark: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _environ(process).get(MARK) == mark]


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except (psutil.Error, OSError):
        return {}


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())} ({process.status()})"
    except psutil.Error:
        return str(process.pid)


def _signal_all(processes: list[psutil.Process], number: int) -> None:
    """The children first: other tests' sessions would report what is left of a procman that was killed."""
    for process in sorted(processes, key=_is_procman):
        _kill(process.pid, number)


def _is_procman(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("procman")
    except psutil.Error:
        return False


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Place:
    """A folder with a Procfile, and the commands that a test runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sessions: list[Session] = []

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        """Write a file of the place, folders included."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def procfile(self, text: str | bytes) -> Path:
        """Write the Procfile."""
        return self.write("Procfile", text)

    def call(self, *words: str, env: Mapping[str, str | None] | None = None, stdin: bytes = b"") -> Finished:
        """Run ``procman WORDS`` here, to its end."""
        return call(*words, cwd=self.folder, env=env, stdin=stdin)

    def start(self, *words: str, env: Mapping[str, str | None] | None = None, pty: bool = False) -> Session:
        """Run ``procman start WORDS`` here; it is ended with the test at the latest."""
        return self.session("start", *words, env=env, pty=pty)

    def session(
        self,
        *words: str,
        env: Mapping[str, str | None] | None = None,
        pty: bool = False,
        program: str = PROCMAN,
        stdout: int | None = None,
    ) -> Session:
        """Run ``procman WORDS`` here; it is ended with the test at the latest."""
        session = Session(*words, cwd=self.folder, env=env, pty=pty, program=program, stdout=stdout)
        self.sessions.append(session)
        return session

    def clear(self) -> None:
        """End every session."""
        for session in self.sessions:
            session.kill()


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock: what several runs and workers share, such as a cache, is made by one while the others wait."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Neighborhood:
    """The sessions of all tests that see each other's processes: those of one user in one PID namespace.

    A test that kills the whole of a procman leaves its children for a moment, and every `start` of the same user names
    such leftovers. So a test either shares the neighborhood, or has it for itself.
    """

    def __init__(self) -> None:
        self._path = Path(tempfile.gettempdir(), f"procman-tests-{os.geteuid()}.lock")
        self._homes = 2 * _pid_namespace()  # the byte of the file that stands for it
        self._door = self._homes + 1
        self._inside = 0  # places of this process

    @contextlib.contextmanager
    def enter(self, alone: bool) -> Iterator[None]:
        """Wait until no other test needs to be alone; with ``alone``, until every other test has left."""
        with contextlib.ExitStack() as stack:
            if not self._inside:
                self._lock(stack.enter_context(self._path.open("a+b")), fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            self._inside += 1
            try:
                yield
            finally:
                self._inside -= 1

    def _lock(self, file: IO[bytes], kind: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, self._door)  # a test that waits to be alone keeps it shut behind itself
        fcntl.lockf(file, kind, 1, self._homes)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, self._door)


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


NEIGHBORHOOD = Neighborhood()


def places(folder: Path, alone: bool = False) -> Iterator[Place]:
    """A place for the length of one test; ``alone`` keeps all other tests' sessions away."""
    place = Place(folder)
    with NEIGHBORHOOD.enter(alone):
        try:
            yield place
        finally:
            place.clear()
