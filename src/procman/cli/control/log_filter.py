"""Which lines ``procman logs`` shows: those that match, and lines around them. The session sends them all.

A pattern is searched for here, in the client, so that a slow one cannot delay the session. A session of a hundred
processes holds 150,000 lines: what is done for each of them is counted in nanoseconds.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from functools import partial
from itertools import accumulate, chain, compress, count, groupby, pairwise
from operator import itemgetter

from procman.core.text.values import compiled
from procman.errors import UsageError
from procman.output.sanitize.escapes import visible, without_color
from procman.output.sinks.severity import RANKS, SeverityFilter
from procman.output.sinks.transforms import SEARCH_LIMIT, SearchTimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from procman.cli.control.redaction import Redaction

    Record = dict[str, object]
    Piece = tuple[Record, bytes]
    Show = Callable[[Record, bytes], None]

BLOCK = 64 << 10  # bytes that are searched together
MAX_PENDING = 32 << 20  # bytes that may wait until the memory is complete, of which only the end is searched
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n")  # what a terminal acts upon, except for tabs
_SPECIAL = frozenset(r".^$*+?{}[]\|()")  # in a pattern
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
        is_literal = not ignore_case and _SPECIAL.isdisjoint(pattern or "")
        self._literal = pattern if is_literal else None  # each character stands for itself
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
        search, literal, invert = self._search, self._literal, self._invert
        assert search is not None

        def find() -> list[int]:
            if invert:
                return [at for at, text in enumerate(texts) if not search(text)]
            if literal is not None:  # a third of the time
                return [at for at, text in enumerate(texts) if literal in text]
            return list(compress(count(), map(search, texts)))  # a match is true

        try:
            return self._limit.search(find, size)
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
    further line will be shown. Lines of the memory are searched in blocks, since many chunks have one line only.
    """

    def __init__(
        self, line_filter: LineFilter, show: Show, around: int = 0, count: int | None = None, first: bool = False
    ) -> None:
        self.found = False
        self.filter = line_filter
        self._show = show
        self._around = around
        self._count = count
        self._is_last = count is not None and not first  # only the last matches of the memory are shown
        self.complete = first and count == 0
        self._matches = 0  # in the chunks that are held back, or with `first` shown
        self._pending: list[Piece] = []  # not searched yet
        self._pending_size = 0  # bytes
        self._block = MAX_PENDING if self._is_last else BLOCK if count is None else 0  # bytes that are searched at once
        self._held: deque[_Chunk] | None = None  # chunks that wait until the memory is complete
        if self._is_last or (around and not first):
            self._held = deque()
        self._before: dict[object, deque[tuple[_Chunk, int]]] = {}  # lines of an instance that may come before a match
        self._after: dict[object, int] = {}  # how many lines of an instance are still to be shown

    def add(self, record: Record, lines: bytes) -> None:
        """Take lines of one instance, and show what is chosen of them."""
        self._pending.append((record, lines))
        self._pending_size += len(lines)
        if self._pending_size >= self._block:
            self._search_pending()

    def show_pending(self) -> None:
        """Show what is chosen of the lines that have been taken, as far as they are not held back."""
        if not self._is_last:
            self._search_pending()

    def _search_pending(self) -> None:
        pending, self._pending, self._pending_size = self._pending, [], 0
        is_plain = self._held is None and self._count is None and not self._around
        for block in _blocks(pending):
            matches, sizes = self._found_in(block)
            if is_plain and matches and len(matches) == sum(sizes):
                for record, lines in block:
                    self._show(record, lines)
                continue
            for chunk in self._chunks(block, matches, sizes):
                self._take(chunk)

    def _found_in(self, block: list[Piece]) -> tuple[Sequence[int], Sequence[int]]:
        """Return the indexes of the lines of a block that match, and how many lines each of its pieces has."""
        matches = self.filter.matches(str(block[0][0]["stream"]), b"".join([lines for _, lines in block]))
        self.found = self.found or bool(matches)
        return matches, [lines.count(b"\n") for _, lines in block] if matches or self._around else ()

    def _chunks(self, block: list[Piece], matches: Sequence[int], sizes: Sequence[int]) -> list[_Chunk]:
        """Return as chunks those pieces of a block of which any line may be shown."""
        if not self._around:
            return [_Chunk(*block[index], sizes[index], found) for index, found in _by_piece(matches, sizes)]
        chunks = [_Chunk(*piece, size) for piece, size in zip(block, sizes, strict=True)]
        for index, found in _by_piece(matches, sizes):
            chunks[index].matches = found
        return chunks

    def _take(self, chunk: _Chunk) -> None:
        """Show what is chosen of a chunk that has been searched, or hold it back."""
        if self.complete:
            return
        if self._count is not None and not self._is_last:
            self._limit_to_first(chunk, self._count - self._matches)
        if self._held is None:
            self._choose(chunk, shows_earlier=True)
            self._show_chosen(chunk)
        elif chunk.matches or self._around:
            self._held.append(chunk)
            self._matches += len(chunk.matches)
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
        held, count = self._held, self._count
        if count is None or self._around:
            return
        while held and self._matches - len(held[0].matches) >= count:
            self._matches -= len(held.popleft().matches)

    def end_memory(self) -> None:
        """Show what is chosen of the session's memory. Whatever is added later is shown as it arrives."""
        self._block, held = 0, self._held
        if held is None or not self._is_last:
            self._search_pending()
        else:
            self._search_last(held)
        if held is None:
            return
        self._held = None
        earlier = 0 if self._count is None else max(0, self._matches - self._count)  # not shown
        for chunk in held:
            skipped = min(earlier, len(chunk.matches))
            earlier -= skipped
            chunk.matches = chunk.matches[skipped:]
            self._choose(chunk)
        for chunk in held:
            self._show_chosen(chunk)

    def _search_last(self, held: deque[_Chunk]) -> None:
        """Search the end of the memory, as far back as it takes to find all matches that are shown."""
        pending, self._pending, self._pending_size = self._pending, [], 0
        found, wanted = 0, max(1, self._count or 0)  # one, to know whether any line matches
        blocks = list(_blocks(pending))
        searched = []
        while blocks and found < wanted:
            block = blocks.pop()
            searched.append((block, *self._found_in(block)))
            found += len(searched[-1][1])
        while searched and not searched[-1][1]:
            blocks.append(searched.pop()[0])
        self._matches += found
        if self._around:
            held += _last_lines(blocks, self._around)
        held += chain.from_iterable(self._chunks(*of_block) for of_block in reversed(searched))

    def _choose(self, chunk: _Chunk, shows_earlier: bool = False) -> None:
        """Choose the lines to show because of this chunk: those near a match, and those before it in earlier chunks."""
        if not self._around:
            chunk.chosen = chunk.matches
            return
        instance, size, around = chunk.record["log"], chunk.size, self._around
        left = self._after.get(instance, 0)
        near = list(range(min(left, size)))
        left -= len(near)
        before = self._before.get(instance)
        if before is None:
            before = self._before[instance] = deque(maxlen=around)
        if chunk.matches:
            for first, last in _spans(chunk.matches, 2 * around + 1):
                near += range(max(len(near) and near[-1] + 1, first - around), min(size, last + around + 1))
            left = max(0, chunk.matches[-1] + around + 1 - size)
            self._choose_before(before, around - chunk.matches[0], shows_earlier)
            before.clear()
        self._after[instance] = left
        chunk.chosen = near
        end = near[-1] + 1 if near else 0
        before += [(chunk, at) for at in range(max(end, size - around), size)]

    def _choose_before(self, before: deque[tuple[_Chunk, int]], missing: int, shows: bool) -> None:
        """Choose the last lines of an instance that are missing before a match."""
        last = list(before)[-missing:] if missing > 0 else []
        for chunk, places in groupby(last, key=itemgetter(0)):
            if shows:
                chunk.chosen = []
            chunk.chosen = [*chunk.chosen, *(at for _, at in places)]
            if shows:
                self._show_chosen(chunk)

    def _show_chosen(self, chunk: _Chunk) -> None:
        if chunk.chosen:
            self._show(*chunk.chosen_lines())


