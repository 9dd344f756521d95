"""Starts a program by fork and exec, where the system refuses what posix_spawn needs."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Collection, Mapping, Sequence
    from typing import NoReturn

    FileAction = tuple[int, int, int] | tuple[int, int, str, int, int]
else:
    import _signal as signal  # without the enums: see signals.py


def fork_exec(
    program: str,
    words: list[str],
    env: Mapping[str, str],
    default_signals: Collection[int],
    actions: Sequence[FileAction],
    new_session: bool,
) -> int:
    """Do the same as `spawn_process`. Raises OSError with the error of the child, which arrives through a pipe."""
    reader, writer = _pipe_above(actions)  # close-on-exec: its end of file says that the program runs
    try:
        pid = os.fork()
        if pid == 0:
            _become(program, words, env, default_signals, actions, new_session, writer)
        os.close(writer)
        writer = -1
        number = os.read(reader, 16)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)), program)
    return pid


def _pipe_above(actions: Sequence[FileAction]) -> tuple[int, int]:
    """Return the ends of a pipe, whose writing end has a number that no action replaces."""
    reader, low = os.pipe()
    highest = max((action[2] if len(action) == 3 else action[1] for action in actions), default=0)
    if low > highest:
        return reader, low
    import fcntl

    try:
        return reader, fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, highest + 1)
    finally:
        os.close(low)


def _become(
    program: str,
    words: list[str],
    env: Mapping[str, str],
    default_signals: Collection[int],
    actions: Sequence[FileAction],
    new_session: bool,
    writer: int,
) -> NoReturn:
    """Become the program; this is the fork."""
    code = 126
    try:
        signal.set_wakeup_fd(-1)  # it is shared with the parent
        if new_session:
            os.setsid()
        for action in actions:
            _perform(action)
        for number in default_signals:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(program, words, env)
    except OSError as error:
        os.write(writer, str(error.errno).encode())
    finally:
        os._exit(code)


def _perform(action: FileAction) -> None:
    if len(action) == 3:
        os.dup2(action[1], action[2])
        return
    _, to, path, flags, mode = action
    fd = os.open(path, flags, mode)
    if fd != to:
        os.dup2(fd, to)
        os.close(fd)
