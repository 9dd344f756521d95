"""Scales process types by themselves: the formation follows a number that a command prints, or the CPU in use."""

from __future__ import annotations

import math
import os

from procman.core.lifecycle.transitions import Action, State
from procman.core.model.autoscale import Stabilization
from procman.errors import ProcmanError
from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.procfs import stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.autoscale import Autoscale
    from procman.core.model.status import ExitStatus
    from procman.output.hub import Hub
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.side_commands import SideCommand

    Resize = Callable[[str, int], None]

MOST_TIME = 10.0  # seconds that the command may take
_UTIME, _STIME = 11, 12  # of the fields after the command's name, proc_pid_stat(5)


class _Measured:
    """What is known about one process type: its measurements and when they are due."""

    def __init__(self, stabilization: Stabilization, due: float) -> None:
        self.stabilization = stabilization
        self.due = due
        self.overdue: float | None = None  # when the command under way has taken too long
        self.command: SideCommand | None = None
        self.trouble = ""  # what was reported last
        self.ticks: dict[int, int] = {}  # CPU time of each process at the last look, in clock ticks
        self.looked_at: float | None = None


class Autoscaler(QuietComponent):
    """Measures, and calls ``resize(type, count)`` if the count changes; that raises ProcmanError if it cannot."""

    def __init__(self, supervisor: Supervisor, hub: Hub, children: Children, resize: Resize) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._children = children
        self._resize = resize
        self._measured: dict[str, _Measured] = {}
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Begin to measure when the first instance of a type has started."""
        rule, type_ = instance.plan.autoscale, instance.plan.type
        if action == Action.ANNOUNCE_STARTED and rule is not None and type_ not in self._measured:
            self._measured[type_] = _Measured(Stabilization(len(self._present(type_)), now), now + rule.interval)

    def next_deadline(self) -> float | None:
        """Return when the next measurement is due, or when a command has taken too long."""
        return min((one.due if one.overdue is None else one.overdue for one in self._measured.values()), default=None)

    def tick(self, now: float) -> None:
        """Take the measurements that are due, and give up the commands that take too long."""
        for type_, measured in list(self._measured.items()):
            if measured.overdue is not None:
                if measured.overdue <= now:
                    self._give_up(type_, measured)
            elif measured.due <= now:
                self._measure(type_, measured, now)

    def stand_still(self, seconds: float) -> None:
        """Move the deadline of a command that was suspended with everything else."""
        for measured in self._measured.values():
            measured.looked_at = None
            if measured.overdue is not None:
                measured.overdue += seconds

    def _present(self, type_: str) -> list[Instance]:
        """Return the instances of a type that the user wants to run, by number."""
        here = (one for one in self._supervisor.instances.values() if one.plan.type == type_)
        return sorted((one for one in here if not self._supervisor.is_leaving(one)), key=lambda one: one.plan.number)

    def _is_left_alone(self, present: list[Instance]) -> bool:
        """Return whether the user has stopped one of these instances or scaled all of them away, or all have failed."""
        if self._supervisor.stopping is not None or any(one.held for one in present):
            return True
        return all(one.state == State.FAILED for one in present)

    def _measure(self, type_: str, measured: _Measured, now: float) -> None:
        """Measure one type, unless it is left alone."""
        present = self._present(type_)
        rule = present[0].plan.autoscale if present else None
        if rule is None:
            del self._measured[type_]  # it begins again when an instance starts
            return
        measured.due = now + rule.interval
        if self._is_left_alone(present):
            return
        if not rule.exec:
            number = self._cpus_in_use(measured, present, now)
            if number is not None:
                self._follow(type_, measured, rule, number, now)
            return

        def finished(status: ExitStatus, last_line: str) -> None:
            measured.command = measured.overdue = None
            self._read(type_, measured, rule, status, last_line, now)

        measured.overdue = now + MOST_TIME
        measured.command = self._children.side_commands.run(present[0].plan, rule.exec, finished)

    def _give_up(self, type_: str, measured: _Measured) -> None:
        if measured.command is not None:
            measured.command.drop()
        measured.command = measured.overdue = None
        self._complain(type_, measured, f"its command takes longer than {MOST_TIME:g} s")

    def _read(
        self, type_: str, measured: _Measured, rule: Autoscale, status: ExitStatus, last_line: str, now: float
    ) -> None:
        """Act upon what the command has printed: its last line is the number."""
        if not status.ok:
            self._complain(type_, measured, f"its command {status.words()}{f': {last_line}' if last_line else ''}")
            return
        try:
            number = float(last_line)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0:
            self._complain(type_, measured, _no_number(last_line))
        else:
            self._follow(type_, measured, rule, number, now)

    def _complain(self, type_: str, measured: _Measured, trouble: str) -> None:
        """Report a failed measurement, once until the next that succeeds. The count stays as it is."""
        if trouble != measured.trouble:
            measured.trouble = trouble
            self._hub.announce(f"warning: {type_} is not scaled, because {trouble}")

    def _follow(self, type_: str, measured: _Measured, rule: Autoscale, number: float, now: float) -> None:
        present = self._present(type_)
        if self._is_left_alone(present):
            return  # since the measurement began
        failed = {one.plan.number for one in present if one.state == State.FAILED}
        count = measured.stabilization.settle(rule.count(number), rule.cooldown, now)
        count = min(max(count, rule.lowest), rule.highest)
        total = _highest_number(count, failed, rule.highest)
        if total != len(present):
            try:
                self._resize(type_, total)
            except ProcmanError as error:
                self._complain(type_, measured, error.message)
                return
            what = f"{number:g}" if rule.exec else f"{number:.2f} CPUs in use"
            share = f"{what}, {rule.per_instance:g} per instance"
            after = total - sum(number <= total for number in failed)
            self._hub.announce(f"{type_}: {share}: scaling from {len(present) - len(failed)} to {after}")
        measured.trouble = ""

    def _cpus_in_use(self, measured: _Measured, present: list[Instance], now: float) -> float | None:
        """Return how much CPU time per second the instances used since the last look; None at the first one."""
        before, last = measured.ticks, measured.looked_at
        measured.ticks, measured.looked_at = self._ticks(present), now
        if last is None or now <= last:
            return None
        used = sum(max(0, ticks - before.get(pid, 0)) for pid, ticks in measured.ticks.items())
        return used / self._ticks_per_second / (now - last)

    def _ticks(self, present: list[Instance]) -> dict[int, int]:
        found: dict[int, int] = {}
        for instance in present:
            child = self._children.of(instance.name)
            for pid in self._children.tree(child) if child is not None else ():
                fields = stat_fields(pid)
                if fields:
                    found[pid] = int(fields[_UTIME]) + int(fields[_STIME])
        return found


def _highest_number(count: int, failed: Collection[int], most: int) -> int:
    """Return how many instances there have to be, so that ``count`` of them have not failed; at most ``most``."""
    total = 0
    while count > 0 and total < most:
        total += 1
        count -= total not in failed
    return total


def _no_number(last_line: str) -> str:
    if not last_line:
        return "its command printed nothing"
    return f'its command printed "{last_line}", which is not a number'
