"""The model of a terminal against a real one: what it draws again is what a terminal would show."""

from __future__ import annotations

import random
import unicodedata

import pyte
import pytest

from procman.output.screen.emulator import LARGE_CHUNK, MAX_REST, Emulator
from procman.output.screen.grid import MAX_EDITED_ROWS, MAX_MARKS, MAX_ROWS, count, number

ROWS, COLUMNS = 24, 12
THREE = b"one\r\ntwo\r\nthree"


class Pair:
    """An emulator, and a terminal that got the same bytes."""

    def __init__(self, columns: int = COLUMNS) -> None:
        self.emulator = Emulator(columns)
        self.columns = columns
        self.terminal = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self.terminal)

    def feed(self, *chunks: bytes) -> Pair:
        for chunk in chunks:
            self.emulator.feed(chunk)
            self._stream.feed(chunk)
        return self

    def expected(self) -> tuple[list[str], int, int]:
        """The rows from the first one that is not finished on, and the cursor among them."""
        top = self.terminal.cursor.y - self.emulator.up
        return _rows(self.terminal, top), self.emulator.up, self.terminal.cursor.x

    def drawn(self) -> tuple[list[str], int, int]:
        """The same of a fresh terminal that got the picture."""
        fresh = pyte.Screen(self.columns, ROWS)
        pyte.ByteStream(fresh).feed(self.emulator.picture())
        return _rows(fresh, 0), fresh.cursor.y, fresh.cursor.x


def _rows(screen: pyte.Screen, top: int) -> list[str]:
    rows = [unicodedata.normalize("NFC", row.rstrip()) for row in screen.display[top:]]
    while rows and not rows[-1]:
        rows.pop()
    return rows


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"hello\rHE",
        b"hello\b\bXY",
        b"a\tb",
        b"\t\t\tx",
        b"x" * (COLUMNS - 1),
        b"x" * COLUMNS,
        b"x" * COLUMNS + b"y",
        b"x" * (2 * COLUMNS + 3),
        b"x" * COLUMNS + b"\rA",
        b"x" * COLUMNS + b"\bA",
        b"x" * COLUMNS + b"\x1b[DA",
        b"hello\x1b[3DX",
        b"hello\x1b[99DX",
        b"hello\x1b[3CX",
        b"hello\x1b[99CX",
        b"hello\x1b[2GX",
        b"hello\x1b[GX",
        b"hello\x1b[2D\x1b[K",
        b"hello\x1b[2D\x1b[0K",
        b"hello\x1b[2D\x1b[1K",
        b"hello\x1b[2D\x1b[2K",
        b"hello\x1b[3D\x1b[P",
        b"hello\x1b[3D\x1b[2P",
        b"hello\x1b[3D\x1b[@",
        b"hello\x1b[3D\x1b[2@XY",
        b"x" * COLUMNS + b"\r\x1b[2@",
        b"hello\x1b[5C\x1b[2@X",
        b"hello\x1b[3D\x1b[X",
        b"hello\x1b[3D\x1b[2X",
        b"hello\x1b[3D\x1b[99X",
        b"hello\x1b[7m inverse\x1b[m",
        b"hello\x1b7\rX\x1b8Y",
        b"hello\r\x1b[4hAB\x1b[4lCD",
        "界".encode(),
        "a界b".encode(),
        "e\u0301te\u0301".encode(),
        b"\x07bell\x00",
        b"\x1b]0;title\x07hello",
        b"\x1b(Bhello",
    ],
    ids=repr,
)
def test_one_line_is_drawn_as_the_terminal_shows_it(data: bytes) -> None:
    pair = Pair().feed(data)
    assert pair.drawn() == pair.expected()


@pytest.mark.parametrize(
    "data",
    [
        b"\x1b[A",
        b"\x1b[2A\rX",
        b"\x1b[2AX",
        b"\x1b[FX",
        b"\x1b[2FX",
        b"\x1b[2A\x1b[BX",
        b"\x1b[2A\x1b[2BX",
        b"\x1b[2A\x1b[EX",
        b"\x1bMX",
        b"\x1bM\x1bM\x1bDX",
        b"\x1b[A\x1b[K",
        b"\x1b[2A\x1b[J",
        b"\x1b[A\r\x1b[J",
        b"\x1b[A\r\x1b[L",
        b"\x1b[2A\r\x1b[2L",
        b"\x1b[A\r\x1b[M",
        b"\x1b[2A\x1b7\x1b[2B\x1b8X",
        b"\x1b[A" + b"y" * COLUMNS + b"z",
        b"\x1b[2A\r\nX",
        b"\x1b[2A\x1b[9CX",
    ],
    ids=repr,
)
def test_rows_that_are_moved_up_to_are_drawn_as_the_terminal_shows_them(data: bytes) -> None:
    pair = Pair().feed(b"\x1b[2A\x1b[2B", THREE, data)
    assert pair.drawn() == pair.expected()


