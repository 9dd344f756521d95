"""The fixture of the control tests: a session without processes, files or clock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from procman.runtime.control import attachment, commands, ensure, queries, tasks
from runtime.control.rig import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A session whose clock stands still until a turn lets time pass."""
    made = World()
    clock = SimpleNamespace(monotonic=lambda: made.now, time=lambda: made.now + 1e9)
    for module in (attachment, commands, ensure, queries):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(tasks, "clock", clock)
    return made
