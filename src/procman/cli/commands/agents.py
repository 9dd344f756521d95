"""``procman agents``: the section for AGENTS.md, and the hint that ``start`` prints for a coding agent."""

from __future__ import annotations

import os
import shlex
import sys

from procman.cli.options.option import Invocation
from procman.config.files import read_procfile
from procman.core.text.printable import visible
from procman.errors import EXIT_OK, UsageError
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.core.model.settings import Settings

HEADING = "## Running the application\n\n"
# docs/agents.md shows the same; a test compares them
INSTRUCTIONS = """\
- Start everything: `procman up --json`, as often as you like. It starts what is missing, returns when all is ready, and
  leaves the session in the background. Never start a server yourself, and never use `&` or `nohup`, not even with
  `procman start`.
- See states, ports and URLs: `procman ps --json`; each git worktree has its own. Why not up: `procman why NAME`.
- Read output, also after the end: `procman logs -n 50 NAME`; without a name, of all. `logs -f` does not return.
- After a change to code, `.env` or the Procfile: `procman restart NAME`. It returns when the process is ready.
- Stop everything when you are done: `procman down`. Stop one process: `procman stop NAME`.
- Exit status: 0 done; 1 failed, or no session is running (then use `procman up`); 2 invalid command line, name or
  file; 124 not ready in time. If a process fails, `up` shows its last lines and exits with its exit status.
- A client of the Model Context Protocol has tools for all of this, if its configuration has
  `{"mcpServers": {"procman": {"command": "procman", "args": ["mcp"]}}}`.
"""
MCP_SERVERS = "mcpServers"  # the key of Claude Code, Cursor, Gemini CLI and most other clients

HINT = (
    "procman: hint: procman up returns when everything is ready, and leaves the session in the background;"
    " procman agents says more\n"
)


def perform(invocation: Invocation) -> int:
    """Print the section, with the process types of the Procfile if there is one, or the JSON for clients of MCP."""
    from procman.cli.options.precedence import settle

    if invocation.words:
        raise UsageError("agents takes no names", "what it prints is about all processes")
    given = {option: texts for option, texts in invocation.given.items() if option.setting != "as_json"}
    settings = settle(Invocation(invocation.command, given, ()))
    place = settings.origin.get("procfile", "")
    there = bool(place) or os.path.lexists(settings.procfile)
    named = settings.procfile if place.startswith("-") else ""
    if len(given) < len(invocation.given):
        sys.stdout.write(client_configuration(named))
        return EXIT_OK
    names = read_procfile(settings.procfile, settings.place("procfile")).names if there else ()
    sys.stdout.write(text(names, named))
    return EXIT_OK


def text(names: Sequence[str], procfile: str = "") -> str:
    """Return the section for process types of these names. ``procfile`` is a path that each command has to name."""
    types = f": {', '.join(f'`{name}`' for name in names)}" if names else ""
    lines = [f"procman runs the processes of the Procfile{types}.\n"]
    if procfile:
        lines.append(f"Add `--procfile {visible(shlex.quote(procfile))}` to each of these commands.\n")
    return "".join((HEADING, *lines, "\n", INSTRUCTIONS))


def client_configuration(procfile: str = "") -> str:
    """Return the JSON for a client of the Model Context Protocol. ``procfile`` is a path that it has to name."""
    import json

    arguments = ["mcp", *(["--procfile", procfile] if procfile else [])]
    return json.dumps({MCP_SERVERS: {"procman": {"command": "procman", "args": arguments}}}, indent=2) + "\n"


def advise(settings: Settings) -> None:
    """Print the hint if ``start`` would keep a coding agent waiting.

    It does not if stdout is a terminal, in CI, as PID 1, below another session, and where ``up`` would be refused.
    """
    environ = os.environ
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    if in_ci or "PROCMAN_SESSION" in environ or os.getpid() == 1 or not settings.control or is_terminal(1):
        return
    try:
        sys.stderr.write(HINT)
    except OSError:
        pass  # no reader: a hint must not keep the session from starting
