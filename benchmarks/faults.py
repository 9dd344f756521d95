"""What is left, lost or hung when things go wrong: procman and other tools, fault by fault.

    python benchmarks/peers.py                             the peers, into build/benchmarks
    python benchmarks/faults.py                            everything, about five minutes
    python benchmarks/faults.py -f kill-visible head -t procman honcho --json result.json

A table and, with --json, a file. "hang" means that it had not ended ten seconds after the signal. Linux only.
"""

# ruff: noqa: S603 (running the tools is what a benchmark is for)
from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import processes
from peers import FOLDER
from tools import Foreman, Procman, Tool, default_procman, find_tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Figures = dict[str, float | str]

LIMIT = 10.0  # seconds until a tool counts as hung
SETTLE = 1.0  # seconds after which a killed session may have left nothing
MEGABYTE = 1e6


class Scene:
    """A tool in its own folder. Its children execute files that nothing else executes, so that none is overlooked."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.sleeper = self._copy("sleep")
        self.flood = self._copy("yes")
        self.process: subprocess.Popen[bytes] | None = None

    def _copy(self, name: str) -> Path:
        found = shutil.which(name)
        assert found is not None
        return Path(shutil.copy(found, self.folder / f"child-{name}"))

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.tree():
            _kill(process)
        for _ in range(20):
            for pid in (*self.left(), *processes.running(self.flood)):
                _kill(pid)
            time.sleep(0.02)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, script: str, number: int = 1, stdout: int = subprocess.DEVNULL) -> None:
        """Run `script` in so many shells; {sleep} and {flood} become the children's files."""
        text = script.replace("{sleep}", str(self.sleeper)).replace("{flood}", str(self.flood))
        command = self.tool.command(self.folder, {f"c{i:03}": ["sh", "-c", text] for i in range(number)})
        env = {**os.environ, **self.tool.environment(self.folder)}
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def left(self) -> list[int]:
        """Return the pids of the sleepers."""
        return processes.running(self.sleeper)

    def wait_for(self, number: int) -> None:
        """Wait until so many sleepers run."""
        _until(lambda: len(self.left()) >= number, 3 * LIMIT)

    def tree(self) -> list[int]:
        """Return the pids of the tool and its descendants."""
        return [one.pid for one in processes.descendants(self.process.pid)] if self.process else []

    def managers(self) -> list[int]:
        """Return the pids of the tool's own processes."""
        found = processes.descendants(self.process.pid) if self.process else []
        ours = {str(self.sleeper), str(self.flood)}
        return [one.pid for one in found if one.name not in self.tool.own and processes.executable(one.pid) not in ours]

    def ended(self, number: int = signal.SIGTERM) -> float | str:
        """Send the signal and return the seconds until the tool has ended."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            return "hang"
        return round(time.monotonic() - begun, 2)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _until(true: Callable[[], bool], limit: float) -> bool:
    end = time.monotonic() + limit
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


TREE = "{sleep} 1000 & setsid -f env -i {sleep} 1001; {sleep} 1002"


def _killed(tool: Tool, kill: Callable[[Scene], None], script: str, number: int, each: int) -> Figures:
    with Scene(tool) as scene:
        scene.start(script, number)
        scene.wait_for(number * each)
        kill(scene)
        _until(lambda: not scene.left(), SETTLE)
        return {"left": len(scene.left()), "of": number * each}


def kill_visible(tool: Tool) -> Figures:
    """SIGKILL the process that was started: ten trees of three, one of them a daemon with an empty environment."""
    return _killed(tool, lambda scene: _kill(scene.tree()[0]), TREE, 10, 3)


def kill_managers(tool: Tool) -> Figures:
    """SIGKILL the parent of the children, whichever process that is."""

    def kill(scene: Scene) -> None:
        parents = {one.parent for one in processes.descendants(scene.tree()[0]) if one.name == "sh"}
        for pid in parents & set(scene.managers()):
            _kill(pid)

    return _killed(tool, kill, TREE, 10, 3)


def kill_group(tool: Tool) -> Figures:
    """SIGKILL the process group, as an out-of-memory killer or a shell may."""
    return _killed(tool, lambda scene: os.killpg(scene.tree()[0], signal.SIGKILL), TREE, 10, 3)


def daemons(tool: Tool) -> Figures:
    """SIGKILL with two hundred daemonised grandchildren."""
    script = "for i in $(seq 20); do setsid -f env -i {sleep} 1001; done; sleep 1000"
    return _killed(tool, lambda scene: _kill(scene.tree()[0]), script, 10, 20)


def helpers(tool: Tool) -> Figures:
    """SIGTERM with five daemonised helpers."""
    with Scene(tool) as scene:
        scene.start("setsid -f {sleep} 1001; exec {sleep} 1002", 5)
        scene.wait_for(10)
        seconds = scene.ended()
        return {"left": len(scene.left()), "s": seconds}


def stuck(tool: Tool) -> Figures:
    """SIGTERM while stdout is not read, after three seconds of flood."""
    reader, writer = os.pipe()
    with Scene(tool) as scene:
        scene.start("{sleep} 1000 & exec {flood} a line of output without a reader", 3, writer)
        os.close(writer)
        scene.wait_for(3)
        time.sleep(0.5)
        before = processes.pss(scene.managers())
        time.sleep(3)
        grown = processes.pss(scene.managers()) - before
        seconds = scene.ended()
        os.close(reader)
        return {"s": seconds, "+MB": round(grown, 1)}


def head(tool: Tool) -> Figures:
    """Close the reader after one line, while a child writes ten times a second."""
    reader, writer = os.pipe()
    with Scene(tool) as scene:
        scene.start("{sleep} 1000 & while echo tick; do sleep 0.1; done", 1, writer)
        os.close(writer)
        os.read(reader, 1)
        scene.wait_for(1)
        os.close(reader)
        assert scene.process is not None
        try:
            code: float | str = scene.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            code = "hang"
        return {"exit": code, "left": len(scene.left())}


def long_line(tool: Tool) -> Figures:
    """A line of 50 MB: growth of memory at the peak."""
    with Scene(tool) as scene:
        script = "{sleep} 1 & wait; head -c 50000000 /dev/zero | tr '\\0' x; echo; touch done; exec {sleep} 1000"
        scene.start(script)
        scene.wait_for(1)
        time.sleep(0.5)
        before = peak = processes.pss(scene.managers())
        done = scene.folder / "done"
        end = time.monotonic() + LIMIT
        while not done.exists() and time.monotonic() < end:
            peak = max(peak, processes.pss(scene.managers()))
        peak = max(peak, processes.pss(scene.managers()))
        return {"+MB": round(peak - before, 1)}


def many(tool: Tool) -> Figures:
    """Two hundred instances: up, down, and the memory (PSS) of the tool's own processes."""
    with Scene(tool) as scene:
        begun = time.monotonic()
        scene.start("exec {sleep} 1000", min(200, tool.most))
        scene.wait_for(min(200, tool.most))
        up = time.monotonic() - begun
        time.sleep(0.5)
        memory = processes.pss(scene.managers())
        return {"up s": round(up, 2), "stop s": scene.ended(), "PSS MB": round(memory, 1), "left": len(scene.left())}


