"""Runs the command of ``procman run`` on Windows. There is no other way to start a process there yet."""

from __future__ import annotations

import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def run_on_windows(program: str, argv: list[str], env: Mapping[str, str], cwd: str) -> int:
    """Run a program to its end and return its exit code. Raises OSError if it cannot be started.

    It has our console, so that it gets Ctrl-C itself: we only wait until it has ended.
    """
    child = subprocess.Popen([program, *argv[1:]], cwd=cwd, env=dict(env))  # noqa: S603 (the user's own command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue
