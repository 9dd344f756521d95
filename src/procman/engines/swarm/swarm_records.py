"""Reads what Swarm says about services and tasks, and turns it into the records of all engines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from procman.core.model.status import ExitStatus
from procman.engines.docker_cli import json_lines, understood
from procman.engines.records import (
    BACKOFF,
    EXITED,
    FAILED,
    RUNNING,
    STARTING,
    STOPPING,
    WAITING,
    InstanceState,
    LogLine,
)
from procman.engines.swarm.swarm_names import STOPPED, TYPE, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Record = dict[str, Any]  # JSON of Docker

_LINE = re.compile(rb"(\S+) (\S+)\.(\d+)\.([a-z0-9]+)@(\S+) *\|(?: (.*))?", re.DOTALL)
_FRACTION = re.compile(r"\.(\d{1,6})\d*")  # nanoseconds, which datetime does not read
_STATES = {  # of a task that should run
    "new": WAITING,
    "pending": WAITING,
    "allocated": WAITING,
    "assigned": WAITING,
    "accepted": STARTING,
    "preparing": STARTING,  # which pulls the image
    "ready": WAITING,  # for the end of its predecessor
    "starting": STARTING,
    "running": RUNNING,
}
ENDED = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")
_COLUMNS = ("Name", "Node", "DesiredState", "CurrentState")  # of `docker stack ps`
_BAD_ENDS = ("failed", "rejected", "orphaned")
SETTLED = ("", "completed", "rollback_completed")  # states of an update


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the stack."""

    id: str
    name: str
    type: str
    version: str
    replicas: int
    stopped: int  # the count before it was stopped; 0 if it was not
    update: str  # the state of its update; empty if there was none
    message: str  # about that state
    spec: Mapping[str, Any]  # of its tasks
    labels: Mapping[str, str]
    port: int | None = None
    starts_first: bool = False  # whether a new task starts before the old one stops

    @property
    def runs_once(self) -> bool:
        """Whether a task that has ended well has done its job."""
        return str(self.spec.get("RestartPolicy", {}).get("Condition")) == "none"


@dataclass(frozen=True, slots=True)
class Task:
    """One life of an instance."""

    id: str
    service: str  # its ID
    slot: int
    node: str  # its ID
    state: str
    desired: str
    since: float
    created: float
    error: str
    code: int | None
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether it no longer runs, and will not."""
        return self.state in ENDED

    @property
    def has_failed(self) -> bool:
        """Whether it has ended badly."""
        return self.state in _BAD_ENDS

    @property
    def failure(self) -> str:
        """What Swarm says about it. The reason why an image cannot be pulled is only in the log of the node."""
        error = self.error.strip()
        if not error.startswith("No such image"):
            return error
        return f"{error}; its machine cannot pull it (is the name right, and was docker login run here?)"

    @property
    def is_wanted(self) -> bool:
        """Whether Swarm wants it to run."""
        return self.desired in ("running", "ready", "complete")


@understood
def services(text: str) -> list[Service]:
    """Read `docker service inspect`."""
    return [_service(one) for one in json.loads(text or "[]")]


def _service(record: Record) -> Service:
    spec = record["Spec"]
    labels = spec.get("Labels") or {}
    update = record.get("UpdateStatus") or {}
    ports = (record.get("Endpoint") or {}).get("Ports") or [{}]
    stopped = labels.get(STOPPED, "0")
    return Service(
        record["ID"],
        spec["Name"],
        labels.get(TYPE) or spec["Name"].rpartition("_")[2],
        labels.get(VERSION, ""),
        int((spec.get("Mode") or {}).get("Replicated", {}).get("Replicas", 0)),
        int(stopped) if stopped.isdecimal() else 0,
        update.get("State", ""),
        update.get("Message", ""),
        spec["TaskTemplate"],
        labels,
        ports[0].get("PublishedPort"),
        (spec.get("UpdateConfig") or {}).get("Order") == "start-first",
    )


@understood
def tasks(text: str) -> list[Task]:
    """Read `docker inspect --type task`."""
    return [_task(one) for one in json.loads(text or "[]")]


def _task(record: Record) -> Task:
    status = record.get("Status") or {}
    container = status.get("ContainerStatus") or {}
    return Task(
        record["ID"],
        record.get("ServiceID", ""),
        int(record.get("Slot", 0)),
        record.get("NodeID", ""),
        status.get("State", "new"),
        record.get("DesiredState", ""),
        moment(status.get("Timestamp", "")),
        moment(record.get("CreatedAt", "")),
        status.get("Err", ""),
        container.get("ExitCode") if status.get("State") in ENDED else None,
        record.get("Spec") or {},
    )


@understood
def rows(text: str) -> dict[str, Mapping[str, str]]:
    """Read the lines of `docker stack ps`, by task."""
    found = {str(one["ID"]): one for one in json_lines(text)}
    return {number: {key: str(row[key]) for key in _COLUMNS} for number, row in found.items()}


def moment(text: str) -> float:
    """Read a time of Docker, with nanoseconds, as seconds since the epoch; 0 for anything else."""
    try:
        time = datetime.fromisoformat(_FRACTION.sub(lambda found: f".{found[1]:0<6}", text))
    except ValueError:
        return 0.0
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Nodes:
    """The machines of the swarm: their names by ID, and which are down."""

    names: Mapping[str, str]
    down: frozenset[str] = frozenset()

    def with_states(self, records: Iterable[Mapping[str, Any]]) -> Nodes:
        """Return the nodes with their states, which `docker node ls` shows. One that was removed is down, too."""
        ready = {str(one["ID"]) for one in records if one.get("Status") == "Ready"}
        return Nodes(self.names, frozenset(self.names) - ready)


def nodes(hosts: Mapping[str, str]) -> Nodes:
    """Return the nodes from their host names by ID. Those that share a name get a part of their IDs."""
    every = list(hosts.values())
    names = {number: f"{host}-{number[:4]}" if every.count(host) > 1 else host for number, host in hosts.items()}
    return Nodes({number: name if hosts[number] else "" for number, name in names.items()})


def same_spec(task: Task, service: Service) -> bool:
    """Whether a task is of the present version of its service."""
    return _compared(task.spec) == _compared(service.spec)


def _compared(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what Swarm itself compares. Networks are resolved in a task, and the runtime is only in a service."""
    own = {key: one for key, one in spec.items() if key not in ("Networks", "Runtime", "Placement")}
    return _without_empty(own)  # type: ignore[no-any-return]


