"""Shows nothing yet: the rows that a process is writing on, as cells, and its cursor, wherever it moves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Cell = tuple[bytes, str]  # the colors that are on, as one SGR, and the character; "" beside a wide one

MOST_ROWS = 100  # rows remembered
MOST_MARKS = 16  # characters of one cell: accents and the like that are put upon one another
MOST_EDITED = 16  # rows that an editor of lines keeps: more may not be on the screen
FEW = 5  # line ends, and twice as many as it went up, without going up again: it does so no more
BLANK: Cell = (b"", " ")


class Grid:
    """The latest rows of one process; those before ``top`` have ended and are only known.

    ``row`` counts from the first one known. A ``column`` equal to ``columns``: the next character begins a new row.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.pen = b""
        self.placed = False  # the cursor was sent to a place of the screen: to be taken note of, and set back
        self.inserts = False  # what is written moves the rest of the row
        self.edits = False  # lines are edited (bracketed paste is on): an ended one may be gone back to
        self._saved: tuple[int, int, bytes] | None = None
        self.begin()

    def begin(self) -> None:
        """Nothing is known of what is above, and nothing is on this row."""
        self.rows: list[list[Cell]] = [[]]
        self.row = self.column = self.top = 0
        self.reach = 0  # rows that the process has gone up, so that what it has ended is not finished
        self._lines_since = 0  # line ends since it went up for the last time
        self._strange = 0  # first rows that it has only gone up to: perhaps somebody else's

    @property
    def blank(self) -> bool:
        """Whether there is nothing to take away."""
        return not self.column and self.row == self.top == len(self.rows) - 1 and not self.rows[self.row]

    @property
    def up(self) -> int:
        """How many rows the cursor is below the first of those to be taken away."""
        return self.row - self.top

    @property
    def down(self) -> int:
        """How many rows are below the cursor."""
        return len(self.rows) - 1 - self.row

    def forget_above(self) -> None:
        """Somebody else has written above: what has ended there is out of reach."""
        del self.rows[: self.top]
        self.row -= self.top
        self.top = self._strange = 0

    def resize(self, columns: int) -> None:
        """The terminal has another width; the process is told and will paint its line anew."""
        self.columns = columns
        self.column = min(self.column, columns)

    def write(self, text: str) -> None:
        cells = [(self.pen, character) for character in text] if text.isascii() else self._wide_cells(text)
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
            cells.append((self.pen, character))
            if east_asian_width(character) in "WF":
                cells.append((self.pen, ""))
        return cells

    def _combine(self, cells: list[Cell], mark: str) -> None:
        """Put a mark on the character before it."""
        row, last = (cells, len(cells) - 1) if cells else (self.rows[self.row], self.column - 1)
        while last > 0 and last < len(row) and row[last][1] == "":
            last -= 1
        if 0 <= last < len(row) and len(row[last][1]) < MOST_MARKS:
            row[last] = (row[last][0], row[last][1] + mark)

    def _padded(self) -> list[Cell]:
        row = self.rows[self.row]
        if len(row) < self.column:
            row += [BLANK] * (self.column - len(row))
        return row

    # The cursor -----------------------------------------------------------------------------------------------------

    def to_column(self, column: int) -> None:
        self.column = max(0, min(column, self.columns - 1))

    def go_down(self, distance: int, column: int | None = None) -> None:
        self.row += min(distance, MOST_ROWS)
        while self.row >= len(self.rows):
            self.rows.append([])
        self.to_column(self.column if column is None else column)
        self._leave_strange()
        self._forget_oldest()

    def feed_line(self, column: int | None = None) -> None:
        """A line end at the last row ends all above it, unless the process is one that goes up again."""
        ends = not self.down
        self.go_down(1, column)
        if ends:
            self._lines_since += 1
            if self._lines_since > 2 * self.reach + FEW:
                self.reach = 0
            self.end_rows()

    def end_rows(self) -> None:
        """What is above is finished, as far as it does not go up to it of late, or edits it."""
        self.top = max(self.top, self.row - max(self.reach, MOST_EDITED if self.edits else 0))

    def go_up(self, distance: int, column: int | None = None) -> None:
        self.row -= min(distance, MOST_ROWS)
        if self.row < 0:
            self.rows[:0] = [[] for _ in range(-self.row)]
            del self.rows[MOST_ROWS:]
            self.top -= self.row
            self._strange -= self.row
            self.row = 0
        if self.row < self.top:
            self.top = self.row
            self.reach = max(self.reach, self.down)
        self._lines_since = 0
        self.to_column(self.column if column is None else column)

    def _leave_strange(self) -> None:
        """Rows that it has come down from without writing on them stay whose they are."""
        while self.top < min(self._strange, self.row) and not self.rows[self.top]:
            self.top += 1

    def _forget_oldest(self) -> None:
        old = len(self.rows) - MOST_ROWS
        if old > 0:
            del self.rows[:old]
            self.row = max(0, self.row - old)
            self.top = max(0, self.top - old)
            self._strange = max(0, self._strange - old)

    def save(self) -> None:
        self._saved = self.row - self.top, self.column, self.pen

    def restore(self) -> None:
        if self._saved is not None:
            row, self.column, self.pen = self._saved
            self.row = max(0, min(self.top + row, len(self.rows) - 1))

    # Cells and rows -------------------------------------------------------------------------------------------------

    def erase_rows(self, parameters: bytes) -> None:
        if parameters in (b"", b"0"):
            del self.rows[self.row + 1 :]
            self.erase_cells(b"")
        elif parameters in (b"2", b"3"):
            self.placed = False  # what was placed there is gone
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
        self.rows[self.row : self.row] = [[] for _ in range(min(count(parameters), MOST_ROWS))]
        self._forget_oldest()

    def delete_rows(self, parameters: bytes) -> None:
        del self.rows[self.row : self.row + count(parameters)]
        if self.row >= len(self.rows):
            self.rows.append([])


def number(text: bytes) -> int:
    return max(1, int(text)) if text.isdigit() and len(text) < 6 else 1


def count(parameters: bytes) -> int:
    return number(parameters.partition(b";")[0])
