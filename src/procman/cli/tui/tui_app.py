"""The full-screen view: what is shown where, and what each key does."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from procman.cli.control.ps import duration_text
from procman.cli.tui.card import Card
from procman.cli.tui.formation_list import ENDED, INSTANCE, UNKNOWN
from procman.cli.tui.formation_pane import FormationPane, color_of
from procman.cli.tui.log_pane import LogPane
from procman.cli.tui.process_keys import ProcessKeys, Report, Surroundings
from procman.cli.tui.session_reader import Gone, Page, SessionReader, Status
from procman.core.text.printable import visible
from procman.errors import EXIT_HANGUP, EXIT_OK
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from procman.cli.control.connection import Record
    from procman.cli.tui.formation_list import Row

NARROW = 60  # columns: with fewer, one pane has the whole screen
MESSAGE_TIME = 5.0  # seconds
JOIN_TIME = 0.5  # seconds
HINTS = "? help  r restart  s stop  S start  / search  q leave"
HELP = (
    "Tab, Enter   the other pane",
    "↑ ↓ j k      move; Home, End, PageUp, PageDown",
    "← →          hide or show the instances of a type; move a log that is not wrapped",
    "",
    "r s S        restart, stop, start what is selected",
    "+ -          one instance more, or fewer",
    "P            pause it, or resume it",
    "w            why it is in this state",
    "e            its environment, with secrets masked",
    "a            attach to its terminal; Ctrl-] comes back",
    "",
    "/ n N        search in the log; the match before, the match after",
    "l            only lines of a level or above",
    "W t          wrap long lines; show times",
    "p f          pause or follow the log",
    "y            copy the marked line of the log, or the URL of what is selected",
    "q            leave; the session continues",
    "Ctrl-Z       suspend this screen, until fg in the shell",
)


class Arrived(Message):
    """An update of the reader. It waits for ``taken``."""

    def __init__(self, update: Status | Page | Gone) -> None:
        super().__init__()
        self.update = update
        self.taken = threading.Event()


class Tui(ProcessKeys):
    """The screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; color: ansi_default; }
    #about, #message { height: 1; width: 100%; }
    #panes { height: 1fr; }
    #log { width: 1fr; }
    #search { height: 1; border: none; padding: 0; background: ansi_default; }
    """
    BINDINGS: ClassVar = [
        Binding("q,ctrl+c", "quit", show=False, priority=False),
        Binding("question_mark", "help", show=False, priority=True),
        Binding("tab,shift+tab", "other_pane", show=False, priority=True),
        Binding("enter", "read", show=False, priority=True),
        Binding("escape", "list", show=False, priority=True),
        Binding("slash", "search", show=False, priority=True),
        Binding("n", "search_next(-1)", show=False),
        Binding("N", "search_next(1)", show=False),
        Binding("l", "level", show=False),
        Binding("W", "wrap", show=False),
        Binding("t", "stamps", show=False),
        Binding("p", "pause", show=False),
        Binding("f", "follow", show=False),
        Binding("ctrl+z", "suspend_process", show=False),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.theme = "ansi-dark"  # the terminal's own colors, whatever its background is
        self._reader = SessionReader(surroundings.find, self._deliver)
        self._wanted: Sequence[str] = []
        self._about: Record = {}
        self._trouble = ""
        self._message_until = 0.0
        self._has_terminal = is_terminal(0)
        self._server = os.getppid()  # if it draws for a browser
        self._leaving = False
        self._reads_log = False  # the log has the focus
        self._mixed = False  # the log has lines of an earlier session
        self.formation = FormationPane()
        self.log_pane = LogPane()
        self._head = Static(id="about")
        self._foot = Static(id="message")
        self._field = Input(id="search", placeholder="search", compact=True)

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self._head
        with Horizontal(id="panes"):
            yield self.formation
            yield self.log_pane
        yield self._foot
        yield self._field

    def on_mount(self) -> None:
        """Begin to read."""
        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        except (ValueError, RuntimeError):  # a test runs us in another thread
            pass
        self._show_field(False)
        self.formation.focus()
        self._wanted = self._reader.show([])
        self._reader.start()
        self.set_interval(1.0, self._tick)
        self._show_lines()

    def on_unmount(self) -> None:
        """Read no more."""
        self._leaving = True
        self._reader.close()

    def _tick(self) -> None:
        """Show the time. Without its terminal, or without the server of the browser, end: nothing can be drawn."""
        if self.is_web and os.getppid() != self._server:
            os._exit(EXIT_OK)
        if self._has_terminal and not is_terminal(0):  # closed, while hangups are ignored
            os._exit(EXIT_HANGUP)
        self._show_lines()

    # What arrives ---------------------------------------------------------------------------------------------------

    def _deliver(self, update: Status | Page | Gone) -> None:
        """Give an update to the screen, and wait until it has taken it; the reader's thread calls this."""
        message = Arrived(update)
        if self.post_message(message):
            while not message.taken.wait(JOIN_TIME) and not self._leaving:
                pass

    def on_arrived(self, message: Arrived) -> None:
        """Show an update."""
        try:
            update = message.update
            if isinstance(update, Status):
                self._show_status(update)
            elif isinstance(update, Page):
                self._show_page(update)
            else:
                self._show_gone(update)
        finally:
            message.taken.set()

    def _show_status(self, status: Status) -> None:
        if self._about and status.session != self._about["session"]:
            self.log_pane.note(f"— another session has started (pid {status.about['pid']}) —")
            self._mixed = True
        elif self._trouble:
            self.log_pane.note("— the session answers again —")
        self._about, self._trouble = status.about, ""
        self.log_pane.longest_name = max(len("system"), *(len(str(row["name"])) for row in status.rows), 0)
        self.log_pane.type_colors = {str(row["type"]): color_of(int(str(row["index"]))) for row in status.rows}
        self.formation.show(status.rows)
        self._arrange()
        self._show_lines()

    def _show_page(self, page: Page) -> None:
        if page.wanted is not self._wanted:
            return
        if page.older:
            self._show_older(page)
            return
        if page.missing:
            self.log_pane.note("— some output was not read; `procman logs` has what the session keeps —")
        self.log_pane.append(page.lines)
        self._show_lines()

    def _show_older(self, page: Page) -> None:
        pane = self.log_pane
        pane.prepend(page.lines)
        if pane.seeking < 0 and page.lines:
            if not pane.search_next(-1):
                self._read_older()
        elif not page.lines:
            self.say("this is all that the session keeps" if not pane.seeking else f"not found: {pane.pattern}")
            pane.seeking = 0

    def _show_gone(self, gone: Gone) -> None:
        if not self._trouble and self._about:
            self.log_pane.note(f"— {gone.reason} —")
        self._trouble = gone.reason
        self.formation.lose(ENDED if gone.ended else UNKNOWN)
        self._show_lines()

    def on_report(self, message: Report) -> None:
        """Show a sentence of the session."""
        self.say(message.text)
        self._reader.refresh()

    # The first row and the last one ---------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Show a sentence in the last row for a while."""
        self._message_until = time.monotonic() + MESSAGE_TIME
        self._foot.update(Text(visible(text), "bold", no_wrap=True, overflow="ellipsis"))

    def _show_lines(self) -> None:
        self._head.update(self._about_line())
        if time.monotonic() >= self._message_until:
            self._foot.update(self._hint_line())

    def _about_line(self) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        if self._trouble:
            return line.append(visible(self._trouble), "bold red")
        if not self._about:
            return line.append("connecting")
        line.append(visible(str(self._about["procfile"])), "bold")
        since = self._about.get("since")
        age = duration_text(max(0.0, time.time() - since)) if isinstance(since, (int, float)) else ""
        line.append(f"  pid {self._about['pid']}  {age}")
        if self._about.get("stopping"):
            line.append(f"  stopping: {visible(str(self._about['stopping']))}", "yellow")
        return line

    def _hint_line(self) -> Text:
        pane = self.log_pane
        line = Text(no_wrap=True, overflow="ellipsis")
        state = "following" if pane.following else "paused: f follows" if pane.paused else "f follows"
        line.append(f"{state}  ", "green" if pane.following else "yellow")
        if pane.log_lines.level:
            line.append(f"level {pane.log_lines.level}  ", "yellow")
        return line.append(HINTS, "dim")

    @property
    def selected(self) -> Row | None:
        """The selected row of the list."""
        return self.formation.list.row

    @property
    def trouble(self) -> str:
        """Why the session does not answer; empty if it does."""
        return self._trouble

    @property
    def marked_text(self) -> str | None:
        """The marked line of the log, if the log is read."""
        line = self.log_pane.marked
        return line.text if self._reads_log and line is not None else None

    # Panes ----------------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Lay out the panes for the new size."""
        self._arrange()

    def _arrange(self) -> None:
        """Show both panes side by side, or on a narrow screen the one that has been chosen."""
        narrow = self.size.width < NARROW
        self.formation.display = not (narrow and self._reads_log)
        self.log_pane.display = self._reads_log or not narrow
        best = min(self.formation.best_width, max(30, self.size.width * 9 // 20))
        self.formation.styles.width = "100%" if narrow else best
        self.formation.styles.border_right = ("none" if narrow else "solid", "ansi_bright_black")

    def action_other_pane(self) -> None:
        """Go to the other pane."""
        self._go_to(self.formation if self._reads_log else self.log_pane)

    def action_read(self) -> None:
        """Go to the log."""
        self._go_to(self.log_pane)

    def action_list(self) -> None:
        """Forget the search, or go to the list."""
        if self.log_pane.pattern:
            self.log_pane.search("")
        else:
            self._go_to(self.formation)

    def _go_to(self, pane: FormationPane | LogPane) -> None:
        self._reads_log = pane is self.log_pane
        self._arrange()
        self.screen.set_focus(pane)

    def on_formation_pane_selected(self) -> None:
        """Show the log of what is selected."""
        row = self.formation.list.row
        if row is None or row.log_names == list(self._wanted):
            return
        self._mixed = False
        self.log_pane.clear()
        self.log_pane.named = row.kind != INSTANCE
        self._wanted = self._reader.show(row.log_names)
        self._show_lines()

    # The log --------------------------------------------------------------------------------------------------------

    def on_log_pane_following_changed(self) -> None:
        """Read new output only while it is shown."""
        self._reader.follow(self.log_pane.following)
        self._show_lines()

    def on_log_pane_older_wanted(self) -> None:
        """Read what comes before the first line."""
        self._read_older()

    def _read_older(self) -> None:
        lines = self.log_pane.log_lines
        first = next((line for line in lines.lines if line.name), None)
        if lines.is_full or self._mixed:
            self.say("there is no room for older lines; `procman logs` shows them" if lines.is_full else "")
        elif first is not None:
            self._reader.read_older(first.at)

    def action_pause(self) -> None:
        """Pause the log, or follow it again."""
        self.log_pane.toggle_pause()

    def action_follow(self) -> None:
        """Follow the log."""
        self.log_pane.action_follow()

    def action_level(self) -> None:
        """Show only lines of the next level or above."""
        level = self.log_pane.cycle_level()
        self.say(f"only lines of level {level} or above (JSON and logfmt)" if level else "lines of all levels")

    def action_wrap(self) -> None:
        """Wrap long lines, or do not."""
        self.log_pane.toggle_wrap()

    def action_stamps(self) -> None:
        """Show times, or do not."""
        self.log_pane.toggle_stamps()

    def action_search(self) -> None:
        """Type what to search for."""
        self._field.value = ""
        self._show_field(True)
        self.screen.set_focus(self._field)

    def _show_field(self, shown: bool) -> None:
        self._field.display = shown
        self._foot.display = not shown

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search."""
        self._go_to(self.log_pane)
        if event.value and not self.log_pane.search(event.value):
            self._read_older()

    def on_input_blurred(self) -> None:
        """Put the field away."""
        self._show_field(False)

    def action_search_next(self, step: int) -> None:
        """Go to the next match, upwards with -1."""
        pane = self.log_pane
        if not pane.pattern:
            self.say("nothing is searched for; / begins")
        elif not pane.search_next(step):
            if step < 0:
                self._read_older()
            else:
                self.say(f"no further match of {pane.pattern}")

    def action_help(self) -> None:
        """Show what each key does."""
        self.push_screen(Card("keys", HELP))
