"""One sentence and one record for each event, shared by the screen, the JSON output and the control socket.

Also the row of an instance in ``ps``, and the answer to ``why``. Times are seconds of a monotonic clock unless said
otherwise.
"""

from __future__ import annotations

from procman.core.lifecycle.instance import NOT_STARTED
from procman.core.lifecycle.transitions import Action, State
from procman.core.text.values import format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.status import ExitStatus

    Record = dict[str, object]
    Hindrances = Callable[[Instance], Sequence[str]]


STOPPED = "stopped"  # the end of an instance that stopped on request, as it should


def next_attempt(instance: Instance) -> str:
    """Return which attempt comes next, `` (attempt 2 of 4)``, if a failure has spent one; else an empty string."""
    attempts = instance.plan.restart.max_restarts - 1  # the last quick death of the budget is not followed by one
    succeeded = instance.status is not None and instance.status.ok and not instance.failure
    spends = 0 < instance.quick_deaths <= attempts and not succeeded
    return f" (attempt {instance.quick_deaths} of {attempts})" if spends else ""


def failure(instance: Instance) -> str:
    """Return why an instance is down: ``exited with code 3``, ``unhealthy: connection refused``."""
    return instance.failure or _last_exit(instance)


def outcome(instance: Instance) -> str:
    """Return how an instance ended, for the narrow column of a table."""
    if instance.state == State.FAILED:
        return f"failed: {failure(instance).removeprefix('exited with ')}"
    if instance.status is None:
        return "not started"
    ended = _end(instance, instance.status)
    return ended if ended == STOPPED else instance.status.words(asked=True)


def losses(lost: Sequence[Instance]) -> str:
    """Return why instances are down, each root cause once: ``db.1 exited with code 1; web.1 depends on it``."""
    roots = [instance for instance in lost if not instance.failure.startswith(NOT_STARTED)]
    others = [instance for instance in lost if instance not in roots]
    if not roots:
        return "; ".join(dict.fromkeys(f"{one.name}: {failure(one)}" for one in others))
    causes = "; ".join(f"{one.name}{' ' if failure(one).startswith(_VERBS) else ': '}{failure(one)}" for one in roots)
    names = [one.name for one in others]
    if not names:
        return causes
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]
    return f"{causes}; {listed} depend{'' if names[1:] else 's'} on {'them' if roots[1:] else 'it'}"


_VERBS = ("exited ", "killed ", "gave up")  # beginnings of a failure that continue the sentence


def last_end(instance: Instance) -> str | None:
    """Return how the latest life ended, None if none has ended yet."""
    ended = _end(instance, instance.last) if instance.last else None
    return instance.failure or instance.last_failure or ended


def _end(instance: Instance, status: ExitStatus) -> str:
    """Return ``stopped`` for an end that was requested and went well, else the status in words."""
    if not instance.asked or instance.condemned:
        return status.words(asked=instance.asked)
    return _stop(instance, status)


def _stop(instance: Instance, status: ExitStatus) -> str:
    usual = status.shell_code in (0, 128 + instance.plan.stop.signal_number)
    return STOPPED if usual else f"stopped ({status.words(asked=True)})"


def _last_exit(instance: Instance) -> str:
    return instance.status.words(instance.asked) if instance.status else "gave up"


# Events --------------------------------------------------------------------------------------------------------------


def sentence(event: str, instance: Instance, now: float, hindrances: Hindrances) -> str:
    """Return what happened, as one sentence without its full stop. ``event`` is a TELL action.

    ``hindrances`` gives the reasons why an instance cannot start yet.
    """
    if event == Action.ANNOUNCE_WAITING:
        return _waiting(instance, hindrances(instance))
    return _SENTENCES[event](instance, now)


