"""The verb behind ``procman metrics``: what only the session can count. The client measures the processes itself."""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import State
from procman.output.messages.sentences import status_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session


def metrics(session: Session, client: Client, request: Request) -> None:
    """Return rows as ``ps`` does, with readiness, the amount of output, and the connections that wait."""
    now = time.monotonic()
    rows = [_row(session, instance, now) for instance in session.chosen(request.names)]
    client.finish({**session.about(), "instances": rows})


def _row(session: Session, instance: Instance, now: float) -> dict[str, object]:
    paused = session.supervisor.is_paused(instance)
    return {
        **status_record(instance, now, paused),
        "ready": instance.state == State.RUNNING and not paused,
        "lines": session.hub.line_count(instance.name),
        "bytes": session.hub.history.size_of(instance.name),
        "queues": _queues(session, instance),
    }


def _queues(session: Session, instance: Instance) -> dict[str, int]:
    """Return how many connections wait at each kept socket of an instance, as far as the system says."""
    if instance.plan.listen is None:
        return {}
    kept = session.children.sockets.kept
    waiting = {address: kept.waiting(address) for address in instance.plan.listen.addresses if address in kept}
    return {address: count for address, count in waiting.items() if count is not None}
