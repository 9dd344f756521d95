"""Does: notices the line by which a program says that it is ready, as it passes by; a sink of the hub's."""

from __future__ import annotations

import re

from procman.output.sink import Sink
from procman.output.sinks.transforms import TimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class LogLines(Sink):
    """What lines are waited for, by instance; it leaves the hub when there are none, so that output costs nothing."""

    __slots__ = ("_expected",)

    wants_colors = False  # they would hide the line

    def __init__(self) -> None:
        self._expected: dict[str, tuple[re.Pattern[bytes], TimeLimit, Callable[[str], None]]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no line is waited for."""
        return not self._expected

    def expect(self, name: str, pattern: str, answer: Callable[[str], None]) -> None:
        """Call ``answer`` once, when a line of the instance matches the regular expression; or, with words, when it is
        not looked for any more, because it takes too long."""
        self._expected[name] = (re.compile(pattern.encode(), re.MULTILINE), TimeLimit(), answer)

    def forget(self, name: str) -> None:
        """Do not wait for the instance's line any more."""
        self._expected.pop(name, None)

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Look for the line."""
        expected = self._expected.get(name)
        if expected is None:
            return
        pattern, limit, answer = expected
        words = ""
        try:
            if not limit.search(lambda: pattern.search(lines), len(lines)):
                return
        except TimeoutError:
            words = f"{pattern.pattern.decode()!r} takes too long to find"
        del self._expected[name]
        answer(words)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """A prompt counts, too."""
        self.publish(name, stream, tail)
        return False
