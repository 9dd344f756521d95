"""Whose lines are shown, as the user says at the start."""

from __future__ import annotations

import re

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (("--only", "web.2"), {"web.2"}),
        (("--only", "web.1,clock"), {"web.1", "clock.1"}),
        (("-q", "web.1"), {"web.2", "clock.1"}),
        (("-q", "web"), {"clock.1"}),
    ],
)
def test_types_and_instances_are_shown_or_not(place: Place, said: tuple[str, ...], shown: set[str]) -> None:
    place.procfile("web: echo I am here\nclock: echo I am here\n")
    run = place.call("start", "-m", "web=2,clock=1", "--no-timestamp", *said)
    assert set(re.findall(r"^(\S+) +\| I am here$", run.out, re.MULTILINE)) == shown


def test_a_log_that_stays_empty_says_why(place: Place) -> None:
    place.procfile("web: true\n")
    assert "warning: nothing is shown: web.9 is not running\n" in place.call("start", "--only", "web.9").out
    assert "nothing is shown" not in place.call("start", "--only", "web").out
