"""The release phase: a Job of its own for each version, whose end is waited for."""

from __future__ import annotations

from procman.engines.calls import Card, Pause, Report, now, run
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.kubernetes.kubectl import name_of
from procman.engines.kubernetes.pod_states import COMPONENT, ending_of, instance_of, state_of
from procman.engines.kubernetes.refusals import find_refusals
from procman.engines.kubernetes.rollouts import SHORTEST_START, STUCK_TIMEOUT
from procman.engines.records import EXITED, FAILED, WAITING, InstanceState
from procman.engines.waiting import CARD_LINES, growing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.kubernetes.kubectl import Kubectl

    Object = dict[str, Any]

INSTANCE = "release.1"


def run_release(
    kubectl: Kubectl, job: Object, found: Object | None, values: Sequence[Object], timeout: float
) -> Steps[None]:
    """Run the Job of a release and wait for its end. One that still runs, after an interruption, is waited for.

    ``found`` is the Job of that name that the cluster has. ``values`` are the objects that it needs. Raises
    EngineError if it fails. After Ctrl-C, it is stopped.
    """
    name = name_of(job)
    if found is None or ending_of(found):
        if found is not None:  # a Job runs once only
            yield from kubectl.ask("delete", name, "--cascade=foreground", "--ignore-not-found")
        yield from kubectl.apply([*values, job])
    else:
        if values:
            yield from kubectl.apply(values)
        yield Report("the release phase of this version still runs, and is waited for")
    try:
        yield from _wait(kubectl, job, timeout)
    except KeyboardInterrupt:
        yield from kubectl.delete([name])
        yield Report("the release phase is stopped")
        raise


def _wait(kubectl: Kubectl, job: Object, timeout: float) -> Steps[None]:
    began = yield from now()
    reported, pauses = "", growing()
    yield Pause(SHORTEST_START)
    while True:
        current, pods = yield from _look(kubectl, job)
        refusals = {} if pods or not current else (yield from find_refusals(kubectl, [current]))
        refused = InstanceState(INSTANCE, WAITING, reason=refusals.get(job["metadata"]["name"], ""))
        instance = instance_of(INSTANCE, max(pods, key=_born)) if pods else refused
        waited = (yield from now()) - began
        if instance.state not in (reported, FAILED):
            reported, pauses = instance.state, growing()
            yield Report(instance=instance)
        ending = ending_of(current)
        if ending == "Complete" or instance.state == EXITED:  # the Job follows its pod a second later
            return
        is_refused = bool(refusals) and waited >= STUCK_TIMEOUT
        if ending == "Failed" or is_refused or any(state_of(pod).final for pod in pods):
            yield from _give_up(kubectl, job, instance, _failure(current, instance, timeout))
        if waited >= timeout:
            error = EngineError(f"the release phase did not end within {timeout:g} s", exit_code=EXIT_TIMEOUT)
            yield from _give_up(kubectl, job, instance, error)
        yield Pause(next(pauses))


def _look(kubectl: Kubectl, job: Object) -> Steps[tuple[Object, list[Object]]]:
    labels = job["metadata"]["labels"]
    selector = ",".join(f"{label}={labels[label]}" for label in ("app.kubernetes.io/name", COMPONENT))
    objects = yield from kubectl.listed(["jobs", "pods"], selector)
    name = job["metadata"]["name"]
    current: Object = next((one for one in objects if one["kind"] == "Job" and one["metadata"]["name"] == name), {})
    return current, [one for one in objects if one["metadata"]["labels"].get("job-name") == name]


def _born(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])


def _failure(job: Object, instance: InstanceState, timeout: float) -> EngineError:
    reasons = {one.get("reason") for one in job.get("status", {}).get("conditions") or ()}
    if "DeadlineExceeded" in reasons:
        return EngineError(f"the release phase did not end within {timeout:g} s", exit_code=EXIT_TIMEOUT)
    return EngineError(f"the release phase failed: {instance.reason or 'its pod is gone'}")


def _give_up(kubectl: Kubectl, job: Object, instance: InstanceState, error: EngineError) -> Steps[None]:
    """Show the last lines, remove a Job that would still try, and raise the error."""
    lines: Sequence[str] = ()
    if instance.id:
        outcome = yield from run(kubectl.call("logs", f"pod/{instance.id}", f"--tail={CARD_LINES}"))
        lines = outcome.text.splitlines() if outcome.ok else ()
    yield Card(instance, tuple(lines))
    if instance.state != FAILED:
        yield from kubectl.delete([name_of(job)])
    raise error
