"""Rows that are drawn again and again: which of them are shown, and when."""

from __future__ import annotations

import pytest

from procman.output.sanitize.redraws import STEADY_FRAMES, climb, leaves_row_alone, not_wiped, reached
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


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        (b"", 0),
        (b"text", 0),
        (b"\x1b[A", 1),
        (b"\x1b[0A", 1),
        (b"\x1b[3A", 3),
        (b"\x1b[2Ftext", 2),
        (b"\x1b[2A\x1b[1B", 2),
        (b"\x1b[2A\x1b[1Btext\x1b[2A", 3),
        (b"\x1b[2B\x1b[3A", 1),
        (b"\x1b[E\x1b[A", 0),
        (b"\x1b[2A\x1b[J\x1b[A", 3),
        (b"\x1b[5H\x1b[A", 1),
        (b"\x1b[100A", 100),
        (b"\x1b[101A", 100),
    ],
)
def test_how_far_the_cursor_moves_up(written: bytes, rows: int) -> None:
    assert climb(written) == rows


@pytest.mark.parametrize(
    ("rows", "behind", "known", "found"),
    [
        ([b"a", b"b", b"c"], 0, False, set()),
        ([b"a", b"b", b"c"], 1, False, {2}),
        ([b"a", b"b", b"c"], 3, False, {0, 1, 2}),
        ([b"a", b"b", b"c"], 4, False, set()),  # beyond the first row: it overwrites other output
        ([b"a", b"b", b"c"], 4, True, {0, 1, 2}),
        ([b"a", b"\x1b[Ab"], 0, False, {0}),
        ([b"\x1b[Aa", b"b"], 0, True, set()),
        ([b"a", b"b", b"\x1b[3Ac"], 0, False, set()),
        ([b"a", b"b", b"\x1b[3Ac"], 0, True, {0, 1}),
        ([b"a", b"b\x1b[A"], 0, False, set()),  # it stays in its row
        ([b"a", b"\x1b[Ab\x1b[A"], 0, False, {0}),
        ([b"a", b"b", b"c", b"\x1b[Ad"], 3, False, {1, 2, 3}),
        ([b"a", b"b", b"\x1b[2Ac", b"d"], 1, False, {0, 1, 3}),
    ],
)
def test_which_rows_the_cursor_moves_back_to(rows: list[bytes], behind: int, known: bool, found: set[int]) -> None:
    assert reached(rows, behind, known) == found


@pytest.mark.parametrize(
    ("line", "alone"),
    [
        (b"", False),
        (b"text\x1b[A", True),
        (b"text\x1b[2B\r\r", True),
        (b"\x1b[E", True),
        (b"\x1b[F", True),
        (b"\x1b[Atext", False),
        (b"\x1b[A\x1b[K", False),
        (b"text\x1b[H", False),
        (b"\x1b[A\n", False),
    ],
)
def test_a_row_that_the_cursor_only_moved_to_is_left_alone(line: bytes, alone: bool) -> None:
    assert leaves_row_alone(line) is alone


@pytest.mark.parametrize(
    ("piece", "left"),
    [
        (b"plain\r", b"plain\r"),
        (b"\x1b[1mbold", b"\x1b[1mbold"),
        (b"old\x1b[2Knew", b"new"),
        (b"a\x1b[2Kb\x1b[2Kc", b"c"),
        (b"a\x1b[31mb\r\x1b[Kc\x1b[1md", b"\x1b[31mc\x1b[1md"),
        (b"old\x1b[1G\x1b[0Jnew", b"new"),
        (b"old\x1b[999D\x1b[Knew", b"new"),
        (b"old\x1b[Knew", b"old\x1b[Knew"),  # erased from the cursor on, where nothing was
        (b"old\x1b[9D\x1b[Knew", b"old\x1b[9D\x1b[Knew"),
    ],
)
def test_of_a_piece_that_wipes_its_row_the_colors_remain_and_what_follows(piece: bytes, left: bytes) -> None:
    assert not_wiped(piece) == left


