"""What can be seen of an application in a swarm: its services with their tasks, in few calls."""

from __future__ import annotations

from dataclasses import replace

from procman.engines.calls import now, run_together
from procman.engines.common_messages import not_deployed
from procman.engines.docker_cli import json_lines
from procman.engines.records import FAILED, RUNNING, InstanceState, Look
from procman.engines.swarm.swarm_names import NAME, TYPE
from procman.engines.swarm.swarm_records import (
    ENDED,
    SETTLED,
    Nodes,
    Service,
    Slots,
    Task,
    nodes,
    rows,
    same_spec,
    services,
    tasks,
)
from procman.engines.swarm.swarm_store import require_own
from procman.export.application import RELEASE
from procman.export.container.containers import dns_label, swarm_service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.engines.calls import Call, Outcome, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Target

    Rows = Mapping[str, Mapping[str, str]]  # what `docker stack ps` says, by task

STABLE = 1.0  # seconds that an instance without a health check has to be up
_KNOWN = 2.0  # seconds for which the states of nodes are taken as they were
_DETACHED = 1.0  # seconds after which a node has stopped sending requests to an instance that stops
_UNWANTED = ("Shutdown", "Remove")  # states that Swarm desires


def service_name(stack: str, process: str) -> str:
    """Return Swarm's name for a process type."""
    return swarm_service(stack, dns_label(process))


def own_services(text: str, target: Target) -> list[Service]:
    """Read `docker service inspect`. Raises EngineError if they belong to another application, or a stack of others."""
    found = services(text)
    for one in found:
        require_own(one.labels.get(NAME, target.app) if TYPE in one.labels else "", target)
    return found


class SwarmView:
    """Looks at one application, and remembers what will not change any more."""

    def __init__(self, docker: Docker, name: str, target: Target) -> None:
        self._docker = docker
        self._name = name
        self._target = target
        self._up: dict[str, float] = {}  # by task: when it was first seen up
        self._ended: dict[str, Task] = {}
        self._present: list[str] = []  # the tasks of the last look that may still change
        self._is_left = False  # whether the last look found tasks that have to stop
        self._leaving: dict[str, float] = {}  # by task: when it was first seen to stop
        self._nodes = (0.0, "")  # when the nodes were listed, and what was said
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
        if not self._are_away(slots, time) or service.replicas != count or service.update not in SETTLED:
            return False
        present = [slots.current(slot) for slot in slots.by_slot]
        good = [task for task in present if same_spec(task, service) and self._is_good(slots, task, time)]
        return len(good) == count or (service.runs_once and len(good) >= count)

    def _are_away(self, slots: Slots, time: float) -> bool:
        """Whether what stops is down, or gets no more requests since its successor does.

        Swarm waits for 2 seconds before it stops a container, so that all nodes have learned not to send requests.
        """
        leaving = [(task, self._leaving.setdefault(task.id, time)) for task in slots.leaving()]
        return all(slots.current(task.slot) is not task and time - since >= _DETACHED for task, since in leaving)

    def _is_good(self, slots: Slots, task: Task, time: float) -> bool:
        if slots.is_done(task):
            return True
        if task.state != "running" or not task.is_wanted:
            return False
        since = self._up.setdefault(task.id, time)
        is_checked = bool(task.spec.get("ContainerSpec", {}).get("Healthcheck"))
        return is_checked or bool(slots.service.update) or time - since >= STABLE

    def observed(self) -> Steps[list[Slots]]:
        """Return all services with their tasks, in few calls. Raises EngineError if there is none."""
        guess = [service_name(self._name, name) for name in self._target.types if name != RELEASE]
        listed, (inspected,), early = yield from self._listed(self._docker("service", "inspect", *guess))
        found = own_services(inspected.text, self._target)
        known = {one.name for one in found}
        others = {row["Name"].rpartition(".")[0] for row in listed.values()} - known
        every, more, at = yield from self._inspected(listed, sorted(others), early)
        if not found and not more:
            raise not_deployed(self._target)
        return [Slots(service, every, at) for service in (*found, *more)]

    def stopping(self) -> Steps[int]:
        """Return how many tasks still run of services that are removed, without those on lost nodes."""
        listed, _, early = yield from self._listed()
        every, _, at = yield from self._inspected(listed, [], early)
        return sum(not task.has_ended and bool(task.node) and task.node not in at.down for task in every)

    def _listed(self, *calls: Call) -> Steps[tuple[Rows, list[Outcome], dict[str, Outcome]]]:
        """Return the rows of all tasks, the outcomes of the calls, and of those that the last look needed, too.

        Most looks of a wait find the same tasks as the one before. So they need no second call after the list.
        """
        again = {
            **({"tasks": self._inspecting(self._present)} if self._present else {}),
            **({"nodes": self._listing_nodes()} if self._is_left and (yield from self._are_nodes_old()) else {}),
        }
        words = ("stack", "ps", "--no-trunc", "--format", "{{json .}}", self._name)
        listed, *outcomes = yield from run_together([self._docker(*words), *calls, *again.values()])
        if not listed.ok and b"nothing found in stack" not in listed.err.lower():
            raise self._docker.error(listed, "Swarm does not list its tasks")
        return rows(listed.text), outcomes[: len(calls)], dict(zip(again, outcomes[len(calls) :], strict=True))

    def _inspected(
        self, listed: Rows, others: Sequence[str], early: Mapping[str, Outcome]
    ) -> Steps[tuple[list[Task], list[Service], Nodes]]:
        """Return the tasks, other services, and the nodes: all of these if something may be left on a lost one."""
        present = {one.id: one for one in tasks(early["tasks"].text) if one.id in listed} if "tasks" in early else {}
        new = [number for number in listed if number not in self._ended and number not in present]
        self._is_left = any(row["DesiredState"] in _UNWANTED and not _is_over(row) for row in listed.values())
        lists_nodes = self._is_left and "nodes" not in early and (yield from self._are_nodes_old())
        calls = {
            **({"tasks": self._inspecting(new)} if new else {}),
            **({"services": self._docker("service", "inspect", *others)} if others else {}),
            **({"nodes": self._listing_nodes()} if lists_nodes else {}),
        }
        found = dict(zip(calls, (yield from run_together(calls.values())), strict=True)) if calls else {}
        present.update({one.id: one for one in tasks(found["tasks"].text)} if new else {})
        every = [*(self._ended[number] for number in listed if number in self._ended), *present.values()]
        self._ended.update({one.id: one for one in present.values() if one.has_ended and not one.is_wanted})
        self._present = [number for number in present if number not in self._ended]
        at = nodes({task.node: listed[task.id]["Node"] for task in every if task.node})
        if "nodes" in (said := {**early, **found}):
            self._nodes = (yield from now()), said["nodes"].text
        if self._is_left:
            at = at.with_states(json_lines(self._nodes[1]))
        return every, own_services(found["services"].text, self._target) if others else [], at

    def _are_nodes_old(self) -> Steps[bool]:
        return (yield from now()) - self._nodes[0] >= _KNOWN

    def _inspecting(self, numbers: Sequence[str]) -> Call:
        return self._docker("inspect", "--type", "task", *numbers)

    def _listing_nodes(self) -> Call:
        return self._docker("node", "ls", "--format", "{{json .}}")


def _is_over(row: Mapping[str, str]) -> bool:
    return row["CurrentState"].partition(" ")[0].lower() in ENDED


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
