"""Does: puts into words and records what an instance is, what happened to it, and why it is not up."""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action, State
from procman.output.messages.announcer import attempt, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.core.lifecycle.transitions import Instance

    Record = dict[str, object]


def status_record(instance: Instance, now: float, paused: bool) -> Record:
    """One row of `ps`. Times are seconds; ``exit`` are the words for the last end."""
    plan, status = instance.plan, instance.status
    return {
        "name": plan.name,
        "type": plan.type,
        "number": plan.number,
        "state": "paused" if paused else instance.state,
        "wanted": instance.wanted,
        "pid": instance.pid,
        "uptime": round(instance.uptime(now), 3) if instance.pid is not None else None,
        "restarts": instance.restarts,
        "exit": instance.failure or (status.words(asked=instance.state == State.EXITED) if status else None),
        "code": status.shell_code if status else None,
        "port": plan.port,
        "index": plan.index,
    }


def event_record(action: str, instance: Instance, now: float, time: str) -> Record:
    """One event, of the given time (ISO 8601, UTC)."""
    status = instance.status
    return {
        "time": time,
        "event": action,
        "instance": instance.name,
        "type": instance.plan.type,
        "pid": instance.pid,
        "port": instance.plan.port,
        "restarts": instance.restarts,
        "code": status.shell_code if status and instance.pid is None else None,
        "words": in_words(action, instance, now),
    }


def in_words(action: str, instance: Instance, now: float) -> str:
    """What happened, as a sentence without its end."""
    name, port = instance.name, instance.plan.port
    if action == Action.TELL_STARTED:
        return f"{name} started with pid {instance.pid}" + (f" on port {port}" if port is not None else "")
    if action == Action.TELL_READY:
        return f"{name} is ready after {seconds(instance.uptime(now))}"
    if action == Action.TELL_RESTARTING:
        return f"{name} will be started again in {seconds(instance.delay)}"
    if action == Action.TELL_EXITED:
        return f"{name} {_end(instance)} after {seconds(instance.uptime(now))}"
    if action == Action.TELL_STOPPED:
        return f"{name} stopped" + (f" ({instance.status.words(asked=True)})" if instance.status else "")
    if action == Action.TELL_UNHEALTHY:
        return f"{name} is {failure(instance)}"
    if action == Action.TELL_FAILED:
        return f"{name} failed: {failure(instance)}"
    return f"{name} {_OTHERS.get(action, action)}"


_OTHERS = {
    Action.TELL_STOPPING: "is asked to stop",
    Action.TELL_CANCELLED: "will not be started",
    Action.TELL_WAITING: "waits for what it depends on",
}


def failure(instance: Instance) -> str:
    """What became of an instance that is down."""
    return instance.failure or _end(instance)


def _end(instance: Instance) -> str:
    return instance.status.words() if instance.status else "gave up"


def why_in_words(instance: Instance, now: float, held: bool, paused: bool, hindrances: Sequence[str]) -> str:
    """Why an instance is as it is, with what comes next; ``hindrances`` keep it from starting."""
    if paused:
        return f"paused: its processes are stopped until `procman resume {instance.name}`"
    if instance.state == State.WAITING:
        return f"waits: {'; '.join(hindrances)}{_patience(instance, now)}"
    teller = _REASONS.get(instance.state)
    return teller(instance, now, held) if teller else instance.state


def _why_running(instance: Instance, now: float, _held: bool) -> str:
    trouble = instance.trouble
    after = f"; its last check said: {trouble}" if trouble else ""
    return f"up for {seconds(instance.uptime(now))} with pid {instance.pid}{after}"


def _why_starting(instance: Instance, now: float, _held: bool) -> str:
    if instance.pid is None:
        return "about to be started"
    trouble = instance.trouble
    after = f": {trouble}" if trouble else ""
    return f"started {seconds(instance.uptime(now))} ago and not ready yet{after}{_patience(instance, now)}"


def _patience(instance: Instance, now: float) -> str:
    return f"; given up in {seconds(max(0.0, instance.deadline - now))}" if instance.deadline is not None else ""


def _why_stopping(instance: Instance, now: float, _held: bool) -> str:
    then = ", then started again" if instance.wanted else ""
    if instance.deadline is None:
        return f"being killed{then}"
    return f"asked to stop, killed in {seconds(max(0.0, instance.deadline - now))} at the latest{then}"


def _why_backoff(instance: Instance, now: float, _held: bool) -> str:
    left = max(0.0, (instance.deadline or now) - now)
    return f"{failure(instance)}; backoff, next try in {seconds(left)}{attempt(instance)}"


def _why_exited(instance: Instance, _now: float, held: bool) -> str:
    if held:
        return f"stopped by hand; `procman start {instance.name}` brings it back"
    if instance.status is None and not instance.failure and not instance.plan.autostart:
        return f"not started: autostart is false; `procman start {instance.plan.type}` brings it up"
    if instance.status is None:
        return instance.failure or "not started"
    return f"{instance.status.words(asked=True)}, which is no failure: it is not started again"


def _why_failed(instance: Instance, _now: float, _held: bool) -> str:
    deaths = f" {instance.quick_deaths} times in a row" if instance.quick_deaths > 1 else ""
    return f"gave up: {failure(instance)}{deaths}"


_REASONS = {
    State.RUNNING: _why_running,
    State.STARTING: _why_starting,
    State.STOPPING: _why_stopping,
    State.BACKOFF: _why_backoff,
    State.EXITED: _why_exited,
    State.FAILED: _why_failed,
}
