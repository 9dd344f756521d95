"""Notifies systemd: READY, STATUS, STOPPING, WATCHDOG (sd_notify(3))."""

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

RETRY_INTERVAL = 0.05  # seconds until a full socket is tried again: net.unix.max_dgram_qlen is 10 on many systems
WATCHDOG_SHARE = 0.5  # of the watchdog's period, between two notifications: sd_watchdog_enabled(3) recommends half


class Notifier(QuietComponent):
    """The socket named by NOTIFY_SOCKET. The component exists only if that is set."""

    def __init__(self, supervisor: Supervisor, environ: Mapping[str, str], now: float) -> None:
        self._supervisor = supervisor
        self._address = environ["NOTIFY_SOCKET"]
        self._socket: socket | None = None
        self._sent: set[str] = set()
        self._queued: list[str] = []  # messages that the socket did not take yet, in order; none may be lost
        self._retry: float | None = None
        self._period = _watchdog_period(environ)
        self._due = now + self._period if self._period else None

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Send STATUS, the number of instances in each state; and once each, READY when all wanted are up, STOPPING."""
        counts: dict[str, int] = {}
        for one in self._supervisor.instances.values():
            counts[one.state] = counts.get(one.state, 0) + 1
        if self._supervisor.stopping is not None:
            self._queue_once("STOPPING=1", now)
        elif not counts.keys() & {State.WAITING, State.STARTING}:
            self._queue_once("READY=1", now)
        self._queue("STATUS=" + ", ".join(f"{number} {state}" for state, number in counts.items()), now)

    def next_deadline(self) -> float | None:
        """Return when the watchdog is due, if systemd uses one, or when a full socket is tried again."""
        return min((due for due in (self._due, self._retry) if due is not None), default=None)

    def tick(self, now: float) -> None:
        """Send the queued messages, and notify the watchdog when it is due."""
        if self._retry is not None and self._retry <= now:
            self._push(now)
        if self._due is not None and self._period is not None and self._due <= now:
            self._due = now + self._period
            self._send("WATCHDOG=1")

    def _queue_once(self, message: str, now: float) -> None:
        if message not in self._sent:
            self._sent.add(message)
            self._queue(message, now)

    def _queue(self, message: str, now: float) -> None:
        """Queue a message; a newer STATUS replaces one that is still queued."""
        if message.startswith("STATUS="):
            self._queued = [text for text in self._queued if not text.startswith("STATUS=")]
        self._queued.append(message)
        self._push(now)

    def _push(self, now: float) -> None:
        self._retry = None
        while self._queued:
            if not self._send(self._queued[0]):
                self._retry = now + RETRY_INTERVAL
                return
            del self._queued[0]

    def _send(self, message: str) -> bool:
        """Send a message; return False if the socket is full. A socket that is gone counts as sent."""
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

            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # Python makes it close-on-exec
            self._socket.setblocking(False)
            # A leading @ means the NUL of an abstract address (sd_notify(3)).
            name = self._address
            self._socket.connect("\0" + name[1:] if name.startswith("@") else name)
        return self._socket


def _watchdog_period(environ: Mapping[str, str]) -> float | None:
    """Return the seconds between two watchdog notifications, or None if systemd expects none from us."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    ours = {str(os.getpid()), str(guardian.visible_pid)}
    if not microseconds.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) not in ours:
        return None
    return max(0.001, int(microseconds) / 1e6 * WATCHDOG_SHARE)
