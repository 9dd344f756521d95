"""Lends the user's terminal to one instance, the primary, through all of its lives.

All keys go to the primary, Ctrl-C included. Only Ctrl-] gives the keyboard to procman, whose single keys work then, and
back. The primary's output goes to the screen unchanged, see output/screen/passthrough.py.
"""

from __future__ import annotations

import os
import termios
import time

from procman.core.lifecycle.transitions import DOWN, Action
from procman.core.text.keybindings import split_at_switch
from procman.runtime.processes.pty import KEY_RETRY_INTERVAL, KeyQueue
from procman.runtime.system.poller import READ
from procman.runtime.system.tty import RARE_MODES, in_foreground, key_by_key, raw
from procman.runtime.terminal.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.output.screen.passthrough import Passthrough
    from procman.runtime.loop.signal_requests import SignalRequests
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.pty import Pty
    from procman.runtime.reload import Reload
    from procman.runtime.terminal.status_updates import StatusUpdates
else:
    import _signal as signal  # without the enums: see signals.py

ESCAPE = b"\x1b"
STOP_KEYS = {b"\x03": signal.SIGINT, b"\x1c": signal.SIGQUIT}
SUSPEND_KEY = b"\x1a"
STOP_KEY_WINDOW = 60.0  # seconds: an exit within them is the answer to a Ctrl-C, if no other key was typed since
HINT_WINDOW, HINT_PRESSES = 2.0, 3  # a user who presses Ctrl-C so often within so many seconds wants to get out
SHRINK_TIME = 0.1  # seconds that a program has to notice that its screen has become lower
EXIT_ACTIONS = (Action.ANNOUNCE_EXITED, Action.ANNOUNCE_STOPPED, Action.ANNOUNCE_FAILED)


