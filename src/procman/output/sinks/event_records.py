"""Shows: what happens to instances, as records for programs (``--format json``)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub


class Events:
    """Tells the hub of every change. A component of the engine, see runtime/loop/component.py."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def open(self, poller: object) -> None:
        """Nothing to do: there is no descriptor here."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Pass a change on: ``action`` is the event's name, "started" or "exited"."""
        if action != "probe":  # not a change, but something to do
            delay = {"delay": round(instance.delay, 3)} if action == "restarting" else {}
            self._hub.event(action, instance.name, **_fields(instance, now), **delay)

    def next_deadline(self) -> float | None:
        """Never by itself."""
        return None

    def tick(self, now: float) -> None:
        """Nothing to do between two changes."""

    def close(self, now: float, code: int) -> None:
        """The last record is that of the whole run."""
        self._hub.event("ended", "system", exit_status=code)


def _fields(instance: Instance, now: float) -> dict[str, object]:
    """What is worth a field; times are seconds."""
    fields: dict[str, object] = {"pid": instance.pid, "port": instance.plan.port, "restarts": instance.restarts}
    fields["uptime"] = round(instance.uptime(now), 3)
    if instance.status is not None and instance.pid is None:
        fields["code"] = instance.status.code
        fields["signal"] = instance.status.signal
    if instance.failure:
        fields["failure"] = instance.failure
    return fields
