"""Which lines of output fit into one result."""

from __future__ import annotations

import json
from collections import deque

from procman.cli.control.redaction import CUT
from procman.cli.mcp.results import Line, Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    Record = dict[str, object]

MAX_SIZE = 16384  # bytes of all lines as JSON


class LineBudget:
    """Keeps up to ``count`` lines of at most 16 KiB: the first ones, or the last ones."""

    def __init__(self, count: int, keep_first: bool) -> None:
        self._count = count
        self._keep_first = keep_first
        self._lines: deque[tuple[Line, str, int]] = deque()  # each with its cursor and its size
        self._size = 0
        self._truncated = False
        self._skipped = 0  # bytes
        self._cursor = ""  # where what is missing ends
        self._ending: str | None = None
        self.error: Record | None = None

    def take(self, record: Record) -> bool:
        """Take one object that ``logs --json`` has printed. Return False if no more are wanted."""
        if "error" in record:
            self.error = record
        elif "skipped" in record:
            self._skip(record)
        elif "line" in record:
            return self._add(record)
        elif "words" in record:
            self._ending = str(record["words"])
        return self.error is None

    def _skip(self, record: Record) -> None:
        count = record["skipped"]
        self._skipped += count if isinstance(count, int) else 0
        self._cursor = str(record.get("cursor") or self._cursor)

    def _add(self, record: Record) -> bool:
        line, size = self._fitting(record)
        if self._keep_first and (len(self._lines) == self._count or self._size + size > MAX_SIZE):
            self._truncated = True
            return False
        self._lines.append((line, str(record.get("cursor") or ""), size))
        self._size += size
        while len(self._lines) > self._count or self._size > MAX_SIZE:
            self._truncated = True
            self._size -= self._lines.popleft()[2]
        return True

    def _fitting(self, record: Record) -> tuple[Line, int]:
        """Return a line and its size. One that is too long for a result loses its end."""
        text = str(record["line"])
        line = Line(name=str(record["instance"]), time=str(record["time"]), text=text)
        while (size := len(json.dumps(line.model_dump(), ensure_ascii=False).encode("utf-8", "replace"))) > MAX_SIZE:
            self._truncated = True
            text = text[: len(text) * MAX_SIZE // size - 64]
            line.text = text + CUT
        return line, size

    @property
    def is_empty(self) -> bool:
        """Whether there are no lines yet."""
        return not self._lines

    def result(self, after: str | None, is_cut: bool = False) -> Lines:
        """Return the lines, and the cursor of the last one. ``is_cut``: there may be more that have not arrived."""
        cursor = self._lines[-1][1] if self._lines else self._cursor or after
        lines = [line for line, _, _ in self._lines]
        return Lines(
            lines=lines,
            cursor=cursor or None,
            truncated=self._truncated or is_cut,
            skipped_bytes=self._skipped,
            session_ended=self._ending,
        )
