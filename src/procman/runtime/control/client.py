"""Does: talks to one client of the control socket; never waits for it, never owes it more than it may.

What a client sends is cut into lines of limited length. What it is owed waits here and leaves as it reads; answers
that may be long come from an iterator, taken only as far as there is room.
"""

from __future__ import annotations

import time
from collections import deque

from procman.core.text.protocol import REQUEST_LIMIT
from procman.runtime.control.wire import encode
from procman.runtime.system.poller import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from socket import socket

    from procman.runtime.system.poller import Poller

ROOM = 1 << 20  # bytes owed above which live output is skipped
AHEAD = 4  # parts taken from an iterator in advance
CHUNK = 65536


class Client:
    """One connection. ``on_line(client, line)`` gets each request, ``on_gone(client)`` the end, once."""

    __slots__ = (
        "_ending",
        "_events",
        "_in",
        "_later",
        "_more",
        "_on_gone",
        "_on_line",
        "_out",
        "_poller",
        "_socket",
        "closed",
        "deaf",
        "owed",
        "since",
        "skipped",
        "task",
    )

    def __init__(
        self,
        connection: socket,
        poller: Poller,
        on_line: Callable[[Client, bytes], None],
        on_gone: Callable[[Client], None],
    ) -> None:
        self._socket = connection
        self._poller = poller
        self._on_line = on_line
        self._on_gone = on_gone
        self._in = bytearray()
        self._out: deque[bytes | memoryview] = deque()
        self._more: Iterator[bytes] | None = None
        self._later: list[bytes] = []  # comes after all of that
        self._ending = False
        self._events = READ
        self.owed = 0
        self.skipped = 0  # lines that it was too slow for
        self.since = time.monotonic()
        self.task: object = None  # what it is engaged in beyond one answer
        self.deaf = False  # what it sends is left in the kernel's queue
        self.closed = False
        poller.add(connection.fileno(), self.turn)

    # What it sends --------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Read what is there and write what it takes."""
        if self.deaf and not self._out:
            self.close()  # nothing but its hang-up can have woken us
        elif not self.deaf and not self.closed:
            self._read()
        self.flush()

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._ending = True  # it said all, or is gone: what it is owed is tried once, then it is over
            self._hear()
            self.flush()
            self.close()
            return
        self._in += chunk
        self._hear()

    def _hear(self) -> None:
        while not self.closed and not self.deaf:
            end = self._in.find(b"\n")
            if end > REQUEST_LIMIT or (end < 0 and len(self._in) > REQUEST_LIMIT):
                self.refuse(f"a request has at most {REQUEST_LIMIT} bytes")
                return
            if end < 0:
                return
            line = bytes(self._in[:end])
            del self._in[: end + 1]
            if line.strip():
                self._on_line(self, line)

    def listen(self, willing: bool) -> None:
        """Take no more requests for now, or take them again."""
        if self.deaf is willing:
            self.deaf = not willing
            self._watch()
            if willing:
                self._hear()

    # What it is told ------------------------------------------------------------------------------------------------

    def send(self, record: Mapping[str, object], payload: bytes = b"") -> None:
        """Owe it a record, and the bytes that belong to it."""
        if self.closed:
            return
        line = encode({**record, "size": len(payload)} if payload else record)
        self.owed += len(line) + len(payload)
        where = self._out if self._more is None else self._later
        where.append(line)
        if payload:
            where.append(payload)
        self._watch()

    def finish(self, record: Mapping[str, object] | None = None) -> None:
        """Owe it the last record of an answer."""
        self.task = None
        self.send({"done": True, "code": 0, **(record or {})})

    def refuse(self, error: str, hint: str = "", code: int = 2, hang_up: bool = True) -> None:
        """Tell it what is wrong, and that this was the last it hears if ``hang_up``."""
        self.finish({"error": error, "hint": hint, "code": code})
        if hang_up:
            self._ending = True
            self.deaf = True
            self._in.clear()

    def feed(self, more: Iterator[bytes]) -> None:
        """Owe it all that this gives, when there is room for it."""
        self._more = more

    @property
    def full(self) -> bool:
        """Whether it is too slow to be told anything that can be left out."""
        return self.owed > ROOM

    def flush(self) -> None:
        """Send what it takes now."""
        if self.closed:
            return
        try:
            while (self._fill() or self._admit_loss()) and self._send():
                pass
        except OSError:
            self.close()
            return
        if not self.owed and self._ending:
            self.close()
            return
        self._watch()

    def _fill(self) -> bool:
        while self._more is not None and len(self._out) < AHEAD:
            part = next(self._more, None)
            if part is None:
                self._more = None
                self._out += self._later
                self._later.clear()
                break
            self._out.append(part)
            self.owed += len(part)
        return bool(self._out)

    def _admit_loss(self) -> bool:
        """All was sent that was kept: say how much was not."""
        lost, self.skipped = self.skipped, 0
        if lost:
            self.send({"skipped": lost})
        return bool(lost)

    def _send(self) -> bool:
        """Send the first of what is owed; False when it takes no more."""
        part = self._out[0]
        try:
            sent = self._socket.send(part)
        except BlockingIOError:
            return False
        self.owed -= sent
        if sent < len(part):
            self._out[0] = memoryview(part)[sent:]
            return False
        self._out.popleft()
        return True

    def _watch(self) -> None:
        events = (0 if self.deaf else READ) | (WRITE if self._out else 0)
        if not self.closed and events != self._events:
            self._events = events
            self._poller.change(self._socket.fileno(), events)

    def close(self) -> None:
        """Hang up."""
        if self.closed:
            return
        self.closed = True
        self._poller.remove(self._socket.fileno())
        self._socket.close()
        self._out.clear()
        self._later.clear()
        self._more = None
        self._on_gone(self)
