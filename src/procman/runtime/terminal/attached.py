"""Attaches the session's own terminal to one instance for a while: the key `a`, until Ctrl-]."""

from __future__ import annotations

from procman.core.lifecycle.transitions import DOWN, Action
from procman.core.text.keybindings import split_at_switch
from procman.runtime.processes.pty import Returns
from procman.runtime.system.tty import window_size
from procman.runtime.terminal.primary import EXIT_ACTIONS, HINT_PRESSES, HINT_WINDOW, Primary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.runtime.loop.signal_requests import SignalRequests
    from procman.runtime.processes.children import Children
    from procman.runtime.reload import Reload
    from procman.runtime.system.poller import Poller
    from procman.runtime.terminal.status_updates import StatusUpdates

DEFAULT_SIZE = (24, 80)  # rows, columns


class Attached(Primary):
    """The keyboard while it is lent. ``on_leave`` is called when it is procman's again."""

    def __init__(
        self,
        fd: int,
        hub: Hub,
        supervisor: Supervisor,
        status: StatusUpdates,
        children: Children,
        signal_requests: SignalRequests,
        name: str,
        reload: Reload,
        poller: Poller,
        on_leave: Callable[[], None],
    ) -> None:
        super().__init__(fd, hub, supervisor, status, hub.become_lender(), children, signal_requests, name, reload)
        self._poller = poller
        self._on_leave = on_leave
        self._returns = Returns()
        self._size = DEFAULT_SIZE
        self._introduced = True
        self._tap = hub.taps[name] = self._show

    def begin(self) -> None:
        """Give the keyboard and the screen to the process, and show its prompt."""
        self._hub.announce(f"attached to {self._name}; Ctrl-] gives the keyboard back")
        self._alive = True
        self._show_to()
        self._passthrough.begin()
        unfinished = self._hub.history.unfinished(self._name)
        self.acquire()
        if unfinished:
            self._show(unfinished)

    def leave(self, why: str = "") -> None:
        """Take the keyboard and the screen back."""
        self.release()
        if self._is_tapped:
            del self._hub.taps[self._name]
            if self._pty is not None:
                self._pty.show_to(None)
        self._hub.announce(f"{why or f'detached from {self._name}'}; procman has the keyboard again")
        if unfinished := self._hub.history.unfinished(self._name):
            self._hub.partial(self._name, "stdout", unfinished)
        self._on_leave()

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Stay through the lives of the process. Its end after a Ctrl-C does not end the session."""
        if instance.name != self._name:
            return
        self._stop_key = float("-inf"), 0
        super().on_event(action, instance, now)
        if action == Action.ANNOUNCE_STARTED:
            self._show_to()
        elif action in EXIT_ACTIONS and instance.state in DOWN:
            self.leave(f"{self._name} is down")

    def tick(self, now: float) -> None:
        """Leave when everything is being stopped, or when another client has attached; follow the window's size."""
        if self._supervisor.stopping is not None:
            self.leave()
        elif not self._is_tapped:
            self.leave(f"another client has attached to {self._name}")
        else:
            super().tick(now)
            if window_size(self._fd) not in (None, self._size):
                self._show_to()

    def on_keys(self, data: bytes) -> None:
        """Give the keys to the process, until Ctrl-]."""
        mine, switch, _ = split_at_switch(data)
        if self._alive:
            self._on_its_keys(mine)
        if switch:
            self.leave()

    @property
    def _is_tapped(self) -> bool:
        return self._hub.taps.get(self._name) == self._tap

    def _show(self, chunk: bytes) -> None:
        self._passthrough.on_output(self._returns.add(self._pty, chunk))

    def _show_to(self) -> None:
        self._size = window_size(self._fd) or DEFAULT_SIZE
        if self._pty is not None:
            self._pty.show_to(self._size)

    def _hint(self, now: float) -> None:
        self._presses = [*(at for at in self._presses if at > now - HINT_WINDOW), now]
        if len(self._presses) == HINT_PRESSES:
            self._hub.announce(f"{self._name} received Ctrl-C; Ctrl-] gives the keyboard back")
