"""``procman run --on NAME``: a line of the Procfile, or any command, in the environment of what is deployed."""

from __future__ import annotations

import shlex
import sys

from procman.cli.remote.remote_target import Remote, note
from procman.config.files import read_procfile, require_sound
from procman.core.procfile.command import with_arguments
from procman.errors import UsageError
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation
    from procman.engines.records import LogLine


def run(invocation: Invocation) -> int:
    """Run a command there, and return its exit code."""
    remote = Remote(invocation)
    remote.require("run")
    if not invocation.words:
        raise UsageError("missing command", "for example: procman run --on production -- env")
    terminal = is_terminal(0) and is_terminal(1)
    reason = remote.engine.refuses.get("terminal", "")
    if reason and (terminal or not _has_no_input()):
        note(f"the command gets no terminal and no input: {reason}")
    command, process = _command(remote, invocation)
    remote.display.show_line = _write
    return remote.perform(remote.engine.run(command, process=process, terminal=terminal and not reason))


def _write(line: LogLine) -> None:
    """Pass a line of the command on as it is."""
    stream = sys.stderr if line.stream == "stderr" else sys.stdout
    stream.flush()
    stream.buffer.write(line.line + b"\n")
    stream.buffer.flush()


def _has_no_input() -> bool:
    """Whether standard input is /dev/null or closed."""
    import os
    import stat

    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return True
    return stat.S_ISCHR(mode) and not os.isatty(0)


def _command(remote: Remote, invocation: Invocation) -> tuple[str, str]:
    """Return a line for a shell, the Procfile's with more arguments or the words themselves, and the process type."""
    first, *others = invocation.words
    procfile = read_procfile(remote.settings.procfile)
    process = None if invocation.after_dashes else procfile.get(first)
    if process is None:
        return shlex.join(invocation.words), ""
    require_sound(procfile)
    return with_arguments(process.command, tuple(others)), process.name
