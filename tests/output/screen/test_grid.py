"""Rows of cells and a cursor: what each operation leaves, at the edges above all."""

from __future__ import annotations

import pytest

from procman.output.screen.grid import MAX_EDITED_ROWS, MAX_ROWS, MIN_LINES_SINCE, Grid

COLUMNS = 6


def a_grid(*rows: str, column: int | None = None, row: int | None = None) -> Grid:
    """Return a grid with these rows, all of them unfinished, and the cursor at the end of the last one or elsewhere."""
    grid = Grid(COLUMNS)
    for number, text in enumerate(rows):
        if number:
            grid.go_down(1, 0)
        grid.write(text)
    if row is not None:
        grid.row = row
    if column is not None:
        grid.to_column(column)
    return grid


def texts(grid: Grid) -> list[str]:
    return ["".join(text for _, text in row) for row in grid.rows]


def place(grid: Grid) -> tuple[int, int, int]:
    return grid.top, grid.row, grid.column


def test_an_empty_grid_has_nothing_to_erase() -> None:
    grid = Grid(COLUMNS)
    assert (grid.blank, grid.up, grid.down, place(grid), texts(grid)) == (True, 0, 0, (0, 0, 0), [""])
    assert (grid.placed, grid.inserts, grid.edits, grid.reach, grid.sgr) == (False, False, False, 0, b"")


def test_a_grid_is_blank_only_in_an_empty_last_row_at_its_start() -> None:
    assert not a_grid("a").blank
    assert not a_grid("a", column=0).blank
    assert not a_grid("", column=2).blank
    assert not a_grid("", "").blank  # a row above is unfinished
    grid = a_grid("a")
    grid.feed_line(0)
    assert grid.blank
    grid.go_up(1)
    assert not grid.blank
    assert (grid.up, grid.down) == (0, 1)


def test_finished_rows_are_forgotten_and_the_others_stay_where_they_are() -> None:
    grid = a_grid("a", "b", "c", "d")
    grid.top, grid.row = 2, 3
    grid.forget_above()
    assert (texts(grid), place(grid), grid.up) == (["c", "d"], (0, 1, 1), 1)
    grid.forget_above()
    assert texts(grid) == ["c", "d"]


def test_rows_that_were_only_passed_are_no_longer_given_up_once_those_above_are_forgotten() -> None:
    grid = a_grid("a")
    grid.go_up(2)
    grid.forget_above()
    grid.go_down(1)
    assert grid.top == 0


def test_a_smaller_width_moves_the_cursor_in_and_a_larger_one_leaves_it() -> None:
    grid = a_grid("abcdef")
    assert grid.column == COLUMNS
    grid.resize(4)
    assert (grid.columns, grid.column) == (4, 4)
    grid.resize(10)
    assert (grid.columns, grid.column) == (10, 4)


@pytest.mark.parametrize(
    ("text", "rows", "at"),
    [
        ("abcdef", ["abcdef"], (0, 0, 6)),
        ("abcdefg", ["abcdef", "g"], (0, 1, 1)),
        ("abcdefghijklm", ["abcdef", "ghijkl", "m"], (0, 2, 1)),
        ("abcde日", ["abcde", "日"], (0, 1, 2)),
        ("abcd日", ["abcd日"], (0, 0, 6)),
    ],
)
def test_text_wraps_at_the_margin(text: str, rows: list[str], at: tuple[int, int, int]) -> None:
    grid = a_grid(text)
    assert (texts(grid), place(grid)) == (rows, at)


def test_in_a_single_column_a_wide_character_takes_what_there_is() -> None:
    grid = Grid(1)
    grid.write("日本")
    assert "".join(texts(grid)) == "日本"
    grid = Grid(2)
    grid.write("a日")
    assert texts(grid) == ["a", "日"]


def test_text_overwrites_or_moves_the_rest_and_a_gap_is_blank() -> None:
    grid = a_grid("abcd", column=1)
    grid.write("XY")
    assert (texts(grid), grid.column) == (["aXYd"], 3)
    grid = a_grid("abcd", column=1)
    grid.inserts = True
    grid.write("XYZ")
    assert (texts(grid), grid.column) == (["aXYZbc"], 4)  # the rest leaves at the margin
    grid = a_grid("a", column=3)
    grid.write("x")
    assert texts(grid) == ["a  x"]


def test_text_has_the_colors_that_are_on() -> None:
    grid = Grid(COLUMNS)
    grid.write("a")
    grid.sgr = b"\x1b[1m"
    grid.write("é")
    assert grid.rows == [[(b"", "a"), (b"\x1b[1m", "é")]]


