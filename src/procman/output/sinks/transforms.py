"""Shows what matches: marks the text of ``--highlight`` in the lines."""

from __future__ import annotations

import re

from procman.core.text.values import regex
from procman.errors import UsageError
from procman.output.sinks.timelimit import TimeLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


_CODE = re.compile("(\x1b\\[[0-9:;]*m)")
