"""The fan-out: which sink gets what."""

from __future__ import annotations

from procman.output.hub import Hub
from procman.output.sink import Sink

RED = b"\x1b[31mred\x1b[0m"


class Reader(Sink):
    """Keeps all text that it is given."""

    def __init__(self, wants_colors: bool) -> None:
        self.wants_colors = wants_colors
        self.text: list[bytes | str] = []

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        self.text.append(lines)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        self.text.append(tail)
        return not self.wants_colors

    def announce(self, text: str) -> None:
        self.text.append(text)


def test_a_sink_that_wants_no_colors_gets_none() -> None:
    colored, plain, other = Reader(True), Reader(False), Reader(False)
    hub = Hub(colored)
    hub.add(plain)
    hub.add(other)
    hub.publish("web.1", "stdout", RED + b"\nplain\n")
    hub.announce("web.1 said \x1b[31mred\x1b[0m")
    assert colored.text == [RED + b"\nplain\n", "web.1 said \x1b[31mred\x1b[0m"]
    assert plain.text == other.text == [b"red\nplain\n", "web.1 said red"]


def test_bytes_that_are_not_utf_8_survive_the_loss_of_their_colors() -> None:
    plain = Reader(False)
    Hub(plain).announce(b"    caf\xe9 \x1b[31mred\x1b[0m".decode("utf-8", "surrogateescape"))
    assert plain.text == [b"    caf\xe9 red".decode("utf-8", "surrogateescape")]


def test_parts_and_unfinished_lines_lose_their_colors_too() -> None:
    plain = Reader(False)
    hub = Hub(plain, raw=True)
    hub.publish_parts("web.1", "stdout", b"a ", RED + b"\nrest", len(RED) + 1)
    hub.publish_parts("web.1", "stdout", b"a ", b"b\nrest", 2)
    assert hub.partial("web.1", "stdout", RED + b"> ")  # one of them wants it again
    assert plain.text == [b"a red\n", b"a b\n", b"red> "]


def test_a_sink_that_is_removed_gets_nothing_more() -> None:
    screen, plain, other = Reader(True), Reader(False), Reader(False)
    hub = Hub(screen)
    for sink in (plain, other):
        hub.add(sink)
    hub.remove(plain)
    hub.publish("web.1", "stdout", b"x\n")
    hub.remove(other)
    hub.publish("web.1", "stdout", b"y\n")
    assert (screen.text, plain.text, other.text) == ([b"x\n", b"y\n"], [], [b"x\n"])
