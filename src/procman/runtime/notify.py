"""Does: tells systemd how we are: READY, STATUS, STOPPING, WATCHDOG (sd_notify(3)), when it asks to be told."""

from __future__ import annotations

import os

from procman.core.lifecycle import State
from procman.runtime.guest import QuietGuest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    from procman.core.lifecycle import Instance
    from procman.core.supervisor import Supervisor

SHARE = 0.5  # of the watchdog's time after which it is fed: sd_watchdog_enabled(3) recommends half


class Notifier(QuietGuest):
    """The socket named by NOTIFY_SOCKET; without one every call does nothing."""

    def __init__(self, supervisor: Supervisor, environ: Mapping[str, str], now: float) -> None:
        self._supervisor = supervisor
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._socket: socket | None = None
        self._told: set[str] = set()
        self._period = _watchdog_period(environ) if self._address else None
        self._due = now + self._period if self._period else None

    def note(self, action: str, instance: Instance, now: float) -> None:
        """READY once everything that is wanted is up, STOPPING once; STATUS at every change: how many are what."""
        if not self._address:
            return
        counts: dict[str, int] = {}
        for one in self._supervisor.instances.values():
            counts[one.state] = counts.get(one.state, 0) + 1
        if self._supervisor.stopping is not None:
            self._tell_once("STOPPING=1")
        elif not counts.keys() & {State.WAITING, State.STARTING}:
            self._tell_once("READY=1")
        self._send("STATUS=" + ", ".join(f"{number} {state}" for state, number in counts.items()))

    def next_deadline(self) -> float | None:
        """When the watchdog is to be fed; None when it is not asked for."""
        return self._due

    def tick(self, now: float) -> None:
        """Feed the watchdog when it is time."""
        if self._due is not None and self._period is not None and self._due <= now:
            self._due = now + self._period
            self._send("WATCHDOG=1")

    def _tell_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._send(message)

    def _send(self, message: str) -> None:
        try:
            self._connected().send(message.encode())
        except OSError:
            pass  # a full or vanished socket is the other side's affair; it must not stop ours

    def _connected(self) -> socket:
        if self._socket is None:
            import socket

            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            # A leading @ stands for the NUL of an abstract address (sd_notify(3)).
            name = self._address
            self._socket.connect("\0" + name[1:] if name.startswith("@") else name)
        return self._socket


def _watchdog_period(environ: Mapping[str, str]) -> float | None:
    """Seconds between two feedings, or None when systemd does not ask this very process for them."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return max(0.001, int(microseconds) / 1e6 * SHARE)
