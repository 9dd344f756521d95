"""Does: tells systemd how we are: READY, STATUS, STOPPING, WATCHDOG (sd_notify(3)), when it asks to be told."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from socket import socket

    from procman.core.lifecycle import Instance

SHARE = 0.5  # of the watchdog's time after which it is fed: sd_watchdog_enabled(3) recommends half


class Notifier:
    """The socket named by NOTIFY_SOCKET; without one every call does nothing."""

    def __init__(self, environ: Mapping[str, str], now: float) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._socket: socket | None = None
        self._sent = ""
        self._period = _watchdog_period(environ) if self._address else None
        self._due = now + self._period if self._period else None

    def ready(self) -> None:
        """All processes were started."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The shutdown began."""
        self._send("STOPPING=1")

    def show(self, instances: Iterable[Instance]) -> None:
        """One line for `systemctl status`: how many are in which state; sent only when it changed."""
        if not self._address:
            return
        counts: dict[str, int] = {}
        for instance in instances:
            counts[instance.state] = counts.get(instance.state, 0) + 1
        text = ", ".join(f"{number} {state}" for state, number in counts.items())
        if text != self._sent:
            self._sent = text
            self._send(f"STATUS={text}")

    def next_deadline(self) -> float | None:
        """When the watchdog is to be fed; None when it is not asked for."""
        return self._due

    def tick(self, now: float) -> None:
        """Feed the watchdog when it is time."""
        if self._due is not None and self._period is not None and self._due <= now:
            self._due = now + self._period
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            self._open().send(message.encode())
        except OSError:
            pass  # a full or vanished socket is the other side's affair; it must not stop ours

    def _open(self) -> socket:
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
