"""The output of instances for a client: from the history, and live."""

from __future__ import annotations

import time

from procman.output.sink import Sink
from procman.runtime.control.tasks import Task, is_meant
from procman.runtime.control.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from procman.output.hub import Hub
    from procman.output.sinks.history import Entry, History
    from procman.runtime.control.client import Client

BLOCK = 65536  # bytes of lines, sent together


def recalled(head: Mapping[str, object], entries: Sequence[Entry], last: Mapping[str, object]) -> Iterator[bytes]:
    """Yield ``head``, each entry as a record and its bytes, and then ``last``; in blocks, made when there is room.

    A session of a hundred processes has 3,000 entries. JSON for each of them, and a system call, would take half the
    time that they take to be sent.
    """
    parts, size = [encode(head)], 0
    names: dict[tuple[str, str], str] = {}
    for entry in entries:
        lines, key = entry.lines, (entry.name, entry.stream)
        start = names.get(key) or names.setdefault(
            key, encode({"log": entry.name, "stream": entry.stream}).decode()[:-2]
        )
        marks = f', "marks": {entry.marks}' if entry.marks else ""
        record = f'{start}, "time": {entry.time:.3f}, "at": {entry.at}{marks}, "size": {len(lines)}}}\n'
        if size + len(lines) > BLOCK:
            yield b"".join(parts)
            parts, size = [], 0
        parts += (record.encode(), lines)
        size += len(lines)
    yield b"".join((*parts, encode(last)))


class Follower(Task):
    """Sends live output (``logs -f``) until the client leaves."""

    def __init__(self, client: Client, hub: Hub, names: Sequence[str]) -> None:
        super().__init__(client)
        self._hub = hub
        self._sink = _ClientSink(client, hub.history, lambda name: is_meant(names, name))
        hub.add(self._sink)

    def drop(self) -> None:
        """Take the sink off the hub."""
        self._hub.remove(self._sink)


class _ClientSink(Sink):
    """Sends lines to one client. A client that reads too slowly misses lines and is told how many.

    The history, which is before it in the hub, has just counted the lines.
    """

    __slots__ = ("_client", "_history", "_is_meant", "_meant")

    def __init__(self, client: Client, history: History, is_meant: Callable[[str], bool]) -> None:
        self._client = client
        self._history = history
        self._is_meant = is_meant
        self._meant: dict[str, bool] = {}

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Send lines of one instance, if the client wants them and has room."""
        meant = self._meant.get(name)
        if meant is None:
            meant = self._meant[name] = self._is_meant(name)
        client = self._client
        if not meant or client.closed:
            return
        if client.full:
            client.skipped += lines.count(b"\n")
            return
        client.report_skipped()
        at = self._history.position - len(lines)
        client.send({"log": name, "stream": stream, "time": round(time.time(), 3), "at": at}, lines)

    def announce(self, text: str) -> None:
        """Send a line of procman's own."""
        self.publish("system", "system", text.encode("utf-8", "replace") + b"\n")
