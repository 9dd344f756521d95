"""The tools that are compared, and how each of them runs the same children. One class per family of tools."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Tool:
    """A process manager that reads a Procfile.

    ``mode`` says how its lines are checked: "prefixed", "bare" (it adds nothing) or "count" (`cat` mixes its writers).
    ``own`` holds the names of further executables that belong to the children, not to the tool.
    """

    mode = "prefixed"
    stop_signal = signal.SIGTERM
    own: tuple[str, ...] = ("sh", "dash", "bash", "busybox")
    restarts = False  # whether it restarts a child that was killed
    most = 1000  # the most children that it has to run

    def __init__(self, name: str, program: list[str], *, arguments: tuple[str, ...] = ()) -> None:
        self.name = name
        self.program = program
        self.arguments = arguments

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """Write the files that it needs into ``folder``, and return the command line that runs these children."""
        procfile(folder, children)
        return [*self.program, "start", "-f", "Procfile", *self.arguments]

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the variables that the tool needs besides PATH."""
        return {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}


def procfile(folder: Path, children: Mapping[str, list[str]]) -> None:
    """Write the Procfile of these children."""
    text = "".join(f"{name}: {shlex.join(words)}\n" for name, words in children.items())
    (folder / "Procfile").write_text(text)


class Procman(Tool):
    """This program."""

    restarts = True

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        procfile(folder, children)
        # A thousand process types of a hundred ports each do not fit into 65535.
        return [*self.program, "start", "-f", "Procfile", "--no-port", *self.arguments]


class Cat(Tool):
    """The yardstick: all children write into one pipe, and cat(1) reads it."""

    mode = "count"

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        lines = "".join(f"{shlex.join(words)} &\n" for words in children.values())
        (folder / "script").write_text("{\n" + lines + "wait\n} | cat\n")
        return ["sh", "script"]


class Foreman(Tool):
    """ruby-foreman, unpacked from its Debian package."""

    def environment(self, folder: Path) -> dict[str, str]:
        """Find the libraries in the folder where they were unpacked."""
        libraries = map(str, Path(self.program[-1]).parents[2].glob("*/lib"))
        return {**super().environment(folder), "RUBYLIB": os.pathsep.join(libraries)}


class NodeForeman(Tool):
    """nf, the `foreman` of npm."""

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        procfile(folder, children)
        return [*self.program, "start", "-j", "Procfile"]


class Concurrently(Tool):
    """concurrently: commands on the command line."""

    most = 200

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        return [*self.program, "--names", ",".join(children), *(shlex.join(words) for words in children.values())]


class Supervisor(Tool):
    """supervisord, configured to pass the children's output to its own stdout, as in a container. It adds no prefix."""

    mode = "bare"
    restarts = True

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        sections = [
            f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/pid\n"
            f"minfds={4096}\nuser={os.environ.get('USER', 'root')}\n"
        ]
        for name, words in children.items():
            sections.append(
                f"[program:{name}]\ncommand={shlex.join(words)}\nredirect_stderr=true\nstdout_logfile=/dev/fd/1\n"
                "stdout_logfile_maxbytes=0\nautorestart=true\nstartsecs=0\n"
            )
        (folder / "supervisord.conf").write_text("\n".join(sections))
        return [*self.program, "-c", "supervisord.conf"]


class Circus(Tool):
    """circusd, whose StdoutStream adds no prefix."""

    mode = "bare"
    restarts = True

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        ends = "".join(f"{name} = ipc://{folder}/{name}\n" for name in ("endpoint", "pubsub_endpoint"))
        sections = [f"[circus]\n{ends}statsd = False\nloglevel = CRITICAL\n"]
        for name, words in children.items():
            sections.append(
                f"[watcher:{name}]\ncmd = {words[0]}\nargs = {shlex.join(words[1:])}\ncopy_env = True\n"
                "stdout_stream.class = StdoutStream\n"
            )
        (folder / "circus.ini").write_text("\n".join(sections))
        return [*self.program, "circus.ini"]


class Pm2(Tool):
    """pm2-runtime, its form for containers. It adds no prefix."""

    mode = "bare"

    restarts = True
    most = 100

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        apps = [
            {"name": name, "script": words[0], "args": words[1:], "interpreter": "none", "instances": 1}
            for name, words in children.items()
        ]
        (folder / "apps.json").write_text(json.dumps({"apps": apps}))
        return [*self.program, "start", "apps.json"]

    def environment(self, folder: Path) -> dict[str, str]:
        """Keep its daemon's files in the folder."""
        return {**super().environment(folder), "PM2_HOME": str(folder / "pm2")}


class Hivemind(Tool):
    """hivemind; it gives its children pseudo-terminals."""

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        procfile(folder, children)
        return [*self.program, "Procfile"]


class Goreman(Tool):
    """goreman; options come before the command, and its control port is switched off."""

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        procfile(folder, children)
        return [*self.program, "-f", "Procfile", "-rpc-server=false", "start"]


class ProcessCompose(Tool):
    """process-compose without its screen and server. JSON is YAML."""

    restarts = True

    def command(self, folder: Path, children: Mapping[str, list[str]]) -> list[str]:
        """See Tool.command."""
        processes = {
            name: {"command": shlex.join(words), "availability": {"restart": "always"}}
            for name, words in children.items()
        }
        (folder / "process-compose.yaml").write_text(json.dumps({"version": "0.5", "processes": processes}))
        log = str(folder / "process-compose.log")  # its default is /tmp
        return [*self.program, "-t=false", "--no-server", "-L", log, "-f", "process-compose.yaml", "up"]


FOREMAN = "debian/usr/share/rubygems-integration/all/gems/foreman-*/bin/foreman"
ON_PATH: dict[str, type[Tool]] = {
    "forego": Tool,
    "goreman": Goreman,
    "hivemind": Hivemind,
    "overmind": Tool,
    "process-compose": ProcessCompose,
}


def find_tools(peers: Path, procman: str) -> dict[str, Tool]:
    """Return the tools that are installed: procman, cat, those in ``peers``, others on PATH."""
    tools: dict[str, Tool] = {
        "procman": Procman("procman", [procman]),
        "procman-pty": Procman("procman-pty", [procman], arguments=("--pty",)),
        "cat": Cat("cat", ["cat"]),
    }
    installed: tuple[tuple[str, type[Tool], str, list[str]], ...] = (
        ("honcho", Tool, "python/bin/honcho", []),
        ("supervisor", Supervisor, "python/bin/supervisord", []),
        ("circus", Circus, "python/bin/circusd", []),
        ("concurrently", Concurrently, "node/node_modules/.bin/concurrently", []),
        ("nf", NodeForeman, "node/node_modules/.bin/nf", []),
        ("pm2", Pm2, "node/node_modules/.bin/pm2-runtime", []),
        *(("foreman", Foreman, str(path), ["ruby"]) for path in peers.glob(FOREMAN)),
    )
    for name, kind, path, interpreter in installed:
        if (peers / path).exists() and (not interpreter or shutil.which(interpreter[0])):
            tools[name] = kind(name, [*interpreter, str(peers / path)])
    for name, kind in ON_PATH.items():
        if program := shutil.which(name):
            tools[name] = kind(name, [program])
    return tools


def default_procman() -> str:
    """Return the command beside this interpreter, or the one on PATH."""
    beside = Path(sys.executable).parent / "procman"
    return str(beside) if beside.exists() else (shutil.which("procman") or str(beside))
