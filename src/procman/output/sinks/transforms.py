"""Changes to whole lines before they are shown: highlighted matches, and spaces for tabs."""

from __future__ import annotations

import re
import signal
import time

from procman.core.text.values import regex
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import TypeVar

    T = TypeVar("T")

TAB_WIDTH = 8  # columns between two tab stops, the default of terminals
LAST_TAB_STOP = 240  # columns: few terminals are wider; there a tab stays at the margin, but spaces would fill rows
SEARCH_LIMIT = 1.0  # seconds of CPU time for all searches by one pattern: one that takes longer may never end
FREE_TIME_PER_BYTE = 1e-6  # seconds that do not count: most patterns take a tenth of that
FREE_SHARE = 0.1  # share of the elapsed time that does not count either, since a line may be hard now and then
MIN_TIMER = 1e-3  # seconds: a timer set to 0 would never expire
_MANY_TABS = b"\t" * (LAST_TAB_STOP // TAB_WIDTH)
_PIECES = re.compile(rb"(\t|\x1b\[[0-9:;]*m)")  # of a clean line, which has no other escapes
_CODE = re.compile("(\x1b\\[[0-9:;]*m)")
ON, OFF = "\x1b[7m", "\x1b[27m"  # inverse: visible on dark and light terminals, and it keeps the colors


def highlighter(pattern: str) -> Callable[[bytes], bytes]:
    """Return a function that marks each match in whole lines.

    It raises TimeoutError if its searches take too long, once or together. Raises UsageError if the pattern is invalid.
    """
    try:
        search = re.compile(regex(pattern))
    except ValueError as error:
        raise UsageError(f"{pattern!r} is not {error}") from None

    limit = SearchTimeLimit()

    def mark(match: re.Match[str]) -> str:
        return f"{ON}{match[0]}{OFF}" if match[0] else ""

    def highlight(lines: bytes) -> bytes:
        text = lines.decode("utf-8", "surrogateescape")
        marked = limit.search(lambda: [_marked(search, mark, line) for line in text.split("\n")], len(lines))
        return "\n".join(marked).encode("utf-8", "surrogateescape")

    return highlight


def _marked(search: re.Pattern[str], mark: Callable[[re.Match[str]], str], line: str) -> str:
    """Mark matches in the text between the color codes. A match may start in one color and end in another."""
    if "\x1b" not in line:
        return search.sub(mark, line)
    parts = _CODE.split(line)  # text and codes alternate
    spans = (match.span() for match in search.finditer("".join(parts[::2])) if match[0])
    return "".join(_between_codes(parts, spans))


def _between_codes(parts: Sequence[str], spans: Iterator[tuple[int, int]]) -> Iterator[str]:
    """Yield the parts with marks in the text between codes, because a code that ends all colors ends the mark too."""
    span = next(spans, None)
    at = 0  # where this part starts in the text
    for number, part in enumerate(parts):
        if number % 2 or not part:
            yield part
            continue
        done = 0
        while span is not None and span[0] < at + len(part):
            begin, end = max(span[0] - at, 0), min(span[1] - at, len(part))
            yield f"{part[done:begin]}{ON}{part[begin:end]}{OFF}"
            done = end
            if span[1] > at + len(part):
                break
            span = next(spans, None)
        yield part[done:]
        at += len(part)


class SearchTimeLimit:
    """Limits the CPU time of a user's regular expression, over all of its searches.

    Many searches of half a second each are as bad as one that never ends. CPU time is measured, so that a busy machine
    or a Ctrl-Z does not count. The timer's signal works because ``re`` checks for signals while it searches.
    """

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left = SEARCH_LIMIT
        self._at = time.monotonic()

    def search(self, find: Callable[[], T], size: int) -> T:
        """Return what ``find`` finds in ``size`` bytes. Raises TimeoutError if the time is spent.

        ``(a+)+$``, for example, takes twice as long with each letter, and the whole loop would wait for it.
        """
        before, self._at = self._at, time.monotonic()
        self._left = min(SEARCH_LIMIT, self._left + FREE_SHARE * (self._at - before)) + size * FREE_TIME_PER_BYTE
        signal.signal(signal.SIGVTALRM, _raise_timeout)
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(MIN_TIMER, self._left))
            return find()
        finally:
            self._left = signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]


def _raise_timeout(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def without_tabs(lines: bytes) -> bytes:
    """Return clean lines with spaces for their tabs, as wide as the tabs are on a terminal without a prefix.

    After a prefix tabs would lead to other columns than the process meant, and nothing would line up.
    """
    if lines.isascii() and 27 not in lines and _MANY_TABS not in lines:
        return lines.expandtabs(TAB_WIDTH)
    return b"\n".join([_with_spaces(line) if b"\t" in line else line for line in lines.split(b"\n")])


def _with_spaces(line: bytes) -> bytes:
    column = 0
    out = []
    for piece in _PIECES.split(line):
        if piece == b"\t" and column < LAST_TAB_STOP:
            out.append(b" " * (TAB_WIDTH - column % TAB_WIDTH))
            column += len(out[-1])
        else:
            out.append(piece)
            column += 0 if piece[:1] in (b"\x1b", b"\t") else _width(piece)
    return b"".join(out)


def _width(piece: bytes) -> int:
    """Return the columns of some text: two for a wide character, none for a combining mark."""
    if piece.isascii():
        return len(piece)
    from unicodedata import category, east_asian_width

    text = piece.decode("utf-8", "replace")
    return sum((1 + (east_asian_width(c) in "WF")) * (category(c) not in ("Mn", "Me", "Cf")) for c in text)
