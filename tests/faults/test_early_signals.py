"""A signal at any moment of the start: an end follows, and nothing is left."""

from __future__ import annotations

import signal
import time

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_at_any_moment_of_the_start_ends_all(place: Place, number: int) -> None:
    """Before the interpreter has come to our first line, a KeyboardInterrupt is its own to show."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: setsid sleep {argument} & exec sleep {argument}\n")
    for milliseconds in range(0, 150, 10):
        session = place.start("-m", "web=3")
        time.sleep(milliseconds / 1000)  # each moment is as good as another
        session.signal(number)
        session.wait()
        session.wait_until_gone()
        assert kit.running(argument) == []
        assert b"bug in procman" not in session.err
