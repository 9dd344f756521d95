"""The right pane: the output of what is selected."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from procman.cli.tui.line_pane import LinePane
from procman.cli.tui.log_lines import LEVELS, LogLine, LogLines
from procman.cli.tui.log_text import runs_of
from procman.core.text.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events


SIDEWAYS = 8  # columns
_MAX_NAME = 16  # columns
_MIN_WIDTH = 30  # columns: with fewer, lines have no names
_STAMP = 9  # columns: 12:34:56 and a space


class LogPane(LinePane):
    """Lines of output. One of them is marked; while that is the last one, the window follows new lines."""

    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,b", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "follow", show=False),
        Binding("left,h", "sideways(-1)", show=False),
        Binding("right", "sideways(1)", show=False),
    ]

    class OlderWanted(Message):
        """The window is at the first line."""

    class FollowingChanged(Message):
        """The window follows new lines, or does not any more."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self.log_lines = LogLines(cell_len)
        self.mark = 0
        self.following = True
        self.paused = False
        self.wraps = True
        self.stamped = False
        self.named = True  # lines are shown with the names of their instances
        self.pattern = ""
        self.seeking = 0  # the direction of a search that waits for older lines
        self.type_colors: Mapping[str, str] = {}  # of the process types
        self.longest_name = len("system")  # characters
        self._left = 0
        self._prefix = 0  # columns before a line
        self._room = 0  # columns for it
        self._rows = self.log_lines.rows(0)

    # What is shown --------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Show nothing, until there is a page."""
        self.log_lines.clear()
        self.mark, self.top, self._left, self.seeking = 0, 0, 0, 0
        self.paused = False
        self._set_following(True)
        self._lay_out()

    def append(self, lines: Sequence[LogLine]) -> None:
        """Show new lines."""
        count = len(self.log_lines.shown)
        self.log_lines.append(lines)
        dropped = self.log_lines.dropped
        self.mark = max(0, len(self.log_lines.shown) - 1 if self.following else self.mark - dropped)
        self.top -= self._rows.first(min(dropped, count))
        self._lay_out()

    def prepend(self, lines: Sequence[LogLine]) -> None:
        """Show older lines above; the window stays where it is."""
        count = self.log_lines.prepend(lines)
        self.mark += count
        self._lay_out(scroll=False)
        self.top += self._rows.first(count)
        self._keep_in_window()

    def note(self, text: str) -> None:
        """Show a line of our own among the others."""
        self.append([LogLine(-1, "", time.time(), text.encode())])

    def cycle_level(self) -> str:
        """Show only lines of the next level or above; return it."""
        level = LEVELS[(LEVELS.index(self.log_lines.level) + 1) % len(LEVELS)]
        marked = self.marked
        self.log_lines.set_level(level)
        shown = self.log_lines.shown
        at = next((at for at, line in enumerate(shown) if line is marked), len(shown) - 1)
        self.mark = max(0, len(shown) - 1 if self.following else at)
        self._lay_out()
        return level

    @property
    def marked(self) -> LogLine | None:
        """The marked line."""
        return self.log_lines.shown[self.mark] if self.log_lines.shown else None

    def search(self, pattern: str) -> bool:
        """Mark the latest line that holds the text, from the marked one upwards. Return whether there is one."""
        self.pattern = pattern
        self.refresh()
        return bool(pattern) and self._seek(self.mark, -1)

    def search_next(self, step: int) -> bool:
        """Mark the next line that holds the text, upwards with -1. Return whether there is one."""
        return bool(self.pattern) and self._seek(self.mark + step, step)

    def _seek(self, start: int, step: int) -> bool:
        found = self.log_lines.find(self.pattern, start, step)
        self.seeking = step if found is None else 0
        if found is not None:
            self._move_to(found)
            self._set_following(False)
        return found is not None

    # Moving ---------------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Mark another line."""
        if by < 0 and self.mark == 0:
            self.post_message(self.OlderWanted())
        self._move_to(self.mark + by)

    def action_page(self, pages: int) -> None:
        """Mark a line one window further."""
        if pages < 0 and self.top == 0:
            self.post_message(self.OlderWanted())
        row = self._rows.first(self.mark) + pages * self.height if self.log_lines.shown else 0
        self._move_to(self._rows.at(max(0, row))[0])

    def action_follow(self) -> None:
        """Go to the last line, and follow new ones."""
        self.paused = False
        self._move_to(len(self.log_lines.shown))

    def toggle_pause(self) -> None:
        """Stop following, or continue."""
        if self.following:
            self.paused = True
            self._set_following(False)
        else:
            self.action_follow()

    def action_sideways(self, steps: int) -> None:
        """Move the window sideways, if lines are not wrapped."""
        self._left = 0 if self.wraps else max(0, self._left + SIDEWAYS * steps)
        self.refresh()

    def toggle_wrap(self) -> None:
        """Wrap long lines, or cut them off."""
        self.wraps, self._left = not self.wraps, 0
        self._lay_out()

    def toggle_stamps(self) -> None:
        """Show the time of each line, or do not."""
        self.stamped = not self.stamped
        self._lay_out()

    def scroll_by(self, rows: int) -> None:
        """Move the mark with the wheel."""
        self.action_move(rows)

    def on_click(self, event: events.Click) -> None:
        """Mark the line that was clicked."""
        self._move_to(self._rows.at(self.top + event.y)[0])

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._lay_out()

    def _move_to(self, line: int) -> None:
        last = max(0, len(self.log_lines.shown) - 1)
        self.mark = max(0, min(last, line))
        self._set_following(line >= last and not self.paused)
        self._keep_in_window()

    def _set_following(self, following: bool) -> None:
        if following is not self.following:
            self.following = following
            self.post_message(self.FollowingChanged())

    def _lay_out(self, scroll: bool = True) -> None:
        self._prefix = self._columns_before()
        self._room = max(1, self.size.width - self._prefix)
        self._rows = self.log_lines.rows(self._room if self.wraps else 0)
        if scroll:
            self._keep_in_window()

    def _keep_in_window(self) -> None:
        if self.log_lines.shown:
            first, end = self._rows.first(self.mark), self._rows.end(self.mark)
            self.top = min(max(self.top, end - self.height), first)
        self.top = max(0, min(self.top, self._rows.count - self.height))
        self.refresh()

    # Drawing --------------------------------------------------------------------------------------------------------

    def _columns_before(self) -> int:
        """Return the columns before a line: its time and its name, where that leaves some for itself."""
        named = self.named and self.size.width >= _MIN_WIDTH
        return (_STAMP if self.stamped else 0) + (min(_MAX_NAME, self.longest_name) + 3 if named else 0)

    def row(self, number: int) -> Text | None:
        """Return a row of the window."""
        if self._room != max(1, self.size.width - self._columns_before()):
            self._lay_out()
        if number >= self._rows.count:
            return None
        at, part = self._rows.at(number)
        line = self.log_lines.shown[at]
        text = self._cut(line, self._text(line), part)
        head = self._head(line) if part == 0 else Text(" " * self._prefix)
        head.append_text(text)
        if at == self.mark and not self.following and self.has_focus:
            head.append(" " * (self.size.width - head.cell_len))
            head.stylize("reverse")
        return head

    def _cut(self, line: LogLine, text: Text, part: int) -> Text:
        """Return what one row shows of a line."""
        room = self._room
        if self.wraps and self.log_lines.width_of(line) <= room:
            return text
        start = self.log_lines.cuts(line, room)[part] if self.wraps else self._left
        return _between(text, start, start + room)

    def _text(self, line: LogLine) -> Text:
        if not line.name:
            return Text(line.text, "yellow")
        text = Text(no_wrap=True, end="")
        base = Style(dim=True) if line.name == "system" else Style.null()
        for piece, look in runs_of(line.raw):
            text.append(piece, base + style_of(*look.key))
        if self.pattern:
            plain = text.plain if self.pattern != self.pattern.lower() else text.plain.lower()
            at = plain.find(self.pattern)
            while at >= 0:
                text.stylize("black on yellow", at, at + len(self.pattern))
                at = plain.find(self.pattern, at + len(self.pattern))
        return text

    def _head(self, line: LogLine) -> Text:
        head = Text(no_wrap=True, end="")
        if self.stamped:
            head.append(time.strftime("%H:%M:%S ", time.localtime(line.time)), "dim")
        if self._prefix > len(head):
            width = self._prefix - len(head) - 3
            name = Text(visible(line.name), self._color(line.name))
            name.truncate(width, overflow="ellipsis", pad=True)
            head.append_text(name).append(" │ ", "dim")
        return head

    def _color(self, name: str) -> str:
        return "dim" if name == "system" else self.type_colors.get(name.partition(".")[0], "")


def _between(text: Text, start: int, end: int) -> Text:
    """Return the part of a line between two cells."""
    offsets, at = [], 0
    plain = text.plain
    if len(plain) == cell_len(plain):
        offsets = [start, end]
    else:
        for number, char in enumerate(plain):
            if at >= start and not offsets:
                offsets.append(number)
            at += cell_len(char)
            if at > end:
                offsets = [*(offsets or [number]), number]
                break
        offsets = (offsets + [len(plain)] * 2)[:2]
    return text[offsets[0] : offsets[1]]


@lru_cache(maxsize=512)
def style_of(color: int | str | None, background: int | str | None, attributes: frozenset[str]) -> Style:
    """Return the style of a look."""
    return Style(
        color=_name(color),
        bgcolor=_name(background),
        **dict.fromkeys(attributes, True),  # type: ignore[arg-type]
    )


def _name(color: int | str | None) -> str | None:
    return f"color({color})" if isinstance(color, int) else color