@pytest.mark.parametrize(
    ("data", "rows", "cursor"),
    [
        (b"hello\x1b[3`X", ["heXlo"], (0, 3)),
        (b"x" * COLUMNS + b"\x1b[K", ["x" * (COLUMNS - 1)], (0, COLUMNS)),
        (b"hello\x1b[s\rX\x1b[uY", ["XelloY"], (0, 6)),
        ("界".encode() * 7, ["界" * 6, "界"], (1, 2)),
        (b"x" * (COLUMNS - 1) + "界y".encode(), ["x" * (COLUMNS - 1), "界y"], (1, 3)),
        (THREE + b"\x1b[2A\x1bEX", ["one", "Xwo", "three"], (1, 1)),
        (THREE + b"\x1b[2A\r\x1b[2M", ["three"], (0, 0)),
        (THREE + b"\x1b[2A\r\x1b[9M", [], (0, 0)),
    ],
    ids=repr,
)
def test_what_xterm_does_and_the_other_model_does_not(data: bytes, rows: list[str], cursor: tuple[int, int]) -> None:
    pair = Pair().feed(data)
    assert pair.drawn() == (rows, *cursor)


TOKENS = [
    b"a",
    b"hello",
    b"x" * COLUMNS,
    "界".encode(),
    b"\r",
    b"\b",
    b"\x1b[2C",
    b"\x1b[3D",
    b"\x1b[4G",
    b"\x1b[K",
    b"\x1b[1K",
    b"\x1b[P",
    b"\x1b[2@",
    b"\x1b[3X",
    b"\x1b[31m",
    b"\x1b[m",
    b"\x1b[A",
    b"\x1b[B",
    b"\r\n",
]


@pytest.mark.parametrize("seed", range(60))
def test_any_sequence_is_drawn_as_the_terminal_shows_it(seed: int) -> None:
    chosen = random.Random(seed)
    pair = Pair().feed(THREE)
    for _ in range(12):
        token = chosen.choice(TOKENS)
        if token == b"\x1b[A" and pair.terminal.cursor.y == 0:
            continue
        if token == b"\x1b[B" and not pair.emulator.down:
            continue
        if "界".encode() in token or any(cell == "" for row in pair.emulator.rows for _, cell in row):
            continue  # half of a wide character is shown in many ways
        pair.feed(token)
    assert pair.drawn() == pair.expected(), seed


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_sequence_may_be_cut_anywhere(cut: int) -> None:
    data = b"ab\x1b[31;1mc\xe7\x95\x8cd"
    pair = Pair().feed(data[:cut], data[cut:])
    assert pair.drawn() == Pair().feed(data).drawn()


def test_a_mark_at_the_start_of_a_chunk_belongs_to_the_character_before_it() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"ae")
    emulator.feed("\u0301x".encode())
    assert [text for _, text in emulator.rows[0]] == ["a", "e\u0301", "x"]


def test_a_mark_behind_a_wide_character_is_put_on_it() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed("界".encode())
    emulator.feed("\u0301".encode())
    assert [text for _, text in emulator.rows[0]] == ["界\u0301", ""]
    emulator.feed("界\u0301".encode())
    assert [text for _, text in emulator.rows[0]][2:] == ["界\u0301", ""]


def test_marks_on_nothing_and_without_end_are_left_out() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed("\u0301".encode())
    assert emulator.blank
    emulator.feed(("a" + "\u0301" * 50).encode())
    assert len(emulator.rows[0][0][1]) == MAX_MARKS


# What is finished ---------------------------------------------------------------------------------------------------


def test_a_line_that_has_ended_is_not_drawn_again() -> None:
    emulator = Emulator(COLUMNS)
    assert emulator.blank
    emulator.feed(b"one\r\ntwo")
    assert (emulator.up, emulator.down) == (0, 0)
    assert b"one" not in emulator.picture()
    emulator.feed(b"\r\n")
    assert emulator.blank


def test_a_line_that_wraps_is_not_finished() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"x" * (2 * COLUMNS + 1))
    assert emulator.up == 2
    assert not emulator.blank


def test_rows_that_are_moved_up_to_stay_unfinished_for_as_long_as_that_goes_on() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(THREE)
    emulator.feed(b"\x1b[2A")
    assert emulator.reach == 2
    emulator.feed(b"\r\n\n\n")
    assert emulator.up == 2
    newlines = 0
    while emulator.reach:
        emulator.feed(b"\r\n")
        newlines += 1
    assert newlines == 2 * 2 + 5
    assert emulator.up == 0


def test_the_rows_of_a_line_editor_stay_unfinished() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"\x1b[?2004h" + b"line\r\n" * 30)
    assert emulator.up == MAX_EDITED_ROWS
    emulator.feed(b"\x1b[?2004l")
    assert emulator.up == 0


def test_only_so_many_rows_are_remembered() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"x" * (COLUMNS * (MAX_ROWS + 50)))
    assert len(emulator.rows) == MAX_ROWS
    emulator.feed(b"\x1b[9999A\x1b[9999B")
    assert len(emulator.rows) <= MAX_ROWS
    emulator.feed(b"\x1b[9999L")
    assert len(emulator.rows) <= MAX_ROWS


