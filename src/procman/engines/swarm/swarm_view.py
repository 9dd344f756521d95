"""What can be seen of an application in a swarm: its services with their tasks, in few calls."""

from __future__ import annotations

from dataclasses import replace

from procman.engines.calls import now, run, run_together
from procman.engines.docker_cli import json_lines
from procman.engines.interface import EngineError
from procman.engines.records import FAILED, RUNNING, InstanceState, Look
from procman.engines.swarm.swarm_records import (
    ENDED,
    SETTLED,
    Nodes,
    Service,
    Slots,
    Task,
    nodes,
    same_spec,
    services,
    tasks,
)
from procman.export.application import RELEASE
from procman.export.container.containers import dns_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.engines.calls import Outcome, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Target

_STABLE = 1.0  # seconds that an instance without a health check has to be up
_UNWANTED = ("Shutdown", "Remove")  # states that Swarm desires


def service_name(stack: str, process: str) -> str:
    """Return Swarm's name for a process type."""
    return f"{stack}_{dns_label(process)}"


def nothing_deployed(target: Target) -> EngineError:
    """Return the error for an application that is not there."""
    return EngineError(f"{target.app} is not deployed to {target.destination.name}", "procman deploy brings it there")


class SwarmView:
    """Looks at one application, and remembers what will not change any more."""

    def __init__(self, docker: Docker, name: str, target: Target) -> None:
        self._docker = docker
        self._name = name
        self._target = target
        self._up: dict[str, float] = {}  # by task: when it was first seen up
        self._ended: dict[str, Task] = {}
        self._suspects: set[str] = set()  # tasks after which no other was seen

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        """Look at all services.

        What Swarm has given up counts at the second look only: the successor of a task that has failed between the two
        calls of a look is not in its list.
        """
        known = {slots.service.type: slots for slots in (yield from self.observed())}
        time = yield from now()
        chosen = [known[name] for name in wanted if name in known]
        suspects = [one for slots in chosen for one in given_up(slots)]
        failed = [one for one in suspects if one.id in self._suspects]
        self._suspects = {one.id for one in suspects}
        done = [self._is_done(slots, wanted[slots.service.type], time) for slots in chosen]
        instances = tuple(one for slots in chosen for one in slots.instances())
        return Look(instances, all(done) and len(done) == len(wanted) and not suspects, tuple(failed))

    def _is_done(self, slots: Slots, count: int, time: float) -> bool:
        service = slots.service
        if service.replicas != count or service.update not in SETTLED or slots.leaving():
            return False
        present = [slots.current(slot) for slot in slots.by_slot]
        good = [task for task in present if same_spec(task, service) and self._is_good(slots, task, time)]
        return len(good) == count or (service.runs_once and len(good) >= count)

    def _is_good(self, slots: Slots, task: Task, time: float) -> bool:
        if slots.is_done(task):
            return True
        if task.state != "running" or not task.is_wanted:
            return False
        since = self._up.setdefault(task.id, time)
        is_checked = bool(task.spec.get("ContainerSpec", {}).get("Healthcheck"))
        return is_checked or bool(slots.service.update) or time - since >= _STABLE

    def observed(self) -> Steps[list[Slots]]:
        """Return all services with their tasks, in few calls. Raises EngineError if there is none."""
        guess = [service_name(self._name, name) for name in self._target.types if name != RELEASE]
        listed, inspected = yield from run_together(
            [
                self._docker("stack", "ps", "--no-trunc", "--format", "{{json .}}", self._name),
                self._docker("service", "inspect", *guess),
            ]
        )
        rows = self._rows(listed)
        found = services(inspected.text)
        known = {one.name for one in found}
        others = {str(row["Name"]).rpartition(".")[0] for row in rows.values()} - known
        every, more, at = yield from self._inspected(rows, sorted(others))
        if not found and not more:
            raise nothing_deployed(self._target)
        return [Slots(service, every, at) for service in (*found, *more)]

    def stopping(self) -> Steps[int]:
        """Return how many tasks still run of services that are removed, without those on lost nodes."""
        words = ("stack", "ps", "--no-trunc", "--format", "{{json .}}", self._name)
        rows = self._rows((yield from run(self._docker(*words))))
        every, _, at = yield from self._inspected(rows, [])
        return sum(not task.has_ended and bool(task.node) and task.node not in at.down for task in every)

    def _rows(self, listed: Outcome) -> dict[str, dict[str, object]]:
        if not listed.ok and b"nothing found in stack" not in listed.err.lower():
            raise self._docker.error(listed, "Swarm does not list its tasks")
        return {str(row["ID"]): row for row in json_lines(listed.text)}

    def _inspected(
        self, rows: Mapping[str, Mapping[str, object]], others: Sequence[str]
    ) -> Steps[tuple[list[Task], list[Service], Nodes]]:
        """Return the tasks, other services, and the nodes: all of these if something may be left on a lost one."""
        new = [number for number in rows if number not in self._ended]
        is_left = any(row["DesiredState"] in _UNWANTED and not _is_over(row) for row in rows.values())
        calls = {
            **({"tasks": self._docker("inspect", "--type", "task", *new)} if new else {}),
            **({"services": self._docker("service", "inspect", *others)} if others else {}),
            **({"nodes": self._docker("node", "ls", "--format", "{{json .}}")} if is_left else {}),
        }
        outcomes = dict(zip(calls, (yield from run_together(calls.values())), strict=True))
        present = tasks(outcomes["tasks"].text) if new else []
        every = [*(self._ended[number] for number in rows if number in self._ended), *present]
        self._ended.update({task.id: task for task in present if task.has_ended and not task.is_wanted})
        at = nodes({task.node: str(rows[task.id]["Node"]) for task in every if task.node})
        if is_left:
            at = at.with_states(json_lines(outcomes["nodes"].text))
        return every, services(outcomes["services"].text) if others else [], at


def _is_over(row: Mapping[str, object]) -> bool:
    return str(row["CurrentState"]).partition(" ")[0].lower() in ENDED


def given_up(slots: Slots) -> list[InstanceState]:
    """Return what Swarm has given up: an update that is paused, or an instance that is not started again."""
    instances = {one.name: one for one in slots.instances()}
    found = []
    for slot in slots.by_slot:
        task = slots.current(slot)
        if task.has_failed and not task.is_wanted and same_spec(task, slots.service) and slots.service.replicas:
            found.append(replace(slots.instance(slot, task), state=FAILED))
    if slots.service.update not in ("paused", "rollback_paused"):
        return found
    failed = [
        slots.instance(slot, task)
        for slot, history in slots.by_slot.items()
        for task in history
        if task.has_failed and same_spec(task, slots.service)
    ]
    unsettled = [replace(one, reason=slots.service.message) for one in instances.values() if one.state != RUNNING]
    return [replace(one, state=FAILED) for one in found or failed or unsettled or list(instances.values())[:1]]
