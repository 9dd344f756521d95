"""A session on a fake kernel with a real control socket, and clients that talk to it."""

from __future__ import annotations

import json
import socket
from typing import Any

from procman.runtime.control.listener import Control
from procman.runtime.control.session import Session
from procman.runtime.health.probes import Probes
from runtime.fakes import Kernel, Run, a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from procman.core.model.plan import InstancePlan
    from procman.runtime.loop.component import Component
    from procman.runtime.processes.pty import Window


class Files:
    """A PlanSource whose Procfile has web, worker and css; css was left out, web and css are the group `front`."""

    procfile = "Procfile"
    root = "/srv/app"
    session = "s1"
    checkout = "main"

    def __init__(self) -> None:
        self.commands: Mapping[str, str] = {}  # what has changed since the start, by type
        self.plans: dict[str, InstancePlan] = {}  # as they were at the start

    def types(self) -> tuple[str, ...]:
        return ("web", "worker", "css")

    def groups(self) -> dict[str, tuple[str, ...]]:
        return {"front": ("web", "css")}

    def absence(self, name: str) -> str:
        return f"{name} was left out"

    def note(self, types: Iterable[str]) -> None:
        """Note that the session has had these types."""

    def instances(self, counts: Mapping[str, int], wanted: Iterable[str]) -> list[InstancePlan]:
        return [self._plan(name, number) for name, count in counts.items() for number in range(1, count + 1)]

    def _plan(self, name: str, number: int) -> InstancePlan:
        index = self.types().index(name) if name in self.types() else 0
        plan = a_plan(f"{name}.{number}", self.commands.get(name, "serve"), index=index)
        return plan if name in self.commands else self.plans.get(plan.name, plan)


class Endpoint:
    """A listening socket in the test's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "control")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(1024)
        self.socket.setblocking(False)
        self.closed = False

    def close(self) -> None:
        self.socket.close()
        self.closed = True


class Caller:
    """One client: it sends requests and reads what has been answered so far."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self._unread = b""

    def ask(self, verb: str, **fields: object) -> Caller:
        return self.say(json.dumps({"verb": verb, **fields}).encode() + b"\n")

    def say(self, line: bytes) -> Caller:
        self.socket.sendall(line)
        return self

    def records(self) -> list[dict[str, Any]]:
        """All answers so far; a payload is in the record as `bytes`."""
        self.read()
        found = []
        while b"\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\n")
            record = json.loads(line)
            if size := record.pop("size", 0):
                record["bytes"], self._unread = self._unread[:size], self._unread[size:]
            found.append(record)
        return found

    def read(self) -> bool:
        """Read what is there; False when the session has hung up."""
        try:
            while chunk := self.socket.recv(1 << 20):
                self._unread += chunk
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def sentences(self) -> list[str]:
        return [str(record["say"]) for record in self.records() if "say" in record]


class Served(Run):
    """A run whose session answers clients; `ask` lets one send a request after so many seconds."""

    def __init__(self, kernel: Kernel, folder: Path, *plans: InstancePlan | str, window: Window | None = None) -> None:
        self.endpoint = Endpoint(folder)
        self.files = Files()
        self.callers: list[Caller] = []
        self.answers: list[tuple[Caller, list[dict[str, Any]]]] = []
        self.sessions: list[Session] = []
        super().__init__(kernel, *plans, components=self._control, window=window)
        self.files.plans = {instance.name: instance.plan for instance in self.supervisor.instances.values()}

    def _control(self, run: Run) -> list[Component]:
        endpoint: Any = self.endpoint
        files: Any = self.files

        def open_session() -> Session:
            self.sessions.append(Session(run.supervisor, run.children, run.hub, files, lambda: 4711, 0.0, {}))
            return self.sessions[-1]

        self.control = Control(endpoint, open_session)
        return [Probes(run.supervisor, run.hub, run.children), self.control]

    def call(self) -> Caller:
        self.callers.append(Caller(self.endpoint.path))
        return self.callers[-1]

    def ask(self, seconds: float, verb: str, **fields: object) -> list[dict[str, Any]]:
        """The answers, once the run is over."""
        answers: list[dict[str, Any]] = []

        def begin() -> None:
            caller = self.call().ask(verb, **fields)
            self.answers.append((caller, answers))

        self.after(seconds, begin)
        return answers

    def hang_up(self, number: int) -> None:
        self.callers[number].socket.close()

    def run(self) -> int:
        code = super().run()
        for caller, answers in self.answers:
            answers.extend(caller.records())
        for caller in self.callers:
            caller.socket.close()
        return code

    def until(self, seconds: float) -> int:
        """Run, and terminate it after so many seconds."""
        self.after(seconds, lambda: self.signal(15))
        return self.run()
