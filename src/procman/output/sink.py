"""The interface of all sinks, which read the output: the screen, files, clients."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.output.screen.footer import Footer

ESC = 27


class Sink:
    """One reader of the output. A sink overrides the methods it needs; the others do nothing.

    The hub takes colors out for a sink whose ``wants_colors`` is False.
    """

    __slots__ = ()

    wants_colors: bool = True

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Take whole lines of one instance, each ended by a newline."""

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Take whole lines that were not copied together: ``before``, then ``chunk`` up to ``end``."""
        self.publish(name, stream, b"".join((before, memoryview(chunk)[:end])))

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Take an unfinished line, all of it so far. Return True to be offered it again later."""
        return False

    def announce(self, text: str) -> None:
        """Take one line of ``system``."""

    def child_started(self, name: str, pid: int) -> None:
        """Note that an instance has a new child."""

    def record(self, record: Mapping[str, object]) -> None:
        """Take an event as a record, see messages/sentences.py; for readers that are programs."""

    def line_count(self, name: str) -> int:
        """Return how many lines an instance has published, if this sink counts them."""
        return 0

    def choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        """Hide these instances or process types as well; or show only ``focus``, unless that is empty."""

    def hides(self, name: str) -> bool:
        """Whether this instance is hidden."""
        return False

    def lend(self, name: str) -> None:
        """Leave out the lines of the instance that has the terminal; an empty name leaves out none."""

    def use_footer(self, footer: Footer) -> None:
        """Use another footer in place of the first one, whose rows it has taken over."""

    def highlight(self, pattern: str) -> None:
        """Mark what matches a regular expression."""

    def reopen(self) -> None:
        """Reopen files, which may have been moved away."""

    def close(self) -> None:
        """Take note that no more output follows."""


class Uncolored(Sink):
    """Passes text on without its colors, taken out once for all of its sinks."""

    __slots__ = ("_sinks",)

    def __init__(self, sinks: tuple[Sink, ...]) -> None:
        self._sinks = sinks

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """See Sink.publish."""
        lines = uncolored(lines)
        for sink in self._sinks:
            sink.publish(name, stream, lines)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """See Sink.publish_parts."""
        if ESC in chunk or ESC in before:
            super().publish_parts(name, stream, before, chunk, end)
            return
        for sink in self._sinks:
            sink.publish_parts(name, stream, before, chunk, end)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """See Sink.partial."""
        tail = uncolored(tail)
        again = False
        for sink in self._sinks:
            again = sink.partial(name, stream, tail) or again
        return again

    def announce(self, text: str) -> None:
        """See Sink.announce. A line of ``system`` may quote a child."""
        if "\x1b" in text:
            text = uncolored(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        for sink in self._sinks:
            sink.announce(text)


def uncolored(lines: bytes) -> bytes:
    """Return clean lines without their colors, which only few lines have."""
    if ESC not in lines:
        return lines
    from procman.output.sanitize.escapes import without_color

    return without_color(lines)
