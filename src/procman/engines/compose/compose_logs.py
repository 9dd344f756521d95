"""The output of the containers of a Compose project: merged by time, or followed."""

from __future__ import annotations

import json

from procman.core.procfile.selection import matches
from procman.engines.calls import Follow, Stop
from procman.engines.common_messages import removed
from procman.engines.compose.compose_names import NUMBER, TYPE
from procman.engines.compose.compose_records import log_line
from procman.engines.docker_cli import understood
from procman.engines.interface import EngineError
from procman.engines.records import RUNNING, InstanceState, LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from procman.engines.calls import Call, Outcome, Steps
    from procman.engines.compose.compose_commands import Commands
    from procman.engines.interface import Target

_OVERLAP = 2.0  # seconds


def merged(outputs: Iterable[tuple[InstanceState, Outcome]]) -> list[LogLine]:
    """Return the lines of several containers, both streams, in the order of their times."""
    lines = [
        log_line(instance, line, stream)
        for instance, outcome in outputs
        for stream, data in (("stdout", outcome.out), ("stderr", outcome.err))
        for line in data.removesuffix(b"\n").split(b"\n")  # a carriage return is a part of a line
        if line
    ]
    return sorted(lines, key=lambda line: line.time or 0.0)


def following(
    commands: Commands,
    target: Target,
    names: Sequence[str],
    instances: Sequence[InstanceState],
    lines: int,
    since: float | None,
) -> Steps[None]:
    """Follow the output of instances, also of those that start later, until the application is removed.

    Raises EngineError when Docker is lost.
    """
    follower = _Follower(commands, names)
    yield follower.step(instances, lines, since)
    if not follower.is_removed:
        raise EngineError("the Docker daemon no longer sends output", "does it run, and is the network up?")
    yield removed(target)


class _Follower:
    def __init__(self, commands: Commands, names: Sequence[str]) -> None:
        self._commands = commands
        self._names = names
        self._starts = commands.starts()
        self._removal = commands.removal()
        self.is_removed = False  # the application
        self._of: dict[str, InstanceState] = {}  # instances by the container that a call follows
        # The time of the last line, by container and stream, then by call.
        self._last: dict[tuple[str, str], dict[tuple[str, ...], float]] = {}

    def step(self, instances: Sequence[InstanceState], lines: int, since: float | None) -> Follow:
        """Follow these instances, and whatever starts."""
        calls = []
        for one in instances:
            self._of[one.id] = one
            calls.append(self._commands.logs(one.id, lines, since, follow=True))
        return Follow((*calls, self._starts, self._removal), self._read)

    def _read(self, call: Call, stream: str, line: bytes) -> Iterator[LogLine | Call | Stop]:
        if call is self._removal:
            if stream == "stdout":
                self.is_removed = True
                yield from (Stop(self._starts), Stop(self._removal))
        elif call is not self._starts:
            container = call.argv[-1]
            found = log_line(self._of[container], line, stream)
            if found.time is None or not self._has_been_shown(call, stream, found.time):
                yield found
        elif stream == "stdout":
            yield from self._started(*_event(line.decode("utf-8", "replace")))

    def _has_been_shown(self, call: Call, stream: str, time: float) -> bool:
        """Whether the call of another life has shown the line. A single call shows each of its lines once."""
        latest = self._last.setdefault((call.argv[-1], stream), {})
        latest[call.argv] = max(time, latest.get(call.argv, 0.0))
        return any(time <= shown for argv, shown in latest.items() if argv != call.argv)

    def _started(self, labels: Mapping[str, str], container: str, time: float) -> Iterator[Call]:
        """Follow the output of a new life.

        Its first lines may be older than the event, so some of the life before it come again, and are left out.
        """
        if NUMBER not in labels:
            return  # the release of a deployment, which shows it itself
        name = f"{labels[TYPE]}.{labels[NUMBER]}"
        if not self._names or any(matches(pattern, name) for pattern in self._names):
            self._of[container] = InstanceState(name, RUNNING, id=container)
            since = f"{time - _OVERLAP:.3f}"
            yield self._commands.docker("logs", "--timestamps", f"--since={since}", "--follow", container, timeout=None)


@understood
def _event(line: str) -> tuple[Mapping[str, str], str, float]:
    """Read a line of `docker events`: the labels of a container, its ID and the time."""
    event = json.loads(line)
    actor = event["Actor"]
    return dict(actor["Attributes"]), str(actor["ID"])[:12], event["timeNano"] / 10**9