def _without_empty(value: Any) -> Any:
    """Return a value without what is empty: a task leaves that out, or has it where its service does not."""
    if isinstance(value, dict):
        found = {key: _without_empty(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one not in (None, {}, [], "", 0)}
    return value


class Slots:
    """The tasks of one service by slot: what is wanted, what was before it, and what still stops."""

    def __init__(self, service: Service, every: Iterable[Task], machines: Nodes) -> None:
        self.service = service
        self._machines = machines
        self.by_slot: dict[int, list[Task]] = {}
        for task in sorted((one for one in every if one.service == service.id), key=lambda one: one.created):
            self.by_slot.setdefault(task.slot, []).append(task)

    def current(self, slot: int) -> Task:
        """Return the task that represents a slot: the latest that is wanted, else the latest."""
        history = self.by_slot[slot]
        return next((task for task in reversed(history) if task.is_wanted and not task.has_ended), history[-1])

    def leaving(self) -> list[Task]:
        """Return the tasks that run although they no longer should, on machines that can stop them."""
        return [
            task
            for history in self.by_slot.values()
            for task in history
            if not task.is_wanted and not task.has_ended and task.node not in self._machines.down and task.node
        ]

    def is_done(self, task: Task) -> bool:
        """Whether a task has done its job for good."""
        return self.service.runs_once and task.state == "complete"

    def instances(self) -> list[InstanceState]:
        """Return the instances: those that are wanted, and those that still stop."""
        found = []
        for slot in sorted(self.by_slot):
            task = self.current(slot)
            is_gone = not task.is_wanted and (task.has_ended or task.node in self._machines.down)
            if is_gone and slot > self.service.replicas and not self.is_done(task):
                continue  # scaled down
            if is_gone and not self.service.replicas:
                continue  # stopped
            found.append(self.instance(slot, task))
        return found

    def instance(self, slot: int, task: Task) -> InstanceState:
        """Return one instance."""
        before = [one for one in self.by_slot[slot] if one is not task]
        failed = [one for one in before if one.has_failed and same_spec(one, self.service)]
        last = task if task.has_ended else failed[-1] if failed else None
        state = self._state(task, after_failure=bool(failed) and failed[-1] is before[-1])
        return InstanceState(
            f"{self.service.type}.{slot}",
            state,
            self._machines.names.get(task.node, ""),
            self._version(task),
            task.since,
            len(failed),
            self.service.port,
            ending(last) if last else "",
            reason(task, last, state),
            task.id,
        )

    def _state(self, task: Task, *, after_failure: bool) -> str:
        if task.has_ended:
            return EXITED if task.state in ("complete", "shutdown") else FAILED
        if not task.is_wanted:
            return STOPPING
        if task.state == "ready" and after_failure:
            return BACKOFF
        return _STATES.get(task.state, WAITING)

    def _version(self, task: Task) -> str:
        """Return the version of a task. Swarm knows only that of the service, so an old one has its image's tag."""
        if same_spec(task, self.service) or not self.service.version:
            return self.service.version
        image = str(task.spec.get("ContainerSpec", {}).get("Image", "")).partition("@")[0]
        return image.rpartition("/")[2].rpartition(":")[2]


def ending(task: Task) -> str:
    """Return how a task ended, as `ps` shows it: its exit code, or the name of a signal."""
    if task.code is None or (task.code == 0 and task.has_failed):
        return ""
    return str(task.code)


def reason(task: Task, last: Task | None, state: str) -> str:
    """Return why a task is in its state, in a clause."""
    if state == RUNNING:
        return ""
    about = task if task.error else last
    if about is None:
        return ""
    if about.code:
        return ExitStatus(about.code).words()
    error = about.failure
    return error[:1].lower() + error[1:] if error[1:2].islower() else error


def log_line(line: bytes, types: Mapping[str, str], stream: str, prefix: str) -> LogLine | None:
    """Read a line of `docker service logs --timestamps --no-trunc`. ``types`` are process types by label.

    ``prefix`` is the name of the stack with an underscore. None for a line that is not of a task.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    time, name, slot, _task_id, node, text = found.groups()
    label = name.decode().removeprefix(prefix)
    instance = f"{types.get(label, label)}.{int(slot)}"
    return LogLine(instance, text or b"", moment(time.decode()), stream, node.decode("utf-8", "replace"))
