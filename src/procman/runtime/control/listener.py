"""The component that serves the control socket: it accepts clients, passes their requests on and drives their tasks.

While no client is connected it costs one comparison per turn. Most of it is imported when the first client connects.
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

MAX_CLIENTS = 160
MAX_ACCEPTED = 16  # clients per turn; the others wait in the kernel's queue
ACCEPT_RETRY_INTERVAL = 0.5  # seconds, when there was no descriptor left for a client


class Control(QuietComponent):
    """The session's control socket. ``open_session`` makes the session that answers, for the first client."""

    def __init__(self, endpoint: Endpoint, open_session: Callable[[], Session]) -> None:
        self._endpoint = endpoint
        self._open_session = open_session
        self._session: Session | None = None
        self._clients: list[Client] = []
        self._accept_again_at: float | None = None
        self._poller: Poller | None = None

    def open(self, poller: Poller) -> None:
        """Begin to accept clients."""
        self._poller = poller
        poller.add(self._endpoint.socket.fileno(), self._accept)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Pass the event on to the tasks of clients."""
        if self._session is not None and self._clients:
            self._session.on_event(action, instance, now)

    def next_deadline(self) -> float | None:
        """Return when a task is due, or when to accept clients again."""
        if self._session is None or not self._clients:
            return self._accept_again_at
        times = (self._accept_again_at, self._session.next_deadline())
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> None:
        """Check the tasks that are due, and send what clients are owed."""
        if self._accept_again_at is not None and self._accept_again_at <= now:
            self._resume_accepting()
        if self._session is None or not self._clients:
            return
        self._session.tick(now)
        for client in list(self._clients):
            if client.owed:
                client.flush()

    def close(self, now: float, code: int) -> None:
        """Send every client the end of the session, and remove the socket."""
        if self._session is not None:
            self._session.close(now, code)
        for client in list(self._clients):
            client.flush()
            client.close()
        self._endpoint.close()

    # Connections ----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        import _socket

        try:
            self._prepare()
        except OSError:  # no descriptor left to read a module from: the client has to wait
            self._stop_accepting()
            return
        for _ in range(MAX_ACCEPTED):
            try:
                fd, _address = self._endpoint.socket._accept()  # type: ignore[attr-defined]  # the C half has only this
            except BlockingIOError:
                return
            except OSError:  # no descriptor left: the client has to wait
                self._stop_accepting()
                return
            connection = _socket.socket(fileno=fd)
            connection.setblocking(False)
            try:
                self._add(connection)  # type: ignore[arg-type]  # see endpoint.connect
            except OSError:  # it cannot be polled, or its user is unknown
                connection.close()

    def _prepare(self) -> None:
        """Import what a client needs before it is accepted: it might take the last descriptor."""
        import json  # noqa: F401  (for wire: without it not even a refusal can be sent)

        from procman.core.text import protocol  # noqa: F401  (for _handle)
        from procman.runtime.control import (
            client,  # noqa: F401  (for _add and _handle)
            endpoint,  # noqa: F401  (for _add and _handle)
            verbs,  # noqa: F401  (for _add and _handle)
            wire,  # noqa: F401  (for _add and _handle)
        )

        if self._session is None:
            self._session = self._open_session()

    def _add(self, connection: socket) -> None:
        from procman.runtime.control.client import Client
        from procman.runtime.control.endpoint import peer_is_allowed

        if not peer_is_allowed(connection):
            connection.close()
            return
        if len(self._clients) >= MAX_CLIENTS:
            self._drop_idlest()
        assert self._poller is not None
        self._clients.append(Client(connection, self._poller, self._on_line, self._forget))

    def _drop_idlest(self) -> None:
        """Hang up on the client that has been idle for longest, so that silent clients cannot lock the user out."""
        idle = [client for client in self._clients if client.task is None]
        (idle or self._clients)[0].close()

    def _stop_accepting(self) -> None:
        import time

        assert self._poller is not None
        self._accept_again_at = time.monotonic() + ACCEPT_RETRY_INTERVAL
        self._poller.change(self._endpoint.socket.fileno(), 0)

    def _resume_accepting(self) -> None:
        assert self._poller is not None
        self._accept_again_at = None
        self._poller.change(self._endpoint.socket.fileno(), READ)

    # Requests -------------------------------------------------------------------------------------------------------

    def _on_line(self, client: Client, line: bytes) -> None:
        try:
            self._handle(client, line)
        except OSError as error:  # most likely no descriptor is left to import a module with
            reason = (error.strerror or str(error)).lower()
            client.refuse(
                f"the session cannot answer now: {reason}", "try again when fewer processes are running", EXIT_FAILURE
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
