"""Does: spawns children, signals their groups, notices and reaps their ends.

Each child leads a session of its own, so its pid is also the id of its group and session. A zombie pins these
numbers: a group is only ever signalled while its leader is unreaped, so that no stranger with a recycled number is hit.
"""

from __future__ import annotations

import errno
import os

from procman.core.model.status import ExitStatus
from procman.runtime.processes.spawn import start_command
from procman.runtime.processes.tags import Tags
from procman.runtime.system import descendants
from procman.runtime.system.descendants import group_of, peek, send, send_group, session_of
from procman.runtime.system.descriptors import DescriptorLimit
from procman.runtime.system.procfs import own_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Sequence

    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.pty import Pty
    from procman.runtime.processes.session_leader import SessionLeaders
    from procman.runtime.processes.side_commands import SideCommand, SideCommands
    from procman.runtime.processes.spawn import FileAction
else:
    import _signal as signal  # without the enums: see signals.py

STRANGERS_PER_ROUND = 256  # a process that forks faster than we reap must not hold the loop for ever
TRY_AGAIN = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})


class SpawnError(Exception):
    """A child could not be spawned; `status` is a shell's code for it, or None when trying again may help."""

    def __init__(self, reason: str, status: ExitStatus | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Child:
    """One life of an instance: its pid, the descriptors to read it by, and its status once it has ended."""

    __slots__ = ("name", "outputs", "pid", "pty", "status", "stopper")

    def __init__(self, name: str, pid: int, outputs: tuple[tuple[str, int], ...], pty: Pty | None) -> None:
        self.name = name
        self.pid = pid
        self.outputs = outputs  # (stream, descriptor)
        self.pty = pty
        self.status: ExitStatus | None = None  # known, but not yet reaped: a zombie
        self.stopper: SideCommand | None = None  # the command that asks it to end


class Children:
    """All children of this engine, by pid."""

    def __init__(self, session: str, instances: int, separate_streams: bool = False) -> None:
        self._marks = Tags(session)
        self._separate = separate_streams
        self._by_pid: dict[int, Child] = {}
        self._asked: set[int] = set()  # orphans that were asked to end
        self.spared = descendants.prior_children()
        self._null = os.open(os.devnull, os.O_RDWR)
        self.limit = DescriptorLimit(instances, self._null)
        self._here = os.getcwd()
        self._side_commands: SideCommands | None = None
        self._session_leaders: SessionLeaders | None = None
        self.complain: Callable[[str], None] = _keep_to_ourselves

    def __len__(self) -> int:
        return len(self._by_pid)

    # Birth --------------------------------------------------------------------------------------------------------

    def spawn(self, plan: InstancePlan, pty: Pty | None = None) -> Child:
        """Start one life of `plan`, reading through `pty` or through pipes. Raises SpawnError."""
        try:
            outputs, ends = self._open_streams(pty)
        except OSError as error:
            raise _spawn_error(plan, error) from None
        self._marks.apply(plan.name)
        try:
            actions = self._actions(pty, self.limit.lower_numbers(ends))
            pid = start_command(plan.command, plan.cwd, self._here, plan.env, actions, self.limit)
        except OSError as error:
            _close_all(fd for _, fd in outputs)
            raise _spawn_error(plan, error) from None
        finally:
            self.limit.release()
            _close_all(ends)
        child = Child(plan.name, pid, outputs, pty)
        self._by_pid[pid] = child
        return child

    def _open_streams(self, pty: Pty | None) -> tuple[tuple[tuple[str, int], ...], tuple[int, ...]]:
        """Our reading ends, and the children's writing ends. One pipe for both: their true order is worth more."""
        if pty is not None:
            return (("stdout", pty.master),), ()
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        if not self._separate:
            return (("stdout", reader),), (writer,)
        try:
            other, other_writer = os.pipe()
        except OSError:
            _close_all((reader, writer))
            raise
        os.set_blocking(other, False)
        return (("stdout", reader), ("stderr", other)), (writer, other_writer)

    def _actions(self, pty: Pty | None, ends: Sequence[int]) -> list[FileAction]:
        if pty is not None:
            # The first terminal that a session leader opens becomes its controlling one (tty_ioctl(4), Linux and BSD).
            opened = (os.POSIX_SPAWN_OPEN, 0, pty.path, os.O_RDWR, 0)
            return [opened, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
        return [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in enumerate((self._null, ends[0], ends[-1]))]

    # Signals ------------------------------------------------------------------------------------------------------

    def of(self, name: str) -> Child | None:
        """The child that speaks for the instance `name`, if it lives."""
        return next((child for child in self._by_pid.values() if child.name == name and child.status is None), None)

    def ask(self, child: Child, number: int) -> None:
        """Send the stop signal to the child's group, and CONT: a stopped process could not obey."""
        send_group(child.pid, number)
        send_group(child.pid, signal.SIGCONT)

    def stop(self, child: Child, plan: InstancePlan) -> None:
        """Ask the child to end, in the way of its plan: by a signal, or a command, and the signal when that fails."""
        if not plan.stop.command:
            self._ask_all(child, plan.stop.signal_number)
            return

        def finished(status: ExitStatus, words: str) -> None:
            child.stopper = None
            if not status.ok and child.status is None:
                said = f": {words}" if words else ""
                self.complain(f"the stop command of {child.name} {status.words()}{said}; it gets the signal instead")
                self._ask_all(child, plan.stop.signal_number)

        child.stopper = self.side_commands.run(plan, plan.stop.command, finished, child.pid)

    def _ask_all(self, child: Child, number: int) -> None:
        """Ask a child that lives, and its group; on a terminal, the leader's end must not hang up on the others."""
        if child.pty is None or not self.session_leaders.hold(child.pid, number):
            self.ask(child, number)

    @property
    def session_leaders(self) -> SessionLeaders:
        """The leaders that wait for their groups. They do not exist before somebody on a terminal is asked to end."""
        if self._session_leaders is None:
            from procman.runtime.processes.session_leader import SessionLeaders

            self._session_leaders = SessionLeaders(self.orphans)
        return self._session_leaders

    def next_deadline(self) -> float | None:
        """When `let_go` wants to be called, in seconds of the monotonic clock, or None."""
        return None if self._session_leaders is None else self._session_leaders.next_deadline()

    def let_go(self, now: float) -> None:
        """Let those leaders end whose groups have."""
        if self._session_leaders is not None:
            self._session_leaders.tick(now)

    @property
    def side_commands(self) -> SideCommands:
        """Short commands under way; they do not exist before somebody wants one."""
        if self._side_commands is None:
            from procman.runtime.processes.side_commands import SideCommands

            self._side_commands = SideCommands(self._null, self._here, self._marks, self.limit)
        return self._side_commands

    def send_all(self, number: int) -> None:
        """Send `number` to every group and every adopted orphan."""
        for child in self._by_pid.values():
            send_group(child.pid, number)
        for pid in self.orphans():
            send(pid, number)

    def resize(self) -> None:
        """Hand on the size of the window that we are shown in."""
        for child in self._by_pid.values():
            if child.pty is not None:
                child.pty.fit()

    # Death --------------------------------------------------------------------------------------------------------

    def newly_dead(self) -> list[Child]:
        """The children that have ended since the last look; as zombies they keep their numbers until reaped."""
        dead = []
        for child in self._by_pid.values():
            if child.status is None:
                child.status = peek(child.pid)
                if child.status is not None:
                    dead.append(child)
        return dead

    def reap(self, child: Child) -> None:
        """Give the child's numbers back. Nothing may be signalled by them any more."""
        del self._by_pid[child.pid]
        if child.stopper is not None:
            child.stopper.drop()
        if self._session_leaders is not None:
            self._session_leaders.forget(child.pid)
        try:
            os.waitpid(child.pid, 0)
        except ChildProcessError:
            pass  # somebody set SIGCHLD to be ignored: the kernel has reaped it

    def reap_strangers(self) -> None:
        """Reap errands and adopted orphans that have ended; bounded, so that a fork racer cannot hold us here."""
        if self._side_commands is not None:
            self._side_commands.reap()
        for pid in self.orphans()[:STRANGERS_PER_ROUND]:
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            except ChildProcessError:
                pass  # reaped already
            self._marks.forget(pid)
            self._asked.discard(pid)

    # What a life leaves behind ------------------------------------------------------------------------------------

    def orphans(self) -> list[int]:
        """Descendants of our children whose parents have ended: as a subreaper (or PID 1) we have adopted them."""
        strangers = [pid for pid in own_children() if pid not in self._by_pid and pid not in self.spared]
        return (
            strangers if self._side_commands is None else [pid for pid in strangers if pid not in self._side_commands]
        )

    def leftovers(self, child: Child, orphans: Iterable[int]) -> list[int]:
        """Those of `orphans` that came from `child`: of its session, or with its instance's mark. What is deeper in
        the family is a descendant of one of these, and is adopted, and found, when that one ends."""
        return [pid for pid in orphans if session_of(pid) == child.pid or self._marks.owner_of(pid) == child.name]

    def ask_leftovers(self, child: Child, pids: Iterable[int], number: int, group_too: bool) -> None:
        """Ask what is left of a life to end, each once: a second TERM means "now!" to some programs."""
        if group_too:
            self.ask(child, number)
        self._ask_each((pid for pid in pids if group_of(pid) != child.pid), number)

    def ask_orphans(self, number: int, names: Iterable[str] | None = None) -> None:
        """Ask the adopted orphans of the instances `names`, or all of them: who has left a group is not forgotten. Who
        has not is asked with it: as soon as a shell has obeyed, its command is an orphan."""
        wanted = None if names is None else set(names)
        strays = (pid for pid in self.orphans() if group_of(pid) not in self._by_pid)
        self._ask_each((pid for pid in strays if wanted is None or self._marks.owner_of(pid) in wanted), number)

    def _ask_each(self, pids: Iterable[int], number: int) -> None:
        for pid in pids:
            if pid not in self._asked:
                self._asked.add(pid)
                send(pid, number)
                send(pid, signal.SIGCONT)

    def kill(self, child: Child, pids: Iterable[int] = ()) -> None:
        """SIGKILL the child's group and each of `pids`."""
        send_group(child.pid, signal.SIGKILL)
        for pid in pids:
            send(pid, signal.SIGKILL)


def _keep_to_ourselves(_words: str) -> None:
    """Nobody wants to hear it."""


def _spawn_error(plan: InstancePlan, error: OSError) -> SpawnError:
    """The failure in words, with the code that a shell would have for it."""
    what = error.strerror or str(error)
    if error.errno in TRY_AGAIN:
        return SpawnError(f"cannot start: {what}", None)
    if error.errno == errno.ENOENT:
        return SpawnError(f"{plan.command.split()[0]}: not found", ExitStatus(code=127))
    return SpawnError(f"cannot start: {what}", ExitStatus(code=126))


def _close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
