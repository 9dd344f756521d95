"""The keyboard modes that a process has set: what undoes them, and what sets them again."""

from __future__ import annotations

import re

import pytest

from procman.output.screen.keyboard import MAX_DEPTH, Keyboard


def keyboard(*sequences: bytes, alternate: bool = False) -> Keyboard:
    """Return the keyboard after these control sequences, each without its CSI."""
    found = Keyboard()
    for sequence in sequences:
        match = re.fullmatch(rb"([<=>?]?)([0-9;]*)([a-z])", sequence)
        assert match is not None
        found.apply(match[1], match[2], match[3], alternate)
    return found


@pytest.mark.parametrize(
    ("sequences", "undone"),
    [
        ([b">1u"] * (MAX_DEPTH + 3), b"\x1b[<%du" % MAX_DEPTH),
        ([b">1u", b">2u", b"<9u", b">3u"], b"\x1b[<1u"),
        ([b"=5u"], b"\x1b[=0u"),
        ([b"=5u", b"<u"], b""),
        ([b">4;2m"], b"\x1b[>4m"),
        ([b">1;2m"], b""),
        ([b">4;2m", b">1m"], b"\x1b[>4m"),
        ([b">4;2m", b">n"], b""),
        ([b">4;2m", b">4;2n"], b""),
        ([b"4m", b"u", b"?u"], b""),
    ],
)
def test_what_was_set_is_undone_and_nothing_else(sequences: list[bytes], undone: bytes) -> None:
    assert keyboard(*sequences).undo(alternate=False) == undone


def test_each_screen_has_its_own_stack() -> None:
    modes = keyboard(b">1u", b">4;2m", alternate=True)
    assert (modes.undo(alternate=True), modes.redo(alternate=True)) == (b"\x1b[<1u", b"\x1b[>1u")
    assert (modes.undo(alternate=False), modes.redo(alternate=False)) == (b"\x1b[>4m", b"\x1b[>4;2m")


@pytest.mark.parametrize(
    ("change", "flags"), [(b"=4u", b"4"), (b"=4;1u", b"4"), (b"=4;2u", b"7"), (b"=1;3u", b"2"), (b"=4;9u", b"4")]
)
def test_flags_are_replaced_added_or_removed(change: bytes, flags: bytes) -> None:
    assert keyboard(b"=3u", change).redo(alternate=False) == b"\x1b[=" + flags + b"u"


def test_a_number_that_is_too_long_counts_as_0() -> None:
    assert keyboard(b">1234u").redo(alternate=False) == b"\x1b[>0u"
