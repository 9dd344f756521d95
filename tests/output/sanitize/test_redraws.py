"""Rows that are drawn again and again: which of them are shown, and when."""

from __future__ import annotations

import pytest

from procman.output.sanitize.redraws import STEADY_FRAMES
from procman.output.sanitize.sanitizer import Sanitizer


def shown_at(frames: list[bytes]) -> dict[int, bytes]:
    """Draw two rows, then each frame over them; what is shown with which frame, from 1 on."""
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"one\ntwo\n") == b"one\ntwo\n"
    shown = {}
    for number, frame in enumerate(frames, 1):
        if lines := sanitizer.clean(b"\x1b[2A\r" + frame):
            shown[number] = lines
    return shown


def test_a_row_that_has_not_changed_for_so_many_frames_is_shown() -> None:
    frames = [b"steady\n\r%d\n" % number for number in range(2 * STEADY_FRAMES)]
    assert shown_at(frames) == {STEADY_FRAMES + 1: b"steady\n"}


def test_a_row_that_changes_is_counted_from_its_last_change_on() -> None:
    frames = [b"row %d\n\r%d\n" % (number >= 7, number) for number in range(2 * STEADY_FRAMES)]
    assert shown_at(frames) == {7 + STEADY_FRAMES + 1: b"row 1\n"}


@pytest.mark.parametrize("frames", [1, STEADY_FRAMES - 1])
def test_what_is_held_back_is_shown_at_the_end(frames: int) -> None:
    sanitizer = Sanitizer()
    sanitizer.clean(b"one\ntwo\n")
    for number in range(frames):
        assert sanitizer.clean(b"\x1b[2A\rsteady\n\r%d\n" % number) == b""
    assert sanitizer.rest() == b"steady\n%d\n" % (frames - 1)
