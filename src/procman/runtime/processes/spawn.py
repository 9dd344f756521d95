"""Finds a program on PATH and starts it, as a shell would."""

from __future__ import annotations

import errno
import os
import stat
import sys

from procman.core.procfile.command import SHELL, argv, needs_shell, through_shell, with_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from procman.core.model.status import ExitStatus
    from procman.runtime.system.descriptors import DescriptorLimit

    FileAction = tuple[int, int, int] | tuple[int, int, str, int, int]


TEMPORARY_ERRORS = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})


class FolderError(OSError):
    """The folder that a command is to run in cannot be entered."""

    @property
    def words(self) -> str:
        """The folder and what is wrong with it."""
        return f"{self.filename}: {'no such folder' if self.errno == errno.ENOENT else str(self.strerror).lower()}"


class SpawnError(Exception):
    """A child could not be spawned. `status` is what a shell would exit with, or None if trying again may help."""

    def __init__(self, reason: str, status: ExitStatus | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class SilentStdin:
    """The standard input of children without a terminal: a pipe that nothing is written to, and that ends when we do.

    Watchers (`esbuild --watch`) take an end of file, which /dev/null has from the beginning, for the end of their
    parent. One pipe is enough for all children. But each opens it itself where /proc allows that: otherwise, what one
    of them sets (Node sets O_NONBLOCK) would apply to all, and a program that reads would fail with EAGAIN.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()  # both close-on-exec: only we hold the writing end
        path = f"/proc/self/fd/{self._reader}"
        self._path = path if os.path.exists(path) else ""

    def action(self) -> FileAction:
        """Return how a child takes it."""
        if self._path:
            return (os.POSIX_SPAWN_OPEN, 0, self._path, os.O_RDONLY, 0)
        return (os.POSIX_SPAWN_DUP2, self._reader, 0)


def launch(
    command: str, path_value: str | None, cwd: str, arguments: tuple[str, ...] = (), before: str = ""
) -> tuple[str, list[str]]:
    """Return the file to execute and its argument vector, for a line of the Procfile followed by ``arguments``.

    A plain command whose program is on ``path_value`` (the child's PATH) is executed directly. Anything else goes to
    ``sh -c``, which reports by itself what it cannot find; with ``exec`` if it would start only one program. The path
    is absolute, or relative to ``cwd``. A script without ``#!`` makes the spawn fail with ENOEXEC. A shell would run
    it, and so may the caller, with `through_shell`. ``before`` is for a shell to do first.
    """
    if not before and not needs_shell(command):
        words = argv(command)
        if program := find_program(words[0], path_value, cwd):
            return program, [*words, *arguments]
    return SHELL, through_shell(before + with_arguments(_with_exec(command, path_value, cwd), arguments))


def _with_exec(command: str, path_value: str | None, cwd: str) -> str:
    """Put ``exec`` before the program if the shell would only wait for it, and take the signals that are meant for it.

    If there is no such program, leave the command alone: the shell's own message is the best.
    """
    from procman.core.procfile.command import program_at

    at = program_at(command)
    if at is None or not find_program(command[at:].split(maxsplit=1)[0], path_value, cwd):
        return command
    return f"{command[:at]}exec {command[at:]}"


def start_command(
    command: str,
    cwd: str,
    here: str,
    env: Mapping[str, str],
    actions: Sequence[FileAction],
    limit: DescriptorLimit,
    before: str = "",
) -> int:
    """Spawn the command in a new session; return its pid. Raises OSError, or FolderError for ``cwd``.

    ``here`` is the current folder; ``before``: see `launch`.

    posix_spawn uses vfork: half a millisecond, whatever the size of our heap.
    """
    from procman.runtime.system.signals import DEFAULT_IN_CHILDREN  # `check`, which only looks for programs, needs none

    def start() -> int:
        return spawn_process(program, words, env, DEFAULT_IN_CHILDREN, actions, new_session=True)

    def spawn() -> int:
        is_here = cwd == here and _is_current(here)
        return limit.spawn(start) if is_here else _spawn_in(cwd, lambda: limit.spawn(start))

    program, words = launch(command, env.get("PATH"), cwd, before=before)
    try:
        return spawn()
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script whose first line names no interpreter: a shell runs it (POSIX.1-2017 XCU 2.9.1.1).
        words = through_shell(command)
        program = words[0]
        return spawn()


def spawn_process(
    program: str,
    words: list[str],
    env: Mapping[str, str],
    default_signals: Collection[int],
    actions: Sequence[FileAction] = (),
    new_session: bool = False,
) -> int:
    """Spawn a program with these signals at their defaults and none blocked; return its pid. Raises OSError.

    Sandboxes may refuse clone3(2), which posix_spawn of glibc uses, with EPERM (Docker before 20.10.10); fork works.
    """
    try:
        return os.posix_spawn(
            program,
            words,
            env,
            file_actions=actions,
            setsid=new_session,
            setsigmask=(),
            setsigdef=default_signals,
        )
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
    from procman.runtime.processes.fork_exec import fork_exec

    return fork_exec(program, words, env, default_signals, actions, new_session)


def _is_current(folder: str) -> bool:
    """Return whether this is still the current folder: one that was removed and made again is another."""
    try:
        return os.path.samestat(os.stat("."), os.stat(folder))
    except OSError:
        return True  # it is gone: the program sees that, and is started again


def _spawn_in(folder: str, spawn: Callable[[], int]) -> int:
    """Spawn in another folder, by entering it for a moment: posix_spawn has no portable way to change the child's.

    We have only one thread, so nothing else sees the change.
    """
    here = os.open(".", os.O_RDONLY)
    try:
        _enter(folder)
        return spawn()
    finally:
        os.fchdir(here)
        os.close(here)


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise FolderError(error.errno, error.strerror, folder) from None


def find_program(name: str, path_value: str | None, cwd: str) -> str | None:
    """Return the path of an executable file, searched as a shell in ``cwd`` would, or None.

    ``path_value`` is PATH, or None if it is not set. A name with a slash is relative to ``cwd``.
    """
    if sys.platform == "win32":
        return _on_windows(name, path_value, cwd)
    if "/" in name:
        return name if is_executable(os.path.join(cwd, name)) else None
    for path in candidates(name, path_value, cwd):
        if is_executable(path):
            return path
    return None


def _on_windows(name: str, path_value: str | None, cwd: str) -> str | None:
    """Return the path of a program, whose name may lack one of the usual endings there: ``npm`` is ``npm.cmd``."""
    endings = ("", *os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";"))
    paths = [_absolute(cwd, "", name)] if "/" in name or "\\" in name else candidates(name, path_value, cwd)
    return next((path + ending for path in paths for ending in endings if is_executable(path + ending)), None)


def candidates(name: str, path_value: str | None, cwd: str) -> list[str]:
    """Return where a program of this name could be, in order; an empty entry of PATH is the current folder."""
    entries = (os.defpath if path_value is None else path_value).split(os.pathsep)
    return [entry + "/" + name if entry[:1] == "/" else _absolute(cwd, entry, name) for entry in entries]


def _absolute(cwd: str, entry: str, name: str) -> str:
    return os.path.join(os.getcwd(), cwd, entry, name)


def is_executable(path: str) -> bool:
    """Return whether this is a regular file that we may execute; a folder is not, though its x bit is set."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False
