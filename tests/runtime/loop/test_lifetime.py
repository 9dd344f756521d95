"""A session that has a time ends when it is over, once."""

from __future__ import annotations

from procman.core.lifecycle.outcome import TIME_OVER
from procman.runtime.loop.lifetime import Lifetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import pytest


class Stopping:
    """Records the reasons for which everything was stopped."""

    def __init__(self) -> None:
        self.reasons: list[Any] = []

    def stop_all(self, reason: Any, now: float) -> None:
        self.reasons.append((reason, now))


def test_it_stops_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.runtime.loop.lifetime.time.monotonic", lambda: 100.0)
    supervisor: Any = Stopping()
    lifetime = Lifetime(supervisor, 7200.0)
    assert lifetime.next_deadline() == 7300.0
    lifetime.tick(7299.9)
    assert supervisor.reasons == []
    lifetime.tick(7300.0)
    lifetime.tick(7301.0)
    assert supervisor.reasons == [(TIME_OVER, 7300.0)]
    assert lifetime.next_deadline() is None
