"""Shows what matches: marks the text of ``--highlight`` in the lines."""

from __future__ import annotations

import re

from procman.core.values import regex
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ON, OFF = "\x1b[7m", "\x1b[27m"  # inverse: seen on dark and light terminals, and it leaves colors alone


def highlighter(pattern: str) -> Callable[[bytes], bytes]:
    """A function that marks each match in whole lines. Raises UsageError for a pattern that is none."""
    try:
        search = re.compile(regex(pattern))
    except ValueError as error:
        raise UsageError(f"{pattern!r} is not {error}") from None

    def mark(match: re.Match[str]) -> str:
        return f"{ON}{match[0]}{OFF}" if match[0] else ""

    def highlight(lines: bytes) -> bytes:
        text = lines.decode("utf-8", "surrogateescape")
        marked = [_marked(search, mark, line) for line in text.split("\n")]
        return "\n".join(marked).encode("utf-8", "surrogateescape")

    return highlight


def _marked(search: re.Pattern[str], mark: Callable[[re.Match[str]], str], line: str) -> str:
    """Mark matches between color codes, never inside one."""
    if "\x1b" not in line:
        return search.sub(mark, line)
    parts = _CODE.split(line)
    return "".join(part if part.startswith("\x1b[") else search.sub(mark, part) for part in parts)


_CODE = re.compile("(\x1b\\[[0-9:;]*m)")
