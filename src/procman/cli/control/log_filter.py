"""Which lines ``procman logs`` shows: those that match, and lines around them. The session sends them all.

A pattern is searched for here, in the client, so that a slow one cannot delay the session. A session of a hundred
processes holds 150,000 lines: what is done for each of them is counted in nanoseconds.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import accumulate

from procman.core.text.values import compiled
from procman.errors import UsageError
from procman.output.sanitize.escapes import visible, without_color
from procman.output.sinks.severity import RANKS, SeverityFilter
from procman.output.sinks.transforms import SEARCH_LIMIT, SearchTimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from procman.cli.control.redaction import Redaction

    Record = dict[str, object]
    Show = Callable[[Record, bytes], None]

_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n")  # what a terminal acts upon, except for tabs
_ACTIVE = re.compile(b"[%b]" % re.escape(_CONTROLS))


class LineFilter:
    """Whether each line matches a pattern, a lowest level and a stream, as far as they are given.

    With a ``redaction``, secrets are masked before.
    """

    def __init__(
        self,
        pattern: str | None = None,
        ignore_case: bool = False,
        invert: bool = False,
        level: str | None = None,
        only_stderr: bool = False,
        redaction: Redaction | None = None,
    ) -> None:
        self._search = None if pattern is None else compiled(pattern, re.IGNORECASE if ignore_case else 0).search
        self._pattern = pattern
        self._invert = invert
        self._severe = SeverityFilter(RANKS[level]) if level else None
        self._only_stderr = only_stderr
        self._redaction = redaction
        self._limit = SearchTimeLimit()
        self.has_seen_stderr = False

    def matches(self, stream: str, lines: bytes) -> Sequence[int]:
        """Return which of whole lines match, by their indexes. Raises UsageError if the pattern takes too long."""
        self.has_seen_stderr = self.has_seen_stderr or stream == "stderr"
        if self._only_stderr and stream != "stderr":
            return ()
        if self._search is None and self._severe is None:
            return range(lines.count(b"\n"))
        text = shown_text(lines)
        if self._redaction is not None:  # before the search, which could find out a secret letter by letter
            text = self._redaction.text(text)
        severe = None if self._severe is None else self._severe.matches(text)
        if self._search is None or severe == []:
            return severe or ()
        found = self._found(text.split("\n"), len(lines))
        return found if severe is None else sorted({*found}.intersection(severe))

    def _found(self, texts: list[str], size: int) -> list[int]:
        search, invert = self._search, self._invert
        assert search is not None
        try:
            return self._limit.search(
                lambda: [at for at, text in enumerate(texts) if (search(text) is None) is invert], size
            )
        except TimeoutError:
            raise UsageError(
                f'--grep takes more than {SEARCH_LIMIT:g} s to search for "{self._pattern}"',
                "avoid repeats inside of repeats, such as (a+)+",
            ) from None


def shown_text(lines: bytes) -> str:
    """Return what a terminal would show of whole lines, without the last newline. Most are plain."""
    if len(lines.translate(None, _CONTROLS)) == len(lines):
        return lines[:-1].decode("utf-8", "replace")
    return "\n".join([shown(line) for line in lines[:-1].split(b"\n")])


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
        self, line_filter: LineFilter, show: Show, around: int = 0, count: int | None = None, first: bool = False
    ) -> None:
        self.found = False
        self.filter = line_filter
        self._show = show
        self._around = around
        self._count = count
        self._first = first
        self.complete = first and count == 0
        self._number = 0  # of the latest line
        self._matches = 0  # held back, or with `first` shown
        is_shown_as_it_comes = first or (count is None and not around)
        self._recalled: deque[_Chunk] | None = None if is_shown_as_it_comes else deque()
        self._before: dict[object, deque[tuple[_Chunk, int]]] = {}  # lines of an instance that may come before a match
        self._after: dict[object, int] = {}  # how many lines of an instance are still to be shown

    def add(self, record: Record, lines: bytes) -> None:
        """Take lines of one instance, and show what is chosen of them."""
        chunk = _Chunk(self._number, record, lines, self.filter.matches(str(record["stream"]), lines))
        self._number += chunk.size
        matches = chunk.matches
        self.found = self.found or bool(matches)
        if self._first and self._count is not None:
            self._limit_to_first(chunk, self._count - self._matches)
        if self._recalled is None:
            self._show_all(self._chosen(chunk))
        elif matches or self._around:
            self._recalled.append(chunk)
            self._matches += len(matches)
            self._forget()

    def _limit_to_first(self, chunk: _Chunk, left: int) -> None:
        """Leave out the matches that are too many, and the lines from the first of them on."""
        if len(chunk.matches) > left:
            self.complete = True
            chunk.size = chunk.matches[left]
            chunk.matches = chunk.matches[:left]
        self._matches += len(chunk.matches)

    def _forget(self) -> None:
        """Drop what cannot be among the last matches any more. Lines around them may come from anywhere before."""
        recalled, count = self._recalled, self._count
        if count is None or self._around:
            return
        while recalled and self._matches - len(recalled[0].matches) >= count:
            self._matches -= len(recalled.popleft().matches)

    def end_memory(self) -> None:
        """Show what is chosen of the session's memory. Whatever is added later is shown as it arrives."""
        if self._recalled is None:
            return
        recalled, self._recalled = self._recalled, None
        earlier = 0 if self._count is None else max(0, self._matches - self._count)  # not shown
        chosen: list[_Run] = []
        for chunk in recalled:
            skipped = min(earlier, len(chunk.matches))
            earlier -= skipped
            chunk.matches = chunk.matches[skipped:]
            chosen += self._chosen(chunk)
        self._show_all(sorted(chosen, key=lambda run: run.number))

    def _chosen(self, chunk: _Chunk) -> list[_Run]:
        """Return what to show because of this chunk: its lines near a match, and those before it in earlier chunks."""
        if not self._around:
            return list(chunk.runs(chunk.matches))
        instance, size, around = chunk.record["log"], chunk.size, self._around
        before = self._before.setdefault(instance, deque(maxlen=around))
        left = self._after.get(instance, 0)
        near = list(range(min(left, size)))
        self._after[instance] = left - len(near)
        earlier: list[_Run] = []
        for at in chunk.matches:
            near += range(max(len(near) and near[-1] + 1, at - around), min(size, at + around + 1))
            self._after[instance] = max(0, at + around + 1 - size)
        if chunk.matches:
            missing = around - chunk.matches[0]
            last = list(before)[-missing:] if missing > 0 else []
            earlier = [run for other, at in last for run in other.runs((at,))]
            before.clear()
        end = near[-1] + 1 if near else 0
        before += [(chunk, at) for at in range(max(end, size - around), size)]
        return [*earlier, *chunk.runs(near)]

    def _show_all(self, runs: list[_Run]) -> None:
        for run in runs:
            self._show(run.record, run.lines)


