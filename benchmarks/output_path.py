"""Ways to turn a chunk of a child's output into prefixed lines on a pipe, and what each of them costs.

    python benchmarks/output_path.py [--megabytes 256] [--runs 5] [--json]

Two tables. "In memory" is one step on one 64 KiB chunk of 80-byte lines. "Through pipes" is a whole process between
`cat FILE` and `cat > /dev/null`, in turns; its share is relative to the throughput of `cat` in the same place. Medians;
compare within one run only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import timeit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 65536
LINE = (b"2026-05-01 12:00:00 INFO request handled path=/api/v1/users status=200 in 12 ms" * 2)[:79] + b"\n"
PREFIX = b"12:00:00 web.1    | "
COLORED = LINE[:20] + b"\x1b[32mINFO\x1b[39m" + LINE[24:69] + b"\n"
ACCENTED = ("12:00:00 zażółć gęślą jaźń ✓ " + "x" * 60).encode()[:76].decode("utf-8", "ignore").encode() + b"\n"


# One step in memory ------------------------------------------------------------------------------------------------


def steps() -> dict[str, Callable[[], object]]:
    """Return the choices for each step, by name."""
    from procman.core.text.lines import LineBuffer
    from procman.output.sanitize.sanitizer import Sanitizer
    from procman.output.sinks.history import History
    from procman.output.sinks.jsonlines import JsonLines

    chunk = (LINE * 900)[:CHUNK]
    colored, accented = (COLORED * 900)[:CHUNK], (ACCENTED * 900)[: CHUNK // len(ACCENTED) * len(ACCENTED)]
    colored = colored[: colored.rfind(b"\n") + 1]
    controls = bytes(code for code in range(32) if code not in (9, 10))
    visible = bytes(63 if code in controls else code for code in range(256))
    pattern = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
    glue = b"\n" + PREFIX
    buffer, sanitizer, history = LineBuffer(), Sanitizer(), History()
    lines = chunk[: chunk.rfind(b"\n") + 1]
    as_json = JsonLines(lambda *_: None, time.time, lambda _: False)
    return {
        "copy the chunk": lambda: bytearray(chunk),
        "lines: LineBuffer.feed": lambda: buffer.feed(chunk),
        "control test: Sanitizer.clean, plain": lambda: sanitizer.clean(lines),
        "control test: translate": lambda: chunk.translate(visible) is chunk,
        "control test: regular expression": lambda: pattern.search(chunk),
        "control test: 30 searches": lambda: [code for code in controls if code in chunk],
        "Sanitizer.clean, accented": lambda: sanitizer.clean(accented),
        "Sanitizer.clean, every line colored": lambda: sanitizer.clean(colored),
        "prefix: one replace": lambda: lines.replace(b"\n", glue),
        "prefix: split and join": lambda: glue.join(lines.split(b"\n")),
        "prefix: a line at a time": lambda: [PREFIX + line for line in lines.splitlines(keepends=True)],
        "count the newlines": lambda: lines.count(b"\n"),
        "history": lambda: history.publish("web.1", "stdout", lines),
        "JSON, escaped by the chunk": lambda: as_json.publish("web.1", "stdout", lines),
        "JSON, json.dumps a line": lambda: [json.dumps({"line": line.decode()}) for line in lines.splitlines()],
    }


def in_memory(number: int = 300) -> list[dict[str, object]]:
    """Time every step; ``ratio`` is relative to copying the chunk once."""
    rows: list[dict[str, object]] = []
    plain = 0.0
    for name, step in steps().items():
        seconds = min(timeit.repeat(step, number=number, repeat=5)) / number
        plain = plain or seconds
        per_line = seconds / (CHUNK / len(LINE)) * 1e9
        rows.append(
            {"step": name, "ns_per_line": per_line, "s_per_gb": seconds / CHUNK * 1e9, "ratio": seconds / plain}
        )
    return rows


# A whole process between two pipes ------------------------------------------------------------------------------------


def chunks() -> Callable[[], bytes]:
    """Return a function that reads stdin by the chunk."""
    return lambda: os.read(0, CHUNK)


def middle_copy() -> None:
    """Copy: the least that a Python process can do."""
    while chunk := os.read(0, CHUNK):
        os.write(1, chunk)


def middle_carried() -> None:
    """Replace, as in the prototype: carry the unfinished line with the next prefix already before it."""
    glue = b"\n" + PREFIX
    carry = [PREFIX]
    while chunk := os.read(0, CHUNK):
        out = chunk.replace(b"\n", glue)
        cut = out.rfind(b"\n") + 1
        os.writev(1, [*carry, memoryview(out)[:cut]])
        carry = [out[cut:]]


def middle_split() -> None:
    """Split and join."""
    glue = b"\n" + PREFIX
    tail = b""
    while chunk := os.read(0, CHUNK):
        *lines, tail = (tail + chunk).split(b"\n")
        os.write(1, PREFIX + glue.join(lines) + b"\n")


def middle_readline() -> None:
    """Handle one line at a time, as most tools do."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        out.write(PREFIX + line)
    out.flush()


