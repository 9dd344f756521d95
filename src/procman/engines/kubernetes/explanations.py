"""Why an instance is in its state: the pod's own words, and what the cluster has reported about it."""

from __future__ import annotations

from procman.engines.records import BACKOFF, EXITED, FAILED, RUNNING, STARTING, STOPPING, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from procman.engines.records import InstanceState

    Object = dict[str, Any]

_STATES = {
    RUNNING: "it is ready",
    STARTING: "it is not ready yet",
    BACKOFF: "it is restarted after a pause",
    STOPPING: "it is stopping",
    EXITED: "it has ended",
    FAILED: "it is not restarted",
}
_SETTLED = (RUNNING, STOPPING, EXITED)  # warnings about these are about the past


def explained(instance: InstanceState, events: Sequence[Object], now: float) -> Reason:
    """Return the sentence for one instance."""
    parts = [_STATES.get(instance.state, "it waits"), instance.reason, _restarts(instance)]
    if instance.since is not None and instance.state == RUNNING:
        parts[0] = f"{parts[0]}, and has been up for {max(0, round(now - instance.since))} s"
    if instance.state not in _SETTLED and "no node takes it" not in instance.reason:
        parts.append(_warning(instance.id, events))
    text = "; ".join(dict.fromkeys(filter(None, parts)))
    return Reason(instance.name, instance.state, f"{instance.state}: {text}", instance.node)


def _restarts(instance: InstanceState) -> str:
    if not instance.restarts:
        return ""
    times = "once" if instance.restarts == 1 else f"{instance.restarts} times"
    return f"it has been restarted {times}" + (f", last after {instance.exit}" if instance.exit else "")


def _warning(pod: str, events: Sequence[Object]) -> str:
    """Return the latest warning about a pod."""
    about = [one for one in events if one.get("involvedObject", {}).get("name") == pod]
    if not about:
        return ""
    latest = max(about, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""))
    return f"Kubernetes says: {' '.join(latest.get('message', '').split())}"
