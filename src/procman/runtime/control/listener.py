"""Does: serves the control socket, as a guest of the engine: lets clients in, hands on what they ask, wakes who waits.

While nobody is connected it costs a comparison a turn; most of it is imported when the first client comes.
"""

from __future__ import annotations

from procman.errors import EXIT_FAILURE, EXIT_SOFTWARE
from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.poller import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from procman.core.lifecycle.transitions import Instance
    from procman.runtime.control.client import Client
    from procman.runtime.control.endpoint import Endpoint
    from procman.runtime.control.session import Session
    from procman.runtime.system.poller import Poller

MOST_CLIENTS = 160
PAUSE = 0.5  # seconds until the door is tried again when there was no descriptor for who knocked


class Control(QuietComponent):
    """The session's control socket at `place`; `open_session` makes the one who has the answers."""

    def __init__(self, endpoint: Endpoint, open_session: Callable[[], Session]) -> None:
        self._endpoint = endpoint
        self._open_session = open_session
        self._session: Session | None = None
        self._clients: list[Client] = []
        self._open_again: float | None = None
        self._poller: Poller | None = None

    def open(self, poller: Poller) -> None:
        """Begin to listen."""
        self._poller = poller
        poller.add(self._endpoint.socket.fileno(), self._accept)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Tell who waits for it."""
        if self._session is not None and self._clients:
            self._session.on_event(action, instance, now)

    def next_deadline(self) -> float | None:
        """When somebody's patience ends, or the door is opened again."""
        if self._session is None or not self._clients:
            return self._open_again
        times = (self._open_again, self._session.next_deadline())
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> None:
        """Go on with what takes longer, and send what is owed."""
        if self._open_again is not None and self._open_again <= now:
            self._resume_accepting()
        if self._session is None or not self._clients:
            return
        self._session.tick(now)
        for client in list(self._clients):
            if client.owed:
                client.flush()

    def close(self, now: float, code: int) -> None:
        """The session is over: tell everybody, and remove the socket."""
        if self._session is not None:
            self._session.close(now, code)
        for client in list(self._clients):
            client.flush()
            client.close()
        self._endpoint.leave()

    # The door -------------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        import _socket

        try:
            self._prepare()
        except OSError:  # no descriptor left to read a module from: who knocks must wait
            self._stop_accepting()
            return
        for _ in range(16):  # a turn; more wait in the kernel's queue
            try:
                fd, _address = self._endpoint.socket._accept()  # type: ignore[attr-defined]  # the C half has only this
            except BlockingIOError:
                return
            except OSError:  # no descriptor left: who knocks must wait
                self._stop_accepting()
                return
            connection = _socket.socket(fileno=fd)
            connection.setblocking(False)
            self._admit(connection)  # type: ignore[arg-type]  # see endpoint.connect

    def _prepare(self) -> None:
        """Import what a client needs before he is let in: he might take the last descriptor."""
        import json  # noqa: F401  (for wire: without it not even a refusal can be said)

        from procman.core.text import protocol  # noqa: F401  (for _handle)
        from procman.runtime.control import (
            client,  # noqa: F401  (for _admit and _handle)
            endpoint,  # noqa: F401  (for _admit and _handle)
            verbs,  # noqa: F401  (for _admit and _handle)
            wire,  # noqa: F401  (for _admit and _handle)
        )

        if self._session is None:
            self._session = self._open_session()

    def _admit(self, connection: socket) -> None:
        from procman.runtime.control.client import Client
        from procman.runtime.control.endpoint import peer_is_allowed

        if not peer_is_allowed(connection):
            connection.close()
            return
        if len(self._clients) >= MOST_CLIENTS:
            self._make_room()
        assert self._poller is not None
        self._clients.append(Client(connection, self._poller, self._on_line, self._forget))

    def _make_room(self) -> None:
        """Who has been idle for longest leaves: else a hundred silent clients would lock the user out."""
        idle = [client for client in self._clients if client.task is None]
        (idle or self._clients)[0].close()

    def _stop_accepting(self) -> None:
        import time

        assert self._poller is not None
        self._open_again = time.monotonic() + PAUSE
        self._poller.change(self._endpoint.socket.fileno(), 0)

    def _resume_accepting(self) -> None:
        assert self._poller is not None
        self._open_again = None
        self._poller.change(self._endpoint.socket.fileno(), READ)

    # Clients --------------------------------------------------------------------------------------------------------

    def _on_line(self, client: Client, line: bytes) -> None:
        try:
            self._handle(client, line)
        except OSError as error:  # most likely no descriptor is left for a module that is imported at its first use
            reason = (error.strerror or str(error)).lower()
            client.refuse(
                f"the session cannot answer now: {reason}", "try again when fewer processes run", EXIT_FAILURE
            )
        except Exception as error:  # a bug in an answer must not end what the user has running
            client.refuse(
                f"this is a bug in procman: {type(error).__name__}: {error}", "please report it", EXIT_SOFTWARE
            )

    def _handle(self, client: Client, line: bytes) -> None:
        from procman.core.text.protocol import ProtocolError, read_request
        from procman.runtime.control.verbs import handle
        from procman.runtime.control.wire import decode

        assert self._session is not None
        try:
            request = read_request(decode(line))
        except ProtocolError as error:
            client.refuse(str(error))
            return
        handle(self._session, client, request)

    def _forget(self, client: Client) -> None:
        self._clients.remove(client)
        if self._session is not None:
            self._session.forget(client)
