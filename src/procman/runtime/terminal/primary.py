"""Does: lends the user's terminal to one instance, the primary, through all of its lives.

All keys are the primary's, Ctrl-C included, but for Ctrl-]: that gives the keyboard to procman, whose single keys work
then, and back. What it writes goes to the screen as it is, see output/screen/passthrough.py.
"""

from __future__ import annotations

import os
import termios
import time

from procman.core.lifecycle.transitions import DOWN, Action
from procman.core.text.keybindings import split_at_switch
from procman.runtime.system.poller import READ
from procman.runtime.system.tty import in_foreground, key_by_key, raw
from procman.runtime.terminal.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.output.screen.passthrough import Passthrough
    from procman.runtime.loop.signal_requests import SignalRequests
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.pty import Pty
    from procman.runtime.reload import Renew
    from procman.runtime.terminal.status_updates import StatusUpdates
else:
    import _signal as signal  # without the enums: see signals.py

ESCAPE = b"\x1b"
STOPPERS = {b"\x03": signal.SIGINT, b"\x1c": signal.SIGQUIT}
SUSPEND = b"\x1a"
ANSWER = 60.0  # seconds: an end within them is the answer to a Ctrl-C, if no other key was typed since
HASTE, INSISTENT = 2.0, 3  # so many Ctrl-C within so many seconds: somebody wants out
MOST_KEYS = 64 << 10  # bytes that may wait for a program that does not read
AGAIN = 0.02  # seconds until a full terminal is tried again
NUDGE = 0.1  # seconds that a program has to see that its screen has become lower
ENDS = (Action.TELL_EXITED, Action.TELL_STOPPED, Action.TELL_FAILED)


