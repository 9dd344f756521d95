"""Does: answers what a program asks its terminal, when nobody is there whose terminal could.

Some wait for it, for ever or until they give up: where is the cursor, are you well, what are you (ECMA-48, DSR and DA;
xterm's ctlseqs). Only imported when something is asked.
"""

from __future__ import annotations

import re
from itertools import islice

MOST = 16  # answers to one chunk; a terminal has little room for what nobody reads
WELL = b"\x1b[0n"
A_TERMINAL = b"\x1b[?1;2c"  # a VT100 with its usual option: what claims no more than nearly all can do
_QUERY = re.compile(rb"\x1b\[(?:([56])n|0?c)")
_FAR = 4096  # bytes of an unfinished line that are looked at
_MARKS = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f]")


def answers(before: bytes, chunk: bytes, rows: int) -> bytes:
    """What a terminal of so many rows would answer; ``before`` is the line that has not ended yet. The log is at the
    bottom, and so is the cursor."""
    parts = []
    for match in islice(_QUERY.finditer(chunk), MOST):
        if match[1] == b"6":
            column = _width(before[-_FAR:] + chunk[: match.start()]) + 1
            parts.append(b"\x1b[%d;%dR" % (rows, column))
        else:
            parts.append(WELL if match[1] else A_TERMINAL)
    return b"".join(parts)


def _width(text: bytes) -> int:
    """The columns up to the end of some text, nearly: of its last line, behind the last return."""
    line = text[-_FAR:].rpartition(b"\n")[2].rpartition(b"\r")[2]
    return len(_MARKS.sub(b"", line).decode("utf-8", "replace"))
