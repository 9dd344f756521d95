"""procman and other tools with the same children, in turns, every line checked.

    python benchmarks/run.py --install                     the peers, from PyPI, npm and Debian, into build/benchmarks
    python benchmarks/run.py                               everything, about ten minutes
    python benchmarks/run.py -m delay crash -t procman cat honcho -r 5 --json result.json

Measure an installed wheel, not a work tree: --procman names its command. Medians of interleaved runs; compare within
one table only. A figure counts only if every line arrived whole, prefixed and in order; if not, the table says why.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import life
import peers
import speed
from rig import InvalidError, compile_child, memory_folder
from tools import default_procman, find_tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tools import Tool

    Sample = dict[str, float]
    Taker = Callable[[], Sample]

UNITS = {
    "lines_per_s": "lines/s",
    "cpu_s_per_gb": "CPU s/GB",
    "share_of_a_core": "of a core",
    "ms": "ms",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "growth_mb": "growth MB",
    "up_s": "up s",
    "down_s": "down s",
    "left": "left",
    "pss_mb": "PSS MB",
    "processes": "processes",
    "idle_cpu_ms": "CPU ms idle",
    "idle_switches": "switches idle",
}
ALONE = {"startup", "version", "check"}  # measured without cat, over the bare interpreter


class Measure:
    """One table: what it measures, and for which tools."""

    def __init__(self, title: str, take: Callable[[Tool, Path], Sample], *, yardstick: bool = True) -> None:
        self.title = title
        self.take = take
        self.yardstick = yardstick  # whether cat is measured, too


def measures(options: argparse.Namespace) -> dict[str, Measure]:
    """Return all tables by their names on the command line."""
    found: dict[str, Measure] = {"startup": Measure("until the first child runs", life.first_child, yardstick=False)}
    for children in (1, 8, 100):
        for target in ("pipe", "file", "null"):
            flood = partial(speed.throughput, children=children, target=target, megabytes=options.megabytes, block=8192)
            found[f"{target}-{children}"] = Measure(f"flood of {children} into a {target}", flood)
    small = partial(speed.throughput, children=1, target="pipe", megabytes=options.megabytes // 10 or 1, block=80)
    found["small"] = Measure("one child that writes line by line, into a pipe", small)
    found["delay"] = Measure("delay of a line", partial(speed.delay, flood=False), yardstick=False)
    found["delay-flood"] = Measure("delay of a line beside a flood", partial(speed.delay, flood=True), yardstick=False)
    found["stuck"] = Measure("a reader that does not read", partial(speed.stuck_reader, slow=False), yardstick=False)
    found["slow"] = Measure("a reader of 200 kB/s", partial(speed.stuck_reader, slow=True), yardstick=False)
    found["crowd"] = Measure(f"{options.crowd} children", partial(life.crowd, children=options.crowd), yardstick=False)
    found["stop"] = Measure("until a few children are stopped", life.stop, yardstick=False)
    found["crash"] = Measure("from a crash to the replacement", life.crash, yardstick=False)
    return found


def commands(procman: str, tools: dict[str, Tool], folder: Path) -> dict[str, dict[str, Taker]]:
    """Return short commands beside the bare interpreter that runs them."""
    (folder / "Procfile").write_text("web: true $PORT\nworker: true\nclock: true\n")
    python = Path(procman).parent / "python"
    bare = [str(python) if python.exists() else sys.executable, "-c", "pass"]
    tables = {
        "version": {"python -c pass": bare, "procman": [procman, "--version"]},
        "check": {"python -c pass": bare, "procman": [procman, "check"]},
        "bare": {"python -c pass": bare},
    }
    for name, word in (("honcho", "version"), ("foreman", "version")):
        if name in tools and name != "foreman":
            tables["version"][name] = [*tools[name].program, word]
            tables["check"][name] = [*tools[name].program, "check"]
    return {
        key: {name: partial(life.command, words, folder) for name, words in table.items()}
        for key, table in tables.items()
    }


def take_turns(takers: dict[str, Taker], rounds: int) -> dict[str, dict[str, object]]:
    """Run all in turns (A B C A B C), and return the medians of each, or why there are none."""
    samples: dict[str, list[Sample]] = {name: [] for name in takers}
    faults: dict[str, str] = {}
    for _ in range(rounds):
        for name, take in takers.items():
            if name in faults:
                continue
            try:
                samples[name].append(take())
            except InvalidError as error:
                faults[name] = str(error)
    return {name: _summary(taken, faults.get(name, "")) for name, taken in samples.items()}


def _summary(taken: list[Sample], fault: str) -> dict[str, object]:
    if fault or not taken:
        return {"fault": fault or "nothing measured"}
    return {
        "median": {key: statistics.median(sample[key] for sample in taken) for key in taken[0]},
        "samples": taken,
    }


def table(title: str, results: dict[str, dict[str, object]]) -> str:
    """Return the medians, the ratio of the first column to procman's, and the faults."""
    medians = {name: result["median"] for name, result in results.items() if "median" in result}
    keys = next((list(values) for values in medians.values() if isinstance(values, dict)), [])
    own = medians.get("procman")
    rows = [[title, *(UNITS[key] for key in keys), "× procman"]]
    for name, result in results.items():
        values = result.get("median")
        if not isinstance(values, dict):
            rows.append([name, f"does not count: {result['fault']}"])
            continue
        ratio = f"{values[keys[0]] / own[keys[0]]:.2f}" if isinstance(own, dict) and own[keys[0]] else ""
        rows.append([name, *(_number(values[key]) for key in keys), ratio])
    return _align(rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _align(rows: list[list[str]]) -> str:
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for row in rows:
        if len(row) != len(rows[0]):
            lines.append(f"{row[0]:<{widths[0]}}  {row[1]}")
            continue
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *rest]))
    return "\n".join(lines)