class Primary(Console):
    """The keyboard, while it is lent and while it is not."""

    brackets_pastes = False  # that is for the process to ask for, which has the screen

    def __init__(
        self,
        fd: int,
        hub: Hub,
        supervisor: Supervisor,
        status: StatusUpdates,
        passthrough: Passthrough,
        children: Children,
        orders: SignalRequests,
        name: str,
        renew: Renew,
    ) -> None:
        super().__init__(fd, hub, supervisor, status, renew)
        self._passthrough = passthrough
        self._children = children
        self._signal_requests = orders
        self._name = name
        self._alive = False
        self._lacks_pty = False  # this life has a pipe: it is a process like the others
        self._aside = False  # the user has taken the keyboard from it
        self._stopping = False
        self._introduced = False
        self._waiting = bytearray()  # keys that it has not read yet
        self._again: float | None = None
        self._fit_at: float | None = None
        self._asked: tuple[float, int] = (float("-inf"), signal.SIGINT)  # when the latest key asked it to end, and how
        self._hurry: list[float] = []
        passthrough.announce = hub.announce
        hub.taps[name] = passthrough.on_output

    # What the engine tells ------------------------------------------------------------------------------------------

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Lend the terminal to each life; its end may be what a Ctrl-C has asked for."""
        if instance.name != self._name:
            return
        if action == Action.TELL_STARTED:
            child = self._children.of(self._name)
            self._lacks_pty = child is not None and child.pty is None
            if self._lacks_pty:
                self._hub.announce(f"{self._name} cannot have the terminal: there is no pseudo-terminal to be had")
                return
            self._alive = True
            self._waiting.clear()
            self._passthrough.begin()
            self._arrange()
            self._introduce()
        elif action in ENDS:
            self._alive = False
            self._again = self._fit_at = None
            self._arrange()
            if action == Action.TELL_EXITED and now - self._asked[0] <= ANSWER:
                self._signal_requests.stop(self._asked[1])

    def next_deadline(self) -> float | None:
        """When keys are passed on again, or its screen gets its size again."""
        return min((due for due in (self._again, self._fit_at) if due is not None), default=None)

    def tick(self, now: float) -> None:
        """While all are stopped, the keys are ours: a second Ctrl-C kills."""
        if self._supervisor.stopping is not None and not self._stopping:
            self._stopping = True
            self._arrange()
        if self._again is not None and self._again <= now:
            self._pass_on()
        if self._fit_at is not None and self._fit_at <= now:
            self._fit_at = None
            if self._pty is not None:
                self._pty.fit()

    def take(self) -> None:
        """See Console.take."""
        self._passthrough.flush()
        super().take()
        self._arrange()

    def give_back(self) -> None:
        """See Console.give_back."""
        self._passthrough.take_back()
        self._hub.lend("")
        self._passthrough.flush()
        super().give_back()

    # Who has it -----------------------------------------------------------------------------------------------------

    @property
    def _ours(self) -> bool:
        """Whether the keys are procman's, though the primary lives."""
        return self._aside or self._stopping

    def settings(self, found: list[Any]) -> list[Any]:
        """How the terminal is set, as things are."""
        return raw(found, signals=self._ours) if self._alive else key_by_key(found)

    def _arrange(self) -> None:
        """Let terminal, screen and status line be as things are; who is in the background has none of them."""
        if self._saved is None:
            return
        if not in_foreground(self._fd):
            self.give_back()
            return
        self._status.lead = f"Ctrl-] {self._name}  " if self._aside else ""
        if not self._alive:
            self._passthrough.take_back()
        self._passthrough.flush()
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, self.settings(self._saved))
        except termios.error:
            return  # hung up; the signal for that comes by itself
        self._hub.lend(self._name if self._alive else "")
        if self._alive and not self._passthrough.lent:
            self._passthrough.lend()
            if self._passthrough.is_painted_by_it:
                self._paint_anew()
        if self._passthrough.show_own_rows(self._ours):
            self._paint_anew()
        self._status.change()

    def _paint_anew(self) -> None:
        """What fills the screen paints it anew when its size changes."""
        if self._pty is not None:
            self._pty.nudge()
            self._fit_at = time.monotonic() + NUDGE

    def _introduce(self) -> None:
        if not self._introduced and self._passthrough.lent:
            self._introduced = True
            self._hub.announce(f"{self._name} has the terminal: Ctrl-] takes and gives back its keys")

    @property
    def _is_awaited(self) -> bool:
        """Whether the primary will come back by itself; what is typed meanwhile was meant for it."""
        instance = self._supervisor.instances.get(self._name)
        return instance is not None and instance.state not in DOWN and not self._lacks_pty

    @property
    def _pty(self) -> Pty | None:
        child = self._children.of(self._name)
        return child.pty if child else None

    # Keys -----------------------------------------------------------------------------------------------------------

    def heard(self, data: bytes) -> None:
        """Give each key to whom it is meant for."""
        while data:
            mine, switch, data = split_at_switch(data)
            if self._ours:
                self._hear_ours(mine, last=not switch)
            elif self._alive:
                self._hear_its(mine)
            elif not self._is_awaited:
                super().heard(mine)
            if switch and not self._stopping and (self._alive or self._is_awaited):
                self._aside = not self._aside
                self._arrange()

    def _hear_ours(self, data: bytes, last: bool) -> None:
        if data == ESCAPE and last and not self._keys.prompt and self._aside:
            self._aside = False
            self._arrange()
        else:
            super().heard(data)

    def _hear_its(self, data: bytes) -> None:
        before, suspend, behind = data.partition(SUSPEND)
        if suspend and self._cannot_stop():
            self._give(before)
            os.kill(os.getpid(), signal.SIGTSTP)  # all of us, as if nobody had lent the terminal
            self._give(behind)
        else:
            self._give(data)

    def _cannot_stop(self) -> bool:
        """Whether a Ctrl-Z would be lost: nobody is there to continue a session's leader, so the kernel does not stop
        its group. A shell that is primary has jobs of its own, which it stops and continues."""
        pty, child = self._pty, self._children.of(self._name)
        if pty is None or child is None or not pty.makes_signals():
            return False
        try:
            return os.tcgetpgrp(pty.master) == child.pid
        except OSError:
            return False

    def _give(self, keys: bytes) -> None:
        if not keys:
            return
        now = time.monotonic()
        number = STOPPERS.get(keys[-1:])
        if number is not None and self._pty is not None and self._pty.makes_signals():
            self._asked = now, number
            self._help_out(now)
        else:
            self._asked = float("-inf"), signal.SIGINT
        self._waiting += keys
        self._pass_on()

    def _help_out(self, now: float) -> None:
        """Who presses Ctrl-C again and again wants out, and may have forgotten how."""
        self._hurry = [*(at for at in self._hurry if at > now - HASTE), now]
        if len(self._hurry) == INSISTENT:
            self._hub.announce(f"{self._name} has heard Ctrl-C; Ctrl-] and then q ends the session")

    def _pass_on(self) -> None:
        pty = self._pty
        try:
            while self._waiting and pty is not None:
                del self._waiting[: os.write(pty.master, bytes(self._waiting[:1024]))]
        except BlockingIOError:
            pass  # it does not read: later
        except OSError:
            self._waiting.clear()  # nobody will ever read them
        if pty is None:
            self._waiting.clear()
        self._again = time.monotonic() + AGAIN if self._waiting else None
        if self._saved is not None and self._poller is not None:
            self._poller.change(self._fd, READ if len(self._waiting) < MOST_KEYS else 0)
