"""Answers what a program asks its terminal while no terminal of a user is there to answer.

Some programs wait for the answer, forever or until they give up. They ask where the cursor is, whether the terminal is
well, and what it is (ECMA-48, DSR and DA; xterm's ctlseqs). This module is imported only when a program asks something.
"""

from __future__ import annotations

import re
from itertools import islice

MAX_REPLIES = 16  # to one chunk; a terminal has little room for what a program does not read
STATUS_OK = b"\x1b[0n"
DEVICE_ATTRIBUTES = b"\x1b[?1;2c"  # a VT100 with advanced video: it claims no more than nearly all terminals can do
_QUERY = re.compile(rb"\x1b\[(?:([56])n|0?c)")
_MAX_LINE = 4096  # bytes of an unfinished line that are looked at
_INVISIBLE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f]")


def replies(before: bytes, chunk: bytes, rows: int) -> bytes:
    """Return what a terminal of so many rows would answer to `chunk`; `before` is the unfinished line.

    The log is at the bottom of the screen, and so is the cursor.
    """
    parts = []
    for match in islice(_QUERY.finditer(chunk), MAX_REPLIES):
        if match[1] == b"6":
            column = _width(before[-_MAX_LINE:] + chunk[: match.start()]) + 1
            parts.append(b"\x1b[%d;%dR" % (rows, column))
        else:
            parts.append(STATUS_OK if match[1] else DEVICE_ATTRIBUTES)
    return b"".join(parts)


def _width(text: bytes) -> int:
    """Return roughly the columns of the last line of `text`, after its last return."""
    line = text[-_MAX_LINE:].rpartition(b"\n")[2].rpartition(b"\r")[2]
    return len(_INVISIBLE.sub(b"", line).decode("utf-8", "replace"))
