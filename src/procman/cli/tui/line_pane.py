"""A pane of the screen that draws its rows when they are shown, so that it costs the same with any number of them."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.text import Text
    from textual import events

WHEEL = 3  # rows


class LinePane(Widget, can_focus=True):
    """Rows of text, of which those from ``top`` on are in the window."""

    top = 0

    def row(self, number: int) -> Text | None:
        """Return a row; None below the last one."""
        raise NotImplementedError

    def scroll_by(self, rows: int) -> None:
        """Move the window this many rows down."""
        raise NotImplementedError

    @property
    def height(self) -> int:
        """How many rows the window has."""
        return max(1, self.size.height)

    def render_line(self, y: int) -> Strip:
        """Draw one row of the window."""
        text = self.row(self.top + y)
        width = self.size.width
        if text is None:
            return Strip.blank(width, Style.null())
        text.end = ""
        segments = [Segment(one.text, one.style or Style.null()) for one in text.render(self.app.console)]
        return Strip(segments).adjust_cell_length(width, Style.null())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the window, if there is a mouse."""
        event.stop()
        self.scroll_by(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """See above."""
        event.stop()
        self.scroll_by(-WHEEL)
