"""Runs short commands next to the application, such as checks and stop commands. None of them outlives its use.

A side command has the environment and the folder of the instance that it serves, and a session of its own. Its end is
noticed like a child's. It is not part of the formation and is never restarted. Only its last line of output is used;
whatever it prints before is read, too, since a full pipe would block it.
"""

from __future__ import annotations

import errno
import os
from functools import partial

from procman.core.model.status import ExitStatus
from procman.core.text.printable import printable
from procman.runtime.processes.spawn import FolderError, start_command
from procman.runtime.system.descendants import peek, send_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.tags import Tags
    from procman.runtime.system.descriptors import DescriptorLimit
    from procman.runtime.system.poller import Poller

    Finished = Callable[[ExitStatus, str], None]
else:
    import _signal as signal  # without the enums: see signals.py

PIPE_SIZE = 1 << 16  # bytes: what a pipe holds
KEPT = 4096  # bytes of its output: the end
MAX_SHOWN = 200  # characters of its last line


class SideCommand:
    """One command under way; ``finished`` is called with its status and its last line, unless it was dropped."""

    __slots__ = ("fd", "finished", "pid", "printed")

    def __init__(self, pid: int, fd: int, finished: Finished) -> None:
        self.pid = pid
        self.fd = fd
        self.finished: Finished | None = finished
        self.printed = b""  # its end

    def read(self) -> bool:
        """Read some of what it has printed; return whether it may print more."""
        try:
            chunk = os.read(self.fd, PIPE_SIZE)
        except OSError as error:
            return error.errno == errno.EAGAIN
        self.printed = (self.printed + chunk)[-KEPT:]
        return bool(chunk)

    def drop(self) -> None:
        """Kill it with its group, without calling ``finished``. It is reaped like the others."""
        self.finished = None
        send_group(self.pid, signal.SIGKILL)


class SideCommands:
    """All side commands of this engine, by pid. ``poller`` says when one of them has printed something."""

    def __init__(self, null: int, here: str, tags: Tags, limit: DescriptorLimit, poller: Poller | None = None) -> None:
        self._null = null
        self._here = here
        self._tags = tags
        self._limit = limit
        self._poller = poller
        self._by_pid: dict[int, SideCommand] = {}

    def __contains__(self, pid: object) -> bool:
        return pid in self._by_pid

    def run(
        self, plan: InstancePlan, command: str, finished: Finished, leader: int | None = None
    ) -> SideCommand | None:
        """Start ``command`` for an instance; ``leader`` becomes its PROCMAN_PID.

        Returns None if it cannot be started; ``finished`` has been called by then.
        """
        env = plan.env if leader is None else {**plan.env, "PROCMAN_PID": str(leader)}
        try:
            reader, writer = os.pipe()
        except OSError as error:
            finished(ExitStatus(code=126), os.strerror(error.errno or 0))
            return None
        os.set_blocking(reader, False)
        (low,) = self._limit.lower_numbers((writer,))
        actions = [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in enumerate((self._null, low, low))]
        self._tags.apply(plan.name)
        try:
            pid = start_command(command, plan.cwd, self._here, env, actions, self._limit)
        except OSError as error:
            os.close(reader)
            finished(*_not_started(error))
            return None
        finally:
            self._limit.release()
            os.close(writer)
        side_command = self._by_pid[pid] = SideCommand(pid, reader, finished)
        self._listen(side_command)
        return side_command

    def _listen(self, side_command: SideCommand) -> None:
        if self._poller is not None:
            try:
                self._poller.add(side_command.fd, partial(self._on_readable, side_command))
            except OSError:
                pass  # the kernel has no more watches: what it prints is read at its end

    def _on_readable(self, side_command: SideCommand) -> None:
        is_under_way = self._by_pid.get(side_command.pid) is side_command
        if self._poller is not None and is_under_way and not side_command.read():
            self._poller.remove(side_command.fd)

    def reap(self) -> None:
        """Reap the commands that have ended. First kill the rest of their groups, while the number is still theirs."""
        for side_command in list(self._by_pid.values()):
            status = peek(side_command.pid)
            if status is None:
                side_command.read()  # at the end of the session, no loop runs
                continue
            send_group(side_command.pid, signal.SIGKILL)
            try:
                os.waitpid(side_command.pid, 0)
            except ChildProcessError:
                pass  # `peek` has reaped it, or the kernel
            del self._by_pid[side_command.pid]
            side_command.read()
            if self._poller is not None:
                self._poller.remove(side_command.fd)
            os.close(side_command.fd)
            if side_command.finished is not None:
                side_command.finished(status, _last_line(side_command.printed))


def _not_started(error: OSError) -> tuple[ExitStatus, str]:
    if isinstance(error, FolderError):
        return ExitStatus(code=126), error.words
    return ExitStatus(code=127 if error.errno == errno.ENOENT else 126), os.strerror(error.errno or 0)


def _last_line(printed: bytes) -> str:
    lines = [line.strip() for line in printed.decode(errors="replace").split("\n") if line.strip()]
    return printable(lines[-1][:MAX_SHOWN]) if lines else ""
