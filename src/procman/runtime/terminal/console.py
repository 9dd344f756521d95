"""The keyboard: reads single keys while the terminal is ours, and gives it back exactly as it was."""

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
    from typing import Any, Protocol

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.keybindings import Command
    from procman.output.hub import Hub
    from procman.runtime.loop.component import Component
    from procman.runtime.reload import Reload
    from procman.runtime.system.poller import Poller
    from procman.runtime.terminal.status_updates import StatusUpdates

    class Loan(Component, Protocol):
        """The keyboard while one instance has it: see attached.py."""

        def begin(self) -> None: ...
        def acquire(self) -> None: ...
        def release(self) -> None: ...

    Lend = Callable[[str, Poller, Callable[[], None]], Loan | None]
else:
    import _signal as signal  # without the enums: see signals.py

MAX_READ = 1024  # bytes


class Console(QuietComponent):
    """The keyboard as a component. Ctrl-C and Ctrl-Z stay signals; only line editing and echo are switched off."""

    brackets_pastes = True  # otherwise, a pasted `s` with a line end after it would stop everything

    def __init__(
        self,
        fd: int,
        hub: Hub,
        supervisor: Supervisor,
        status: StatusUpdates,
        reload: Reload,
        lend: Lend | None = None,
        detach: Callable[[], None] | None = None,
    ) -> None:
        """``reload`` gives the next lives of instances the plans that their files make now.

        ``lend`` gives the keyboard to one instance; without it the key `a` is refused. ``detach`` gives the terminal
        back for good, or announces why that is impossible.
        """
        self._fd = fd
        self._hub = hub
        self._supervisor = supervisor
        self._reload = reload
        self._status = status
        self._keys = Keys(_names(supervisor))
        status.keys = self._keys
        self._saved: list[Any] | None = None  # the terminal's settings as we found them, while the keyboard is ours
        self._muted: set[str] = set()
        self._shown: set[str] = set()  # if not empty, only these are shown
        self._poller: Poller | None = None
        self._lend = lend
        self._loan: Loan | None = None
        self._handlers: dict[str, Callable[[str], None]] = {
            "restart": lambda line: self._begin_lives(Event.RESTART, self._chosen(line)),
            "stop": self._stop,
            "restart failed": self._restart_failed,
            "focus": self._focus,
            "mute": self._mute,
            "highlight": self._highlight,
            "attach": self._attach,
            "detach": lambda _line: None if detach is None else detach(),
            "help": lambda _line: self._hub.announce(HELP),
            "quit": lambda _line: signal.raise_signal(signal.SIGINT),  # a second one kills, as a second Ctrl-C does
        }

    def open(self, poller: Poller) -> None:
        """Take the keyboard, if our job has it."""
        self._poller = poller
        self.acquire()

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Pass events on to the loan."""
        if self._loan is not None:
            self._loan.on_event(action, instance, now)

    def next_deadline(self) -> float | None:
        """Return the deadline of the loan."""
        return None if self._loan is None else self._loan.next_deadline()

    def tick(self, now: float) -> None:
        """Pass the turn on to the loan."""
        if self._loan is not None:
            self._loan.tick(now)

    def resume(self) -> None:
        """Take the keyboard again after `fg`."""
        (self._loan or self).acquire()

    def pause(self) -> None:
        """Give the keyboard back before we are stopped."""
        (self._loan or self).release()

    def acquire(self) -> None:
        """Switch line editing and echo off, and read keys.

        A background job must do neither: what is typed is meant for the shell, and we would be stopped (TTIN, TTOU).
        """
        if self._saved is not None or not in_foreground(self._fd):
            return
        try:
            found = termios.tcgetattr(self._fd)
            termios.tcsetattr(self._fd, termios.TCSANOW, self.settings(termios.tcgetattr(self._fd)))
        except (OSError, termios.error):
            return  # the terminal is gone, or is not a keyboard: a run without keys
        self._saved = found
        self._keys.resume()
        if self.brackets_pastes:
            self._hub.bracket_pastes(True)
        assert self._poller is not None
        self._poller.add(self._fd, self._on_readable)

    def settings(self, found: list[Any]) -> list[Any]:
        """Return the terminal's settings for the time that it is ours."""
        return key_by_key(found)

    def release(self) -> None:
        """Restore the keyboard as it was found. If the shell has it already, its own settings are left alone."""
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
        (self._loan or self).release()

    def _on_readable(self) -> None:
        if not in_foreground(self._fd):
            self.release()
            return
        try:
            data = os.read(self._fd, MAX_READ)
        except OSError:
            data = b""
        if not data:
            assert self._poller is not None
            self._poller.remove(self._fd)  # hung up; SIGHUP follows
            return
        self.on_keys(data)

    def on_keys(self, data: bytes) -> None:
        """Execute the commands that were typed."""
        for command in self._keys.feed(data):
            self._execute(command)
        self._status.change()

    def _execute(self, command: Command) -> None:
        try:
            self._handlers[command.verb](command.line or "")
        except ProcmanError as error:
            self._hub.announce(error.message)

    # Commands -------------------------------------------------------------------------------------------------------

    def _chosen(self, line: str) -> list[Instance]:
        """Return the instances that a typed name means: of a group, of a type, or one; all for an empty line."""
        instances = list(self._supervisor.instances.values())
        chosen = [i for i in instances if not line or line in (i.name, i.plan.type, *i.plan.groups)]
        if not chosen:
            self._hub.announce(f'there is no process called "{line}"')
        return chosen

    def _begin_lives(self, event: str, chosen: list[Instance]) -> None:
        """Begin new lives with reloaded plans. If the files have a mistake, none begins."""
        try:
            changes = self._reload(chosen)
        except ProcmanError as error:
            self._hub.announce(f"nothing was restarted: {error.message}")
            return
        for change in changes:
            self._hub.announce(change)
        self._supervisor.wish(event, chosen, time.monotonic())

    def _stop(self, line: str) -> None:
        """Stop these instances but not the run; `r` starts them again."""
        self._supervisor.hold(self._chosen(line), time.monotonic())

    def _restart_failed(self, _line: str) -> None:
        failed = [i for i in self._supervisor.instances.values() if i.state == State.FAILED]
        if not failed:
            self._hub.announce("nothing has failed")
            return
        self._begin_lives(Event.START, failed)

    def _focus(self, line: str) -> None:
        """Show only these instances; with an empty line, show all again."""
        names = {i.name for i in self._chosen(line)} if line else set()
        if names or not line:  # a mistyped name changes nothing
            self._muted.clear()
            self._shown = names
            self._hub.show_only(sorted(names))

    def _mute(self, line: str) -> None:
        """Hide these instances, or show them again; with an empty line, show all. In a focus, change its members."""
        names = {i.name for i in self._chosen(line)} if line else set()
        if line and self._shown and (rest := _toggled(self._shown, names)):
            self._shown = rest
            self._hub.show_only(sorted(rest))
            return
        self._shown = set()
        self._muted = _toggled(self._muted, names) if line else set()
        self._hub.hide(sorted(self._muted))

    def _attach(self, line: str) -> None:
        """Lend the keyboard to one instance with a terminal."""
        if self._lend is None or self._poller is None:
            self._hub.announce("the primary process has this terminal; use procman attach in another one")
            return
        chosen = [i for i in self._chosen(line) if i.pid is not None] if line else self._attachable()
        if len(chosen) != 1:
            names = ", ".join(i.name for i in chosen or self._attachable())
            self._hub.announce(f"attach to one of them: {names}" if names else "no process has a terminal to attach to")
            return
        loan = self._lend(chosen[0].name, self._poller, self._take_back)
        if loan is not None:
            self.release()
            self._loan = loan
            loan.begin()

    def _attachable(self) -> list[Instance]:
        return [i for i in self._supervisor.instances.values() if i.pid is not None]

    def _take_back(self) -> None:
        self._loan = None
        self._status.keys = self._keys
        self.acquire()
        self._status.change()

    def _highlight(self, line: str) -> None:
        self._hub.highlight(line)
        if line and not self._hub.palette.colored:
            self._hub.announce("highlighting needs colors, which are off")


def _toggled(members: set[str], names: set[str]) -> set[str]:
    """Remove the names from the members if all are in; otherwise add all of them."""
    return members - names if names <= members else members | names


def _names(supervisor: Supervisor) -> tuple[str, ...]:
    """Return what can be typed: types first, then groups, then instances."""
    instances = supervisor.instances.values()
    types = dict.fromkeys(i.plan.type for i in instances)
    groups = dict.fromkeys(group for i in instances for group in i.plan.groups)
    return (*types, *groups, *supervisor.instances)
