"""Spawns children, signals their groups, and reaps them.

Each child leads a session of its own, so its pid is also the id of its group and session. A zombie pins these numbers:
a group is only signalled while its leader is unreaped, so a signal never hits another process with a recycled number.
"""

from __future__ import annotations

import os

from procman.runtime.processes.spawn import TEMPORARY_ERRORS, SilentStdin, SpawnError, start_command
from procman.runtime.processes.tags import Tags
from procman.runtime.system.descendants import (
    PEEKS,
    group_lives,
    group_of,
    may_signal,
    peek,
    prior_children,
    send,
    send_group,
    session_of,
)
from procman.runtime.system.descriptors import DescriptorLimit, open_null
from procman.runtime.system.procfs import children_of, own_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Sequence

    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus
    from procman.runtime.processes.kill_causes import KillCauses
    from procman.runtime.processes.pty import Pty
    from procman.runtime.processes.session_leader import SessionLeaders
    from procman.runtime.processes.side_commands import SideCommand, SideCommands
    from procman.runtime.processes.sockets import Sockets
    from procman.runtime.processes.spawn import FileAction
    from procman.runtime.system.poller import Poller
else:
    import _signal as signal  # without the enums: see signals.py

KILLED = 128 + 9  # what a shell exits with if SIGKILL has ended what it was running
MAX_REAPED_PER_TURN = 256  # a process that forks faster than we reap must not block the loop


class Child:
    """One life of an instance: its pid, the descriptors to read it by, and its status once it has ended."""

    __slots__ = ("asked", "cause", "group_asked", "name", "outputs", "pid", "pty", "status", "stopper")

    def __init__(self, name: str, pid: int, outputs: tuple[tuple[str, int], ...], pty: Pty | None) -> None:
        self.name = name
        self.pid = pid
        self.outputs = outputs  # (stream, descriptor)
        self.pty = pty
        self.status: ExitStatus | None = None  # known before it is reaped: a zombie
        self.cause = ""  # what a SIGKILL comes from, if that is known: see ExitStatus
        self.stopper: SideCommand | None = None  # the stop command under way
        self.asked: list[int] = []  # the processes that alone have got the stop signal
        self.group_asked = False  # all of its group has got it