@pytest.mark.parametrize(("column", "expected"), [(-1, 0), (0, 0), (5, 5), (6, 5), (99, 5)])
def test_the_cursor_stays_within_the_columns(column: int, expected: int) -> None:
    grid = Grid(COLUMNS)
    grid.to_column(column)
    assert grid.column == expected


def test_down_makes_rows_and_keeps_or_sets_the_column() -> None:
    grid = a_grid("abcdef")
    grid.go_down(2)
    assert (texts(grid), place(grid)) == (["abcdef", "", ""], (0, 2, 5))
    grid.go_down(1, 0)
    assert place(grid) == (0, 3, 0)
    grid.go_down(10**6)
    assert (len(grid.rows), grid.row) == (MAX_ROWS, MAX_ROWS - 1)


def test_up_keeps_or_sets_the_column_and_takes_finished_rows_back() -> None:
    grid = a_grid("a", "b", "c", column=3)
    grid.top = 2
    grid.go_up(1)
    assert (place(grid), grid.reach) == ((1, 1, 3), 1)
    grid.go_up(1, 0)
    assert (place(grid), grid.reach) == ((0, 0, 0), 2)
    assert texts(grid) == ["a", "b", "c"]
    grid.go_down(2)
    grid.go_up(1)
    assert grid.reach == 2


def test_up_beyond_the_first_row_there_are_unknown_ones() -> None:
    grid = a_grid("a")
    grid.go_up(2)
    assert (texts(grid), place(grid)) == (["", "", "a"], (0, 0, 1))
    grid.go_down(1)
    assert place(grid) == (1, 1, 1)  # the first one was only passed
    grid.write("x")
    grid.go_down(1)
    assert place(grid)[0] == 1
    grid.go_up(10**6)
    assert (len(grid.rows), grid.row, grid.top) == (MAX_ROWS, 0, 0)


def test_a_newline_in_the_last_row_finishes_those_above() -> None:
    grid = a_grid("a")
    grid.feed_line()
    assert place(grid) == (1, 1, 1)
    grid.feed_line(0)
    assert place(grid) == (2, 2, 0)
    grid.go_up(2)
    grid.feed_line()
    assert (place(grid), grid.reach) == ((0, 1, 0), 2)  # not the last row
    grid.feed_line()
    grid.feed_line()
    assert place(grid) == (1, 3, 0)


def test_rows_that_it_no_longer_moves_up_to_are_finished_after_so_many_newlines() -> None:
    grid = a_grid("a", "b")
    grid.top = 1
    grid.go_up(1)
    grid.go_down(1)
    for _ in range(2 + MIN_LINES_SINCE):
        grid.feed_line()
        assert (grid.reach, grid.up) == (1, 1)
    grid.feed_line()
    assert (grid.reach, grid.up) == (0, 0)


def test_moving_up_starts_that_count_again() -> None:
    grid = a_grid("a", "b")
    grid.top = 1
    for _ in range(5):
        grid.go_up(1)
        grid.go_down(1)
        for _ in range(2 + MIN_LINES_SINCE):
            grid.feed_line()
    assert grid.reach == 1


def test_while_lines_are_edited_so_many_stay_unfinished() -> None:
    grid = Grid(COLUMNS)
    grid.edits = True
    for _ in range(MAX_EDITED_ROWS + 3):
        grid.feed_line()
    assert grid.up == MAX_EDITED_ROWS
    grid.edits = False
    grid.end_rows()
    assert grid.up == 0
    grid.edits = True
    grid.end_rows()
    assert grid.up == 0  # what is finished stays so


def test_rows_beyond_the_limit_leave_at_the_top() -> None:
    grid = a_grid("a", "b")
    grid.row = 0
    grid.insert_rows(b"%d" % MAX_ROWS)
    assert (len(grid.rows), grid.row, grid.top) == (MAX_ROWS, 0, 0)
    assert texts(grid)[-2:] == ["a", "b"]
    grid = a_grid("a")
    grid.go_up(2)
    grid.insert_rows(b"99999")
    grid.go_down(1)
    assert (place(grid), len(grid.rows)) == ((0, 1, 1), MAX_ROWS)
    grid = a_grid(*["x"] * (MAX_ROWS - 1))
    grid.top = MAX_ROWS - 3
    grid.go_down(3)
    assert (grid.top, grid.row) == (MAX_ROWS - 5, MAX_ROWS - 1)


