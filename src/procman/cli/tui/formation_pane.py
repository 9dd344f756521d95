"""The left pane: process types and instances."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from procman.cli.tui.formation_list import ALL, ENDED, INSTANCE, TYPE, UNKNOWN, FormationList, size_text
from procman.cli.tui.line_pane import LinePane
from procman.core.text.printable import visible
from procman.output.screen.statusline import CHANGING, DOWN, FAILED, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events

    from procman.cli.control.connection import Record
    from procman.cli.tui.formation_list import Row

COLORS = ("cyan", "green", "magenta", "blue", "red", "yellow")  # of process types, as `start` has them
_GRAY = "bright_black"
_STATES = {"running": "green", "exited": _GRAY, "failed": "red", ENDED: _GRAY, UNKNOWN: _GRAY}  # the others are yellow
_SIGNS = {"running": UP, "exited": DOWN, "failed": FAILED, ENDED: DOWN, UNKNOWN: DOWN}
SPARKS = 8  # bars
_MIN_NAME = 8  # columns
_LONG_NAME = 14  # columns: shorter names are not cut off for the sake of further columns
_LEFT = ("NAME", "STATE")


class Column:
    """A column: its title, its width, and what draws a row's cell. Those with text are aligned to the left."""

    __slots__ = ("cell", "title", "width")

    def __init__(self, title: str, width: int, cell: Callable[[FormationList, Row], Text]) -> None:
        self.title = title
        self.width = width
        self.cell = cell

    def aligned(self, text: Text) -> Text:
        """Return a cell in the width of the column."""
        text.truncate(self.width, overflow="ellipsis")
        text.align("left" if self.title in _LEFT else "right", self.width)
        return text


def color_of(index: int) -> str:
    """Return the color of a process type by its place in the Procfile."""
    return COLORS[index % len(COLORS)]


class FormationPane(LinePane):
    """The list; its first row has the titles."""

    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
        Binding("left,h", "fold(True)", show=False),
        Binding("right", "fold(False)", show=False),
    ]

    class Selected(Message):
        """Another row is selected."""

    def __init__(self) -> None:
        super().__init__(id="formation")
        self.list = FormationList()

    def show(self, rows: Sequence[Record]) -> None:
        """Show these rows of `ps`."""
        before = self.list.row
        self.list.update(rows)
        self._show_selected(before)

    def lose(self, state: str) -> None:
        """Show this state for all: the session does not answer."""
        self.list.lose(state)
        self.refresh()

    def action_move(self, by: int) -> None:
        """Select another row."""
        before = self.list.row
        self.list.move(by)
        self._show_selected(before)

    def action_page(self, pages: int) -> None:
        """Select a row one window further."""
        self.action_move(pages * max(1, self.height - 2))

    def action_fold(self, folded: bool) -> None:
        """Hide the instances of a process type, or show them."""
        before = self.list.row
        self.list.fold(folded)
        self._show_selected(before)

    def scroll_by(self, rows: int) -> None:
        """Move the window."""
        self.top = max(0, min(len(self.list.rows) + 1 - self.height, self.top + rows))
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the row that was clicked."""
        if event.y:
            self.action_move(self.top + event.y - 1 - self.list.selected)

    def on_resize(self) -> None:
        """Keep the selected row in the window."""
        self._show_selected(self.list.row)

    def _show_selected(self, before: Row | None) -> None:
        room = self.height - 1
        self.top = max(min(self.top, self.list.selected), self.list.selected - room + 1, 0)
        self.top = max(0, min(self.top, len(self.list.rows) - room))
        self.refresh()
        row = self.list.row
        if row is not None and (before is None or (before.kind, before.name) != (row.kind, row.name)):
            self.post_message(self.Selected())

    @property
    def best_width(self) -> int:
        """The columns that show everything."""
        return max(_MIN_NAME, self._longest) + sum(column.width + 1 for column in _COLUMNS) + 1

    # Drawing --------------------------------------------------------------------------------------------------------

    def row(self, number: int) -> Text | None:
        """Return a row of the window: the titles are always in the first one."""
        columns = self._columns()
        if number == self.top:
            return _line(columns, [Text(column.title, "bold") for column in columns])
        if number > len(self.list.rows):
            return None
        row = self.list.rows[number - 1]
        line = _line(columns, [column.cell(self.list, row) for column in columns])
        if row.is_lost:
            line.stylize("dim")
        if number - 1 == self.list.selected:
            line.stylize("reverse" if self.has_focus else "bold underline")
        return line

    @property
    def _longest(self) -> int:
        return max((len(row.name) + 2 for row in self.list.rows), default=0)

    def _columns(self) -> list[Column]:
        """Return the columns that fit: the name gets what the others leave."""
        least = max(_MIN_NAME, min(self._longest, _LONG_NAME))
        left = self.size.width - least
        chosen = []
        for column in _COLUMNS:
            if column.width + 1 > left:
                break
            left -= column.width + 1
            chosen.append(column)
        name = Column("NAME", least + max(0, min(left, self._longest - least)), _name)
        return [name, *(column for column in _ORDER if column in chosen)]


def _line(columns: Sequence[Column], cells: Sequence[Text]) -> Text:
    aligned = [column.aligned(cell) for column, cell in zip(columns, cells, strict=True)]
    return Text(" ", no_wrap=True).join(aligned)


def _name(rows: FormationList, row: Row) -> Text:
    if row.kind == ALL:
        return Text(row.name, "bold")
    if row.kind == TYPE:
        return Text("▸ " if rows.is_folded(row) else "▾ ").append(visible(row.name), color_of(row.index))
    sign = Text(_SIGNS.get(row.worst, CHANGING) + " ", _STATES.get(row.worst, "yellow"))
    return sign.append(visible(row.name), color_of(row.index))


def _state(_rows: FormationList, row: Row) -> Text:
    return Text(visible(row.state), _STATES.get(row.worst, "yellow"))


def _port(_rows: FormationList, row: Row) -> Text:
    if row.port is None:
        return Text("-" if row.kind == INSTANCE else "")
    return Text(str(row.port), Style(link=row.url or None, underline=bool(row.url)))


def _cpu(_rows: FormationList, row: Row) -> Text:
    return Text("-" if row.cpu is None else f"{row.cpu:.0f}%")


def _spark(rows: FormationList, row: Row) -> Text:
    return Text(rows.sparkline(row, SPARKS), "cyan")


def _memory(_rows: FormationList, row: Row) -> Text:
    return Text(size_text(row.memory))


def _restarts(_rows: FormationList, row: Row) -> Text:
    return Text(str(row.restarts), "yellow" if row.restarts else "")


_STATE = Column("STATE", 9, _state)
_PORT = Column("PORT", 5, _port)
_CPU = Column("CPU", 5, _cpu)
_SPARK = Column("", SPARKS, _spark)
_MEMORY = Column("MEM", 5, _memory)
_RESTARTS = Column("↻", 3, _restarts)
_COLUMNS = (_STATE, _PORT, _CPU, _MEMORY, _RESTARTS, _SPARK)  # the first that does not fit leaves out the rest
_ORDER = (_STATE, _PORT, _CPU, _SPARK, _MEMORY, _RESTARTS)
