"""Tests do not wait as long as a user may."""

from __future__ import annotations

import importlib.util

import pytest

from procman.cli.tui import session_reader


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for sessions and output at short intervals."""
    monkeypatch.setattr(session_reader, "RETRY_INTERVAL", 0.05)
    monkeypatch.setattr(session_reader, "BUSY_INTERVAL", 0.01)
    monkeypatch.setattr(session_reader, "IDLE_INTERVAL", 0.03)
    monkeypatch.setattr(session_reader, "STATUS_INTERVAL", 0.2)


@pytest.fixture(autouse=True)
def lasting_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a sentence in the last row stay until the next one, however slow the machine is."""
    if importlib.util.find_spec("textual"):
        monkeypatch.setattr("procman.cli.tui.tui_app.MESSAGE_TIME", 1e6)