def environment() -> dict[str, object]:
    """Return the machine that this was measured on."""
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install the other tools first")
    parser.add_argument("--peers", type=Path, default=peers.FOLDER, help="the folder of the other tools")
    parser.add_argument("--procman", default=default_procman(), help="the command to measure, from a wheel")
    parser.add_argument("--beside", default="", help="another procman to measure beside it, as 'before'")
    parser.add_argument("-t", "--tools", nargs="+", help="only these")
    parser.add_argument("-m", "--measures", nargs="+", help="only these; --list shows all")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=600, help="the size of a flood, at most")
    parser.add_argument("--crowd", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    parser.add_argument("--list", action="store_true", help="show the measures and the installed tools")
    return parser.parse_args()


def main() -> None:
    """Measure, print a table for each measure, and write JSON with --json."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that running tools are ended, too
    options = parse()
    if options.install:
        peers.install(options.peers)
    tools = find_tools(options.peers, options.procman)
    if options.beside:
        tools["before"] = type(tools["procman"])("before", [options.beside])
    every = measures(options)
    if options.list:
        print("measures:", "version check", *every, "\ntools:", *tools)
        return
    unknown = {*(options.measures or ())} - {"version", "check", *every} | {*(options.tools or ())} - {*tools}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; --list shows what there is")
    chosen = options.tools or [name for name in tools if name != "procman-pty"]
    tools = {name: tools[name] for name in tools if name in chosen}
    results: dict[str, object] = {"environment": environment()}
    with tempfile.TemporaryDirectory(dir=memory_folder()) as name:
        folder = Path(name)
        child = compile_child(folder)
        short = commands(options.procman, tools, folder)
        for key in options.measures or ["version", "check", *every]:
            title = every[key].title if key in every else f"the command `{key}`"
            takers = short[key] if key in short else _takers(key, every[key], tools, child, short)
            results[key] = taken = take_turns(takers, options.rounds)
            print(table(title, taken), end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def _takers(
    key: str, measure: Measure, tools: dict[str, Tool], child: Path, short: dict[str, dict[str, Taker]]
) -> dict[str, Taker]:
    taking = {name: tool for name, tool in tools.items() if measure.yardstick or tool.mode != "count"}
    bare = short["bare"] if key == "startup" else {}
    return {**bare, **{name: partial(measure.take, tool, child) for name, tool in taking.items()}}


if __name__ == "__main__":
    main()
