"""The output of the services of a stack: the last lines of all together, or followed."""

from __future__ import annotations

import json

from procman.core.procfile.selection import matches
from procman.engines.calls import Follow, Report, Stop, run, run_together
from procman.engines.common_messages import removed
from procman.engines.docker_cli import understood
from procman.engines.interface import EngineError
from procman.engines.known_names import require_known_types
from procman.engines.swarm.swarm_names import stack_name
from procman.engines.swarm.swarm_records import log_line
from procman.engines.swarm.swarm_view import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.engines.calls import Call, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Target
    from procman.engines.records import LogLine
    from procman.engines.swarm.swarm_records import Service

_ENDING = 60.0  # seconds that the instances of removed services may write for, unless their network goes first


class ServiceLogs:
    """Reads the output of these services as far as ``names`` mean it. Raises UsageError for an unknown name."""

    def __init__(self, docker: Docker, target: Target, services: Sequence[Service], names: Sequence[str]) -> None:
        self._docker = docker
        self._target = target
        self._stack = stack_name(target.app)
        self._names = names
        later = {service_name(self._stack, name): name for name in target.types}  # which a deployment may create
        self._types = {**later, **{one.name: one.type for one in services}}
        require_known_types(names, self._types.values(), target)
        self._chosen = [one.name for one in services if self.is_chosen(one.name)]

    def is_chosen(self, service: str) -> bool:
        """Whether the output of a service is wanted."""
        types = [name.partition(".")[0] for name in self._names]
        return self._is_own(service) and (not types or any(matches(name, self._type(service)) for name in types))

    def _is_own(self, service: str) -> bool:
        """Whether a service is one of the stack. A release phase, which shows its own output, is not."""
        return service.startswith(f"{self._stack}_")

    def _type(self, service: str) -> str:
        return self._types.get(service, service.removeprefix(f"{self._stack}_"))

    def last(self, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """Return the last lines of all together, in their order."""
        calls = [self.reading(one, lines, since, timeout=60.0) for one in self._chosen]
        found: list[LogLine] = []
        for call, outcome in zip(calls, (yield from run_together(calls)), strict=True):
            if not outcome.ok and not outcome.out:
                self._docker.require(outcome, "Swarm does not show the output")
            for stream, data in (("stdout", outcome.out), ("stderr", outcome.err)):
                found += (one for line in data.split(b"\n") for one in self.read(call, stream, line))
        return sorted(found, key=lambda one: one.time or 0.0)[-lines:] if lines else []

    def follow(self, lines: int, since: float | None) -> Steps[None]:
        """Show each line as it comes, until the services are gone. Raises EngineError if the connection is lost."""
        follower = _Follower(self, self._chosen)
        yield follower.step(lines, since)
        listed = yield from run(self._docker("service", "ls", "--format", "{{.Name}}"))
        self._docker.require(listed, "Swarm no longer sends output")
        left = [name for name in listed.text.split() if self._is_own(name)]
        if follower.services.intersection(left):
            raise EngineError("Swarm no longer sends output", "the connection was cut; follow it again")
        types = ", ".join(sorted(self._type(name) for name in follower.services))
        yield Report(f"{types} of {self._target.app} has been removed") if left else removed(self._target)

    def reading(self, service: str, lines: int | str, since: float | None, *more: str, timeout: float | None) -> Call:
        """Return the call that prints the output of a service."""
        words = ["service", "logs", "--timestamps", "--no-trunc", "--tail", str(lines)]
        words += ["--since", f"{since:g}s"] if since is not None else []
        return self._docker(*words, *more, service, timeout=timeout)

    def events(self) -> Call:
        """Return the call that prints a line for each service that is created or removed. It does not end by itself."""
        return self._events("type=service", "event=create", "event=remove")

    def removal(self, since: float) -> Call:
        """Return the call that prints a line when the network of the stack is removed, as `down` does in the end."""
        time = ("--since", f"{since:.6f}", "--until", f"{since + _ENDING:.6f}")
        return self._events("type=network", "event=remove", f"network={self._stack}_default", time=time)

    def _events(self, *filters: str, time: tuple[str, ...] = ()) -> Call:
        chosen = (f"--filter={one}" for one in filters)
        return self._docker("events", "--format", "{{json .}}", *chosen, *time, timeout=None)

    def read(self, _call: Call, stream: str, line: bytes) -> Iterator[LogLine]:
        """Return the log line that a line of output is."""
        labels = {name.removeprefix(f"{self._stack}_"): type_ for name, type_ in self._types.items()}
        found = log_line(line, labels, stream, f"{self._stack}_")
        if found and (not self._names or any(matches(name, found.instance) for name in self._names)):
            yield found


class _Follower:
    """Follows services, also those that a deployment creates, until all of them have been removed.

    `docker service logs --follow` would continue after that.
    """

    def __init__(self, logs: ServiceLogs, services: Sequence[str]) -> None:
        self.services = set(services)  # all that were followed
        self._logs = logs
        self._present = set(services)
        self._reading: list[Call] = []
        self._events = logs.events()
        self._removal: Call | None = None  # once all services have been removed

    def step(self, lines: int, since: float | None) -> Follow:
        self._reading = [self._follow(one, lines, since) for one in sorted(self.services)]
        return Follow((*self._reading, self._events), self._read, self._ended)

    def _follow(self, service: str, lines: int | str, since: float | None) -> Call:
        return self._logs.reading(service, lines, since, "--follow", timeout=None)

    def _read(self, call: Call, stream: str, line: bytes) -> Iterator[LogLine | Call | Stop]:
        if call is self._removal:
            yield from self._ended(call) if stream == "stdout" else ()
        elif call is not self._events:
            yield from self._logs.read(call, stream, line)
        elif stream == "stdout":
            yield from self._changed(*_event(line.decode("utf-8", "replace")))

    def _changed(self, service: str, action: str, time: float) -> Iterator[Call]:
        if not self._logs.is_chosen(service):
            return
        if action == "create":
            self.services.add(service)
            self._present.add(service)
            self._reading.append(self._follow(service, "all", None))
            yield self._reading[-1]
        elif self._present:
            self._present.discard(service)
            if not self._present:
                self._removal = self._logs.removal(time)
                yield self._removal

    def _ended(self, call: Call) -> Iterator[Stop]:
        """Stop everything when the last output has been written."""
        if call is self._removal and not self._present:
            yield from (Stop(one) for one in (*self._reading, self._events, call))


@understood
def _event(line: str) -> tuple[str, str, float]:
    """Read a line of `docker events`: the name of a service, what happened to it, and the time."""
    event = json.loads(line)
    return str(event["Actor"]["Attributes"]["name"]), str(event["Action"]), event["timeNano"] / 10**9
