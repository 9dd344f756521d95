"""Reads what Docker says about the containers of a Compose project."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from datetime import datetime

from procman.engines.compose.compose_names import HASH, NUMBER, TYPE, VERSION
from procman.engines.docker_cli import understood
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
    Reason,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_CRASHES = 5  # quick exits that count as giving up, as with `start`; Docker itself never gives up
_CRASH_PERIOD = 12.0  # seconds that these have to span: Docker's first pauses are short, and an outage may end
_SIGNALED = 128
_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_NEVER = "0001-01-01"
_STATES = {"running": RUNNING, "restarting": BACKOFF, "removing": STOPPING, "paused": WAITING, "created": WAITING}


@dataclass(frozen=True, slots=True)
class Container:
    """A container of an instance.

    ``hash`` says which release it is of, ``lasts`` whether it is meant to keep running, ``is_checked`` whether a check
    says when it is ready: ``check`` is its line for a shell, which may take ``check_limit`` seconds. ``is_whole`` is
    false for one that Compose was about to put into the place of another when it was ended.
    """

    state: InstanceState
    hash: str
    lasts: bool
    is_checked: bool
    is_ready: bool
    has_failed: bool
    published: tuple[int, ...]
    is_whole: bool
    check: str = ""
    check_limit: float = 0.0

    @property
    def id(self) -> str:
        """Docker's ID."""
        return self.state.id


@understood
def containers(text: str, node: str = "") -> list[Container]:
    """Read the output of ``docker inspect``: the containers of instances, in the order of their names."""
    found = [_container(one, node) for one in json.loads(text) if TYPE in one["Config"]["Labels"]]
    return sorted(found, key=lambda one: (one.state.type, one.state.number))


def _container(record: Mapping[str, dict[str, object]], node: str) -> Container:
    config, state = _Inspected(record["Config"]), _Inspected(record["State"])
    labels = _Inspected(config.part("Labels"))
    host = _Inspected(record["HostConfig"])
    policy = _Inspected(host.part("RestartPolicy")).text("Name")
    published = tuple(_published(host.part("PortBindings")))
    restarts = record["RestartCount"]
    assert isinstance(restarts, int)
    word, reason = _state(state, policy)
    looping = _is_looping(state, str(record["Created"]), restarts)
    instance = InstanceState(
        name=f"{labels.text(TYPE)}.{labels.text(NUMBER)}",
        state=FAILED if looping else word,
        node=node,
        version=labels.text(VERSION),
        since=_since(state, word),
        restarts=restarts,
        port=published[0] if published else None,
        exit=_exit(state),
        reason=f"it has crashed {restarts} times" if looping else reason,
        id=str(record["Id"])[:12],
    )
    return Container(
        instance,
        labels.text(HASH),
        lasts=policy != "no",
        is_checked=bool(_health(state)),
        is_ready=word == RUNNING or (word == EXITED and policy == "no"),
        has_failed=looping or word == FAILED or (word == STARTING and _health(state) == "unhealthy"),
        published=published,
        is_whole=record["Name"] == f"/{labels.text(_PROJECT)}-{labels.text(_SERVICE)}",
        check=_check(config),
        check_limit=_Inspected(config.part("Healthcheck")).number("Timeout") / 10**9,
    )


def _check(config: _Inspected) -> str:
    test = config.part("Healthcheck").get("Test")
    return str(test[1]) if isinstance(test, list) and test[:1] == ["CMD-SHELL"] and len(test) > 1 else ""


class _Inspected:
    """A part of what ``docker inspect`` prints."""

    def __init__(self, part: Mapping[str, object]) -> None:
        self._part = part

    def text(self, key: str) -> str:
        return str(self._part.get(key) or "")

    def number(self, key: str) -> int:
        found = self._part.get(key)
        return found if isinstance(found, int) else 0

    def part(self, key: str) -> Mapping[str, object]:
        found = self._part.get(key)
        return found if isinstance(found, dict) else {}


def _published(bindings: Mapping[str, object]) -> list[int]:
    found = [one for many in bindings.values() if isinstance(many, list) for one in many]
    return [int(one["HostPort"]) for one in found if str(one.get("HostPort", "")).isdecimal()]


