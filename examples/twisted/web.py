"""The web process: every visitor keeps one connection open and reads the chat."""

from __future__ import annotations

import argparse
import os

from twisted.application.internet import ClientService
from twisted.internet import endpoints, protocol, reactor
from twisted.protocols.basic import LineOnlyReceiver
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site


class Live(Resource):
    """The page: plain text that never ends."""

    isLeaf = True  # noqa: N815 -- Twisted's name

    def __init__(self) -> None:
        super().__init__()
        self.visitors: set[Request] = set()

    def render_GET(self, request: Request) -> int:  # noqa: N802 -- Twisted's name
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        request.write(b"listening\n")
        self.visitors.add(request)
        request.notifyFinish().addBoth(lambda _: self.visitors.discard(request))
        return NOT_DONE_YET

    def tell(self, line: bytes) -> None:
        """Send a line to every visitor."""
        for visitor in self.visitors:
            visitor.write(line + b"\n")


class Listener(LineOnlyReceiver):
    """Our own connection to the chat."""

    delimiter = b"\n"

    def __init__(self, live: Live) -> None:
        self.live = live

    def connectionMade(self) -> None:  # noqa: N802 -- Twisted's name
        print("listening to the chat")

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 -- Twisted's name
        self.live.tell(line)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    live = Live()
    endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(Site(live))
    chat = endpoints.clientFromString(reactor, f"tcp:127.0.0.1:{os.environ['PROCMAN_CHAT_PORT']}")
    factory = protocol.Factory.forProtocol(lambda: Listener(live))
    ClientService(chat, factory).startService()  # reconnects, so the order of the start does not matter
    reactor.callWhenRunning(lambda: print(f"open at http://127.0.0.1:{port}/"))
    reactor.run()


if __name__ == "__main__":
    main()
