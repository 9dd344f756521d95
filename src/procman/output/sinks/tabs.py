"""Shows tabs as spaces: behind a prefix they would lead to other columns than a process meant, so nothing lines up.

Only imported when a line has one.
"""

from __future__ import annotations

import re
from unicodedata import category, east_asian_width

from procman.output.sanitize.escapes import ESC

STOP = 8  # columns between two tab stops, as terminals have them when nobody sets others
FAR = 240  # columns: no terminal need be as wide; behind it a tab goes no farther, but spaces would fill rows
_HEAP = b"\t" * (FAR // STOP)
_PIECES = re.compile(rb"(\t|\x1b\[[0-9:;]*m)")  # of a clean line, which has no other escapes


def without_tabs(lines: bytes) -> bytes:
    """Whole clean lines with spaces up to where their tabs lead to on a terminal without a prefix."""
    if lines.isascii() and ESC not in lines and _HEAP not in lines:
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
    text = piece.decode("utf-8", "replace")
    return sum((1 + (east_asian_width(c) in "WF")) * (category(c) not in ("Mn", "Me", "Cf")) for c in text)