def crash_loop(tool: Tool) -> Figures:
    """A child that exits immediately, beside one that does not: CPU in percent of one core over ten seconds."""
    with Scene(tool) as scene:
        scene.start("if mkdir lives 2>/dev/null; then exec {sleep} 1000; else exit 1; fi", 2)
        scene.wait_for(1)
        own = scene.managers()
        before, begun = processes.cpu_seconds(own), time.monotonic()
        time.sleep(10)
        return {"CPU %": round(100 * (processes.cpu_seconds(own) - before) / (time.monotonic() - begun), 2)}


def restarts(tool: Tool) -> Figures:
    """A thousand restarts, three each of 350 children: how many more descriptors its own processes hold afterwards."""
    if not tool.restarts:
        return {"more": "no restarts"}
    number = min(350, tool.most)
    with Scene(tool) as scene:
        deaths = scene.folder / "deaths"
        scene.start(f"echo >> {deaths}; exit 1", number)
        _until(lambda: _size(deaths) >= number, LIMIT)
        time.sleep(0.3)
        before = sum(map(_descriptors, scene.managers()))
        _until(lambda: _size(deaths) >= number + 1000, 3 * LIMIT)
        time.sleep(0.3)
        return {"restarts": _size(deaths) - number, "more": sum(map(_descriptors, scene.managers())) - before}


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _descriptors(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


# Forks a successor in a new session, and exits, so that no list of pids is ever current. It gives up by itself.
RACER = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + {2 * LIMIT}
while time.monotonic() < end:
    try:
        if os.fork():
            os._exit(0)
        os.setsid()
    except OSError:
        pass
"""


def racers(tool: Tool) -> Figures:
    """SIGTERM with three fork racers that leave their sessions and ignore it; they use up a grace of five seconds."""
    with Scene(tool) as scene:
        program = scene.folder / "racer.py"
        program.write_text(RACER)
        scene.start(f"{sys.executable} -I -S {program} & exec {{sleep}} 1000", 3)
        scene.wait_for(3)
        _until(lambda: _most_seen(program) > 0, LIMIT)
        time.sleep(0.5)
        seconds = scene.ended()
        time.sleep(SETTLE)
        left = _most_seen(program)
        _until(lambda: _most_seen(program) == 0, 3 * LIMIT)
        return {"s": seconds, "left": left}


def _most_seen(program: Path) -> int:
    """Return what several looks find: one may miss a process that is being replaced."""
    return max(len(processes.mentioning(program)) for _ in range(5))


def impatience(tool: Tool) -> Figures:
    """Ctrl-C twice, half a second apart, with a child that ignores all the signals it can."""
    with Scene(tool) as scene:
        scene.start("trap '' INT TERM HUP; {sleep} 1000; {sleep} 1000")
        scene.wait_for(1)
        time.sleep(0.3)
        assert scene.process is not None
        scene.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        seconds = scene.ended(signal.SIGINT)
        return {"s": seconds, "left": len(scene.left())}


def stopped_child(tool: Tool) -> Figures:
    """SIGTERM while a child is stopped by SIGSTOP."""
    with Scene(tool) as scene:
        scene.start("exec {sleep} 1000")
        scene.wait_for(1)
        for pid in scene.left():
            os.kill(pid, signal.SIGSTOP)
        seconds = scene.ended()
        return {"s": seconds, "left": len(scene.left())}


def exit_codes(tool: Tool) -> Figures:
    """Count the exit codes, of 256, that `run` passes on."""
    if type(tool) not in (Tool, Procman, Foreman):
        return {"right": "no run"}
    with Scene(tool) as scene:
        scene.tool.command(scene.folder, {"web": ["true"]})
        env = {**os.environ, **tool.environment(scene.folder)}
        right = 0
        for code in range(256):
            words = [*tool.program, "run", "sh", "-c", f"exit {code}"]
            done = subprocess.run(words, cwd=scene.folder, env=env, capture_output=True, check=False)
            right += done.returncode == code
        return {"right": right}


FAULTS: dict[str, Callable[[Tool], Figures]] = {
    "kill-visible": kill_visible,
    "kill-manager": kill_managers,
    "kill-group": kill_group,
    "daemons": daemons,
    "helpers": helpers,
    "stuck": stuck,
    "head": head,
    "long-line": long_line,
    "many": many,
    "crash-loop": crash_loop,
    "restarts": restarts,
    "racers": racers,
    "impatience": impatience,
    "stopped-child": stopped_child,
    "exit-codes": exit_codes,
}
USUAL = ("procman", "honcho", "foreman", "supervisor", "circus", "hivemind", "goreman", "overmind", "process-compose")


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-f", "--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("-t", "--tools", nargs="+", default=USUAL)
    parser.add_argument("--procman", default=default_procman())
    parser.add_argument("--peers", type=Path, default=FOLDER)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    there = find_tools(options.peers, options.procman)
    tools = {name: there[name] for name in options.tools if name in there}
    result: dict[str, dict[str, Figures]] = {}
    for fault in options.faults:
        result[fault] = {name: _measured(fault, tool) for name, tool in tools.items()}
        _show(fault, result[fault])
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def _measured(fault: str, tool: Tool) -> Figures:
    try:
        return FAULTS[fault](tool)
    except (OSError, AssertionError) as error:
        return {"failed": str(error)}


def _show(fault: str, figures: dict[str, Figures]) -> None:
    title = (FAULTS[fault].__doc__ or "").strip()
    print(f"\n{fault}: {title}")
    for name, row in figures.items():
        print(f"  {name:16}" + "  ".join(f"{key} {value}" for key, value in row.items()))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
