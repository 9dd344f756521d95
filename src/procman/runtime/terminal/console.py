"""Does: reads single keys while the terminal is ours, and gives it back exactly as it was."""

from __future__ import annotations

import os
import termios
import time

from procman.core.lifecycle.transitions import Event, State
from procman.core.text.keybindings import HELP, Keys
from procman.errors import ProcmanError
from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.tty import in_foreground, key_by_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.keybindings import Command
    from procman.output.hub import Hub
    from procman.runtime.reload import Renew
    from procman.runtime.system.poller import Poller
    from procman.runtime.terminal.status_updates import StatusUpdates
else:
    import _signal as signal  # without the enums: see signals.py

READ_AT_MOST = 1024


class Console(QuietComponent):
    """The keyboard, as a guest. Ctrl-C and Ctrl-Z stay signals; only line editing and echo are switched off."""

    brackets_pastes = True  # or a pasted word with an `s` and a line end in it would stop everything

    def __init__(
        self,
        fd: int,
        hub: Hub,
        supervisor: Supervisor,
        status: StatusUpdates,
        renew: Renew,
    ) -> None:
        """``renew`` lets the next lives of instances follow their files, and says what changed in them."""
        self._fd = fd
        self._hub = hub
        self._supervisor = supervisor
        self._renew = renew
        self._status = status
        self._keys = Keys(_names(supervisor))
        status.keys = self._keys
        self._saved: list[Any] | None = None
        self._muted: set[str] = set()
        self._shown: set[str] = set()  # and nobody else, while there is one
        self._poller: Poller | None = None
        self._deeds: dict[str, Callable[[str], None]] = {
            "restart": lambda line: self._begin_again(Event.RESTART, self._chosen(line)),
            "stop": self._stop,
            "restart failed": self._restart_failed,
            "focus": self._focus,
            "mute": self._mute,
            "highlight": self._highlight,
            "help": lambda _line: self._hub.announce(HELP),
            "quit": lambda _line: signal.raise_signal(signal.SIGINT),  # a second one kills, as a second Ctrl-C does
        }

    def open(self, poller: Poller) -> None:
        """Take the keyboard, if it is ours to take."""
        self._poller = poller
        self.take()

    def resume(self) -> None:
        """After `fg` the keyboard is ours again."""
        self.take()

    def pause(self) -> None:
        """Before we are stopped."""
        self.give_back()

    def take(self) -> None:
        """Switch line editing and echo off, and listen. A job in the background must do neither: what is typed is
        meant for the shell, and we would be stopped (TTIN, TTOU)."""
        if self._saved is not None or not in_foreground(self._fd):
            return
        try:
            found = termios.tcgetattr(self._fd)
            termios.tcsetattr(self._fd, termios.TCSANOW, self.settings(termios.tcgetattr(self._fd)))
        except (OSError, termios.error):
            return  # the terminal is gone, or no keyboard: a run without keys
        self._saved = found
        self._keys.resume()
        if self.brackets_pastes:
            self._hub.bracket_pastes(True)
        assert self._poller is not None
        self._poller.add(self._fd, self._read)

    def settings(self, found: list[Any]) -> list[Any]:
        """How the terminal is set while it is ours."""
        return key_by_key(found)

    def give_back(self) -> None:
        """Leave the keyboard as it was found. Where the shell has taken it already, it has set it as it wants it."""
        if self._saved is None:
            return
        assert self._poller is not None
        self._poller.remove(self._fd)
        if in_foreground(self._fd):
            try:
                termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)
            except (OSError, termios.error):
                pass  # the terminal is gone, and its settings with it
            if self.brackets_pastes:
                self._hub.bracket_pastes(False)
        self._saved = None

    def close(self, now: float, code: int) -> None:
        """Give the keyboard back."""
        self.give_back()

    def _read(self) -> None:
        if not in_foreground(self._fd):
            self.give_back()
            return
        try:
            data = os.read(self._fd, READ_AT_MOST)
        except OSError:
            data = b""
        if not data:
            assert self._poller is not None
            self._poller.remove(self._fd)  # hung up; the signal for that comes by itself
            return
        self.heard(data)

    def heard(self, data: bytes) -> None:
        """Obey what was typed."""
        for command in self._keys.feed(data):
            self._obey(command)
        self._status.change()

    def _obey(self, command: Command) -> None:
        try:
            self._deeds[command.verb](command.line or "")
        except ProcmanError as error:
            self._hub.announce(error.message)

    # Deeds ----------------------------------------------------------------------------------------------------------

    def _chosen(self, line: str) -> list[Instance]:
        """The instances that a typed name means: all for none, a group's, a type's, or one."""
        instances = list(self._supervisor.instances.values())
        chosen = [i for i in instances if not line or line in (i.name, i.plan.type, *i.plan.groups)]
        if not chosen:
            self._hub.announce(f'there is no process called "{line}"')
        return chosen

    def _begin_again(self, event: str, chosen: list[Instance]) -> None:
        """Let new lives begin, of what the files say now; with a mistake in them, none does."""
        try:
            changes = self._renew(chosen)
        except ProcmanError as error:
            self._hub.announce(f"nothing is restarted: {error.message}")
            return
        for change in changes:
            self._hub.announce(change)
        self._supervisor.wish(event, chosen, time.monotonic())

    def _stop(self, line: str) -> None:
        """Stop them, not the run: `r` starts them again."""
        self._supervisor.hold(self._chosen(line), time.monotonic())

    def _restart_failed(self, _line: str) -> None:
        failed = [i for i in self._supervisor.instances.values() if i.state == State.FAILED]
        if not failed:
            self._hub.announce("nothing has failed")
            return
        self._begin_again(Event.START, failed)

    def _focus(self, line: str) -> None:
        """Show only this one; with no name, everybody again."""
        names = {i.name for i in self._chosen(line)} if line else set()
        if names or not line:  # a mistyped name changes nothing
            self._muted.clear()
            self._shown = names
            self._hub.show_only(sorted(names))

    def _mute(self, line: str) -> None:
        """Show this one no longer, or again; with no name, everybody again. In a focus that is about its members."""
        names = {i.name for i in self._chosen(line)} if line else set()
        if line and self._shown and (rest := _toggled(self._shown, names)):
            self._shown = rest
            self._hub.show_only(sorted(rest))
            return
        self._shown = set()
        self._muted = _toggled(self._muted, names) if line else set()
        self._hub.hide(sorted(self._muted))

    def _highlight(self, line: str) -> None:
        self._hub.highlight(line)
        if line and not self._hub.palette.colored:
            self._hub.announce("nothing is marked without color")


def _toggled(members: set[str], names: set[str]) -> set[str]:
    """The members without these names, if all are in; else with all of them."""
    return members - names if names <= members else members | names


def _names(supervisor: Supervisor) -> tuple[str, ...]:
    """What can be typed: types first, then groups, then instances."""
    everybody = supervisor.instances.values()
    types = dict.fromkeys(i.plan.type for i in everybody)
    groups = dict.fromkeys(group for i in everybody for group in i.plan.groups)
    return (*types, *groups, *supervisor.instances)