class Primary(Console):
    """The keyboard, whether it is lent to the primary or not."""

    brackets_pastes = False  # the process that has the screen decides that

    def __init__(
        self,
        fd: int,
        hub: Hub,
        supervisor: Supervisor,
        status: StatusUpdates,
        passthrough: Passthrough,
        children: Children,
        signal_requests: SignalRequests,
        name: str,
        reload: Reload,
        detach: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(fd, hub, supervisor, status, reload, detach=detach)
        self._passthrough = passthrough
        self._children = children
        self._signal_requests = signal_requests
        self._name = name
        self._alive = False
        self._lacks_pty = False  # this life has pipes, and is treated like any other process
        self._taken = False  # the user has taken the keyboard from it
        self._stopping = False
        self._introduced = False
        self._waiting = KeyQueue()  # keys that it has not read yet
        self._retry_at: float | None = None
        self._fit_at: float | None = None
        self._stop_key: tuple[float, int] = (float("-inf"), signal.SIGINT)  # when the latest stop key was typed, and
        self._presses: list[float] = []  # its signal; when Ctrl-C was typed
        passthrough.announce = hub.announce
        hub.taps[name] = passthrough.on_output

    # Calls of the engine --------------------------------------------------------------------------------------------

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Lend the terminal to each life, and stop the run if a life ends as the answer to a Ctrl-C."""
        if instance.name != self._name:
            return
        if action == Action.ANNOUNCE_STARTED:
            child = self._children.of(self._name)
            self._lacks_pty = child is not None and child.pty is None
            if self._lacks_pty:
                self._hub.announce(f"{self._name} cannot have the terminal: no pseudo-terminal is available")
                return
            self._alive = True
            self._waiting.clear()
            self._passthrough.begin()
            self._arrange()
            self._introduce()
        elif action in EXIT_ACTIONS:
            self._alive = False
            self._retry_at = self._fit_at = None
            self._arrange()
            if action == Action.ANNOUNCE_EXITED and now - self._stop_key[0] <= STOP_KEY_WINDOW:
                self._signal_requests.stop(self._stop_key[1])

    def next_deadline(self) -> float | None:
        """Return when to write waiting keys again, or to give the primary's screen its size back."""
        return min((due for due in (self._retry_at, self._fit_at) if due is not None), default=None)

    def tick(self, now: float) -> None:
        """Do what is due. While everything is being stopped the keys are ours, so a second Ctrl-C kills."""
        if self._supervisor.stopping is not None and not self._stopping:
            self._stopping = True
            self._arrange()
        if self._retry_at is not None and self._retry_at <= now:
            self._write_keys()
        if self._fit_at is not None and self._fit_at <= now:
            self._fit_at = None
            if self._pty is not None:
                self._pty.fit()

    def acquire(self) -> None:
        """See Console.acquire."""
        self._passthrough.flush()
        super().acquire()
        self._arrange()

    def release(self) -> None:
        """See Console.release."""
        self._passthrough.take_back(RARE_MODES)
        self._hub.lend("")
        self._passthrough.flush()
        super().release()

    # Lending --------------------------------------------------------------------------------------------------------

    @property
    def _ours(self) -> bool:
        """Whether the keys are procman's although the primary lives."""
        return self._taken or self._stopping

    def settings(self, found: list[Any]) -> list[Any]:
        """Return the terminal's settings for the present state."""
        return raw(found, signals=self._ours) if self._alive else key_by_key(found)

    def _arrange(self) -> None:
        """Set terminal, screen and status line for the present state; release them if our job is in the background."""
        if self._saved is None:
            return
        if not in_foreground(self._fd):
            self.release()
            return
        self._status.lead = f"Ctrl-] {self._name}  " if self._taken else ""
        if not self._alive:
            self._passthrough.take_back(RARE_MODES)
        self._passthrough.flush()
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, self.settings(self._saved))
        except termios.error:
            return  # hung up; SIGHUP follows
        self._hub.lend(self._name if self._alive else "")
        if self._alive and not self._passthrough.lent:
            self._passthrough.lend()
            if self._passthrough.is_painted_by_it:
                self._have_repainted()
        if self._passthrough.show_own_rows(self._ours):
            self._have_repainted()
        self._status.change()

    def _have_repainted(self) -> None:
        """Make a full-screen program repaint its screen, by a change of its size."""
        if self._pty is not None:
            self._pty.shrink()
            self._fit_at = time.monotonic() + SHRINK_TIME

    def _introduce(self) -> None:
        if not self._introduced and self._passthrough.lent:
            self._introduced = True
            self._hub.announce(f"{self._name} has the terminal; Ctrl-] switches the keyboard to procman and back")

    @property
    def _is_awaited(self) -> bool:
        """Whether the primary will start again by itself; what is typed meanwhile was meant for it."""
        instance = self._supervisor.instances.get(self._name)
        return instance is not None and instance.state not in DOWN and not self._lacks_pty

    @property
    def _pty(self) -> Pty | None:
        child = self._children.of(self._name)
        return child.pty if child else None

    # Keys -----------------------------------------------------------------------------------------------------------

    def on_keys(self, data: bytes) -> None:
        """Give each key to procman or to the primary."""
        while data:
            mine, switch, data = split_at_switch(data)
            if self._ours:
                self._on_our_keys(mine, last=not switch)
            elif self._alive:
                self._on_its_keys(mine)
            elif not self._is_awaited:
                super().on_keys(mine)
            if switch and not self._stopping and (self._alive or self._is_awaited):
                self._taken = not self._taken
                self._arrange()

    def _on_our_keys(self, data: bytes, last: bool) -> None:
        if data == ESCAPE and last and not self._keys.prompt and self._taken:
            self._taken = False
            self._arrange()
        else:
            super().on_keys(data)

    def _on_its_keys(self, data: bytes) -> None:
        before, suspend, after = data.partition(SUSPEND_KEY)
        if suspend and self._cannot_stop():
            self._send(before)
            os.kill(os.getpid(), signal.SIGTSTP)  # stops all of us, as if the terminal were not lent
            self._send(after)
        else:
            self._send(data)

    def _cannot_stop(self) -> bool:
        """Return whether a Ctrl-Z would be lost.

        A session leader has no parent in its session that could continue it, so the kernel does not stop its group. A
        shell that is primary has jobs of its own, which it stops and continues.
        """
        pty, child = self._pty, self._children.of(self._name)
        if pty is None or child is None or not pty.makes_signals():
            return False
        try:
            return os.tcgetpgrp(pty.master) == child.pid
        except OSError:
            return False

    def _send(self, keys: bytes) -> None:
        if not keys:
            return
        now = time.monotonic()
        number = STOP_KEYS.get(keys[-1:])
        if number is not None and self._pty is not None and self._pty.makes_signals():
            self._stop_key = now, number
            self._hint(now)
        else:
            self._stop_key = float("-inf"), signal.SIGINT
        self._waiting.add(keys)
        self._write_keys()

    def _hint(self, now: float) -> None:
        """Show a user who presses Ctrl-C again and again how to get out."""
        self._presses = [*(at for at in self._presses if at > now - HINT_WINDOW), now]
        if len(self._presses) == HINT_PRESSES:
            self._hub.announce(f"{self._name} received Ctrl-C; Ctrl-] and then q end the session")

    def _write_keys(self) -> None:
        pty = self._pty
        self._waiting.write_to(pty)
        if pty is None:
            self._waiting.clear()
        self._retry_at = time.monotonic() + KEY_RETRY_INTERVAL if self._waiting else None
        if self._saved is not None and self._poller is not None:
            self._poller.change(self._fd, 0 if self._waiting.is_full else READ)