def event_record(event: str, instance: Instance, now: float, time: str, hindrances: Hindrances) -> Record:
    """Return one event as a record. ``time`` is the wall clock as ISO 8601 in UTC.

    ``code`` and ``signal`` say how the last life ended, and are None while a child runs. ``code`` is the exit code as a
    shell gives it, 128 + the signal after a signal. ``failure`` and ``delay`` (seconds) are there when they apply.
    """
    status = instance.status if instance.pid is None else None
    record: Record = {
        "time": time,
        "event": event,
        "instance": instance.name,
        "type": instance.plan.type,
        "pid": instance.pid,
        "port": instance.plan.port,
        "restarts": instance.restarts,
        "crashes": instance.crashes,
        "uptime": round(instance.uptime(now), 3),
        "code": status.shell_code if status else None,
        "signal": status.signal if status else None,
    }
    if instance.failure:
        record["failure"] = instance.failure
    if event == Action.ANNOUNCE_RESTARTING:
        record["delay"] = round(instance.delay, 3)
    record["words"] = sentence(event, instance, now, hindrances)
    return record


def end_record(code: int, time: str) -> Record:
    """Return the record of the end of the whole session, which exits with ``code``."""
    return {"time": time, "event": "ended", "instance": "system", "type": "system", "exit_status": code}


def _waiting(instance: Instance, hindrances: Sequence[str]) -> str:
    because = f" because {'; '.join(hindrances)}" if hindrances else " for its dependencies"
    return f"{instance.name} is waiting{because}"


def _started(instance: Instance, _now: float) -> str:
    port = f" on port {instance.plan.shown_port}" if instance.plan.shown_port is not None else ""
    return f"{instance.name} started with pid {instance.pid}{port}"


def _ready(instance: Instance, now: float) -> str:
    return f"{instance.name} is ready after {format_duration(instance.uptime(now))}"


def _unhealthy(instance: Instance, _now: float) -> str:
    if instance.condemned:
        return f"{instance.name} is {instance.failure}; stopping it"
    return f"{instance.name} is unhealthy: {instance.trouble}"


def _paused(instance: Instance, _now: float) -> str:
    return f"{instance.name} paused"


def _resumed(instance: Instance, _now: float) -> str:
    return f"{instance.name} resumed"


def _stopping(instance: Instance, _now: float) -> str:
    return f"stopping {instance.name}"


def _restarting(instance: Instance, _now: float) -> str:
    when = "now" if instance.delay == 0 else f"in {format_duration(instance.delay)}"
    failed = f"{instance.failure}; " if instance.failure else ""
    return f"{instance.name} {failed}restarting {when}{next_attempt(instance)}"


def _exited(instance: Instance, now: float) -> str:
    how = instance.status.words(instance.asked) if instance.status else "ended"
    return f"{instance.name} {how} after {format_duration(instance.uptime(now))}"


def _stopped(instance: Instance, now: float) -> str:
    if instance.status is None:
        return f"{instance.name} stopped before it started"
    return f"{instance.name} {_stop(instance, instance.status)} after {format_duration(instance.uptime(now))}"


def _cancelled(instance: Instance, _now: float) -> str:
    return f"{instance.name} will not be {'started' if instance.started is None else 'restarted'}"


def _failed(instance: Instance, _now: float) -> str:
    return f"{instance.name} FAILED: {failure(instance)}"


_SENTENCES: dict[str, Callable[[Instance, float], str]] = {
    Action.ANNOUNCE_STARTED: _started,
    Action.ANNOUNCE_READY: _ready,
    Action.ANNOUNCE_UNHEALTHY: _unhealthy,
    Action.ANNOUNCE_PAUSED: _paused,
    Action.ANNOUNCE_RESUMED: _resumed,
    Action.ANNOUNCE_STOPPING: _stopping,
    Action.ANNOUNCE_RESTARTING: _restarting,
    Action.ANNOUNCE_EXITED: _exited,
    Action.ANNOUNCE_STOPPED: _stopped,
    Action.ANNOUNCE_CANCELLED: _cancelled,
    Action.ANNOUNCE_FAILED: _failed,
}


# States --------------------------------------------------------------------------------------------------------------