def middle_procman(**settings: object) -> None:
    """Run procman's output path, with an outlet that waits where the engine would."""
    import select

    from procman.core.model.plan import Environment
    from procman.core.model.settings import Settings
    from procman.core.planner import make_plan
    from procman.core.procfile.parser import parse_procfile
    from procman.core.text.lines import LineBuffer
    from procman.output.factory import open_output
    from procman.output.outlet import Outlet

    plan = make_plan(parse_procfile(b"web: x\n"), Environment({}, {}), Settings())
    outlet = Outlet(1)
    hub = open_output(plan, Settings(None, **settings), outlet, {}, False)
    waiting = select.poll()
    waiting.register(outlet.fileno(), select.POLLOUT)
    buffer = LineBuffer()
    while chunk := os.read(0, CHUNK):
        if lines := buffer.feed(chunk):
            hub.publish("web.1", "stdout", lines)
        outlet.flush()
        while outlet.blocked:
            waiting.poll()
            outlet.flush()
    outlet.close(time.monotonic() + 60)


MIDDLES: dict[str, Callable[[], None]] = {
    "copy": middle_copy,
    "carried prefix": middle_carried,
    "split and join": middle_split,
    "readline": middle_readline,
    "procman": middle_procman,
    "procman --raw": lambda: middle_procman(raw=True),
    "procman --color": lambda: middle_procman(color=True),
    "procman --no-timestamp": lambda: middle_procman(timestamps="off"),
    "procman --no-prefix": lambda: middle_procman(prefix=""),
    "procman --format json": lambda: middle_procman(format="json"),
}


def pass_through(command: list[str], source: str) -> tuple[float, float]:
    """Return the seconds of wall clock, and of the middle's CPU, for `cat source | command | cat > /dev/null`."""
    began = time.perf_counter()
    before = subprocess.Popen(["cat", source], stdout=subprocess.PIPE)  # noqa: S603, S607 (cat is the yardstick)
    middle = subprocess.Popen(command, stdin=before.stdout, stdout=subprocess.PIPE)  # noqa: S603 (ourselves)
    after = subprocess.Popen(["cat"], stdin=middle.stdout, stdout=subprocess.DEVNULL)  # noqa: S607 (as above)
    for process in (before, middle):
        assert process.stdout is not None
        process.stdout.close()
    _, status, usage = os.wait4(middle.pid, 0)
    middle.returncode = status
    after.wait()
    before.wait()
    if status:
        raise SystemExit(f"{command} failed: {status}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def through_pipes(megabytes: int, runs: int) -> list[dict[str, object]]:
    """Run every middle in turns; return medians."""
    commands = {"cat": ["cat"], **{name: [sys.executable, __file__, "--middle", name] for name in MIDDLES}}
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 (memory, not a secret)
    with tempfile.NamedTemporaryFile(dir=folder) as source:
        for _ in range(megabytes):
            source.write(LINE * (1_000_000 // len(LINE)))
        source.flush()
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                results[name].append(pass_through(command, source.name))
    size = megabytes / 1000
    cat = statistics.median(wall for wall, _ in results["cat"])
    return [
        {
            "middle": name,
            "share_of_cat": cat / statistics.median(wall for wall, _ in taken),
            "cpu_s_per_gb": statistics.median(cpu for _, cpu in taken) / size,
            "mb_per_s": megabytes / statistics.median(wall for wall, _ in taken),
        }
        for name, taken in results.items()
    ]


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows, aligned."""
    titles = list(rows[0])
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (titles, *cells)
    )


def main() -> None:
    """Run both tables, or be the middle of one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--middle", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.middle:
        MIDDLES[options.middle]()
        return
    memory, pipes = in_memory(), through_pipes(options.megabytes, options.runs)
    if options.json:
        print(json.dumps({"python": sys.version, "in_memory": memory, "through_pipes": pipes}, indent=1))
    else:
        print(f"In memory, one 64 KiB chunk of 80-byte lines\n{table(memory)}\n\nThrough pipes\n{table(pipes)}")


if __name__ == "__main__":
    main()
