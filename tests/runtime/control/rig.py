"""A session without processes, files or clock: a real supervisor whose children are numbers, and a recording client."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, Instance
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus
from procman.core.text.protocol import Request
from procman.output.sinks.history import History
from procman.runtime.control.session import Session
from procman.runtime.control.tasks import SETTLING_TIME
from procman.runtime.control.verbs import handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from procman.core.model.checks import Check
    from procman.errors import UsageError

START = 1000.0  # seconds of the monotonic clock
BEGAN = 1700000000.123456  # seconds since the epoch
MOST_TICKS = 100  # at one moment of the clock; more of them is a session that spins


class FakeClient:
    """Records what is sent to it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.fed: list[bytes] = []
        self.task: object = None
        self.full = False
        self.closed = False
        self.skipped = 0
        self.reading = True

    def send(self, record: Mapping[str, object], payload: bytes = b"") -> None:
        self.sent.append({**record, "payload": payload} if payload else dict(record))

    def finish(self, record: Mapping[str, object] | None = None) -> None:
        self.task = None
        self.send({"done": True, "code": 0, **(record or {})})

    def refuse(self, error: str, hint: str = "", code: int = 2, hang_up: bool = True) -> None:
        assert not hang_up  # only what is not a request ends the connection
        self.finish({"error": error, "hint": hint, "code": code})

    def report_skipped(self) -> None:
        if self.skipped:
            self.send({"skipped": self.skipped})
            self.skipped = 0

    def feed(self, more: Iterator[bytes]) -> None:
        self.fed += more

    def set_reading(self, reading: bool) -> None:
        self.reading = reading

    @property
    def said(self) -> list[str]:
        return [str(record["say"]) for record in self.sent if "say" in record]

    @property
    def answer(self) -> dict[str, Any] | None:
        """The last record of the answer, if it was sent."""
        return self.sent[-1] if self.sent and self.sent[-1].get("done") else None


class FakePlanSource:
    """The files of an application with the process types web, worker and clock, of which the session has no clock."""

    procfile, root, session, checkout = "/app/Procfile", "/app", "tag", "main"

    def __init__(self) -> None:
        self.ready: dict[str, Check] = {}
        self.commands: dict[str, str] = {}
        self.new: dict[str, int] = {}
        self.noted: set[str] = set()
        self.trouble: UsageError | None = None
        self.lines: tuple[str, ...] = ("web", "worker", "clock")  # of the Procfile as it is now

    def newcomers(self) -> dict[str, int]:
        if self.trouble is not None:
            raise self.trouble
        return {name: count for name, count in self.new.items() if name not in self.noted}

    def note(self, types: Iterable[str]) -> None:
        self.noted.update(types)

    def plan(self, kind: str, number: int) -> InstancePlan:
        index = ("web", "worker", "clock").index(kind)
        made = InstancePlan(
            f"{kind}.{number}",
            kind,
            number,
            5000 + 100 * index + number - 1,
            self.commands.get(kind, "x"),
            "/app",
            {},
            RestartPolicy(),
            StopPolicy(grace=5.0),
            index,
        )
        made.ready = self.ready.get(kind)
        if kind != "worker":
            made.groups = ("front",)
        return made

    def instances(self, counts: Mapping[str, int], _wanted: Iterable[str]) -> tuple[InstancePlan, ...]:
        return tuple(self.plan(kind, number) for kind, count in counts.items() for number in range(1, count + 1))

    def types(self) -> tuple[str, ...]:
        return self.lines

    def groups(self) -> dict[str, tuple[str, ...]]:
        return {"front": ("web", "clock")}

    def absence(self, name: str) -> str:
        return f"{name} was left out"


class OpenHistory(History):
    """A history whose methods a test can replace."""


class World:
    """A session with web.1, web.2 and worker.1. Everything launched runs until the test ends it."""

    def __init__(self) -> None:
        self.now = START
        self.source = FakePlanSource()
        self.supervisor = Supervisor([self.source.plan(*slot) for slot in (("web", 1), ("web", 2), ("worker", 1))])
        self.announced: list[str] = []
        self.stopped: list[str] = []
        self.sinks: list[Any] = []
        self.hub: Any = SimpleNamespace(
            announce=self.announced.append,
            history=OpenHistory(),
            taps={},
            passthrough=None,
            add=self.sinks.append,
            remove=self.sinks.remove,
        )
        self.ptys: dict[str, Any] = {}
        children: Any = SimpleNamespace(
            of=self._child,
            tree=lambda _child, _orphans: [],
            orphans=list,
            limit=SimpleNamespace(make_room=lambda _count: None),
        )
        source: Any = self.source
        hub: Any = self.hub
        self.cards: dict[str, list[str]] = {}
        self.session = Session(self.supervisor, children, hub, source, lambda: 4711, BEGAN, self.cards)
        self._pid = 100
        self.supervisor.start_all(self.now)
        self.turn()
        self.turn(SETTLING_TIME)

    def _child(self, name: str) -> Any:
        instance = self.supervisor.instances.get(name)
        if instance is None or instance.pid is None:
            return None
        return SimpleNamespace(pid=instance.pid, pty=self.ptys.get(name))

    def __getitem__(self, name: str) -> Instance:
        return self.supervisor.instances[name]

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, then do what the engine does in a turn, until nothing more happens."""
        self.now += seconds
        self.supervisor.tick(self.now)
        self._perform()
        for _ in range(MOST_TICKS):
            due = self.session.next_deadline()
            if due is None or due > self.now:
                return
            self.session.tick(self.now)
            self._perform()
        raise AssertionError("the session is due again and again")

    def _perform(self) -> None:
        while actions := self.supervisor.take_actions():
            for action, instance in actions:
                if action == Action.LAUNCH:
                    self._pid += 1
                    self.supervisor.spawned(instance, self._pid, self.now)
                elif action in (Action.STOP, Action.KILL):
                    self.stopped.append(instance.name)
                else:
                    self.session.on_event(action, instance, self.now)

    def end(self, name: str, code: int = 0) -> None:
        """End the child of an instance."""
        self.supervisor.exited(self[name], ExitStatus(code=code), self.now)
        self.turn()

    def ready(self, name: str) -> None:
        """Let the readiness check of an instance pass."""
        self.supervisor.ready(self[name], self.now)
        self.turn()

    def request(self, verb: str, *names: str, client: FakeClient | None = None, **fields: object) -> FakeClient:
        """Handle one request of a new client, or of ``client``, and take a turn."""
        request = Request(verb)
        request.names = names
        for field, value in fields.items():
            setattr(request, field, value)
        client = client or FakeClient()
        sender: Any = client
        handle(self.session, sender, request)
        self.turn()
        return client
