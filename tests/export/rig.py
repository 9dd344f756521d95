"""An application that records what it is given, its export, and what `start` would give it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

import harness
from procman.cli.commands.export import read_plan
from procman.core.model.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

_URL_OF_TYPE = re.compile("PROCMAN_[A-Z0-9_]+_URL")  # for a browser on the machine of the session
LIMIT = 60.0  # seconds; only a hang takes this long

# Values that broke the exports of other tools: each must arrive byte for byte.
HOSTILE = {
    "H_PERCENT": "50% of %h, %i %% %",
    "H_DOLLAR": "$HOME ${PATH} $$ $(id) $",
    "H_APOSTROPHE": "it's",
    "H_QUOTES": 'say "hi"',
    "H_BACKSLASH": "C:\\new\\table\\",
    "H_NEWLINE": "one\ntwo\n\nfour\n",
    "H_TAB": "a\tb",
    "H_BLANKS": "  both ends  ",
    "H_UTF8": "größe ✓ 🚀 \u00a0\u2028",
    "H_COMMENT": "#not ; a #comment ;at all",
    "H_BRACES": "{{ .Task.Slot }} {{{ {% raw %} }}",
    "H_BACKTICK": "`id` and \\`id\\`",
    "H_EMPTY": "",
    "H_LAST_QUOTE": 'ends with "',
    "H_URL": "postgres://u:p%40ss@h/db?x=1&y=2",
    "H_JSON": '{"a": ["\\n", null], "b": "${NAME}"}',
    "H_LONG": "x'\"$%\\ " * 1000,
}

PROCFILE = r"""
web: ./witness 'it'"'"'s' "say \"hi\" $PS" 50% %h %% '$$ $(id)' ~ back\\slash '{{.Task.Slot}}' "${PORT}" '#;' LONG
worker: true && ./witness "a && b" '%i' `echo sub`"$PS" | cat -u
clock: FOO='x  y' ./witness größe✓ "$FOO" # and a note; with (everything)
"""

WITNESS = r"""#!/bin/sh
# Record what it is given, and run until TERM, which it answers after a while.
name=$PROCMAN_INSTANCE
seen=${WITNESS_SEEN:-seen}
cat /proc/self/environ >"$seen/$name.environ"
printf '%s\0' "$@" >"$seen/$name.args"
trap 'sleep 0.3; echo yes >"$seen/$name.bye"; echo "bye $name"; exit 0' TERM
echo "up $name"
echo $$ >"$seen/$name.draft" && mv "$seen/$name.draft" "$seen/$name.pid"
while :; do sleep 0.1 & wait $!; done
"""


# Starts a program and dies at TERM without passing it on, as npm does. The program needs its grace.
LAUNCHER = "#!/bin/sh\n./witness &\nwait\n"

# Finishes the job of its child at TERM. The child itself would die of it, like the workers of a pool.
POOL = r"""#!/bin/sh
trap 'echo >seen/asked; wait $job; echo yes >seen/pool.bye; exit 0' TERM
(while [ ! -e seen/asked ]; do sleep 0.1; done; sleep 0.5; echo done >seen/pool.job) & job=$!
echo $$ >seen/pool.draft && mv seen/pool.draft seen/pool.1.pid
wait $job
"""


def quoted(value: str) -> str:
    """Write a value of an env file for python-dotenv."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Application:
    """A folder with a Procfile, an env file full of hostile values, and a witness to run."""

    def __init__(self, folder: Path, procfile: str = PROCFILE, env: dict[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.folder = folder
        self.seen = folder / "seen"
        self.seen.mkdir(parents=True)
        (folder / "Procfile").write_text(procfile.replace("LONG", "long" * 2000))
        values = {**(HOSTILE if env is None else env), "WITNESS_MARK": self.mark}
        (folder / ".env").write_text("".join(f"{name}={quoted(value)}\n" for name, value in values.items()))
        (folder / ".env").chmod(0o600)
        self.add("witness", WITNESS)

    def add(self, name: str, script: str) -> None:
        """Add a program to the application's folder."""
        (self.folder / name).write_text(script)
        (self.folder / name).chmod(0o755)

    def export(self, format_name: str, out: Path, *words: str) -> harness.Finished:
        """Export with the installed command, which must succeed."""
        done = harness.call("export", format_name, "--out", str(out), *words, cwd=self.folder)
        assert done.code == 0, done
        return done

    def expected(self, formation: str) -> dict[str, dict[str, str]]:
        """Return what `start` gives each instance, without the real environment and what has a meaning only there."""
        plan = read_plan(Settings(procfile=f"{self.folder}/Procfile", formation=formation), {})
        environments = {instance.name: instance.env for instance in plan.instances}
        for env in environments.values():
            for name in [name for name in env if name == "PROCMAN_SESSION" or _URL_OF_TYPE.fullmatch(name)]:
                del env[name]
        assert all(HOSTILE.items() <= env.items() for env in environments.values() if "H_EMPTY" in env)
        return environments

    def arguments(self, name: str, home: str | None = None) -> list[bytes]:
        """Return the arguments that a shell makes of the Procfile's line, with the witness's home."""
        line = next(line for line in (self.folder / "Procfile").read_text().splitlines() if line.startswith(name))
        probe = self.folder / "probe"
        (probe / "seen").mkdir(parents=True, exist_ok=True)
        witness = probe / "witness"
        witness.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" >seen/args\n")
        witness.chmod(0o755)
        number = self.expected(f"{name}=1")[f"{name}.1"]
        env = {"PATH": os.environ["PATH"], "HOME": home or self.environ(f"{name}.1").get("HOME", "~"), **number}
        subprocess.run(["/bin/sh", "-c", line.partition(":")[2].strip()], cwd=probe, env=env, check=True, timeout=LIMIT)
        return (probe / "seen" / "args").read_bytes().split(b"\0")[:-1]

    def environ(self, name: str) -> dict[str, str]:
        """Return the environment that the witness of an instance saw."""
        return parse_environ((self.seen / f"{name}.environ").read_bytes())

    def pid(self, name: str) -> int:
        """Return the pid of an instance's witness, once it has recorded everything."""
        path = self.seen / f"{name}.pid"
        wait_for(path.exists, f"{name} is up")
        return int(path.read_text())

    def forget(self, name: str) -> None:
        """Remove what the witness of an instance recorded, to distinguish its next life from this one."""
        for path in self.seen.glob(f"{name}.*"):
            path.unlink()

    def survivors(self) -> list[str]:
        """Return every process on the machine that has our mark in its environment."""
        needle = f"WITNESS_MARK={self.mark}".encode()
        return [f"{pid} {command}" for pid, command, environ in _processes() if needle in environ]

    def wait_until_gone(self) -> None:
        """Wait until every process has ended. Killed ones take a moment longer, above all on a busy machine."""
        try:
            wait_for(lambda: not self.survivors(), "no process of the application is left")
        except AssertionError as error:
            error.add_note("\n".join(f"{survivor}: {_whereabouts(survivor)}" for survivor in self.survivors()))
            raise

    def kill_survivors(self) -> None:
        """Kill whatever a failed test left behind."""
        for survivor in self.survivors():
            _kill(int(survivor.split()[0]))


def parse_environ(data: bytes) -> dict[str, str]:
    """Parse the environment of a process as the kernel shows it."""
    pairs = (entry.decode().partition("=") for entry in data.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def _processes() -> Iterator[tuple[int, str, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield int(entry.name), command[:80], (entry / "environ").read_bytes()
            except OSError:
                continue


def _whereabouts(survivor: str) -> str:
    folder = Path("/proc", survivor.split(maxsplit=1)[0])
    try:
        status = dict(line.split(":\t") for line in (folder / "status").read_text().splitlines() if ":\t" in line)
        return f"{status['State']}, child of {status['PPid'].strip()}, {(folder / 'cgroup').read_text().strip()}"
    except OSError as error:
        return str(error)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_for(condition: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Wait until ``condition`` holds. A test never waits for a fixed time."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not within {limit:.0f} s: {what}"
        time.sleep(0.05)


def call(*argv: str | Path, limit: float = LIMIT, **more: object) -> str:
    """Run a program of the engine, which must succeed. Return its output, both streams."""
    done = attempt(*argv, limit=limit, **more)
    assert done.returncode == 0, f"{argv}: exit code {done.returncode}\n{done.stdout}"
    return done.stdout


def attempt(*argv: str | Path, limit: float = LIMIT, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a program of the engine, which may fail."""
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        check=False,
        **more,
    )


def need(*programs: str, root: bool = False) -> None:
    """Skip with the reason where an engine cannot run, or fail with PROCMAN_ENGINES=required."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        cannot(f"{', '.join(missing)} not installed")
    if root and os.geteuid() != 0:
        cannot("needs root")


def cannot(reason: str) -> NoReturn:
    """Skip, or fail if every engine is required to run."""
    if os.environ.get("PROCMAN_ENGINES") == "required":
        pytest.fail(f"PROCMAN_ENGINES=required, but: {reason}")
    pytest.skip(reason)
