"""The output of the services of a stack: the last lines of all together, or followed."""

from __future__ import annotations

from procman.core.procfile.selection import matches
from procman.engines.calls import Follow, run, run_together
from procman.engines.interface import EngineError
from procman.engines.known_names import require_known
from procman.engines.swarm.swarm_records import log_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.engines.calls import Call, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Target
    from procman.engines.records import LogLine
    from procman.engines.swarm.swarm_records import Service


class ServiceLogs:
    """Reads the output of these services as far as ``names`` mean it. Raises UsageError for an unknown name."""

    def __init__(self, docker: Docker, stack: str, services: Sequence[Service], names: Sequence[str]) -> None:
        self._docker = docker
        self._prefix = f"{stack}_"
        self._names = names
        wanted = [name.partition(".")[0] for name in names]
        self._chosen = [one for one in services if not names or any(matches(name, one.type) for name in wanted)]
        self._types = {one.name.removeprefix(self._prefix): one.type for one in services}

    def require_known(self, target: Target) -> None:
        """Raise UsageError for a name that is unknown."""
        require_known(self._names, self._types.values(), target)

    def last(self, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """Return the last lines of all together, in their order."""
        calls = self._calls(lines, since, timeout=60.0)
        found: list[LogLine] = []
        for call, outcome in zip(calls, (yield from run_together(calls)), strict=True):
            if not outcome.ok and not outcome.out:
                self._docker.require(outcome, "Swarm does not show the output")
            for stream, data in (("stdout", outcome.out), ("stderr", outcome.err)):
                found += (one for line in data.split(b"\n") for one in self._read(call, stream, line))
        return sorted(found, key=lambda one: one.time or 0.0)[-lines:] if lines else []

    def follow(self, lines: int, since: float | None) -> Steps[None]:
        """Show each line as it comes, until the services are gone. Raises EngineError if the connection is lost."""
        yield Follow(tuple(self._calls(lines, since, "--follow", timeout=None)), self._read)
        listed = yield from run(self._docker("service", "ls", "--format", "{{.Name}}"))
        self._docker.require(listed, "Swarm no longer sends output")
        if any(one.name in listed.text.split() for one in self._chosen):
            raise EngineError("Swarm no longer sends output", "the connection was cut; follow it again")

    def _calls(self, lines: int, since: float | None, *more: str, timeout: float | None) -> list[Call]:
        words = ["service", "logs", "--timestamps", "--no-trunc", "--tail", str(lines)]
        words += ["--since", f"{since:g}s"] if since is not None else []
        return [self._docker(*words, *more, one.name, timeout=timeout) for one in self._chosen]

    def _read(self, _call: Call, stream: str, line: bytes) -> Iterator[LogLine]:
        found = log_line(line, self._types, stream, self._prefix)
        if found and (not self._names or any(matches(name, found.instance) for name in self._names)):
            yield found