class Children:
    """All children of this engine, by pid.

    `spared` are the children that this process had before it became procman; `announce` shows a warning to the user.
    """

    def __init__(self, session: str, instances: int, separate_streams: bool = False) -> None:
        self._tags = Tags(session)
        self._separate = separate_streams
        self._by_pid: dict[int, Child] = {}
        self._asked: set[int] = set()  # orphans that got the stop signal
        self.spared = prior_children()
        self._null = open_null()
        self._stdin = SilentStdin()
        self.limit = DescriptorLimit(instances, self._null)
        self._here = os.getcwd()
        self._side_commands: SideCommands | None = None
        self._sockets: Sockets | None = None
        self._session_leaders: SessionLeaders | None = None
        self._kill_causes: KillCauses | None = None
        self.announce: Callable[[str], None] = lambda _text: None  # until the session sets it
        self.poller: Poller | None = None  # of the loop, as soon as there is one

    def __len__(self) -> int:
        return len(self._by_pid)

    # Spawning --------------------------------------------------------------------------------------------------------

    def spawn(self, plan: InstancePlan, pty: Pty | None = None) -> Child:
        """Start one life of `plan`, on `pty` or on pipes. Raises SpawnError."""
        try:
            outputs, ends = self._open_streams(pty)
        except OSError as error:
            raise _spawn_error(plan, error) from None
        self._tags.apply(plan.name)
        try:
            actions = self._actions(pty, self.limit.lower_numbers(ends))
            env = plan.env if pty is None else _without_size(plan.env)
            before = self.sockets.equip(plan, env, actions) if plan.listen or plan.notifies else ""
            pid = start_command(plan.command, plan.cwd, self._here, env, actions, self.limit, before)
        except BaseException as error:
            _close_all(fd for _, fd in outputs)
            if isinstance(error, OSError):
                raise _spawn_error(plan, error) from None
            raise
        finally:
            self.limit.release()
            _close_all(ends)
        child = Child(plan.name, pid, outputs, pty)
        self._by_pid[pid] = child
        return child

    def _open_streams(self, pty: Pty | None) -> tuple[tuple[tuple[str, int], ...], tuple[int, ...]]:
        """Return our reading ends and the child's writing ends.

        By default both streams share one pipe: their true order is worth more than telling them apart.
        """
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
        return [self._stdin.action(), (os.POSIX_SPAWN_DUP2, ends[0], 1), (os.POSIX_SPAWN_DUP2, ends[-1], 2)]

    # Signals ------------------------------------------------------------------------------------------------------

    def of(self, name: str) -> Child | None:
        """Return the living child of the instance `name`, or None."""
        return next((child for child in self._by_pid.values() if child.name == name and child.status is None), None)

    def send_stop(self, child: Child, number: int) -> None:
        """Send the stop signal `number` to the child's group, and CONT: a stopped process could not react."""
        send_group(child.pid, number)
        send_group(child.pid, signal.SIGCONT)

    def stop(self, child: Child, plan: InstancePlan) -> None:
        """Stop the child as its plan says: with a signal, or with a command, and the signal if the command fails."""
        if not plan.stop.command:
            self._signal_life(child, plan)
            return

        def finished(status: ExitStatus, last_line: str) -> None:
            child.stopper = None
            if not status.ok and child.status is None:
                detail = f": {last_line}" if last_line else ""
                self.announce(f"the stop command of {child.name} {status.words()}{detail}; sending the signal instead")
                self._signal_life(child, plan)

        child.stopper = self.side_commands.run(plan, plan.stop.command, finished, child.pid)

    def _signal_life(self, child: Child, plan: InstancePlan) -> None:
        """Send the stop signal to the program, or to all of its group; `stop_rest` signals what is left out.

        On a terminal, keep a leader that would end immediately until the others have ended, since its end would hang up
        on them. Keep a shell if the signal is for the program behind it.
        """
        from procman.runtime.processes.recipients import is_launcher, programs_of

        leader, number, on_terminal = child.pid, plan.stop.signal_number, child.pty is not None
        if child.pty is not None and not may_signal(leader):
            child.pty.interrupt()
        child.asked = programs_of(leader, number, plan, on_terminal)
        child.group_asked = not child.asked
        if child.asked == [leader]:
            send(leader, number)
            send_group(leader, signal.SIGCONT)
        elif child.asked:
            if not self.session_leaders.hold(leader, number, child.asked):
                self._signal_group(child, number)
        elif not (on_terminal and self.session_leaders.hold(leader, number, force=is_launcher(leader, number))):
            self._signal_group(child, number)

    def _signal_group(self, child: Child, number: int) -> None:
        child.group_asked = True
        self.send_stop(child, number)

    def stop_rest(self, child: Child, plan: InstancePlan) -> None:
        """Signal what has not got the stop signal yet: the rest of the group, and what has left the group."""
        if child.group_asked or not child.asked:
            return
        from procman.runtime.processes.recipients import others_of

        child.group_asked = True
        others = others_of(child.pid, self.orphans())
        for pid in others:
            if pid not in child.asked:
                send(pid, plan.stop.signal_number)
                send(pid, signal.SIGCONT)
        self.stop_orphans(signal.SIGTERM, [child.name])

    @property
    def session_leaders(self) -> SessionLeaders:
        """The leaders that wait for their groups; created when the first child on a terminal is stopped."""
        if self._session_leaders is None:
            from procman.runtime.processes.session_leader import SessionLeaders

            self._session_leaders = SessionLeaders(self.orphans)
        return self._session_leaders

    def next_deadline(self) -> float | None:
        """Return when `tick` must be called, in seconds of the monotonic clock, or None."""
        return None if self._session_leaders is None else self._session_leaders.next_deadline()

    def tick(self, now: float) -> None:
        """Let those leaders end whose groups have ended."""
        self.limit.spare.take_back()
        if self._session_leaders is not None:
            self._session_leaders.tick(now)

    @property
    def side_commands(self) -> SideCommands:
        """The side commands under way; created when the first one is run."""
        if self._side_commands is None:
            from procman.runtime.processes.side_commands import SideCommands

            self._side_commands = SideCommands(self._null, self._here, self._tags, self.limit, self.poller)
        return self._side_commands

    @property
    def sockets(self) -> Sockets:
        """The sockets that are open for instances; created when the first instance needs one."""
        if self._sockets is None:
            from procman.runtime.processes.sockets import Sockets

            self._sockets = Sockets(self.limit)
        return self._sockets

    def send_all(self, number: int, besides: Sequence[str] = ()) -> None:
        """Send `number` to every group, except those of the instances `besides`, and every adopted orphan."""
        for child in self._by_pid.values():
            if child.name not in besides:
                send_group(child.pid, number)
        for pid in self.orphans():
            send(pid, number)

    def resize(self) -> None:
        """Give every child's terminal the size of our window."""
        for child in self._by_pid.values():
            if child.pty is not None:
                child.pty.fit()

    # Reaping ------------------------------------------------------------------------------------------------------

    def newly_dead(self) -> list[Child]:
        """Return the children that have ended since the last call; as zombies they keep their numbers until reaped."""
        dead = []
        for child in self._by_pid.values():
            if child.status is None:
                child.status = peek(child.pid)
                if child.status is not None:
                    dead.append(child)
        if killed := [child for child in dead if child.status is not None and child.status.shell_code == KILLED]:
            self.kill_causes.explain(killed)
        return dead

    @property
    def kill_causes(self) -> KillCauses:
        """What SIGKILL comes from; created at the first one."""
        if self._kill_causes is None:
            from procman.runtime.processes.kill_causes import KillCauses

            self._kill_causes = KillCauses()
        return self._kill_causes

    def reap(self, child: Child) -> None:
        """Release the child's numbers. Nothing may be signalled by them any more."""
        self.abandon(child)
        try:
            os.waitpid(child.pid, os.WNOHANG)  # if it lives in spite of its status, it must not stop the loop
        except ChildProcessError:
            pass  # SIGCHLD is ignored, so the kernel has reaped it

    def abandon(self, child: Child) -> None:
        """Forget a child, also one that survives SIGKILL."""
        del self._by_pid[child.pid]
        if child.stopper is not None:
            child.stopper.drop()
        if self._session_leaders is not None:
            self._session_leaders.forget(child.pid)

    def spare(self, pids: Iterable[int]) -> None:
        """Leave processes alone that survive SIGKILL."""
        self.spared = (*self.spared, *pids)

    def reap_others(self) -> None:
        """Reap side commands and adopted orphans that have ended, at most MAX_REAPED_PER_TURN orphans."""
        if self._side_commands is not None:
            self._side_commands.reap()
        for pid in self.orphans()[:MAX_REAPED_PER_TURN]:
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            except ChildProcessError:
                pass  # reaped already
            self._tags.forget(pid)
            self._asked.discard(pid)

    # What a life leaves behind ------------------------------------------------------------------------------------

    def orphans(self) -> list[int]:
        """Return the descendants of our children that we have adopted as a subreaper (or PID 1)."""
        adopted = [pid for pid in own_children() if pid not in self._by_pid and pid not in self.spared]
        return adopted if self._side_commands is None else [pid for pid in adopted if pid not in self._side_commands]

    def tree(self, child: Child, orphans: Iterable[int] | None = None) -> list[int]:
        """Return the pids of a life: the child, its descendants, and those of all `orphans` that came from it."""
        found = [child.pid, *self.leftovers(child, self.orphans() if orphans is None else orphans)]
        for pid in found:  # grows meanwhile
            found += [one for one in children_of(pid) if one not in found]
        return found

    def leftovers(self, child: Child, orphans: Iterable[int]) -> list[int]:
        """Return those of `orphans` that came from `child`: of its session, or with its instance's tag.

        Deeper descendants have one of these as their ancestor; they are adopted, and found, when it ends. Where
        processes cannot be seen, the child's pid stands for its group, if that lives.
        """
        if not PEEKS:
            return [child.pid] if group_lives(child.pid) else []
        return [pid for pid in orphans if session_of(pid) == child.pid or self._tags.owner_of(pid) == child.name]

    def stop_leftovers(self, child: Child, pids: Iterable[int], number: int, group_too: bool) -> None:
        """Send the stop signal to the leftovers of a life, once each: a second TERM means "now!" to some programs."""
        if group_too:
            self.send_stop(child, number)
        self._stop_each((pid for pid in pids if child.pid not in (pid, group_of(pid))), number)

    def stop_orphans(self, number: int, names: Iterable[str] | None = None) -> None:
        """Send the stop signal to the orphans of the instances `names`, or to all, that have left their groups.

        An orphan in a child's group got the signal with it: when a shell has exited, its command is an orphan. Orphans
        of a program that is signalled before its group wait like the group.
        """
        strays = [pid for pid in self.orphans() if group_of(pid) not in self._by_pid]
        if not strays:
            return
        wanted = None if names is None else set(names)
        later = {child.name for child in self._by_pid.values() if child.asked and not child.group_asked}
        owners = ((pid, self._tags.owner_of(pid)) for pid in strays)
        self._stop_each((pid for pid, one in owners if one not in later and (wanted is None or one in wanted)), number)

    def _stop_each(self, pids: Iterable[int], number: int) -> None:
        for pid in pids:
            if pid not in self._asked:
                self._asked.add(pid)
                send(pid, number)
                send(pid, signal.SIGCONT)

    def kill(self, child: Child, pids: Iterable[int] = ()) -> None:
        """SIGKILL the child's group and each of `pids`."""
        send_group(child.pid, signal.SIGKILL)
        for pid in pids:
            if pid != child.pid:
                send(pid, signal.SIGKILL)


def _spawn_error(plan: InstancePlan, error: OSError) -> SpawnError:
    if error.errno in TEMPORARY_ERRORS:  # such as a lack of descriptors, which an import needs, too
        return SpawnError(f"cannot start: {error.strerror}", None)
    from procman.runtime.processes.diagnosis import lasting_spawn_error

    return lasting_spawn_error(plan, error)


def _without_size(env: dict[str, str]) -> dict[str, str]:
    """Take out the size of the user's terminal, which shells export: the child's has another one."""
    for name in ("COLUMNS", "LINES"):
        if name in env and env[name] == os.environ.get(name):
            del env[name]
    return env


def _close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