def _health(state: _Inspected) -> str:
    return _Inspected(state.part("Health")).text("Status")


def _state(state: _Inspected, policy: str) -> tuple[str, str]:
    """Return our word for the state of a container, and what Docker says about it."""
    word = state.text("Status")
    if error := state.text("Error"):
        return FAILED, error
    if word == "running" and _health(state) in ("starting", "unhealthy"):
        return STARTING, _failed_check(state)
    if word in ("exited", "dead"):
        code = state.number("ExitCode")
        if code and policy == "no":
            return FAILED, f"it ended with {_exit(state)}"
        return EXITED, ""
    reason = "paused" if word == "paused" else f"it ended with {_exit(state)}" if word == "restarting" else ""
    return _STATES.get(word, WAITING), reason


def _failed_check(state: _Inspected) -> str:
    """Return what the last attempt of the health check said, if it has failed."""
    log = state.part("Health").get("Log")
    last = log[-1] if isinstance(log, list) and log else {}
    if not last.get("ExitCode"):
        return "its health check has not passed yet"
    said = str(last.get("Output", "")).strip().splitlines()
    times = _Inspected(state.part("Health")).number("FailingStreak")
    return f"its health check failed{f' {times} times' if times > 1 else ''}{f': {said[-1]}' if said else ''}"


def _is_looping(state: _Inspected, created: str, restarts: int) -> bool:
    if restarts < _CRASHES or state.text("Status") not in ("restarting", "running"):
        return False
    last, first = _moment(state.text("FinishedAt")), _moment(created)
    lived = _moment(state.text("StartedAt"))
    if last is None or first is None or lived is None or last - first < _CRASH_PERIOD:
        return False
    return state.text("Status") == "restarting" or _health(state) not in ("", "healthy")


def _exit(state: _Inspected) -> str:
    """Return how the last life ended, as the local `ps` says it; empty if none has ended."""
    if _moment(state.text("FinishedAt")) is None:
        return ""
    code = state.number("ExitCode") if state.text("Status") != "running" else -1
    if code < 0:
        return ""
    try:
        return signal.Signals(code - _SIGNALED).name
    except ValueError:
        return str(code)


def _since(state: _Inspected, word: str) -> float | None:
    return _moment(state.text("FinishedAt" if word in (EXITED, FAILED, BACKOFF) else "StartedAt"))


def _moment(text: str) -> float | None:
    """Return the time of ``2026-01-02T03:04:05.678901234Z`` in seconds since the epoch."""
    if not text or text.startswith(_NEVER):
        return None
    whole, _, fraction = text.rstrip("Z").partition(".")
    digits = fraction[:6]
    moment = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return moment + (int(digits) / 10 ** len(digits) if digits.isdecimal() else 0.0)


def log_line(instance: InstanceState, line: bytes, stream: str) -> LogLine:
    """Read a line of ``docker logs --timestamps``."""
    head, space, rest = line.partition(b" ")
    try:
        moment = _moment(head.decode("ascii")) if space else None
    except ValueError:
        moment = None
    return LogLine(instance.name, rest.removesuffix(b"\r") if moment else line, moment, stream, instance.node)


def reason_of(container: Container) -> Reason:
    """Return a sentence about the state of an instance."""
    one = container.state
    ended = f"; its last life ended with {one.exit}" if one.exit else ""
    sentences = {
        RUNNING: f"it is running{f', after {one.restarts} restarts' if one.restarts else ''}",
        STARTING: f"it is running, but not ready: {one.reason}",
        WAITING: f"it has not been started{f': {one.reason}' if one.reason else ''}",
        BACKOFF: f"{one.reason}, and Docker starts it again soon (restart {one.restarts})",
        STOPPING: "Docker is removing it",
        EXITED: f"it is stopped{ended}" if container.lasts else f"it has ended with {one.exit}",
        FAILED: one.reason or f"it has failed{ended}",
    }
    return Reason(one.name, one.state, sentences[one.state], one.node)
