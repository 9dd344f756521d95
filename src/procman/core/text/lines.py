"""Splits a stream into lines: chunks of bytes go in, whole lines come out, and the rest is kept."""

from __future__ import annotations

CAP = 65536  # bytes of a line
RETURNS = (b"\r", b"\x1b[1G", b"\x1b[G")  # move the cursor to the beginning of its row
MARK = b"\xe2\x80\xa6"  # "…": this piece continues in the next line
STAYS = b"\x1b[A\n"  # cursor up, then a line end: ends the line and leaves the cursor in its row
MANY_BLANKS = b"\n" * 8  # fewer blank lines in a row do not clear a screen by scrolling it away
_LONGEST = 4096  # bytes; longer escape sequences may be cut, and a hyperlink can hold a long address
_UNFINISHED_CSI = bytes(range(0x20, 0x40))  # the bytes between "ESC [" and the one that ends the sequence
_COMPACT = 64  # parts before they are joined, so that a writer of single bytes does not cost a list of 65536 objects


class LineBuffer:
    """Cuts one stream at its line ends.

    A line longer than `cap` bytes is split into pieces that end with ``…``. The cuts depend only on the line, not on
    the chunks it arrived in. With `fold` a line that is too long drops what a carriage return has already hidden, so
    that a progress bar that never ends its line is not split. What such a line painted over other rows becomes a line
    that `STAYS` in its row.
    """

    __slots__ = ("_cap", "_fold", "_parts", "_size")

    def __init__(self, cap: int = CAP, *, fold: bool = True) -> None:
        self._cap = cap
        self._fold = fold
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def tail(self) -> bytes:
        """The bytes of the line that has not ended yet."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    @property
    def unfinished(self) -> bool:
        """Whether there is a line that has not ended yet; cheaper than `tail`."""
        return self._size > 0

    def feed(self, chunk: bytes) -> bytes:
        """Add a chunk; return the lines it ends, as one `bytes` that ends with a newline, or ``b""``."""
        if not self._size and len(chunk) <= self._cap and chunk.endswith(b"\n"):
            return chunk  # the usual case, kept fast
        taken = self.take(chunk)
        if taken is not None:
            before, end = taken
            return b"".join((before, memoryview(chunk)[:end])) if before or end < len(chunk) else chunk
        if self._too_long(chunk):
            return self._in_pieces(chunk)
        self._keep(chunk)
        return b""

    def take(self, chunk: bytes) -> tuple[bytes, int] | None:
        """Add a chunk without copying it: the lines it ends are the returned bytes and `chunk` up to the returned end.

        Return None, and add nothing, if it ends no line or one that is too long; use `feed` then.
        """
        end = chunk.rfind(b"\n") + 1
        if not end or self._too_long(chunk):
            return None
        before = self.tail
        self._parts = [chunk[end:]] if end < len(chunk) else []
        self._size = len(chunk) - end
        return before, end

    def flush(self) -> bytes:
        """Remove and return the line that never ended, or ``b""``."""
        rest = self.tail
        self._parts.clear()
        self._size = 0
        return rest

    def leave_rows(self) -> bytes:
        """Remove and return what the unfinished line painted over other rows, as a line that `STAYS`; or ``b""``."""
        tail = self.tail
        hidden = tail.rfind(b"\r")
        if not self._fold or not goes_up(tail[: hidden + 1]):
            return b""
        self._parts = [tail[hidden:]]
        self._size = len(tail) - hidden
        return tail[:hidden] + STAYS

    def _keep(self, rest: bytes) -> None:
        self._parts.append(rest)
        self._size += len(rest)
        if len(self._parts) >= _COMPACT:
            self._parts = [b"".join(self._parts)]

    def _too_long(self, chunk: bytes) -> bool:
        """Whether a line of this chunk exceeds the cap. Only the first one can, unless the chunk itself does."""
        if self._size + len(chunk) <= self._cap:
            return False
        first = chunk.find(b"\n")
        if self._size + (first if first >= 0 else len(chunk)) > self._cap:
            return True
        return len(chunk) > self._cap and _has_long_line_after(chunk, first, self._cap)

    def _in_pieces(self, chunk: bytes) -> bytes:
        self._parts.append(chunk)
        data = b"".join(self._parts)
        out: list[bytes] = []
        start = 0
        while True:
            end = data.find(b"\n", start)
            start = self._cut(data, start, end if end >= 0 else len(data), out)
            if end < 0:
                break
            out.append(data[start : end + 1])
            start = end + 1
        self._parts = [data[start:]] if start < len(data) else []
        self._size = len(data) - start
        return b"".join(out)

    def _cut(self, data: bytes, start: int, end: int, out: list[bytes]) -> int:
        """Move pieces of the line ``data[start:end]`` to `out` until the rest fits; return where the rest begins."""
        while end - start > self._cap:
            hidden = max([data.rfind(code, start, start + self._cap) for code in RETURNS]) if self._fold else -1
            if hidden > start:
                if goes_up(data[start:hidden]):
                    out += (data[start:hidden], STAYS)
                start = hidden
                continue
            if end - start == self._cap + 1 and data[end - 1] == 13:
                break  # perhaps a line of exactly `cap` bytes that ends with CR LF
            stop = _sequence_start(data, start + 1, _character_start(data, start + self._cap))
            out += (data[start:stop], MARK, b"\n")
            start = stop
        return start


def goes_up(data: bytes) -> bool:
    """Whether the cursor moves up, so that other rows are painted over."""
    if b"\x1b[" not in data:
        return False
    import re  # late: it costs more than this whole module, and few programs move the cursor

    return re.search(rb"\x1b\[[0-9]*[AF]", data) is not None


def _has_long_line_after(chunk: bytes, at: int, cap: int) -> bool:
    """Whether a line after the line end `at` is longer than `cap`. Each step skips all lines that end within `cap`."""
    while len(chunk) - (at + 1) > cap:
        at = chunk.rfind(b"\n", at + 1, at + cap + 2)
        if at < 0:
            return True
    return False


def _character_start(data: bytes, index: int) -> int:
    """Return the nearest index at or before `index` that does not split a UTF-8 character (at most four bytes)."""
    for back in range(4):
        if data[index - back] & 0xC0 != 0x80:  # not a continuation byte
            return index - back
    return index


def _sequence_start(data: bytes, first: int, index: int) -> int:
    """Return the nearest index from `first` to `index` that does not split an escape sequence."""
    first = max(first, index - _LONGEST)
    string = data.rfind(b"\x1b]", first, index)
    if string >= 0 and data.find(b"\x07", string, index) < 0 and data.find(b"\x1b\\", string, index) < 0:
        return string
    last = data.rfind(b"\x1b", first, index)
    if last < 0 or (last + 1 < index and data[last + 1] != ord("[")):
        return index
    return index if data[last + 2 : index].translate(None, _UNFINISHED_CSI) else last
