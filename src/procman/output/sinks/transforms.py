"""Shows what matches: marks the text of ``--highlight`` in the lines."""

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

STOP = 8  # columns between two tab stops, as terminals have them when nobody sets others
FAR = 240  # columns: no terminal need be as wide; behind it a tab goes no farther, but spaces would fill rows
LIMIT = 1.0  # seconds of computing for all searches by one pattern: those that take longer may well take for ever
FREE = 1e-6  # seconds for each byte, which do not count: most patterns take a tenth of that
SHARE = 0.1  # of the time that passes does not count either: a line now and then may be a hard one
LEAST = 1e-3  # seconds: a timer that is set to nothing would never go off
_HEAP = b"\t" * (FAR // STOP)
_PIECES = re.compile(rb"(\t|\x1b\[[0-9:;]*m)")  # of a clean line, which has no other escapes
_CODE = re.compile("(\x1b\\[[0-9:;]*m)")
ON, OFF = "\x1b[7m", "\x1b[27m"  # inverse: seen on dark and light terminals, and it leaves colors alone


def highlighter(pattern: str) -> Callable[[bytes], bytes]:
    """A function that marks each match in whole lines; it raises TimeoutError where that takes too long, now or all in
    all. Raises UsageError for a pattern that is none."""
    try:
        search = re.compile(regex(pattern))
    except ValueError as error:
        raise UsageError(f"{pattern!r} is not {error}") from None

    limit = TimeLimit()

    def mark(match: re.Match[str]) -> str:
        return f"{ON}{match[0]}{OFF}" if match[0] else ""

    def highlight(lines: bytes) -> bytes:
        text = lines.decode("utf-8", "surrogateescape")
        marked = limit.search(lambda: [_marked(search, mark, line) for line in text.split("\n")], len(lines))
        return "\n".join(marked).encode("utf-8", "surrogateescape")

    return highlight


def _marked(search: re.Pattern[str], mark: Callable[[re.Match[str]], str], line: str) -> str:
    """Mark matches of the text, whatever its colors: a match may begin in one and end in another."""
    if "\x1b" not in line:
        return search.sub(mark, line)
    parts = _CODE.split(line)  # text and codes in turn
    spans = (match.span() for match in search.finditer("".join(parts[::2])) if match[0])
    return "".join(_between_codes(parts, spans))


def _between_codes(parts: Sequence[str], spans: Iterator[tuple[int, int]]) -> Iterator[str]:
    """The parts, with marks in every second one: a code that ends all colors would end the mark, too."""
    span = next(spans, None)
    at = 0  # of this part in the text
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


class TimeLimit:
    """How long the searches by one pattern may take together: many that take half a second each are as bad as one that
    never ends.

    What is measured is our own computing, so that a busy machine or a Ctrl-Z is no reason; `re` looks for signals while
    it searches.
    """

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left = LIMIT
        self._at = time.monotonic()

    def search(self, find: Callable[[], T], size: int) -> T:
        """What is found in so many bytes, or TimeoutError: `(a+)+$` doubles its time with each letter, and all would
        wait for it."""
        before, self._at = self._at, time.monotonic()
        self._left = min(LIMIT, self._left + SHARE * (self._at - before)) + size * FREE
        signal.signal(signal.SIGVTALRM, _too_slow)
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(LEAST, self._left))
            return find()
        finally:
            self._left = signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def without_tabs(lines: bytes) -> bytes:
    """Whole clean lines with spaces up to where their tabs lead to on a terminal without a prefix."""
    if lines.isascii() and 27 not in lines and _HEAP not in lines:
        return lines.expandtabs(STOP)
    return b"\n".join([_spaced(line) if b"\t" in line else line for line in lines.split(b"\n")])


def _spaced(line: bytes) -> bytes:
    column = 0
    out = []
    for piece in _PIECES.split(line):
        if piece == b"\t" and column < FAR:
            out.append(b" " * (STOP - column % STOP))
            column += len(out[-1])
        else:
            out.append(piece)
            column += 0 if piece[:1] in (b"\x1b", b"\t") else _width(piece)
    return b"".join(out)


def _width(piece: bytes) -> int:
    """The columns that some text takes; two for a wide character, none for a mark on another one."""
    if piece.isascii():
        return len(piece)
    from unicodedata import category, east_asian_width

    text = piece.decode("utf-8", "replace")
    return sum((1 + (east_asian_width(c) in "WF")) * (category(c) not in ("Mn", "Me", "Cf")) for c in text)
