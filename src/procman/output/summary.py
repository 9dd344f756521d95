"""Shows the end: a line and a table of what ran, how it ended and how often it was started again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = 60  # beside the prefix, on a terminal of 80
MOST_ROWS = 40
TITLES = ("instance", "exit", "restarts", "uptime", "lines")
GAP = "  "
LEAST = len("failed: code 3")  # columns for how one ended, however long the names are


class Row:
    """One instance in the table: how it ended and how long it ran are texts, restarts and lines are counts."""

    __slots__ = ("exit", "lines", "name", "restarts", "uptime")

    def __init__(self, name: str, exit: str, restarts: int, uptime: str, lines: int) -> None:  # noqa: A002
        self.name = name
        self.exit = exit
        self.restarts = restarts
        self.uptime = uptime
        self.lines = lines

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What stands in the table."""
        return (self.name, self.exit, str(self.restarts), self.uptime, f"{self.lines:,}")


def end_summary(rows: Sequence[Row], code: int, columns: int = COLUMNS) -> list[str]:
    """The last lines of a run that exits with ``code``; none is wider than ``columns``, if that can be."""
    restarts = sum(row.restarts for row in rows)
    counts = [_count(len(rows), "instance")] + ([_count(restarts, "restart")] if restarts else [])
    return [*_table([row.cells for row in rows[:MOST_ROWS]], columns), *_rest(rows), _last(counts, code)]


def _last(counts: list[str], code: int) -> str:
    return f"all stopped: {', '.join(counts)}; exit status {code}"


def _rest(rows: Sequence[Row]) -> list[str]:
    left = len(rows) - MOST_ROWS
    return [f"and {_count(left, 'instance')} more"] if left > 0 else []


def _table(cells: list[tuple[str, str, str, str, str]], columns: int) -> list[str]:
    widths = [max(map(len, column)) for column in zip(TITLES, *cells, strict=True)]
    room = columns - sum(widths) - len(GAP) * (len(TITLES) - 1) + widths[1]
    widths[1] = min(widths[1], max(room, LEAST))
    return [_line(row, widths) for row in (TITLES, *cells)] if cells else []


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Words to the left, numbers to the right."""
    name, how, *numbers = cells
    if len(how) > widths[1]:
        how = how[: widths[1] - 1] + "…"
    left = [name.ljust(widths[0]), how.ljust(widths[1])]
    return GAP.join(left + [cell.rjust(width) for cell, width in zip(numbers, widths[2:], strict=True)])


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