def test_a_row_that_is_erased_and_drawn_the_same_again_has_not_changed() -> None:
    frames = [b"\x1b[Ja\n\r%d\n" % number for number in range(2 * STEADY_FRAMES)]
    assert shown_at(frames) == {STEADY_FRAMES + 1: b"a\n"}
    frames[5:] = [b"\x1b[Jb\n\r5\n", *(frame.removeprefix(b"\x1b[J") for frame in frames[6:])]
    assert shown_at(frames) == {7 + STEADY_FRAMES: b"a\n"}


def shown(*pieces: bytes) -> bytes:
    """Return all that one stream shows of these pieces; before an empty one the redrawing pauses."""
    sanitizer = Sanitizer()
    return b"".join(sanitizer.clean(piece) if piece else sanitizer.rest() for piece in (*pieces, b""))


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"\x1b[2A\n\nc\n",), b"\nc\n"),  # a row of unknown content
        ((b"\x1b[2Aa\nb\n", b"", b"\x1b[2A\n\nc\n"), b"a\nb\n\nc\n"),
        ((b"\x1b[2Aa\nb\n", b"\x1b[2A\n\nc\n"), b"a\nb\nc\n"),  # it is held back
        ((b"\x1b[2Aa\nb\n", b"\x1b[2A\x1b[J\n\nc\n"), b"\n\nc\n"),  # it was, but is erased
    ],
)
def test_a_bare_newline_is_a_blank_row_unless_something_is_held_back_there(
    pieces: tuple[bytes, ...], expected: bytes
) -> None:
    assert shown(*pieces) == expected


@pytest.mark.parametrize("up", [b"\x1b[2A", b"\x1b[1A\x1b[1A"])
def test_what_is_erased_after_a_pause_is_shown_again_however_the_cursor_got_there(up: bytes) -> None:
    block = up + b"\x1b[Ja\nb\n"
    assert shown(block, b"", block, block) == b"a\nb\n" * 2
    assert shown(block, b"", up + b"a\nb\n") == b"a\nb\n"


def test_a_blank_line_that_may_be_overwritten_is_shown_if_it_is_not() -> None:
    sanitizer = Sanitizer()
    sanitizer.look_ahead(b"\x1b[1A")
    assert sanitizer.clean(b"title\n\n") == b"title\n"
    assert sanitizer.rest() == b"\n"


def test_nothing_is_known_of_rows_on_a_cleared_screen() -> None:
    assert shown(b"\x1b[1Aa\n", b"", b"\x1b[2J\x1b[1Aa\n") == b"a\na\n"
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"a\n\x1b[1Ab\n") == b""
    assert sanitizer.clean(b"\x1b[2Jc\n") == b"b\nc\n"
    assert sanitizer.clean(b"d\n") == b"d\n"  # it belongs to no frame


def test_a_hundred_rows_are_followed_and_older_ones_are_shown() -> None:
    rows = [b"%d\n" % number for number in range(101)]
    assert Sanitizer().clean(b"\x1b[99A" + b"".join(rows[:100])) == b""
    assert Sanitizer().clean(b"\x1b[99A" + b"".join(rows)) == rows[0]


def test_long_rows_are_held_back_up_to_a_limit() -> None:
    row = b"x" * 8191 + b"%x\n"
    fitting = b"".join(row % (number % 16) for number in range(32))  # 256 KiB
    assert Sanitizer().clean(b"\x1b[32A" + fitting) == b""
    over = fitting[:-1] + b"y\n"
    assert Sanitizer().clean(b"\x1b[32A" + over) == over
    assert Sanitizer().clean(b"\x1b[2A" + row % 1) == b""


def test_what_is_erased_does_not_count_in_that_limit() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"\x1b[12A" + (b"a" * 20_000 + b"\n") * 12) == b""
    assert sanitizer.clean(b"\x1b[12A\x1b[J" + (b"b" * 30_000 + b"\n") * 3) == b""


def test_a_stream_that_moves_above_its_own_rows_overwrites_those_of_others() -> None:
    """Its own rows are then shown immediately, unless those above are its own as well."""
    written = b"a\n\x1b[3Ab\n"
    assert Sanitizer().clean(written) == b"a\n"
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"x\n\x1b[1Ay\n") + sanitizer.rest() == b"y\n"
    assert sanitizer.clean(written) == b""
