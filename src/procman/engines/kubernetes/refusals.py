"""Why a cluster creates no pod for a workload: a quota, a rule of the namespace, a webhook."""

from __future__ import annotations

from procman.engines.calls import now, run
from procman.engines.kubernetes.kubectl import items_of
from procman.engines.kubernetes.pod_states import ending_of, epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.kubernetes.kubectl import Kubectl

    Object = dict[str, Any]

_RECENT = 30.0  # seconds: the cluster tries again with growing pauses, and reports each attempt


def find_refusals(kubectl: Kubectl, objects: Iterable[Object]) -> Steps[dict[str, str]]:
    """Return the reasons by the names of workloads, if one of them has too few pods.

    A Deployment has them in its status; for others there are only events, which not every user may read.
    """
    found = {one["metadata"]["name"]: reason for one in objects if (reason := _of_deployment(one))}
    short = {one["metadata"]["name"] for one in objects if _lacks_pods(one)}
    if not short:
        return found
    outcome = yield from run(kubectl.call("get", "events", "--field-selector", "reason=FailedCreate", "-o", "json"))
    moment = yield from now()
    for event in items_of(outcome) if outcome.ok else ():
        time = epoch(event.get("lastTimestamp") or event.get("eventTime") or "") or 0.0
        name = event["involvedObject"]["name"]
        if name in short and moment - time < _RECENT:
            found[name] = _sentence(event.get("message", ""))
    return found


def _of_deployment(found: Object) -> str:
    conditions = found.get("status", {}).get("conditions") or ()
    messages = (
        one.get("message", "") for one in conditions if one["type"] == "ReplicaFailure" and one["status"] == "True"
    )
    return next(map(_sentence, messages), "")


def _lacks_pods(found: Object) -> bool:
    status = found.get("status", {})
    if found["kind"] == "StatefulSet":
        return bool(status.get("replicas", 0) < found["spec"].get("replicas", 1))
    return found["kind"] == "Job" and not (
        found["spec"].get("suspend") or ending_of(found) or status.get("active") or status.get("succeeded")
    )


def _sentence(message: str) -> str:
    """Return the reason out of ``Error creating: pods "x" is forbidden: REASON``."""
    return f"the cluster refuses its pod: {message.rpartition(' is forbidden: ')[2]}"
