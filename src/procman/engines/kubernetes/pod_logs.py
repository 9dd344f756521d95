"""The output of pods: the last lines of all together, and what comes later, also of pods that are born later."""

from __future__ import annotations

import re

from procman.core.procfile.selection import matches
from procman.engines.calls import Call, Follow, Outcome, Stop, now
from procman.engines.common_messages import removed
from procman.engines.interface import EngineError
from procman.engines.kubernetes.deployed_objects import WORKLOADS
from procman.engines.kubernetes.pod_states import numbered
from procman.engines.records import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.interface import Target
    from procman.engines.kubernetes.kubectl import Kubectl
    from procman.engines.kubernetes.pod_states import TypeNames

    Object = dict[str, Any]

_MAX_PODS = 1000  # pods
_LINE = re.compile(rb"(?:\[pod/([^/]+)/[^\]]+\] )?(\S+Z) ?(.*)", re.DOTALL)
_COLUMNS = ",".join(
    (
        "NAME:.metadata.name",
        "TYPE:.metadata.labels.app\\.kubernetes\\.io/component",
        "INDEX:.metadata.labels.apps\\.kubernetes\\.io/pod-index",
        "STARTED:.status.containerStatuses[*].state.running.startedAt",
        "NODE:.spec.nodeName",
        "ENDING:.metadata.deletionTimestamp",
    )
)
_NONE = "<none>"
_WHAT_IS_LEFT = "jsonpath={.kind}{range .items[*]} {.metadata.name}{end}"
_NOTHING = b"List"  # the answer to it, if there is nothing
_EVENTS, _DELETED, _ABSENT = (b"ADDED", b"MODIFIED"), b"DELETED", b"(NotFound)"


class PodLogs:
    """Reads the output of the pods that ``selector`` finds. ``notes`` is a ConfigMap that only `down` removes."""

    def __init__(self, target: Target, kubectl: Kubectl, selector: str, types: TypeNames, notes: str) -> None:
        self._target = target
        self._kubectl = kubectl
        self._selector = selector
        self._types = types
        self._notes = notes

    def last(self, names: Sequence[str], lines: int, since: float | None) -> Steps[list[LogLine]]:
        """Return the last lines of all together, in the order of their times."""
        found = yield from self._read((yield from self._named()), names, lines, since)
        return _latest([line for of_pod in found.values() for line in of_pod], lines)

    def _named(self) -> Steps[list[tuple[str, Object]]]:
        pods = yield from self._kubectl.listed(["pods"], self._selector)
        return list(numbered(pods, self._types))

    def _read(
        self, pods: Sequence[tuple[str, Object]], names: Sequence[str], lines: int, since: float | None
    ) -> Steps[dict[str, list[LogLine]]]:
        """Return the last lines of each pod."""
        found: dict[str, list[LogLine]] = {}
        sources = {
            pod["metadata"]["name"]: (name, pod["spec"].get("nodeName", ""))
            for name, pod in pods
            if not names or any(matches(wanted, name) for wanted in names)
        }
        if not sources:
            return found
        words = ["--prefix", "--timestamps", "--ignore-errors", f"--tail={lines}", f"--max-log-requests={_MAX_PODS}"]
        if since is not None:
            words.append(f"--since={max(1, round(since))}s")
        outcome = yield from self._kubectl.ask("logs", "-l", self._selector, *words)
        for line in outcome.out.split(b"\n"):
            match = _LINE.fullmatch(line)
            pod = match[1].decode() if match and match[1] else ""
            if match and pod in sources:
                found.setdefault(pod, []).append(_log_line(*sources[pod], match[2], match[3]))
        return found

    def follow(self, names: Sequence[str], lines: int, since: float | None) -> Steps[None]:
        """Show the last lines, then each line as it comes."""
        moment = yield from now()
        pods = yield from self._named()
        before = yield from self._read(pods, names, lines, since)
        history = _latest([line for of_pod in before.values() for line in of_pod], lines)
        words = ("get", "pods", "-l", self._selector, "--watch", "--no-headers", "-o", f"custom-columns={_COLUMNS}")
        watch = Call(self._kubectl.argv(*words), timeout=None)
        events = ("--watch", "--output-watch-events", "--no-headers")
        presence = Call(self._kubectl.argv("get", "configmap", self._notes, *events), timeout=None)
        what_is_left = self._kubectl.call("get", ",".join(WORKLOADS), "-l", self._selector, "-o", _WHAT_IS_LEFT)
        reader = _Reader(self._kubectl, self._types, names, history, (watch, presence), what_is_left)
        for name, pod in pods:
            seen = before.get(pod["metadata"]["name"])
            reader.learn(pod["metadata"]["name"], name, (seen[-1].time if seen else None) or moment)
        yield Follow((watch, presence), reader.read, reader.ended)
        if reader.is_removed:
            yield removed(self._target)
        elif reader.complaint:
            error = self._kubectl.error(Outcome(1, b"", reader.complaint))
            raise EngineError(f"the output is no longer followed: {error.message}", error.hint)


def _latest(lines: list[LogLine], count: int) -> list[LogLine]:
    return sorted(lines, key=lambda one: one.time or 0.0)[-count:] if count else []


