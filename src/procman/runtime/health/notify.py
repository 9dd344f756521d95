"""Does: tells systemd how we are: READY, STATUS, STOPPING, WATCHDOG (sd_notify(3)), when it asks to be told."""

from __future__ import annotations

import os

from procman.core.lifecycle.transitions import State
from procman.runtime.guardian import guardian
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance

RETRY = 0.05  # seconds until a full socket is tried again: net.unix.max_dgram_qlen is 10 on many systems
SHARE = 0.5  # of the watchdog's time after which it is fed: sd_watchdog_enabled(3) recommends half


class Notifier(QuietComponent):
    """The socket named by NOTIFY_SOCKET. Nobody is here without one."""

    def __init__(self, supervisor: Supervisor, environ: Mapping[str, str], now: float) -> None:
        self._supervisor = supervisor
        self._address = environ["NOTIFY_SOCKET"]
        self._socket: socket | None = None
        self._told: set[str] = set()
        self._owed: list[str] = []  # what the socket did not take yet, in order; it must not be lost
        self._retry: float | None = None
        self._period = _watchdog_period(environ)
        self._due = now + self._period if self._period else None

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """READY once everything that is wanted is up, STOPPING once; STATUS at every change: how many are what."""
        counts: dict[str, int] = {}
        for one in self._supervisor.instances.values():
            counts[one.state] = counts.get(one.state, 0) + 1
        if self._supervisor.stopping is not None:
            self._tell_once("STOPPING=1", now)
        elif not counts.keys() & {State.WAITING, State.STARTING}:
            self._tell_once("READY=1", now)
        self._tell("STATUS=" + ", ".join(f"{number} {state}" for state, number in counts.items()), now)

    def next_deadline(self) -> float | None:
        """When the watchdog is to be fed, if it is asked for, or a full socket tried again."""
        return min((due for due in (self._due, self._retry) if due is not None), default=None)

    def tick(self, now: float) -> None:
        """Send what is owed, and feed the watchdog when it is time."""
        if self._retry is not None and self._retry <= now:
            self._push(now)
        if self._due is not None and self._period is not None and self._due <= now:
            self._due = now + self._period
            self._send("WATCHDOG=1")

    def _tell_once(self, message: str, now: float) -> None:
        if message not in self._told:
            self._told.add(message)
            self._tell(message, now)

    def _tell(self, message: str, now: float) -> None:
        """Owe a message; a newer STATUS takes the place of one that is still owed."""
        if message.startswith("STATUS="):
            self._owed = [owed for owed in self._owed if not owed.startswith("STATUS=")]
        self._owed.append(message)
        self._push(now)

    def _push(self, now: float) -> None:
        self._retry = None
        while self._owed:
            if not self._send(self._owed[0]):
                self._retry = now + RETRY
                return
            del self._owed[0]

    def _send(self, message: str) -> bool:
        """Whether it is done with: False when the socket is full. One that is gone is the other side's affair."""
        try:
            self._connected().send(message.encode())
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def _connected(self) -> socket:
        if self._socket is None:
            import socket

            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            # A leading @ stands for the NUL of an abstract address (sd_notify(3)).
            name = self._address
            self._socket.connect("\0" + name[1:] if name.startswith("@") else name)
        return self._socket


def _watchdog_period(environ: Mapping[str, str]) -> float | None:
    """Seconds between two feedings, or None when systemd does not ask us for them."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    ours = {str(os.getpid()), str(guardian.visible_pid)}
    if not microseconds.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) not in ours:
        return None
    return max(0.001, int(microseconds) / 1e6 * SHARE)
