"""The fixtures that every test may ask for."""

from __future__ import annotations

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def procman() -> str:
    """The path of the installed command, as a user would start it."""
    return harness.PROCMAN


@pytest.fixture
def place(tmp_path: Path) -> Iterator[harness.Place]:
    """An empty folder to write a Procfile in and to start ``procman`` in; what was started there ends with the test."""
    yield from harness.places(tmp_path)
