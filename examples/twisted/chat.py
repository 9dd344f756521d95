"""The chat process: sends every line to every connection. One process, any number of connections."""

from __future__ import annotations

import os

from twisted.internet import endpoints, protocol, reactor
from twisted.protocols.basic import LineOnlyReceiver


class Talker(LineOnlyReceiver):
    """One connection."""

    delimiter = b"\n"
    factory: Room

    def connectionMade(self) -> None:  # noqa: N802 -- Twisted's name
        self.factory.talkers.add(self)
        print(f"{len(self.factory.talkers)} connected")

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 -- Twisted's name
        for talker in self.factory.talkers:
            talker.sendLine(line.rstrip(b"\r"))

    def connectionLost(self, reason: object = None) -> None:  # noqa: N802 -- Twisted's name and parameter
        self.factory.talkers.discard(self)
        print(f"{len(self.factory.talkers)} connected")


class Room(protocol.ServerFactory):
    """All connections."""

    protocol = Talker

    def __init__(self) -> None:
        self.talkers: set[Talker] = set()


def main() -> None:
    port = int(os.environ["PORT"])
    endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(Room())
    reactor.callWhenRunning(lambda: print(f"chat is open on port {port}"))
    reactor.run()  # handles TERM and INT itself


if __name__ == "__main__":
    main()
