"""The fixtures that every test can use."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

import harness
import workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


# A busy machine makes no example wrong: nothing here is held to a time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# Under nohup(1), or as a background job of a script, signals are ignored, and what is started here would inherit that.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Before anything is collected."""
    workers.share_out(config)
    workers.spread(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort what each worker has collected from another file on."""
    if workers.is_worker(config):
        workers.put_in_order(items)


def pytest_report_header(config: pytest.Config) -> str:
    """Return how long it will take."""
    return workers.estimate(config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.Scheduling:
    """Who runs what."""
    return workers.Scheduling(config, log)


@pytest.fixture
def procman() -> str:
    """The path of the installed command, as a user would start it."""
    return harness.PROCMAN


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[harness.Place]:
    """An empty folder to write a Procfile in and to start ``procman`` in; what was started there ends with the test."""
    yield from harness.places(tmp_path, alone=request.node.get_closest_marker("alone") is not None)
