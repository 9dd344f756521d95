"""One client of the control socket. Nothing ever waits for it, and what it is owed is limited.

Its bytes are cut into requests of limited length. Answers wait in a queue and leave as the client reads. A long answer
is an iterator, which is advanced only while there is room.
"""

from __future__ import annotations

from collections import deque

from procman.core.text.protocol import REQUEST_LIMIT
from procman.runtime.control.wire import encode
from procman.runtime.system.poller import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from socket import socket

    from procman.runtime.system.poller import Poller

MAX_OWED = 1 << 20  # bytes; beyond them live output is skipped
PREFETCHED = 4  # parts taken from an iterator in advance
CHUNK = 65536  # bytes


class Client:
    """One connection. Each request goes to ``on_line(client, line)``, its end to ``on_gone(client)``, once."""

    __slots__ = (
        "_closing",
        "_events",
        "_in",
        "_later",
        "_more",
        "_on_gone",
        "_on_line",
        "_out",
        "_poller",
        "_reading",
        "_socket",
        "closed",
        "owed",
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
        self._later: list[bytes] = []  # follows `_out` and `_more`
        self._closing = False  # hang up as soon as nothing is owed
        self._reading = True  # otherwise, what it sends stays in the kernel's queue
        self._events = READ
        self.owed = 0  # bytes
        self.skipped = 0  # lines that it missed because it reads too slowly
        self.task: object = None  # what it waits for
        self.closed = False
        poller.add(connection.fileno(), self._on_ready)

    # Input ----------------------------------------------------------------------------------------------------------

    def _on_ready(self) -> None:
        """Read what has arrived and write what the client takes."""
        if not self._reading and not self._out:
            self.close()  # only its hang-up can have woken us
        elif self._reading and not self.closed:
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
            self.flush()  # it has sent everything, or is gone: try once to send what it is owed
            self.close()
            return
        self._in += chunk
        self._split_requests()

    def _split_requests(self) -> None:
        while not self.closed and self._reading:
            end = self._in.find(b"\n")
            if end > REQUEST_LIMIT or (end < 0 and len(self._in) > REQUEST_LIMIT):
                self.refuse(f"a request may have at most {REQUEST_LIMIT} bytes")
                return
            if end < 0:
                return
            line = bytes(self._in[:end])
            del self._in[: end + 1]
            if line.strip():
                self._on_line(self, line)

    def set_reading(self, reading: bool) -> None:
        """Stop reading requests for now, or continue."""
        if self._reading is not reading and not self._closing:
            self._reading = reading
            self._update_events()
            if reading:
                self._split_requests()

    # Output ---------------------------------------------------------------------------------------------------------

    def send(self, record: Mapping[str, object], payload: bytes = b"") -> None:
        """Queue a record and the bytes that belong to it."""
        if self.closed:
            return
        line = encode({**record, "size": len(payload)} if payload else record)
        self.owed += len(line) + len(payload)
        queue = self._out if self._more is None else self._later
        queue.append(line)
        if payload:
            queue.append(payload)
        self._update_events()

    def finish(self, record: Mapping[str, object] | None = None) -> None:
        """Queue the last record of an answer."""
        self.task = None
        self.send({"done": True, "code": 0, **(record or {})})

    def refuse(self, error: str, hint: str = "", code: int = 2, hang_up: bool = True) -> None:
        """Queue a refusal as the last record of an answer, and then hang up if ``hang_up``."""
        self.finish({"error": error, "hint": hint, "code": code})
        if hang_up:
            self._closing = True
            self._reading = False

    def feed(self, more: Iterator[bytes]) -> None:
        """Queue all parts that the iterator yields, taken when there is room for them."""
        self._more = more

    @property
    def full(self) -> bool:
        """Whether it is owed so much that live output is skipped."""
        return self.owed > MAX_OWED

    def report_skipped(self) -> bool:
        """Queue the number of skipped lines, if any. Return whether there were."""
        lost, self.skipped = self.skipped, 0
        if lost:
            self.send({"skipped": lost})
        return bool(lost)

    def flush(self) -> None:
        """Send as much as the client takes now."""
        if self.closed:
            return
        try:
            while (self._fill() or self.report_skipped()) and self._send_first():
                pass
        except OSError:
            self.close()
            return
        if not self.owed and self._closing:
            self.close()
            return
        self._update_events()

    def _fill(self) -> bool:
        while self._more is not None and len(self._out) < PREFETCHED:
            part = next(self._more, None)
            if part is None:
                self._more = None
                self._out += self._later
                self._later.clear()
                break
            self._out.append(part)
            self.owed += len(part)
        return bool(self._out)

    def _send_first(self) -> bool:
        """Send the first part of the queue. Return False if the client takes no more for now."""
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

    def _update_events(self) -> None:
        events = (READ if self._reading else 0) | (WRITE if self._out else 0)
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
