"""One run of one tool: a new folder, its process tree, a sink at its stdout, and nothing left afterwards."""

# ruff: noqa: S603 (running the tools is what a benchmark is for)
from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from tools import Tool

SOURCE = Path(__file__).with_name("child.c")
LIMIT = 30.0  # seconds that a tool may take for any step
REMOVED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "FORCE_COLOR", "CLICOLOR_FORCE")


class InvalidError(Exception):
    """A figure that does not count, and why."""


def compile_child(folder: Path) -> Path:
    """Compile the children's program and return its path."""
    program = folder / "bench-child"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)  # noqa: S607 (the system's compiler)
    return program


class Run:
    """A running tool. Leaving this context ends everything that it started."""

    def __init__(self, tool: Tool, child: Path) -> None:
        self.tool = tool
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=memory_folder()))
        self.child = self.folder / "child"
        shutil.copy(child, self.child)  # its own file: a process that executes it belongs to this run
        self.sink: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.began = 0
        self._log: IO[bytes] = (self.folder / "log").open("wb")

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.process, self.sink):
            if process is not None and process.poll() is None:
                if process is self.process:
                    for one in processes.descendants(process.pid):
                        _kill(one.pid)
                process.kill()
                process.wait()
        for pid in (*self.survivors(), *processes.mentioning(Path(self.folder.name))):  # overmind's tmux outlives it
            _kill(pid)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, children: Mapping[str, list[str]], stdout: int | IO[bytes]) -> None:
        """Start the tool; ``children`` are the arguments of the child's program."""
        commands = {name: [str(self.child), *words] for name, words in children.items()}
        command = self.tool.command(self.folder, commands)
        env = {key: value for key, value in os.environ.items() if key not in REMOVED}
        env |= self.tool.environment(self.folder)
        self.began = time.monotonic_ns()
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self._log
        )

    def start_into_sink(self, children: Mapping[str, list[str]], floods: int, ticks: int, seconds: float) -> None:
        """Start the tool with the checking reader at its stdout."""
        reader, writer = os.pipe()
        self.sink = self.open_sink(reader, floods, ticks, seconds)
        os.close(reader)
        self.start(children, writer)
        os.close(writer)

    def open_sink(self, fd: int, floods: int, ticks: int, seconds: float) -> subprocess.Popen[bytes]:
        """Start the checking reader on a descriptor."""
        words = ["sink", self.tool.mode, str(floods), str(ticks), str(seconds)]
        return subprocess.Popen([str(self.child), *words], stdin=fd, stderr=subprocess.PIPE)

    def report(self) -> dict[str, int]:
        """Wait for the sink, and return what it has read."""
        assert self.sink is not None
        assert self.sink.stderr is not None
        text = self.sink.stderr.readline()
        if not text:
            raise InvalidError("no report")
        return dict(json.loads(text))

    def managers(self) -> list[int]:
        """Return the pids of the tool itself, without the children and the shells around them."""
        assert self.process is not None
        tree = processes.descendants(self.process.pid)
        if self.tool.mode == "count":
            return [one.pid for one in tree if one.name == "cat"]
        return [one.pid for one in tree if one.name not in self.tool.own and not self._is_child(one.pid)]

    def _is_child(self, pid: int) -> bool:
        return processes.executable(pid) == str(self.child)

    def survivors(self) -> list[int]:
        """Return the pids of the children that run, except the sink."""
        sink = self.sink.pid if self.sink is not None else 0
        return [pid for pid in processes.running(self.child) if pid != sink]

    def stop(self) -> float:
        """Signal the tool to end, and return the seconds until it has."""
        assert self.process is not None
        end = os.pidfd_open(self.process.pid)  # Popen.wait with a limit looks at intervals of up to 50 ms
        try:
            ended = select.poll()
            ended.register(end, select.POLLIN)
            began = time.monotonic()
            self.process.send_signal(self.tool.stop_signal)
            if not ended.poll(LIMIT * 1e3):
                raise InvalidError(f"did not stop within {LIMIT:.0f} s")
            return time.monotonic() - began
        finally:
            os.close(end)

    def wait_for(self, done: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
        """Check every millisecond until something is done."""
        assert self.process is not None
        until = time.monotonic() + limit
        while not done():
            if time.monotonic() > until or self.process.poll() is not None:
                raise InvalidError(f"{what}: {'ended' if self.process.poll() is not None else 'not in time'}")
            time.sleep(0.001)

    def lines_of(self, name: str) -> list[list[int]]:
        """Return the whole lines of numbers in a file that children append to."""
        try:
            text = (self.folder / name).read_text()
        except OSError:
            return []
        return [[int(word) for word in line.split()] for line in text.splitlines(keepends=True) if line.endswith("\n")]


def memory_folder() -> str | None:
    """Return a folder in memory if there is one, so that the disk is not measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (a fresh folder is made in it)


def names(count: int) -> Iterator[str]:
    """Return c000, c001 …, which the sink looks for in a prefix."""
    return (f"c{number:03d}" for number in range(count))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