class _Reader:
    """Follows each life of each pod. Lines that have been shown already are left out.

    ``watches`` are those of the pods and of the notes, which show whether the application is still deployed: while all
    of it is stopped, no pod does.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        types: TypeNames,
        names: Sequence[str],
        before: Sequence[LogLine],
        watches: tuple[Call, Call],
        what_is_left: Call,
    ) -> None:
        self._kubectl = kubectl
        self._types = types
        self._wanted = names
        self._before = before
        self._watch, self._presence = watches
        self._what_is_left = what_is_left
        self._running: set[str] = set()  # pods
        self.is_removed = False
        self._is_noted = False  # whether the notes were there
        self._names: dict[str, str] = {}  # of instances, by pod
        self._ending: set[str] = set()  # pods
        self._nodes: dict[str, str] = {}
        self._lives: set[tuple[str, str]] = set()
        self._shown: dict[str, float] = {}  # the time of the latest line, by pod
        self._followed: dict[tuple[str, ...], str] = {}
        self._borders: dict[tuple[str, ...], float] = {}  # the latest line before a call: its own need not be in order
        self.complaint = b""  # of the latest watch
        self._alive: set[tuple[str, ...]] = set()  # calls that have written something new

    def learn(self, pod: str, name: str, shown: float = 0.0) -> None:
        """Remember the name of an instance, and the time of its latest line that has been shown."""
        self._names[pod] = name
        self._shown[pod] = shown

    def read(self, call: Call, stream: str, line: bytes) -> Iterator[LogLine | Call | Stop]:
        """Return what a line means: new lines of output, new pods to follow, and the end of all."""
        yield from self._before
        self._before = ()
        if call == self._what_is_left:
            if line == _NOTHING and stream == "stdout":
                yield from self._end()
            return
        if call == self._presence:
            yield from self._present(line)
            return
        pod = self._followed.get(call.argv, "")
        if stream == "stderr":
            self.complaint = self.complaint if pod else line
            return
        if not pod:
            words = line.decode("utf-8", "replace").split()
            if len(words) == _COLUMNS.count(",") + 1:  # a wrapper of kubectl may write more
                self._alive.add(call.argv)
                self.complaint = b""
                yield from self._changed(*words)
            return
        match = _LINE.match(line)
        if not match:
            return
        found = _log_line(self._names[pod], self._nodes[pod], match[2], match[3])
        if (found.time or 0.0) > self._borders[call.argv]:
            self._shown[pod] = max(self._shown[pod], found.time or 0.0)
            self._alive.add(call.argv)
            yield found

    def _present(self, line: bytes) -> Iterator[Stop]:
        """Read a line of the watch of the notes. What was not deployed by `procman deploy` has none."""
        if line.startswith(_DELETED) or (_ABSENT in line and self._is_noted):
            yield from self._end()
        elif line.startswith(_EVENTS):
            self._is_noted = True
            self._alive.add(self._presence.argv)

    def _end(self) -> Iterator[Stop]:
        self.is_removed = True
        yield Stop(self._watch)
        yield Stop(self._presence)

    def ended(self, call: Call) -> Iterator[Call | Stop]:
        """Follow again what has ended: the cluster closes each watch within an hour, and a node its logs at times.

        One that has written nothing new has nothing more to say: its pod is gone, or the cluster cannot be reached.
        """
        if self.is_removed or call.argv not in self._alive:
            if call == self._watch:
                yield Stop(self._presence)
            return
        self._alive.discard(call.argv)
        pod = self._followed.pop(call.argv, "")
        if not pod:
            yield call
        elif pod not in self._ending:
            yield self._logs_of(pod)

    def _changed(self, pod: str, label: str, index: str, started: str, node: str, ending: str) -> Iterator[Call]:
        """Follow a pod in whose container a life begins. When nothing runs any more, see whether all is removed."""
        has_run = pod in self._running
        self._running.discard(pod)
        if ending != _NONE:
            self._ending.add(pod)
        elif started != _NONE:
            self._running.add(pod)
        if not self._running and (has_run or ending != _NONE):
            yield self._what_is_left
        if pod not in self._names:
            self.learn(pod, self._new_name(self._types.of_label(label), index))
        name = self._names[pod]
        if started == _NONE or (pod, started) in self._lives:
            return
        if self._wanted and not any(matches(wanted, name) for wanted in self._wanted):
            return
        self._lives.add((pod, started))
        self._nodes[pod] = "" if node == _NONE else node
        yield self._logs_of(pod)

    def _logs_of(self, pod: str) -> Call:
        since = () if not self._shown[pod] else (f"--since-time={_stamp(self._shown[pod])}",)
        call = Call(self._kubectl.argv("logs", "--follow", "--timestamps", *since, f"pod/{pod}"), timeout=None)
        self._followed[call.argv] = pod
        self._borders[call.argv] = self._shown[pod]
        return call

    def _new_name(self, kind: str, index: str) -> str:
        """Return the number of a StatefulSet, or the lowest one that no living pod has."""
        if index != _NONE:
            return f"{kind}.{index}"
        taken = {name for pod, name in self._names.items() if pod not in self._ending}
        return next(name for number in range(1, _MAX_PODS) if (name := f"{kind}.{number}") not in taken)


def _log_line(instance: str, node: str, stamp: bytes, line: bytes) -> LogLine:
    return LogLine(instance, line, _seconds(stamp.decode()), node=node)


def _seconds(stamp: str) -> float:
    """Return the seconds of a time with nanoseconds: ``2026-01-02T03:04:05.123456789Z``."""
    from datetime import datetime

    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def _stamp(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
