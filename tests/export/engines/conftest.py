"""The application that every engine runs, and the marker of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.rig import Application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run an engine: `-m "not engine"` leaves them out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    """Yield an application called shop, whose processes do not outlive the test."""
    application = Application(tmp_path / "shop")
    yield application
    application.kill_survivors()