def test_a_saved_place_counts_from_the_first_unfinished_row() -> None:
    grid = a_grid("a", "b", "c")
    grid.sgr = b"\x1b[1m"
    grid.restore()
    assert (place(grid), grid.sgr) == ((0, 2, 1), b"\x1b[1m")  # nothing was saved
    grid.save()
    grid.sgr = b""
    grid.row = grid.column = 0
    grid.restore()
    assert (place(grid), grid.sgr) == ((0, 2, 1), b"\x1b[1m")
    grid.top = 1
    grid.restore()
    assert grid.row == 2  # there is no row below
    grid.top, grid.row = 2, 2
    grid.save()
    grid.top = 0
    grid.restore()
    assert grid.row == 0


@pytest.mark.parametrize(
    ("parameters", "rows", "at"),
    [
        (b"", ["abcd", "ef"], (0, 1, 2)),
        (b"0", ["abcd", "ef"], (0, 1, 2)),
        (b"1", ["abcd", "efgh", "ijkl"], (0, 1, 2)),
        (b"2", [""], (0, 0, 2)),
        (b"3", [""], (0, 0, 2)),
    ],
)
def test_what_is_left_when_rows_are_erased(parameters: bytes, rows: list[str], at: tuple[int, int, int]) -> None:
    grid = a_grid("abcd", "efgh", "ijkl", row=1, column=2)
    grid.placed = True
    grid.erase_rows(parameters)
    assert (texts(grid), place(grid)) == (rows, at)
    assert grid.placed is (parameters not in (b"2", b"3"))


@pytest.mark.parametrize(
    ("parameters", "column", "row"),
    [
        (b"", 2, "ab"),
        (b"0", 2, "ab"),
        (b"1", 2, "   d"),
        (b"2", 2, ""),
        (b"", 0, ""),
        (b"1", 0, " bcd"),
        (b"", 5, "abcd"),
    ],
)
def test_what_is_left_when_cells_are_erased(parameters: bytes, column: int, row: str) -> None:
    grid = a_grid("abcd", column=column)
    grid.erase_cells(parameters)
    assert (texts(grid), grid.column) == ([row], column)


def test_behind_the_last_column_the_last_cell_is_erased() -> None:
    grid = a_grid("abcdef")
    grid.erase_cells(b"")
    assert texts(grid) == ["abcde"]
    grid = a_grid("abcdef")
    grid.erase_cells(b"1")
    assert texts(grid) == [" " * COLUMNS]


@pytest.mark.parametrize(
    ("operation", "parameters", "row"),
    [
        ("delete_cells", b"", "acdef"),
        ("delete_cells", b"2", "adef"),
        ("delete_cells", b"99", "a"),
        ("insert_cells", b"", "a bcde"),
        ("insert_cells", b"2", "a  bcd"),
        ("insert_cells", b"99", "a     "),
        ("blank_cells", b"", "a cdef"),
        ("blank_cells", b"2;7", "a  def"),
        ("blank_cells", b"99", "a     "),
    ],
)
def test_cells_are_deleted_inserted_and_blanked_from_the_cursor_on(operation: str, parameters: bytes, row: str) -> None:
    grid = a_grid("abcdef", column=1)
    getattr(grid, operation)(parameters)
    assert (texts(grid), grid.column) == ([row], 1)


def test_before_cells_are_inserted_or_blanked_the_row_reaches_to_the_cursor() -> None:
    for operation in ("insert_cells", "blank_cells"):
        grid = a_grid("a", column=3)
        getattr(grid, operation)(b"1")
        assert texts(grid) == ["a   "]


def test_rows_are_inserted_and_deleted_at_the_cursor() -> None:
    grid = a_grid("a", "b", "c", row=1)
    grid.insert_rows(b"2")
    assert (texts(grid), grid.row) == (["a", "", "", "b", "c"], 1)
    grid.delete_rows(b"")
    assert texts(grid) == ["a", "", "b", "c"]
    grid.delete_rows(b"3")
    assert (texts(grid), grid.row) == (["a", ""], 1)
    grid.row = 0
    grid.delete_rows(b"1")
    assert texts(grid) == [""]


def test_a_mark_belongs_to_the_character_before_it() -> None:
    grid = Grid(COLUMNS)
    grid.write("ae\u0301")
    assert grid.rows == [[(b"", "a"), (b"", "e\u0301")]]
    grid.write("\u0302")
    assert grid.rows[0][1] == (b"", "e\u0301\u0302")
    grid.to_column(4)
    grid.write("\u0303")  # there is no character before it
    grid.to_column(3)
    grid.write("\u0303")
    assert texts(grid) == ["ae\u0301\u0302"]
    grid.to_column(0)
    grid.write("\u0303")
    assert texts(grid) == ["ae\u0301\u0302"]