class _Chunk:
    """Lines of one instance that came together. ``size`` is how many lines count.

    ``matches`` are the indexes of those that match, ``chosen`` of those to show, both in order.
    """

    __slots__ = ("chosen", "lines", "matches", "record", "size")

    def __init__(self, record: Record, lines: bytes, size: int, matches: Sequence[int] = ()) -> None:
        self.record = record
        self.lines = lines
        self.size = size
        self.matches = matches
        self.chosen: Sequence[int] = ()

    def chosen_lines(self) -> tuple[Record, bytes]:
        """Return the lines to show; with ``ends`` if they are not all lines: it returns the position after each."""
        chosen = self.chosen
        if len(chosen) == self.lines.count(b"\n"):
            return self.record, self.lines
        split = self.lines.split(b"\n")
        ends = partial(_ends, self.record, split, chosen)
        return {**self.record, "ends": ends}, b"\n".join(map(split.__getitem__, chosen)) + b"\n"


def _ends(record: Record, lines: Sequence[bytes], chosen: Sequence[int]) -> list[int]:
    """Return the position after each chosen line."""
    at = record.get("at", 0)
    assert isinstance(at, int)
    places = list(accumulate(map(len, lines), initial=at))  # without the newlines
    return [places[index + 1] + index + 1 for index in chosen]


def _blocks(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in blocks of one stream that are searched together."""
    block: list[Piece] = []
    stream, size = None, 0
    for piece in pieces:
        record, lines = piece
        if size >= BLOCK or record["stream"] != stream:
            if block:
                yield block
            block, size, stream = [], 0, record["stream"]
        block.append(piece)
        size += len(lines)
    if block:
        yield block


def _last_lines(blocks: list[list[Piece]], count: int) -> list[_Chunk]:
    """Return as chunks the pieces with the last lines of each instance: those that may be near a match after them."""
    missing: dict[object, int] = {}
    kept = []
    for record, lines in chain.from_iterable(map(reversed, reversed(blocks))):
        instance = record["log"]
        if (left := missing.get(instance, count)) > 0:
            kept.append(_Chunk(record, lines, lines.count(b"\n")))
            missing[instance] = left - kept[-1].size
    return kept[::-1]


def _by_piece(matches: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield the index of each piece that has matches, and their indexes in it. ``sizes`` are lines of each piece."""
    ends = list(accumulate(sizes))
    index = place = 0
    while place < len(matches):
        index = bisect_right(ends, matches[place], index)
        size = sizes[index]
        start = ends[index] - size
        next_place = bisect_left(matches, ends[index], place, min(len(matches), place + size))
        if next_place - place == size:
            yield index, range(size)
        else:
            yield index, [at - start for at in matches[place:next_place]]
        place = next_place


def _spans(indexes: Sequence[int], gap: int) -> Iterable[tuple[int, int]]:
    """Return the first and the last of the indexes that are at most ``gap`` from each other."""
    if indexes[-1] - indexes[0] < len(indexes):  # all of them follow each other
        return [(indexes[0], indexes[-1])]
    breaks = [at for at, (one, other) in enumerate(pairwise(indexes), 1) if other - one > gap]
    begins, ends = [0, *breaks], [*breaks, len(indexes)]
    return [(indexes[begin], indexes[end - 1]) for begin, end in zip(begins, ends, strict=True)]
