"""The rows that a process is writing on, as cells, and its cursor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Cell = tuple[bytes, str]  # the colors as one SGR, and the character; "" after a wide one

MAX_ROWS = 100  # rows remembered
MAX_MARKS = 16  # characters in one cell: a character and its combining marks
MAX_EDITED_ROWS = 16  # rows kept for a line editor: more may not be on the screen
MIN_LINES_SINCE = 5  # newlines without moving up, plus two per row of its reach: it no longer moves up
BLANK: Cell = (b"", " ")


class Grid:
    """The latest rows of one process. Rows before ``top`` are finished; only their content is known.

    ``row`` counts from the first known row. If ``column`` equals ``columns``, the next character starts a new row.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.sgr = b""
        self.placed = False  # whether the cursor was sent to a position of the screen; the reader resets it
        self.inserts = False  # whether writing moves the rest of the row
        self.edits = False  # whether lines are edited (bracketed paste is on): the cursor may return to finished ones
        self._saved: tuple[int, int, bytes] | None = None
        self.begin()

    def begin(self) -> None:
        """Start with one empty row, with nothing known above it."""
        self.rows: list[list[Cell]] = [[]]
        self.row = self.column = self.top = 0
        self.reach = 0  # rows that the process has moved up, so that rows it has ended are not finished
        self._lines_since = 0  # newlines since it last moved up
        self._strange = 0  # first rows that it has only moved up to, and which may belong to other output

    @property
    def blank(self) -> bool:
        """Whether there is nothing to erase."""
        return not self.column and self.row == self.top == len(self.rows) - 1 and not self.rows[self.row]

    @property
    def up(self) -> int:
        """How many rows the cursor is below the first row to erase."""
        return self.row - self.top

    @property
    def down(self) -> int:
        """How many rows are below the cursor."""
        return len(self.rows) - 1 - self.row

    def forget_above(self) -> None:
        """Forget finished rows, which are out of reach once other output was printed above."""
        del self.rows[: self.top]
        self.row -= self.top
        self.top = self._strange = 0

    def resize(self, columns: int) -> None:
        """Adapt to a new width. The process is notified and will draw its line again."""
        self.columns = columns
        self.column = min(self.column, columns)

    def write(self, text: str) -> None:
        cells = [(self.sgr, character) for character in text] if text.isascii() else self._wide_cells(text)
        while cells:
            if self.column >= self.columns:
                self.go_down(1, 0)
            room = self.columns - self.column
            piece = cells[:room]
            is_cut = room < len(cells) and cells[room][1] == ""  # a wide character does not fit into one column
            if is_cut and self.columns > 1:
                del piece[-1]
            row = self._padded()
            row[self.column : self.column + (0 if self.inserts else len(piece))] = piece
            del row[self.columns :], cells[: len(piece)]
            self.column = self.columns if is_cut else self.column + len(piece)

    def _wide_cells(self, text: str) -> list[Cell]:
        from unicodedata import category, east_asian_width

        cells: list[Cell] = []
        for character in text:
            if category(character) in ("Mn", "Me", "Cf"):
                self._combine(cells, character)
                continue
            cells.append((self.sgr, character))
            if east_asian_width(character) in "WF":
                cells.append((self.sgr, ""))
        return cells

    def _combine(self, cells: list[Cell], mark: str) -> None:
        """Add a combining mark to the character before it."""
        row, last = (cells, len(cells) - 1) if cells else (self.rows[self.row], self.column - 1)
        while last > 0 and last < len(row) and row[last][1] == "":
            last -= 1
        if 0 <= last < len(row) and len(row[last][1]) < MAX_MARKS:
            row[last] = (row[last][0], row[last][1] + mark)

    def _padded(self) -> list[Cell]:
        row = self.rows[self.row]
        if len(row) < self.column:
            row += [BLANK] * (self.column - len(row))
        return row

    # The cursor ------------------------------------------------------------------------------------------------------

    def to_column(self, column: int) -> None:
        self.column = max(0, min(column, self.columns - 1))

    def go_down(self, distance: int, column: int | None = None) -> None:
        self.row += min(distance, MAX_ROWS)
        while self.row >= len(self.rows):
            self.rows.append([])
        self.to_column(self.column if column is None else column)
        self._leave_strange()
        self._forget_oldest()

    def feed_line(self, column: int | None = None) -> None:
        """Apply a newline. In the last row it finishes all rows above, unless the process moves up again."""
        ends = not self.down
        self.go_down(1, column)
        if ends:
            self._lines_since += 1
            if self._lines_since > 2 * self.reach + MIN_LINES_SINCE:
                self.reach = 0
            self.end_rows()

    def end_rows(self) -> None:
        """Finish the rows above, except those that the process has recently moved up to or is editing."""
        self.top = max(self.top, self.row - max(self.reach, MAX_EDITED_ROWS if self.edits else 0))

    def go_up(self, distance: int, column: int | None = None) -> None:
        self.row -= min(distance, MAX_ROWS)
        if self.row < 0:
            self.rows[:0] = [[] for _ in range(-self.row)]
            del self.rows[MAX_ROWS:]
            self.top -= self.row
            self._strange -= self.row
            self.row = 0
        if self.row < self.top:
            self.top = self.row
            self.reach = max(self.reach, self.down)
        self._lines_since = 0
        self.to_column(self.column if column is None else column)

    def _leave_strange(self) -> None:
        """Give up rows that the cursor has left downwards without writing on them."""
        while self.top < min(self._strange, self.row) and not self.rows[self.top]:
            self.top += 1

    def _forget_oldest(self) -> None:
        old = len(self.rows) - MAX_ROWS
        if old > 0:
            del self.rows[:old]
            self.row = max(0, self.row - old)
            self.top = max(0, self.top - old)
            self._strange = max(0, self._strange - old)

    def save(self) -> None:
        self._saved = self.row - self.top, self.column, self.sgr

    def restore(self) -> None:
        if self._saved is not None:
            row, self.column, self.sgr = self._saved
            self.row = max(0, min(self.top + row, len(self.rows) - 1))

    # Cells and rows --------------------------------------------------------------------------------------------------

    def erase_rows(self, parameters: bytes) -> None:
        if parameters in (b"", b"0"):
            del self.rows[self.row + 1 :]
            self.erase_cells(b"")
        elif parameters in (b"2", b"3"):
            self.placed = False  # what was drawn there is erased
            column = self.column
            self.begin()
            self.column = column

    def erase_cells(self, parameters: bytes) -> None:
        row = self.rows[self.row]
        column = min(self.column, self.columns - 1)
        if parameters in (b"", b"0"):
            del row[column:]
        elif parameters == b"1":
            row[: column + 1] = [BLANK] * (column + 1)
        else:
            row.clear()

    def delete_cells(self, parameters: bytes) -> None:
        del self.rows[self.row][self.column : self.column + count(parameters)]

    def insert_cells(self, parameters: bytes) -> None:
        row = self._padded()
        row[self.column : self.column] = [BLANK] * min(count(parameters), self.columns)
        del row[self.columns :]

    def blank_cells(self, parameters: bytes) -> None:
        row = self._padded()
        width = min(count(parameters), self.columns - self.column)
        row[self.column : self.column + width] = [BLANK] * width

    def insert_rows(self, parameters: bytes) -> None:
        self.rows[self.row : self.row] = [[] for _ in range(min(count(parameters), MAX_ROWS))]
        self._forget_oldest()

    def delete_rows(self, parameters: bytes) -> None:
        del self.rows[self.row : self.row + count(parameters)]
        if self.row >= len(self.rows):
            self.rows.append([])


def number(text: bytes) -> int:
    return max(1, int(text)) if text.isdigit() and len(text) < 6 else 1


def count(parameters: bytes) -> int:
    return number(parameters.partition(b";")[0])
