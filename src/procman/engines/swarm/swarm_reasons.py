"""Explains the states of instances in a swarm, in sentences like those of local `why`."""

from __future__ import annotations

from procman.core.text.values import format_duration
from procman.engines.records import BACKOFF, EXITED, FAILED, RUNNING, STARTING, STOPPING, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from procman.engines.records import InstanceState
    from procman.engines.swarm.swarm_records import Slots


def reasons(every: Iterable[Slots], now: float) -> Iterator[Reason]:
    """Yield a reason for each instance, and for each process type that has none."""
    for slots in every:
        service = slots.service
        found = slots.instances()
        for one in found:
            yield Reason(one.name, one.state, _why(one, now), one.node)
        if not found and service.stopped:
            brings = f"brings its {service.stopped} instances back" if service.stopped > 1 else "brings it back"
            yield Reason(service.type, EXITED, f"it was stopped; start {brings}")
        elif not found:
            yield Reason(service.type, EXITED, "it is scaled to 0")


def _why(one: InstanceState, now: float) -> str:
    where = f" on {one.node}" if one.node else ""
    since = f" for {format_duration(max(0.0, now - one.since))}" if one.since else ""
    because = f": {one.reason}" if one.reason else ""
    if one.state == RUNNING:
        lives = "life" if one.restarts == 1 else "lives"
        again = f", after {one.restarts} failed {lives}, the last of which {_ended(one)}" if one.restarts else ""
        return f"it is running{where}{since}{again}"
    if one.state == STARTING:
        return f"it is starting{where}{since}, and is not ready yet{because}"
    if one.state == BACKOFF:
        return f"it {_ended(one)}, and will be started again"
    if one.state == STOPPING:
        return f"it is stopping{where}{since}"
    if one.state == FAILED:
        return f"it {_ended(one)}, and Swarm does not start it again"
    if one.state == EXITED:
        return f"it has ended{where}"
    return f"it waits for a machine{because}"


def _ended(one: InstanceState) -> str:
    return one.reason or (f"ended with {one.exit}" if one.exit else "ended")
