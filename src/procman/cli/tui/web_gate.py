"""Lets only those connections through to a web server that know its token; others are cut off without an answer."""

from __future__ import annotations

import asyncio
import hmac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_HEAD = 16 << 10  # bytes of a request before its body
HEAD_TIME = 10.0  # seconds for it to arrive


class WebGate(asyncio.Protocol):
    """One connection. If ``accepts`` the head of its first request, ``handler`` makes the protocol of the rest."""

    def __init__(self, accepts: Callable[[bytes], bool], handler: Callable[[], asyncio.Protocol]) -> None:
        self._accepts = accepts
        self._handler = handler
        self._in = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(HEAD_TIME, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Look at the head of the first request as soon as it is complete."""
        self._in += data
        head, end, _ = self._in.partition(b"\r\n\r\n")
        if end and len(head) <= MAX_HEAD and self._accepts(head):
            self._timer.cancel()
            handler = self._handler()
            self._transport.set_protocol(handler)
            handler.connection_made(self._transport)
            handler.data_received(self._in)
        elif end or len(head) > MAX_HEAD:
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the connection."""
        self._timer.cancel()


def accepts(head: bytes, token: str, host: str) -> bool:
    """Whether the head of a request is for a path below the token, at this host, and from no other site's page."""
    first, *lines = head.split(b"\r\n")
    path = first.split(b" ")[1] if first.count(b" ") == 2 else b""
    fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    hosts = [value for name, value in fields if name == b"host"]
    origins = {value for name, value in fields if name == b"origin"}
    known = hmac.compare_digest(path[:1] + path[1:].partition(b"/")[0], b"/" + token.encode())
    return known and hosts == [host.encode()] and origins <= {b"http://" + host.encode()}
