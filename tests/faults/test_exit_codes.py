"""Exit codes: all 256 of them through `run`, those of a failure through `start`."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


def test_run_passes_on_every_exit_code(place: Place) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        codes = list(pool.map(lambda n: place.call("run", "--", "sh", "-c", f"exit {n}").code, range(256)))
    assert codes == list(range(256))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT, signal.SIGPIPE])
def test_run_says_the_signal_as_a_shell_does(place: Place, number: int) -> None:
    assert place.call("run", "--", "sh", "-c", f"kill -{number} $$").code == 128 + number


@pytest.mark.parametrize("code", [0, 1, 2, 70, 126, 127, 128, 129, 130, 137, 143, 255])
def test_start_ends_with_the_failures_code(place: Place, code: int) -> None:
    place.procfile(f"web: exit {code}\n")
    session = place.start("--restart", "never")
    assert session.wait() == code


def test_start_says_a_signal_as_a_shell_does(place: Place) -> None:
    place.procfile("web: kill -9 $$\n")
    session = place.start("--restart", "never")
    assert session.wait() == 137
    assert "SIGKILL" in session.text


def test_foremans_rule_ends_all_with_the_first(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"bad: exit 9\ngood: exec sleep {argument}\n")
    session = place.start("--foreman")
    assert session.wait() == 9
    assert kit.running(argument) == []
