"""A signal when everything has ended and been reported: the exit status is the one that was reported."""

from __future__ import annotations

import os
import signal

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGHUP])
@pytest.mark.parametrize("options", [(), ("--no-guardian",)], ids=["guarded", "alone"])
def test_signals_up_to_the_very_end_do_not_change_the_exit_status(
    place: Place, options: tuple[str, ...], number: int
) -> None:
    """The interpreter restores the default handlers when it ends."""
    place.procfile("web: exec sleep 1000\n")
    for _ in range(3):
        session = place.start(*options)
        session.wait_for("started with pid")
        session.signal(signal.SIGTERM)
        session.wait_for("terminated")
        while not kit.is_over(session):
            os.kill(session.pid, number)  # not reaped: the number is its own
        assert session.wait() == 0