def test_rows_above_that_were_only_passed_are_given_up() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"\x1b[3A")
    assert (emulator.down, emulator.reach) == (3, 3)
    emulator.feed(b"\x1b[3Bx")
    assert (emulator.up, emulator.down) == (0, 0)
    emulator.feed(b"\r\n\x1b[2Ax\x1b[2B")
    assert emulator.up == 2


def test_finished_rows_are_forgotten_when_other_output_was_printed() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"one\r\ntwo\r\nthree")
    emulator.forget_above()
    assert (emulator.row, emulator.top, len(emulator.rows)) == (0, 0, 1)
    assert b"three" in emulator.picture()


def test_a_new_width_keeps_the_cursor_inside() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"x" * 10)
    emulator.resize(5)
    assert (emulator.columns, emulator.column) == (5, 5)
    emulator.feed(b"y")
    assert emulator.up == 1


def test_a_place_on_the_screen_is_no_place_among_its_rows() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"\x1b[H")
    assert not emulator.placed
    emulator.feed(b"x\x1b[H")
    assert emulator.placed
    emulator.feed(b"\x1b[2J")
    assert not emulator.placed
    emulator.feed(b"\x1b[5;3Hx")
    assert emulator.placed
    assert emulator.column == 3
    assert emulator.rows == [[(b"", " "), (b"", " "), (b"", "x")]]


def test_erasing_the_screen_keeps_the_column() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"hello\x1b[2J")
    assert (emulator.column, emulator.rows) == (5, [[]])


@pytest.mark.parametrize(
    ("text", "value"), [(b"", 1), (b"0", 1), (b"7", 7), (b"99999", 99999), (b"100000", 1), (b"x", 1)]
)
def test_numbers_of_sequences(text: bytes, value: int) -> None:
    assert number(text) == value
    assert count(text + b";9") == value


# Modes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "undo", "redo"),
    [
        (b"\x1b[?25l", b"\x1b[?25h", b"\x1b[?25l"),
        (b"\x1b[?25l\x1b[?25h", b"", b""),
        (b"\x1b[?1000h", b"\x1b[?1000l", b"\x1b[?1000h"),
        (b"\x1b[?1000;1006h", b"\x1b[?1000l\x1b[?1006l", b"\x1b[?1000h\x1b[?1006h"),
        (b"\x1b[?1000h\x1b[?1000l", b"", b""),
        (b"\x1b=", b"\x1b>", b"\x1b="),
        (b"\x1b=\x1b>", b"", b""),
        (b"\x1b[?12345h", b"", b""),
        (b"\x1b[?1000h\x1bc", b"", b""),
    ],
    ids=repr,
)
def test_modes_are_undone_and_done_again(data: bytes, undo: bytes, redo: bytes) -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(data)
    assert emulator.undo() == undo
    assert emulator.redo() == redo


@pytest.mark.parametrize("mode", [b"1049", b"1047", b"47"])
def test_on_the_alternate_screen_rows_are_not_modelled(mode: bytes) -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"before\x1b[?%sh" % mode)
    assert emulator.alternate
    emulator.feed(b"editor\r\n\x1b[2J")
    emulator.feed(b"\x1b[?%slafter" % mode)
    assert not emulator.alternate
    assert b"beforeafter" in emulator.picture()


def test_a_reset_is_a_new_start() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"\x1b[?2004h\x1b[31mhello\x1bc")
    assert emulator.blank
    assert (emulator.sgr, emulator.edits, emulator.modes) == (b"", False, {})


# Large chunks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [0, 1, 500])
def test_of_a_flood_only_the_last_line_is_modelled_with_its_colors_and_modes(extra: int) -> None:
    flood = b"\x1b[31m\x1b[?25l" + b"x" * 10 + b"\r\n"
    flood += b"y" * (LARGE_CHUNK - len(flood) - 6 + extra) + b"\r\nlast"
    emulator = Emulator(COLUMNS)
    emulator.feed(flood)
    small = Emulator(COLUMNS)
    for start in range(0, len(flood), 100):
        small.feed(flood[start : start + 100])
    assert emulator.picture() == small.picture()
    assert emulator.modes == small.modes == {b"25": False}


def test_a_flood_that_moves_up_is_modelled_whole() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"a\r\nb\x1b[A" + b"\r" * LARGE_CHUNK + b"X\r\nY")
    assert b"X" in emulator.picture()


def test_a_sequence_without_an_end_is_not_kept_for_ever() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"\x1b]0;" + b"x" * (MAX_REST + 10))
    assert len(emulator._rest) == 0
    emulator.feed(b"\x1b]0;" + b"x" * 100)
    assert len(emulator._rest) == 104


def test_rows_below_are_drawn_under_its_own() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"prompt")
    fresh = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(fresh).feed(emulator.picture([b"status"]))
    assert [row.rstrip() for row in fresh.display[:2]] == ["prompt", "status"]
    assert (fresh.cursor.y, fresh.cursor.x) == (0, 6)
