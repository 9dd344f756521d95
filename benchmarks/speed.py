"""Measures of the output path: lines a second, CPU a gigabyte, the delay of a line."""

from __future__ import annotations

import os
import subprocess
import time

import processes
from rig import InvalidError, Run, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from tools import Tool

WIDTH = 80  # bytes of a line
SECONDS = 2.0  # after which a flood ends, however few lines have got through
SETTLE = 0.5  # seconds between the last child's start and the flood
TICKS = 300
TICK_PAUSE = 10_000  # microseconds


def throughput(tool: Tool, child: Path, *, children: int, target: str, megabytes: int, block: int) -> dict[str, float]:
    """A flood of ``children`` into a "pipe", a "file" or "null"; ``block`` bytes a write."""
    lines = megabytes * 1_000_000 // WIDTH // children
    with Run(tool, child) as run:
        go, done = run.folder / "go", run.folder / "done"
        words = {
            name: ["flood", str(number), str(lines), str(SECONDS), str(block), str(go), str(done)]
            for number, name in enumerate(names(children))
        }
        if target == "pipe":
            run.start_into_sink(words, children, 0, 30)
        else:
            path = "/dev/null" if target == "null" else run.folder / "output"
            with open(path, "ab") as file:
                run.start(words, file)
        run.wait_for(lambda: len(run.survivors()) >= children, f"{children} children")
        time.sleep(SETTLE)
        managers = run.managers()
        cpu = processes.cpu_seconds(managers)
        began = time.monotonic_ns()
        go.touch()
        report = _finish(run, children, target)
        seconds = (report["end"] - began) / 1e9
        used = report.get("cpu", 0.0) - cpu
        written = sum(line[1] for line in run.lines_of("done")) if target == "null" else report["good"]
        return {
            "lines_per_s": written / seconds,
            "cpu_s_per_gb": used / (written * WIDTH / 1e9),
            "share_of_a_core": used / seconds,
        }


def _finish(run: Run, children: int, target: str) -> dict[str, float]:
    """Wait for the end of the flood, and check every line if lines can be checked."""
    if target == "null":
        run.wait_for(lambda: len(run.lines_of("done")) == children, "all written")
        end = max(line[2] for line in run.lines_of("done"))
        return {"end": end, "cpu": processes.cpu_seconds(run.managers())}
    if target == "pipe":
        report = dict(run.report())
        cpu = processes.cpu_seconds(run.managers())
    else:
        end, cpu = _wait_for_file(run, children)
        with (run.folder / "output").open("rb") as file:
            run.sink = run.open_sink(file.fileno(), children, 0, 60)
        report = {**run.report(), "last": end}
    _check(run, report, children)
    good = report["newlines"] if run.tool.mode == "count" else report["good"]
    return {"end": report["last"], "cpu": cpu, "good": good}


def _wait_for_file(run: Run, children: int) -> tuple[int, float]:
    """Wait for the last write, and return its time on the monotonic clock, and the CPU until then."""
    path = run.folder / "output"
    run.wait_for(lambda: len(run.lines_of("done")) == children, "all written")
    size = -1
    while size != os.stat(path).st_size:
        size = os.stat(path).st_size
        time.sleep(0.1)
    behind = time.time_ns() - os.stat(path).st_mtime_ns
    return time.monotonic_ns() - behind, processes.cpu_seconds(run.managers())


def _check(run: Run, report: dict[str, int], children: int) -> None:
    """Check that every line arrived whole, prefixed and in order."""
    if run.tool.mode == "count":
        return
    written = sum(line[1] for line in run.lines_of("done"))
    if report["bad"]:
        raise InvalidError(f"{report['bad']} lines broken or without prefix")
    if report["lost"]:
        raise InvalidError(f"{report['lost']} gaps")
    if report["ended"] != children or report["good"] != written:
        raise InvalidError(f"{report['good']} of {written} lines, {report['ended']} of {children} ends")


def delay(tool: Tool, child: Path, *, flood: bool) -> dict[str, float]:
    """Write a line every ten milliseconds; return the milliseconds until the reader has it, alone or beside a flood."""
    with Run(tool, child) as run:
        go, done = run.folder / "go", run.folder / "done"
        words = {"c001": ["tick", str(TICKS), str(TICK_PAUSE), str(go)]}
        if flood:
            words["c000"] = ["flood", "0", str(10**9), "3.0", "8192", str(go), str(done)]
        run.start_into_sink(words, int(flood), TICKS, 30)
        run.wait_for(lambda: len(run.survivors()) >= len(words), "children")
        time.sleep(SETTLE)
        go.touch()
        report = run.report()
        if report["ticks"] != TICKS or report["bad"] or report["lost"]:
            raise InvalidError(f"{report['ticks']} of {TICKS} lines, {report['bad']} broken, {report['lost']} gaps")
        return {"p50_ms": report["p50"] / 1e6, "p99_ms": report["p99"] / 1e6}


def stuck_reader(tool: Tool, child: Path, *, slow: bool) -> dict[str, float]:
    """Return the tool's growth in MB in three seconds of a flood that is not read, or is read at 200 kB/s."""
    with Run(tool, child) as run:
        go, done = run.folder / "go", run.folder / "done"
        reader, writer = os.pipe()
        try:
            run.start({"c000": ["flood", "0", str(10**9), "20", "8192", str(go), str(done)]}, writer)
            run.wait_for(lambda: len(run.survivors()) >= 1, "child")
            time.sleep(SETTLE)
            if slow:
                words = [str(run.child), "slow", "200000", "20"]
                run.sink = subprocess.Popen(words, stdin=reader)  # noqa: S603 (our own program)
            before = processes.pss(run.managers())
            go.touch()
            peak = before
            until = time.monotonic() + 3
            while time.monotonic() < until:
                time.sleep(0.25)
                peak = max(peak, processes.pss(run.managers()))
        finally:
            os.close(reader)
            os.close(writer)
        return {"growth_mb": peak - before}
