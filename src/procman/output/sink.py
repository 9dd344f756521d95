"""Shows nothing: what every sink can be told, and what it does when it does not care."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Sink:
    """One reader of the output: the screen, a file, a client. A real sink overrides what it cares about."""

    __slots__ = ()

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Whole lines of one instance, each ended by a newline."""

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Whole lines that were not copied together: ``before`` and then ``chunk`` up to ``end``."""
        self.publish(name, stream, b"".join((before, memoryview(chunk)[:end])))

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """A line that has not ended yet, all of it so far; whether to be told again, since this is not the time."""
        return False

    def announce(self, text: str) -> None:
        """One line of ``system``."""

    def began(self, name: str, pid: int) -> None:
        """A new child speaks for this instance."""

    def record(self, record: Mapping[str, object]) -> None:
        """Take an event as a record, see messages/sentences.py; for readers that are programs."""

    def line_count(self, name: str) -> int:
        """How many lines an instance has published, if this sink counts them."""
        return 0

    def choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        """Hide these instances or process types as well; or show nothing but ``focus``, unless that is empty."""

    def hides(self, name: str) -> bool:
        """Whether this instance is not shown."""
        return False

    def lend(self, name: str) -> None:
        """Leave out the lines of this instance, which is shown in another way; empty: of nobody."""

    def highlight(self, pattern: str) -> None:
        """Mark what matches a regular expression."""

    def reopen(self) -> None:
        """Files may have been moved away: open them anew."""

    def close(self) -> None:
        """Nothing more will come."""
