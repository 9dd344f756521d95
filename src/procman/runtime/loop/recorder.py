"""Drives the record of a session: it is written at the end of each turn of the loop, and closed with the session."""

from __future__ import annotations

from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.output.sinks.record import Record


class Recorder(QuietComponent):
    """The record, if there is one yet: a session may begin to be recorded when it is detached."""

    def __init__(self, supervisor: Supervisor, record: Record | None) -> None:
        self._supervisor = supervisor
        self.record = record

    def next_deadline(self) -> float | None:
        """Return 0 if a component behind this one has announced something: it is written in the next turn."""
        return 0.0 if self.record is not None and self.record.has_more else None

    def tick(self, now: float) -> None:
        """Write what this turn has brought."""
        if self.record is not None:
            self.record.flush(now)

    def close(self, now: float, code: int) -> None:
        """Record the end, and why it came."""
        if self.record is not None:
            stopping = self._supervisor.stopping
            self.record.end(code, stopping.words if stopping is not None else "")
