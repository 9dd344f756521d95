"""Which lines ``procman logs`` shows if there is no filter."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.log_filter import Record, Show


class Excerpt:
    """Shows lines without looking at them: all of them, or as a ``Selection`` the first or the last ``count``."""

    filter = None  # it has none

    def __init__(self, show: Show, count: int | None = None, first: bool = False) -> None:
        self.found = False
        self._show = show
        self._count = count
        self._first = first
        self.complete = first and count == 0
        self._held = 0  # lines held back
        self._recalled: deque[tuple[Record, bytes, int]] | None = None if first or count is None else deque()

    def add(self, record: Record, lines: bytes) -> None:
        """Take lines of one instance, and show them or hold them back."""
        self.found = True
        if self._count is None or not (self._first or self._recalled is not None):
            self._show(record, lines)
        elif self._recalled is not None:
            self._hold(record, lines)
        else:
            self._show_first(record, lines)

    def _hold(self, record: Record, lines: bytes) -> None:
        recalled, size = self._recalled, lines.count(b"\n")
        assert recalled is not None
        assert self._count is not None
        recalled.append((record, lines, size))
        self._held += size
        while recalled and self._held - recalled[0][2] >= self._count:
            self._held -= recalled.popleft()[2]

    def _show_first(self, record: Record, lines: bytes) -> None:
        assert self._count is not None
        size = lines.count(b"\n")
        if size > self._count:
            self.complete = True
            lines = b"".join(line + b"\n" for line in lines.split(b"\n", self._count)[: self._count])
        self._count -= min(size, self._count)
        if lines:
            self._show(record, lines)

    def show_pending(self) -> None:
        """Do nothing: whatever is not held back has been shown."""

    def end_memory(self) -> None:
        """Show what was held back. Whatever is added later is shown as it arrives."""
        if self._recalled is None:
            return
        assert self._count is not None
        recalled, self._recalled = self._recalled, None
        surplus = max(0, self._held - self._count)  # lines of the first chunk
        for record, lines, _ in recalled:
            if surplus:
                kept = lines.split(b"\n", surplus)[-1]
                at = record.get("at", 0)
                assert isinstance(at, int)
                self._show({**record, "at": at + len(lines) - len(kept)}, kept)
                surplus = 0
            else:
                self._show(record, lines)
