"""Which lines ``procman logs`` shows: those that match, and lines around them. The session sends them all.

A pattern is searched for here, in the client, so that a slow one cannot delay the session.
"""

from __future__ import annotations

import re
from collections import deque

from procman.core.text.values import compiled
from procman.errors import UsageError
from procman.output.sanitize.escapes import visible, without_color
from procman.output.sinks.severity import RANKS, severity
from procman.output.sinks.transforms import SEARCH_LIMIT, SearchTimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Record = dict[str, object]
    Kept = tuple[int, Record, int, bytes]  # the line's number, its record, its position, the line

_ACTIVE = re.compile(rb"[\x00-\x08\x0b-\x1f]")  # what a terminal acts upon, except for tabs


class LineFilter:
    """Whether each line matches a pattern, a lowest level and a stream, as far as they are given."""

    def __init__(
        self,
        pattern: str | None = None,
        ignore_case: bool = False,
        invert: bool = False,
        level: str | None = None,
        only_stderr: bool = False,
    ) -> None:
        self._search = None if pattern is None else compiled(pattern, re.IGNORECASE if ignore_case else 0).search
        self._pattern = pattern
        self._invert = invert
        self._lowest = RANKS[level] if level else 0
        self._only_stderr = only_stderr
        self._limit = SearchTimeLimit()
        self.has_seen_stderr = False

    def matches(self, stream: str, lines: Sequence[bytes]) -> list[bool]:
        """Return for each line whether it matches. Raises UsageError if the pattern takes too long."""
        self.has_seen_stderr = self.has_seen_stderr or stream == "stderr"
        if self._only_stderr and stream != "stderr":
            return [False] * len(lines)
        if self._search is None and not self._lowest:
            return [True] * len(lines)
        texts = [shown(line) for line in lines]
        found = self._found(texts)
        if self._lowest:
            found = [match and severity(text) >= self._lowest for match, text in zip(found, texts, strict=True)]
        return found

    def _found(self, texts: list[str]) -> list[bool]:
        search, invert = self._search, self._invert
        if search is None:
            return [True] * len(texts)
        try:
            size = sum(map(len, texts))
            return self._limit.search(lambda: [(search(text) is not None) is not invert for text in texts], size)
        except TimeoutError:
            raise UsageError(
                f'--grep takes more than {SEARCH_LIMIT:g} s to search for "{self._pattern}"',
                "avoid repeats inside of repeats, such as (a+)+",
            ) from None


def shown(line: bytes) -> str:
    """Return what a terminal would show of a line, without colors. A session with --raw sends any control sequence."""
    if _ACTIVE.search(line):
        line = without_color(line)
        if _ACTIVE.search(line):
            line = without_color(visible(line))
    return line.decode("utf-8", "replace")


class Selection:
    """Shows the lines that match, with some lines of the same instance before and after each.

    Of the session's memory only the last ``count`` matches are shown, so its lines are held back until it is complete;
    or, with ``first``, the first ``count`` matches. ``found`` is whether any line has matched, ``complete`` whether no
    further line will be shown.
    """

    def __init__(
        self,
        line_filter: LineFilter,
        show: Callable[[Record, bytes], None],
        around: int = 0,
        count: int | None = None,
        first: bool = False,
    ) -> None:
        self.found = False
        self.filter = line_filter
        self._show = show
        self._around = around
        self._count = None if first else count
        self._left = count if first else None  # matches until it is complete
        self.complete = self._left == 0
        self._number = 0  # of the latest line
        self._recalled: deque[tuple[Kept, bool]] | None = None if first else deque(maxlen=None if around else count)
        self._before: dict[object, deque[Kept]] = {}  # lines of an instance that may come before a match
        self._after: dict[object, int] = {}  # how many lines of an instance are still to be shown

    def add(self, record: Record, lines: bytes) -> None:
        """Take lines of one instance, and show what is chosen of them."""
        split = lines[:-1].split(b"\n")
        at = record.get("at", 0)
        assert isinstance(at, int)
        chosen: list[Kept] = []
        for line, match in zip(split, self.filter.matches(str(record["stream"]), split), strict=True):
            self._number += 1
            self.found = self.found or match
            kept = self._number, record, at, line
            at += len(line) + 1
            if self._recalled is None:
                if match and self._has_enough():
                    break
                chosen += self._chosen(kept, match)
            elif match or self._around:
                self._recalled.append((kept, match))
        self._show_all(chosen)

    def _has_enough(self) -> bool:
        """Count a match; return whether there were enough before it, or enough with it if no lines around it count."""
        if self._left is None:
            return False
        self.complete = self._left == 0
        self._left -= 1
        return self.complete

    def end_memory(self) -> None:
        """Show what is chosen of the session's memory. Whatever is added later is shown as it arrives."""
        if self._recalled is None:
            return
        recalled, self._recalled = self._recalled, None
        earlier = 0 if self._count is None else sum(match for _, match in recalled) - self._count  # not shown
        chosen: list[Kept] = []
        for kept, match in recalled:
            earlier -= match
            chosen += self._chosen(kept, match and earlier < 0)
        self._show_all(sorted(chosen, key=lambda kept: kept[0]))

    def _chosen(self, kept: Kept, match: bool) -> list[Kept]:
        """Return the lines to show because of this one: itself if it is near a match, and those before a match."""
        if not self._around:
            return [kept] if match else []
        instance = kept[1]["log"]
        before = self._before.setdefault(instance, deque(maxlen=self._around))
        if match:
            found = [*before, kept]
            before.clear()
            self._after[instance] = self._around
            return found
        left = self._after.get(instance, 0)
        if left:
            self._after[instance] = left - 1
            return [kept]
        before.append(kept)
        return []

    def _show_all(self, chosen: list[Kept]) -> None:
        """Show lines, all that follow each other in one record together."""
        at = 0
        while at < len(chosen):
            number, record, position, _ = chosen[at]
            end = at
            while end < len(chosen) and chosen[end][1] is record and chosen[end][0] - number == end - at:
                end += 1
            self._show({**record, "at": position}, b"".join(line + b"\n" for *_, line in chosen[at:end]))
            at = end
