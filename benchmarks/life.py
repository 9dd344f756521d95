"""Measures of processes: start-up, short commands, a thousand children, a crash."""

# ruff: noqa: S603 (running the tools is what a benchmark is for)
from __future__ import annotations

import mmap
import os
import signal
import struct
import subprocess
import time

import processes
from rig import REMOVED, InvalidError, Run, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from tools import Tool

IDLE = 10.0  # seconds
REST = 2.0  # seconds after which all processes are idle
LONG_LIFE = 11.0  # seconds: more than ten, so that the crash counts as a first one
VICTIMS = 3


def first_child(tool: Tool, child: Path) -> dict[str, float]:
    """Return the milliseconds from the start of the tool to the first child's first instruction."""
    with Run(tool, child) as run:
        run.start({"c000": ["life", str(run.folder / "lives")]}, subprocess.DEVNULL)
        run.wait_for(lambda: bool(run.lines_of("lives")), "first child")
        return {"ms": (run.lines_of("lives")[0][0] - run.began) / 1e6}


def stop(tool: Tool, child: Path) -> dict[str, float]:
    """Return the milliseconds from the stop signal to the end of a tool whose few children end immediately."""
    with Run(tool, child) as run:
        run.start({name: ["life", str(run.folder / "lives")] for name in names(VICTIMS)}, subprocess.DEVNULL)
        run.wait_for(lambda: len(run.lines_of("lives")) >= VICTIMS, "children")
        time.sleep(REST)
        taken = run.stop() * 1e3
        if left := run.survivors():
            raise InvalidError(f"{len(left)} children left")
        return {"ms": taken}


def command(words: list[str], folder: Path) -> dict[str, float]:
    """Return the milliseconds that a short command takes."""
    env = {key: value for key, value in os.environ.items() if key not in REMOVED}
    began = time.monotonic_ns()
    done = subprocess.run(words, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    taken = time.monotonic_ns() - began
    if done.returncode:
        raise InvalidError(f"exit code {done.returncode}")
    return {"ms": taken / 1e6}


def crowd(tool: Tool, child: Path, *, children: int) -> dict[str, float]:
    """Measure many children: up, idle, down."""
    if children > tool.most:
        raise InvalidError(f"not asked to run {children}")
    with Run(tool, child) as run:
        counter = run.folder / "counter"
        counter.write_bytes(bytes(4096))
        with counter.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as memory:
            with (run.folder / "output").open("ab") as output:
                run.start({name: ["up", str(counter)] for name in names(children)}, output)
            run.wait_for(lambda: _value(memory) >= children, f"{children} children")
            up = (time.monotonic_ns() - run.began) / 1e9
        result = {"up_s": up, **_idle(run)}
        result["down_s"] = run.stop()
        result["left"] = len(run.survivors())
        return result


def _value(memory: mmap.mmap) -> int:
    return int(struct.unpack_from("i", memory)[0])


def _idle(run: Run) -> dict[str, float]:
    time.sleep(REST)
    managers = run.managers()
    cpu, switches = processes.cpu_seconds(managers), processes.context_switches(managers)
    time.sleep(IDLE)
    return {
        "pss_mb": processes.pss(managers),
        "processes": len(managers),
        "idle_cpu_ms": (processes.cpu_seconds(managers) - cpu) * 1e3,
        "idle_switches": processes.context_switches(managers) - switches,
    }


def crash(tool: Tool, child: Path) -> dict[str, float]:
    """Return the milliseconds from SIGKILL of a long-lived child to its replacement's first instruction."""
    if not tool.restarts:
        raise InvalidError("restarts nothing")
    with Run(tool, child) as run:
        files = {name: f"lives-{name}" for name in names(VICTIMS)}
        run.start({name: ["life", str(run.folder / path)] for name, path in files.items()}, subprocess.DEVNULL)
        run.wait_for(lambda: all(run.lines_of(path) for path in files.values()), "children")
        time.sleep(LONG_LIFE)
        taken = []
        for path in files.values():
            killed = time.monotonic_ns()
            os.kill(run.lines_of(path)[0][1], signal.SIGKILL)
            run.wait_for(lambda path=path: len(run.lines_of(path)) > 1, "replacement")  # type: ignore[misc]
            taken.append((run.lines_of(path)[1][0] - killed) / 1e6)
        return {"ms": sorted(taken)[VICTIMS // 2]}
