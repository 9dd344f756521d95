"""The keys that act on what is selected: restart, stop, start, scale, why, environment, attach, copy."""

from __future__ import annotations

import subprocess
from typing import ClassVar

from textual.app import App, SuspendNotSupported
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from procman.cli.tui.card import Card
from procman.cli.tui.formation_list import ALL, INSTANCE
from procman.cli.tui.session_requests import explain, in_background, perform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procman.cli.control.connection import Connection, Record
    from procman.cli.tui.formation_list import Row

_DOING = {"restart": "restarting", "stop": "stopping", "start": "starting"}


class Report(Message):
    """A sentence for the last row, from another thread."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class CardRead(Message):
    """A card to show, from another thread."""

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.title = title
        self.lines = lines


# These take keys to another place. Their bindings have priority: otherwise a key that is typed right after them could
# be given to the place before, and be lost.
LEADING = ("search", "help", "read", "list", "other_pane")
LEAVING = ("list", "other_pane")  # those among them that leave the search field


class Surroundings:
    """How the screen reaches the session, and what it knows beside it.

    ``find`` connects to the session; ``environment`` returns the variables of one process, or of all without a name,
    as lines with secrets masked; ``attach`` is the command that attaches to the process whose name follows.
    """

    def __init__(
        self, find: Callable[[], Connection], environment: Callable[[str], list[str]], attach: Sequence[str]
    ) -> None:
        self.find = find
        self.environment = environment
        self.attach = attach


class ProcessKeys(App[None]):
    """The part of the screen that acts on what is selected."""

    BINDINGS: ClassVar = [
        Binding("r", "change('restart')", show=False),
        Binding("s", "change('stop')", show=False),
        Binding("S", "change('start')", show=False),
        Binding("plus", "scale('+1')", show=False),
        Binding("minus", "scale('-1')", show=False),
        Binding("P", "pause_processes", show=False),
        Binding("w", "why", show=False),
        Binding("e", "environment", show=False),
        Binding("a", "attach", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(ansi_color=True)
        self._surroundings = surroundings

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action is possible. A card and the search field keep keys for themselves that lead elsewhere."""
        if isinstance(self.screen, Card):
            return action not in LEADING
        return action not in LEADING or not isinstance(self.focused, Input) or action in LEAVING

    @property
    def selected(self) -> Row | None:
        """The selected row."""
        raise NotImplementedError

    @property
    def trouble(self) -> str:
        """Why the session does not answer; empty if it does."""
        raise NotImplementedError

    @property
    def marked_text(self) -> str | None:
        """The marked line of the log, if the log is read."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Show a sentence in the last row for a while."""
        raise NotImplementedError

    def _changeable(self) -> Row | None:
        """Return the selected row if the session can do something with it. If it does not answer, say so."""
        if self.trouble:
            self.say(self.trouble)
            return None
        return self.selected

    def action_change(self, verb: str) -> None:
        """Restart, stop or start what is selected. Everything at the same time takes a second key."""
        row = self._changeable()
        if row is None:
            return
        if row.kind != ALL or verb == "start":
            self._change(verb, row)
            return
        question = Card(f"{verb} all {len(row.members)} processes?", ("y: yes", "n: no"), asks=True)
        self.push_screen(question, lambda agreed: self._change(verb, row) if agreed else None)

    def _change(self, verb: str, row: Row) -> None:
        self.say(f"{_DOING[verb]} {row.name}")
        self._request({"verb": verb, "names": row.names})

    def action_scale(self, change: str) -> None:
        """Start another instance of the selected process type, or stop one."""
        row = self._changeable()
        if row is None:
            return
        if row.kind == ALL:
            self.say("select a process type to change the number of its instances")
        else:
            self._request({"verb": "scale", "names": [f"{row.type}{change}"]})

    def action_pause_processes(self) -> None:
        """Suspend the processes of what is selected, or let them continue."""
        row = self._changeable()
        if row is not None:
            self._request({"verb": "resume" if row.worst == "paused" else "pause", "names": row.names})

    def _request(self, record: Record) -> None:
        in_background(lambda: perform(self._surroundings.find, record, self._report), self._report)

    def _report(self, text: str) -> None:
        self.post_message(Report(text))

    def action_why(self) -> None:
        """Show why what is selected is in its state."""
        row = self._changeable()
        if row is not None:
            names = row.log_names
            self._read(f"why {row.name}", lambda: explain(self._surroundings.find, names))

    def action_environment(self) -> None:
        """Show the environment of what is selected, without secrets."""
        row = self.selected
        if row is not None:
            name = "" if row.kind == ALL else row.name
            self._read(f"environment of {row.name}", lambda: self._surroundings.environment(name))

    def _read(self, title: str, lines: Callable[[], list[str]]) -> None:
        def read() -> None:
            self.post_message(CardRead(title, lines()))

        in_background(read, self._report)

    def on_card_read(self, message: CardRead) -> None:
        """Show a card."""
        self.push_screen(Card(message.title, message.lines))

    def action_attach(self) -> None:
        """Give the terminal to the selected process until Ctrl-]."""
        row = self._changeable()
        if row is None:
            return
        if row.kind != INSTANCE:
            self.say("select one instance to attach to it")
            return
        try:
            with self.suspend():
                subprocess.run([*self._surroundings.attach, row.name], check=False)  # noqa: S603 (our own command)
        except SuspendNotSupported:
            self.say(f"a browser cannot be attached; in a terminal: procman attach {row.name}")

    def action_copy(self) -> None:
        """Copy the marked line of the log, or the URL or name of what is selected, by OSC 52."""
        text, row = self.marked_text, self.selected
        if text is None and row is not None:
            text = row.url or row.name
        if text:
            self.copy_to_clipboard(text)
            self.say(f"copied: {text}")