class _Run:
    """Lines that follow each other in one chunk, as a ``record`` and its ``lines``; ``number`` is that of the first."""

    __slots__ = ("lines", "number", "record")

    def __init__(self, number: int, record: Record, lines: bytes) -> None:
        self.number = number
        self.record = record
        self.lines = lines


class _Chunk:
    """Lines of one instance that came together; ``matches`` are the indexes of those that match.

    ``number`` is that of its first line, ``size`` how many lines count.
    """

    __slots__ = ("lines", "matches", "number", "record", "size")

    def __init__(self, number: int, record: Record, lines: bytes, matches: Sequence[int]) -> None:
        self.number = number
        self.record = record
        self.lines = lines
        self.size = lines.count(b"\n")
        self.matches = matches

    def runs(self, indexes: Sequence[int]) -> Iterator[_Run]:
        """Yield the lines of these indexes, which are in order."""
        if not indexes:
            return
        at = self.record.get("at", 0)
        assert isinstance(at, int)
        split = self.lines.split(b"\n")
        places = list(accumulate(map(len, split), initial=at))  # without the newlines
        breaks = [place for place in range(1, len(indexes)) if indexes[place] - indexes[place - 1] != 1]
        for begin, end in zip([0, *breaks], [*breaks, len(indexes)], strict=True):
            first, last = indexes[begin], indexes[end - 1] + 1
            record = {**self.record, "at": places[first] + first}
            yield _Run(self.number + first, record, b"\n".join(split[first:last]) + b"\n")
