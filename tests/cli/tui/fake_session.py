"""A session that is not there: it answers at a socket of its own, from rows and output that a test sets."""

from __future__ import annotations

import json
import socket
import threading
import time

from procman.cli.control.connection import Connection, NoSessionError
from procman.output.sinks.history import History
from procman.runtime.control.endpoint import find
from procman.runtime.control.log_stream import recalled
from procman.runtime.control.tasks import is_meant
from procman.runtime.control.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    Record = dict[str, object]


SINCE = time.time() - 4 * 86400 - 7260  # four days and two hours ago, and a minute


def row(name: str, state: str = "running", **more: object) -> Record:
    """A row of ps."""
    kind, _, number = name.partition(".")
    known: Record = {"name": name, "type": kind, "number": int(number), "state": state, "pid": None, "uptime": None}
    return {**known, "restarts": 0, "port": None, "has_port": False, "url": None, "index": 0, "exit": None, **more}


class FakeSession:
    """Listens at ``path`` and notes each request. Without ``listen`` it answers nothing."""

    def __init__(self, path: Path, *rows: Record) -> None:
        self.path = str(path)
        self.rows = list(rows)
        self.history = History()
        self.session = "a1"
        self.requests: list[Record] = []
        self.awake = threading.Event()
        self.awake.set()
        self._clients: list[socket.socket] = []
        self.listen()

    def listen(self) -> None:
        """Take clients."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def find(self) -> Connection:
        """Connect to it, as the screen does."""
        found = find([self.path], given=True)
        if found is None:
            raise NoSessionError("no session is running", "procman tui --start begins one")
        return Connection(found)

    def say(self, name: str, *lines: str | bytes) -> None:
        """Publish lines of an instance."""
        for line in lines:
            self.history.publish(name, "stdout", (line.encode() if isinstance(line, str) else line) + b"\n")

    def end(self) -> None:
        """Go away, as a session that was killed."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        __import__("os").unlink(self.path)
        for client in self._clients:
            client.close() if client.fileno() < 0 else client.shutdown(socket.SHUT_RDWR)

    def asked(self, verb: str) -> list[Record]:
        """The requests with this verb."""
        return [request for request in self.requests if request["verb"] == verb]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            try:
                for line in lines:
                    self.awake.wait()
                    request = json.loads(line)
                    self.requests.append(request)
                    client.sendall(self._answer(request))
            except OSError:
                pass

    def _answer(self, request: Record) -> bytes:
        about: Record = {"pid": 4242, "procfile": "/srv/shop/Procfile", "session": self.session, "since": SINCE}
        if request["verb"] == "ps":
            return encode({**about, "done": True, "code": 0, "instances": self.rows})
        if request["verb"] == "why":
            names = request["names"] or [one["name"] for one in self.rows]
            return encode({"done": True, "instances": [{"name": name, "why": "it is [b]up[/b]"} for name in names]})  # type: ignore[attr-defined]
        if request["verb"] == "logs":
            return self._logs(request)
        return encode({"say": f"{request['verb']} done"}) + encode({"done": True, "code": 0})

    def _logs(self, request: Record) -> bytes:
        names, after, before = request["names"], request.get("after") or 0, request.get("before")

        def meant(name: str) -> bool:
            return is_meant(names, name)  # type: ignore[arg-type]

        entries = self.history.recall(meant, None, request["lines"], after, before)  # type: ignore[arg-type]
        lost, missing = self.history.lost(meant, after)  # type: ignore[arg-type]
        head = {"cursor": f"{self.session}:{self.history.position}", "lost": lost, "missing": missing, "lives": {}}
        return b"".join(recalled(head, entries, {"done": True, "code": 0}))
