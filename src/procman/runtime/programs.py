"""Does what a shell does to find a program: asks PATH."""

from __future__ import annotations

import os
import stat

from procman.core.command import SHELL, argv, needs_shell, through_shell, with_arguments


def launch(command: str, path_value: str | None, cwd: str, arguments: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    """The file to execute and its argument vector, for a line of the Procfile with ``arguments`` behind it.

    A plain command whose program is on ``path_value`` (the child's PATH) is executed directly, all else by ``sh -c``,
    which then says itself what it cannot find. The path is absolute, or holds for a process in ``cwd``. A text file
    without ``#!`` makes the spawn fail with ENOEXEC; a shell would run it: so may the caller, with `through_shell`.
    """
    if not needs_shell(command):
        words = argv(command)
        if program := find_program(words[0], path_value, cwd):
            return program, [*words, *arguments]
    return SHELL, through_shell(with_arguments(command, arguments))


def find_program(name: str, path_value: str | None, cwd: str) -> str | None:
    """The path of an executable file, searched as a shell in ``cwd`` would; None if there is none.

    ``path_value`` is PATH, or None where it is not set. A name with a slash is looked up from ``cwd``.
    """
    if "/" in name:
        return name if is_executable(os.path.join(cwd, name)) else None
    for path in candidates(name, path_value, cwd):
        if is_executable(path):
            return path
    return None


def candidates(name: str, path_value: str | None, cwd: str) -> list[str]:
    """Where a program of this name could be, in order; an empty entry of PATH is the current folder."""
    entries = (os.defpath if path_value is None else path_value).split(os.pathsep)
    return [entry + "/" + name if entry[:1] == "/" else _absolute(cwd, entry, name) for entry in entries]


def _absolute(cwd: str, entry: str, name: str) -> str:
    return os.path.join(os.getcwd(), cwd, entry, name)


def is_executable(path: str) -> bool:
    """Whether this is a regular file that we may execute; a folder is not, though its x bit is set."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False
