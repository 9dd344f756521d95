"""The session that clients talk to: what it is, the tasks of its clients, and what names mean in it."""

from __future__ import annotations

from procman import __version__
from procman.core.procfile.selection import choose
from procman.errors import ProcmanError, UsageError
from procman.runtime.control.names import NameResolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from procman.config.plan_source import PlanSource
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.runtime.control.client import Client
    from procman.runtime.control.tasks import Task
    from procman.runtime.processes.children import Children

    # Returns what a component knows about an instance: fields for its row in `ps`, such as a `state` that the lifecycle
    # does not have, and as `why` a clause.
    Remark = Callable[[Instance], dict[str, object]]


class NotRunningError(ProcmanError):
    """The request needs a running process."""

    exit_code = 1


class Session:
    """The session.

    ``pid`` returns the one that a user sees: the guardian's, if there is one. ``began`` is in seconds since the epoch;
    ``cards`` are the lines that explain the latest failure of each instance, ``remarks`` what components know about it.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        children: Children,
        hub: Hub,
        plan_source: PlanSource,
        pid: Callable[[], int],
        began: float,
        cards: Mapping[str, list[str]],
        remarks: Sequence[Remark] = (),
    ) -> None:
        self.supervisor = supervisor
        self.children = children
        self.hub = hub
        self.plan_source = plan_source
        self.tasks: dict[Client, Task] = {}
        self._pid = pid
        self._began = began
        self.cards = cards
        self._remarks = remarks
        self._changed = False
        self._revision = 0  # of the supervisor when the tasks were checked: a wish need not lead to an event

    def about(self) -> dict[str, object]:
        """Return a description of the session."""
        stopping = self.supervisor.stopping
        return {
            "pid": self._pid(),
            "procfile": self.plan_source.procfile,
            "root": self.plan_source.root,
            "checkout": self.plan_source.checkout,
            "session": self.plan_source.session,
            "version": __version__,
            "since": round(self._began, 3),
            "stopping": stopping.words if stopping else None,
        }

    def remark(self, instance: Instance) -> tuple[dict[str, object], str]:
        """Return what components know about an instance: fields for its row, and clauses for `why`."""
        found = [remark(instance) for remark in self._remarks]
        clauses = [str(one.pop("why")) for one in found if "why" in one]
        return {key: value for one in found for key, value in one.items()}, "; ".join(clauses)

    def make_room(self, more: int) -> None:
        """Prepare for ``more`` instances."""
        instances = len(self.supervisor.instances) + more
        self.children.limit.make_room(instances)
        self.hub.history.make_room(instances)

    # Tasks ----------------------------------------------------------------------------------------------------------

    def begin(self, task: Task) -> None:
        """Run a task until it is finished or its client is gone."""
        task.hindrances = self.supervisor.hindrances
        self.tasks[task.client] = task
        self._changed = True  # it may be finished already

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Pass the event on to the tasks."""
        self._changed = True
        for task in list(self.tasks.values()):
            task.on_event(action, instance, now)

    def next_deadline(self) -> float | None:
        """Return when to check the tasks even if there is no event."""
        if self._changed or (self.tasks and self._revision != self.supervisor.revision):
            return 0.0
        return min((task.deadline for task in self.tasks.values() if task.deadline is not None), default=None)

    def tick(self, now: float) -> None:
        """Check the tasks, if there was an event or one of them is due.

        Events that are not reported yet go first: otherwise a task could finish before it has sent their sentences.
        """
        if self.supervisor.has_news:
            return
        due = self.next_deadline()
        if due is None or due > now:
            return
        self._changed = False
        self._revision = self.supervisor.revision
        for client, task in list(self.tasks.items()):
            if task.check(now):
                self.forget(client)

    def forget(self, client: Client) -> None:
        """Drop the task of a client that is gone or has its answer."""
        task = self.tasks.pop(client, None)
        if task is not None:
            task.drop()

    def close(self, now: float, code: int) -> None:
        """Finish all tasks: the session is over, and some clients are waiting for that."""
        for task in list(self.tasks.values()):
            if not task.check(now):
                task.end(code)

    # Names ----------------------------------------------------------------------------------------------------------

    def chosen(self, names: Iterable[str]) -> list[Instance]:
        """Return the instances that the names mean, or all if there are no names. Raises UsageError."""
        here = self.supervisor.instances
        wanted = list(names)
        if not wanted:
            return list(here.values())
        resolver = self.resolver()
        try:
            return [here[name] for name in choose(wanted, list(here), resolver.groups)]
        except UsageError as error:
            raise _explained(resolver, wanted, error) from None

    def resolver(self) -> NameResolver:
        """Return what resolves names at this moment. Each request gets one of its own."""
        return NameResolver(self.supervisor.instances, self.plan_source)

    def alive(self, names: Iterable[str]) -> list[tuple[Instance, int]]:
        """Return the named instances that have a child, with its pid. Raises NotRunningError if there is none."""
        alive = [
            (instance, instance.pid)
            for instance in self.chosen(names)
            if instance.pid is not None and self.children.of(instance.name) is not None
        ]
        if not alive:
            raise NotRunningError("none of them is running", "procman ps shows their states")
        return alive

    def require_not_stopping(self) -> None:
        """Raise UsageError if the session is stopping."""
        if self.supervisor.stopping is not None:
            raise UsageError(f"the session is stopping: {self.supervisor.stopping.words}")


def _explained(resolver: NameResolver, names: list[str], error: UsageError) -> UsageError:
    for name in names:
        if not resolver.is_here(name) and (absence := resolver.absence(name)):
            return UsageError(f"{name} is not part of this session: {absence}", f"procman start {name} adds it")
    return error