def status_record(instance: Instance, now: float, paused: bool) -> Record:
    """Return one row of ``ps``. Times are seconds; ``exit`` and ``code`` say how the latest life ended.

    ``has_port`` is whether the instance is known to use its port.
    """
    plan, status = instance.plan, instance.last
    return {
        "name": plan.name,
        "type": plan.type,
        "number": plan.number,
        "state": "paused" if paused else instance.state,
        "wanted": instance.wanted,
        "pid": instance.pid,
        "uptime": round(instance.uptime(now), 3) if instance.pid is not None else None,
        "restarts": instance.restarts,
        "crashes": instance.crashes,
        "exit": last_end(instance),
        "code": status.shell_code if status else None,
        "port": plan.port,
        "has_port": plan.shown_port is not None,
        "url": plan.url,
        "index": plan.index,
        "can_die": plan.can_die,
    }


def explanation(instance: Instance, now: float, held: bool, paused: bool, hindrances: Sequence[str]) -> str:
    """Return why an instance is in its state, and what comes next.

    ``held``: the user stopped it by name; ``paused``: its processes are stopped; ``hindrances`` keep it from starting.
    """
    if paused:
        return f"paused; `procman resume {instance.name}` resumes it"
    if instance.state == State.WAITING:
        return f"waiting because {'; '.join(hindrances)}{_time_limit(instance, now)}"
    explain = _EXPLANATIONS.get(instance.state)
    return explain(instance, now, held) if explain else instance.state


def _why_running(instance: Instance, now: float, _held: bool) -> str:
    trouble = f"; its last check failed: {instance.trouble}" if instance.trouble else ""
    return f"up for {format_duration(instance.uptime(now))} with pid {instance.pid}{trouble}{_history(instance)}"


def _history(instance: Instance) -> str:
    """Return what an instance has been through: ``; crashed twice, last: killed by SIGKILL; restarted 3 times``."""
    crashed = f"; crashed {_times(instance.crashes)}" if instance.crashes else ""
    restarted = f"; restarted {_times(instance.restarts)}" if instance.restarts else ""
    ended = last_end(instance)
    return f"{crashed}{restarted}{f'; last exit: {ended}' if ended and (crashed or restarted) else ''}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _why_starting(instance: Instance, now: float, _held: bool) -> str:
    if instance.pid is None:
        return "about to start"
    trouble = f": {instance.trouble}" if instance.trouble else ""
    return f"started {format_duration(instance.uptime(now))} ago and not ready yet{trouble}{_time_limit(instance, now)}"


def _time_limit(instance: Instance, now: float) -> str:
    return f"; procman gives up in {_left(instance, now)}" if instance.deadline is not None else ""


def _left(instance: Instance, now: float) -> str:
    return format_duration(max(0.0, (instance.last_deadline or now) - now))


def _why_stopping(instance: Instance, now: float, _held: bool) -> str:
    then = ", then restarted" if instance.wanted else ""
    if instance.deadline is None:
        return f"being killed{then}"
    return f"stopping; will be killed in {_left(instance, now)} at the latest{then}"


def _why_backoff(instance: Instance, now: float, _held: bool) -> str:
    return f"{failure(instance)}; restarting in {_left(instance, now)}{next_attempt(instance)}"


def _why_exited(instance: Instance, _now: float, held: bool) -> str:
    if held:
        return f"stopped by you; `procman start {instance.name}` starts it"
    if instance.status is None and not instance.failure and not instance.plan.autostart:
        return f"not started because autostart is false; `procman start {instance.plan.type}` starts it"
    if instance.status is None:
        return instance.failure or "not started"
    counts = ", which counts as success" if instance.plan.restart.is_success(instance.status.shell_code) else ""
    return f"{_end(instance, instance.status)}{counts}; it will not be restarted"


def _why_failed(instance: Instance, _now: float, _held: bool) -> str:
    deaths = f", {instance.quick_deaths} times in a row" if instance.quick_deaths > 1 else ""
    return f"gave up: {failure(instance)}{deaths}"


_EXPLANATIONS: dict[str, Callable[[Instance, float, bool], str]] = {
    State.RUNNING: _why_running,
    State.STARTING: _why_starting,
    State.STOPPING: _why_stopping,
    State.BACKOFF: _why_backoff,
    State.EXITED: _why_exited,
    State.FAILED: _why_failed,
}
