"""The summary at the end of a session, and the card that explains a failure."""

from __future__ import annotations

from procman.output.messages.sentences import STOPPED
from procman.output.palette import Palette

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = 60  # beside the prefix, on a terminal of 80 columns
MAX_ROWS = 40
TITLES = ("instance", "exit", "restarts", "uptime", "lines")
GAP = "  "
LAST_LINES = 20
INDENT = "    "
MIN_EXIT_WIDTH = len("exited with code 255")  # columns for how an instance ended, however long the names are


class Row:
    """One instance in the table. ``exit`` and ``uptime`` are strings, the others are counts."""

    __slots__ = ("crashes", "exit", "lines", "name", "restarts", "uptime")

    def __init__(
        self,
        name: str,
        exit: str,  # noqa: A002
        restarts: int,
        uptime: str,
        lines: int,
        crashes: int = 0,
    ) -> None:
        self.crashes = crashes
        self.name = name
        self.exit = exit
        self.restarts = restarts
        self.uptime = uptime
        self.lines = lines

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of the row, as strings."""
        return (self.name, self.exit, self._lives, self.uptime, f"{self.lines:,}")

    @property
    def _lives(self) -> str:
        """The restarts, and how many of them were not requested: `3 (1 crash)`."""
        return (
            f"{self.restarts} ({_count(self.crashes, 'crash')})"
            if self.restarts and self.crashes
            else str(self.restarts)
        )

    @property
    def is_plain(self) -> bool:
        """Whether it only stopped on request, which has been announced already."""
        return self.exit == STOPPED and not self.restarts


def end_summary(rows: Sequence[Row], code: int, columns: int = COLUMNS, palette: Palette | None = None) -> list[str]:
    """Return the last lines of a session that exits with ``code``, no wider than ``columns`` if possible."""
    restarts = sum(row.restarts for row in rows)
    crashes = sum(row.crashes for row in rows) if restarts else 0
    counts = [_count(len(rows), "instance"), *(_count(restarts, "restart"),) * bool(restarts)]
    counts += [_count(crashes, "crash")] if crashes else []
    told = [row for row in rows if not row.is_plain]
    table = _table([row.cells for row in _listed(told)], columns)
    return [*_colored(table, palette or Palette(False)), *_rest(told), _last(counts, code)]


def _colored(table: list[str], palette: Palette) -> list[str]:
    """Return the rows, those of failed instances in red."""
    return [f"{palette.failure}{row}{palette.reset}" if palette.colored and " failed" in row else row for row in table]


def _listed(rows: Sequence[Row]) -> list[Row]:
    """Return the instances that get a row, in their order. If there are too many, failed ones go first."""
    first = sorted(range(len(rows)), key=lambda at: not rows[at].exit.startswith("failed"))[:MAX_ROWS]
    return [rows[at] for at in sorted(first)]


def _last(counts: list[str], code: int) -> str:
    return f"all stopped: {', '.join(counts)}; exit status {code}"


def _rest(rows: Sequence[Row]) -> list[str]:
    left = len(rows) - MAX_ROWS
    return [f"and {_count(left, 'instance')} more"] if left > 0 else []


def _table(cells: list[tuple[str, ...]], columns: int) -> list[str]:
    if not cells:
        return []
    widths = _widths([TITLES, *cells], columns)
    return [_line(row, widths) for row in (TITLES, *cells)]


def _widths(rows: list[tuple[str, ...]], columns: int) -> list[int]:
    """Return the widths of as many columns as fit: better to lose the last numbers than to wrap."""
    name, how, *numbers = (max(map(len, column)) for column in zip(*rows, strict=True))
    least = min(how, MIN_EXIT_WIDTH)
    while numbers and name + least + sum(numbers) + len(GAP) * (len(numbers) + 1) > columns:
        numbers.pop()
    room = columns - sum(numbers) - len(GAP) * (len(numbers) + 1)
    name = min(name, max(room - least, len(TITLES[0])))
    return [name, min(how, max(room - name, least)), *numbers]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Return one row, text aligned to the left and numbers to the right."""
    words = [_cut(cell, width).ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    return GAP.join(words + [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=False)])


def _cut(text: str, columns: int) -> str:
    """Shorten text to fit; drop a reason in parentheses as a whole."""
    if len(text) > columns and text.endswith(")"):
        text = text.partition(" (")[0]
    return text if len(text) <= columns else text[: columns - 1] + "…"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 'es' if word.endswith('sh') else 's'}"


def headline(title: str, palette: Palette) -> str:
    """Return the line that users look for in a long log, ``web.1 FAILED: exited with code 3``, in red."""
    return f"{palette.bold}{palette.failure}{title}{palette.reset}"


def failure_card(
    title: str,
    ran_for: str,
    last_lines: Sequence[bytes],
    palette: Palette,
    tries: int = 1,
    advice: Sequence[str] = (),
) -> list[str]:
    """Return the lines that explain a failure.

    These are the ``title``, how long it ran, its last lines, oldest first, and ``advice``. ``tries`` is the number of
    quick failures in a row.
    """
    shown = [line for line in last_lines if line.strip()][-LAST_LINES:]
    again = f", {tries} times in a row" if tries > 1 else ""
    card = [headline(title, palette)]
    if shown:
        card.append(f"it ran for {ran_for}{again}; its last line{'s' if len(shown) > 1 else ''}:")
        card += [INDENT + line.decode("utf-8", "surrogateescape") for line in shown]
    else:
        card.append(f"it ran for {ran_for}{again}{',' if again else ''} and printed nothing")
    return [*card, *advice]
