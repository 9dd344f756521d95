"""Holds processes to `memory_max`, `cpu_max` and `pids_max`, in the best way that this system offers.

1. A group below our own, if that is delegated to us (cgroup v2): the kernel holds the limits.
2. A scope of systemd: the same, on request.
3. A look at the processes every two seconds, only while an instance with a limit is running. It is soft: it comes too
   late for a sudden rise, and cannot limit CPU time.
"""

from __future__ import annotations

import os

from procman.core.lifecycle.transitions import DOWN, Action, State
from procman.core.text.values import format_size
from procman.runtime.loop.component import QuietComponent
from procman.runtime.processes.kill_causes import OUT_OF_MEMORY
from procman.runtime.system.cgroups import CPU, MEMORY, PIDS, ControlGroup, NoGroupError, admit, claim, own_folder
from procman.runtime.system.memory_use import memory_of
from procman.runtime.system.oom_kills import reached_by_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus
    from procman.output.hub import Hub
    from procman.runtime.processes.children import Child, Children

INTERVAL = 2.0  # seconds between two looks
MOST_ROUNDS = 8  # of moving what has been forked meanwhile


class LimitsEnforcer(QuietComponent):
    """The limits of all instances. ``outermost`` is the pid of the guardian, or our own."""

    def __init__(self, supervisor: Supervisor, hub: Hub, children: Children, session: str, outermost: int) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._children = children
        self._session = session
        self._groups: dict[str, ControlGroup] = {}  # by instance
        self._scopes: dict[str, str] = {}  # the scopes of systemd that were requested, by instance
        self._kills_before: dict[str, int | None] = {}  # by instance: the kills around its scope when it began
        self._left: list[ControlGroup] = []  # of lives that have ended; some still have processes
        self._watched: dict[str, Instance] = {}
        self._told: set[str] = set()  # process types whose limits are known to be soft
        self._look_at: float | None = None
        self._folder, self._controllers, self._obstacle = "", frozenset[str](), ""
        try:
            self._folder = own_folder()
            self._controllers = claim(self._folder, outermost)
        except NoGroupError as error:
            self._obstacle = str(error)
        children.kill_causes.of_limit = self._cause

    # The lives ------------------------------------------------------------------------------------------------------

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Hold an instance that has started to its limits, and clean up after one that has ended."""
        if action == Action.ANNOUNCE_STARTED:
            self._forget(instance.name)
            if instance.plan.is_limited:
                self._hold(instance, now)
        elif instance.state in DOWN or instance.state == State.BACKOFF:
            self._forget(instance.name)

    def _forget(self, name: str) -> None:
        """Clean up after a life.

        The folder of a scope is left to systemd: it learns from a file in there that the scope is empty, and a scope
        whose folder is removed before that stays active.
        """
        self._watched.pop(name, None)
        group, scope = self._groups.pop(name, None), self._scopes.pop(name, "")
        if group is not None and not scope:
            self._left.append(group)
        self._left = [group for group in self._left if not group.remove()]

    def _hold(self, instance: Instance, now: float) -> None:
        child = self._children.of(instance.name)
        if child is None:
            return  # it has ended already
        if needed(instance.plan) <= self._controllers:
            try:
                self._put_into_group(instance, child)
                return
            except OSError as error:
                self._obstacle = f"{self._folder}: {(error.strerror or str(error)).lower()}"
        from procman.runtime.system.scopes import manager

        option = manager(os.environ, os.geteuid()) if self._folder else ""  # with v1, a user's manager limits nothing
        if option:
            self._put_into_scope(instance, child, option, now)
        else:
            self._watch(instance, now)

    def _put_into_group(self, instance: Instance, child: Child) -> None:
        """Create a group, and move the whole life into it. What is forked afterwards is born there."""
        plan = instance.plan
        group = ControlGroup(f"{self._folder}/{instance.name}-{child.pid}")
        group.create(plan.memory_max, plan.cpu_max, plan.pids_max)
        self._groups[instance.name] = group
        moved: set[int] = set()
        for _ in range(MOST_ROUNDS):
            new = [pid for pid in self._children.tree(child) if pid not in moved]
            if not new:
                return
            admit(group.folder, new)
            moved.update(new)

    def _put_into_scope(self, instance: Instance, child: Child, option: str, now: float) -> None:
        """Have systemd move the life into a scope; if it cannot, watch it."""
        from procman.runtime.system.scopes import request, until_moved

        plan = instance.plan
        unit = self._scopes[instance.name] = f"procman-{self._session}-{instance.name}-{child.pid}.scope"

        def finished(status: ExitStatus, last_line: str) -> None:
            if self._children.of(instance.name) is not child:
                return
            group = ControlGroup(_group_of(child.pid))
            if status.ok and os.path.basename(group.folder) == unit and group.holds(*limits):
                self._move_rest(child, group)
                self._groups[instance.name] = group
                self._kills_before[instance.name] = group.kills_around
                group.kill_together()
            else:
                self._scopes.pop(instance.name, None)
                why = "systemd cannot hold them here" if status.ok else last_line or status.words()
                self._obstacle = f"{self._obstacle}; {why}"
                self._watch(instance, now)

        limits = plan.memory_max, plan.cpu_max, plan.pids_max
        # Not the whole tree: a command of its shell may have ended by then, and systemd would refuse all of it.
        command = request(option, unit, [child.pid], *limits)
        self._children.side_commands.run(plan, f"{command} && {{ {until_moved(unit, child.pid)}; }}", finished)

    def _move_rest(self, child: Child, group: ControlGroup) -> None:
        """Move what a process forked before it was in its scope, as far as that is allowed."""
        for _ in range(MOST_ROUNDS):
            others = [pid for pid in self._children.tree(child) if _group_of(pid) not in ("", group.folder)]
            if not others:
                return
            try:
                admit(group.folder, others)
            except OSError:
                return

    def _cause(self, name: str) -> str:
        """Return that the kernel has killed an instance for its memory limit, if it has; else an empty string."""
        group, instance = self._groups.get(name), self._supervisor.instances.get(name)
        limit = instance.plan.memory_max if instance is not None else None
        if limit is not None and name in self._scopes and (group is None or not group.is_there):
            return self._cause_in_scope(name, group, limit)
        if group is None or not group.has_lost_some:
            return ""
        if limit is None or not group.reached_its_limit:
            return OUT_OF_MEMORY
        return f"killed by the kernel: {amounts(group.most_memory or limit, limit)}"

    def _cause_in_scope(self, name: str, group: ControlGroup | None, limit: int) -> str:
        """Return the cause if systemd has removed the scope already, or the answer to the request is still to come.

        The kernel's log names the scope, but is often for root only. What is around the scope counts its kills, too.
        """
        if reached_by_log(self._scopes[name]):
            return f"killed by the kernel: {amounts(limit, limit)}"
        before = self._kills_before.get(name)
        if group is None or (before is not None and group.kills_around == before):
            return ""
        return f"killed by SIGKILL (perhaps above {compact(limit)}, its memory_max)"

    # The soft way ---------------------------------------------------------------------------------------------------

    def _watch(self, instance: Instance, now: float) -> None:
        plan = instance.plan
        if plan.type not in self._told:
            self._told.add(plan.type)
            self._hub.announce(f"warning: {soft_limits(plan)}: {self._obstacle}")
        if plan.memory_max is not None or plan.pids_max is not None:
            self._watched[instance.name] = instance
            self._look_at = self._look_at or now + INTERVAL

    def next_deadline(self) -> float | None:
        """Return when to look."""
        return self._look_at

    def tick(self, now: float) -> None:
        """Look at each instance that is watched, if it is time to."""
        if self._look_at is None or now < self._look_at:
            return
        for instance in list(self._watched.values()):
            child = self._children.of(instance.name)
            if child is not None and instance.state != State.STOPPING:
                self._look(instance.plan, child)
        self._look_at = now + INTERVAL if self._watched else None

    def _look(self, plan: InstancePlan, child: Child) -> None:
        pids = self._children.tree(child)
        if plan.memory_max is not None and (used := sum(map(memory_of, pids))) > plan.memory_max:
            child.cause = f"killed by procman: {amounts(used, plan.memory_max)} (memory_max)"
        elif plan.pids_max is not None and len(pids) > plan.pids_max:
            child.cause = f"killed by procman: {len(pids)} processes of {plan.pids_max} (pids_max)"
        else:
            return
        self._children.kill(child, pids)

    def close(self, now: float, code: int) -> None:
        """Remove the groups."""
        for name in list(self._groups):
            self._forget(name)


def needed(plan: InstancePlan) -> set[str]:
    """Return the controllers that its limits need."""
    limits = {MEMORY: plan.memory_max, CPU: plan.cpu_max, PIDS: plan.pids_max}
    return {name for name, limit in limits.items() if limit is not None}


def soft_limits(plan: InstancePlan) -> str:
    """Return what becomes of limits that the kernel does not hold."""
    names = [name for name in ("memory_max", "pids_max") if getattr(plan, name) is not None]
    looks = f"{' and '.join(names)} of {plan.type} {'are' if names[1:] else 'is'} only checked every {INTERVAL:g} s"
    without = f"cpu_max of {plan.type} has no effect"
    return ", and ".join([*([looks] if names else []), *([without] if plan.cpu_max is not None else [])])


def amounts(used: int, limit: int) -> str:
    """Return how much was used of a limit: ``1.0 GiB of 1 GiB``."""
    return f"{format_size(used)} of {compact(limit)}"


def compact(limit: int) -> str:
    """Return a limit as it is usually written: ``1 GiB``, ``1.5 GiB``."""
    return format_size(limit).replace(".0 ", " ")


def _group_of(pid: int) -> str:
    """Return the folder of a process's group; an empty path if it has none."""
    try:
        return own_folder(groups=f"/proc/{pid}/cgroup")
    except NoGroupError:
        return ""
