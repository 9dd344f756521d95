"""A card over the screen: some lines to read, or a question."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from procman.core.text.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class Card(ModalScreen[bool]):
    """Lines that are read and put away again. With ``asks``, the keys y and n answer."""

    DEFAULT_CSS = """
    Card { align: center middle; }
    Card > VerticalScroll {
        width: auto; height: auto; max-width: 100%; max-height: 100%;
        border: round ansi_blue; padding: 0 1; background: ansi_default;
    }
    Card Static { width: auto; }
    """
    BINDINGS: ClassVar = [  # those that close it have priority: the next key is for what is below
        Binding("escape,q,enter,n,question_mark,ctrl+c", "close", show=False, priority=True),
        Binding("y", "agree", show=False, priority=True),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str], asks: bool = False) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._asks = asks

    def compose(self) -> ComposeResult:
        """Lay out the card. Its lines may come from anywhere: nothing in them is markup or acts on the terminal."""
        with VerticalScroll() as box:
            box.border_title = Text(visible(self._title)).markup
            static = Static(Text("\n".join(visible(line) for line in self._lines)))
            static.styles.min_width = cell_len(self._title) + 2
            yield static

    def action_close(self) -> None:
        """Put the card away."""
        self.dismiss(False)

    def action_agree(self) -> None:
        """Answer yes."""
        if self._asks:
            self.dismiss(True)

    def action_scroll(self, rows: int) -> None:
        """Move the lines."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)
