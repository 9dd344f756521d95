"""One run of one tool: a fresh folder, its process tree, a sink at its stdout, and nothing left of it afterwards."""

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
LIMIT = 30.0  # seconds that a tool may take for anything
REMOVED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "FORCE_COLOR", "CLICOLOR_FORCE")


class InvalidError(Exception):
    """A figure that does not count, and why."""


def compile_child(folder: Path) -> Path:
    """The children's program, compiled on the spot."""
    program = folder / "bench-child"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)  # noqa: S607 (the system's compiler)
    return program


class Run:
    """A tool while it runs. A context: leaving it ends everything that came from it."""

    def __init__(self, tool: Tool, child: Path) -> None:
        self.tool = tool
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=memory_folder()))
        self.child = self.folder / "child"
        shutil.copy(child, self.child)  # a file of its own: whoever executes it belongs to this run
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
        """Start the tool; ``children`` are words behind the child's program."""
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
        """The checking reader on a descriptor."""
        words = ["sink", self.tool.mode, str(floods), str(ticks), str(seconds)]
        return subprocess.Popen([str(self.child), *words], stdin=fd, stderr=subprocess.PIPE)

    def report(self) -> dict[str, int]:
        """What the sink has seen; waits for it."""
        assert self.sink is not None
        assert self.sink.stderr is not None
        text = self.sink.stderr.readline()
        if not text:
            raise InvalidError("no report")
        return dict(json.loads(text))

    def managers(self) -> list[int]:
        """The pids of the tool itself: not the children, and not the shells around them."""
        assert self.process is not None
        tree = processes.descendants(self.process.pid)
        if self.tool.mode == "count":
            return [one.pid for one in tree if one.name == "cat"]
        return [one.pid for one in tree if one.name not in self.tool.own and not self._is_child(one.pid)]

    def _is_child(self, pid: int) -> bool:
        return processes.executable(pid) == str(self.child)

    def survivors(self) -> list[int]:
        """Children that run, the sink excepted."""
        sink = self.sink.pid if self.sink is not None else 0
        return [pid for pid in processes.running(self.child) if pid != sink]

    def stop(self) -> float:
        """Ask the tool to end; seconds until it has."""
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
        """Look every millisecond until something is done."""
        assert self.process is not None
        until = time.monotonic() + limit
        while not done():
            if time.monotonic() > until or self.process.poll() is not None:
                raise InvalidError(f"{what}: {'ended' if self.process.poll() is not None else 'not in time'}")
            time.sleep(0.001)

    def lines_of(self, name: str) -> list[list[int]]:
        """The whole lines of numbers in a file that children append to."""
        try:
            text = (self.folder / name).read_text()
        except OSError:
            return []
        return [[int(word) for word in line.split()] for line in text.splitlines(keepends=True) if line.endswith("\n")]


def memory_folder() -> str | None:
    """Files of a benchmark live in memory where there is such a place: no disk is measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (a fresh folder is made in it)


def names(count: int) -> Iterator[str]:
    """c000, c001, …: what the sink looks for in a prefix."""
    return (f"c{number:03d}" for number in range(count))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
