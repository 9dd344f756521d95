"""Decides where lines end: chunks of bytes in, whole lines out, the rest kept."""

from __future__ import annotations

CAP = 65536
RETURNS = (b"\r", b"\x1b[1G", b"\x1b[G")  # the cursor goes to the beginning of its row
MARK = b"\xe2\x80\xa6"  # "…": this piece goes on in the next line
STAYS = b"\x1b[A\n"  # the cursor goes up, and the line end brings it down again: an end that leaves it in its row
MANY_BLANKS = b"\n" * 8  # fewer in a row do not push a screen away that is to be cleared
_LONGEST = 4096  # bytes of an escape sequence that is not cut: a hyperlink may hold a long address
_UNFINISHED_CSI = bytes(range(0x20, 0x40))  # what stands between "ESC [" and the byte that ends the sequence
_COMPACT = 64  # parts kept before they are joined: keeps a writer of single bytes from costing a list of 64 K objects


class LineBuffer:
    """Cuts one stream at its line ends.

    A line longer than ``cap`` bytes leaves in pieces, each ended by ``…``. Where pieces are cut depends on the line
    alone, never on how it arrived. With ``fold`` an overlong line drops what a carriage return has already hidden, so
    that a progress bar which never ends its line does not come out in pieces. If it painted other rows on its way, it
    leaves them behind as a line that ``STAYS`` in its row.
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
        """Whether there is a line that has not ended yet; cheaper than to ask for it."""
        return self._size > 0

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk; give every line it ends, as one ``bytes`` that ends with a newline, or ``b""``."""
        if not self._size and len(chunk) <= self._cap and chunk.endswith(b"\n"):
            return chunk  # what most programs do, and what is left to do before it can be seen
        taken = self.take(chunk)
        if taken is not None:
            before, end = taken
            return b"".join((before, memoryview(chunk)[:end])) if before or end < len(chunk) else chunk
        if self._too_long(chunk):
            return self._in_pieces(chunk)
        self._keep(chunk)
        return b""

    def take(self, chunk: bytes) -> tuple[bytes, int] | None:
        """Take a chunk without copying it: the lines it ends are the given bytes and then ``chunk`` up to the given
        end. None, and nothing is taken, if it ends no line or one that is too long: then ``feed`` it.
        """
        end = chunk.rfind(b"\n") + 1
        if not end or self._too_long(chunk):
            return None
        before = self.tail
        self._parts = [chunk[end:]] if end < len(chunk) else []
        self._size = len(chunk) - end
        return before, end

    def flush(self) -> bytes:
        """Give the rest: what a last line that was never ended has, or ``b""``."""
        rest = self.tail
        self._parts.clear()
        self._size = 0
        return rest

    def leave_rows(self) -> bytes:
        """Give what the unfinished line has painted over other rows so far, as a line that ``STAYS``, or ``b""``."""
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
        """Whether a line of this chunk passes the cap: only the first can, unless the chunk itself does."""
        if self._size + len(chunk) <= self._cap:
            return False
        first = chunk.find(b"\n")
        if self._size + (first if first >= 0 else len(chunk)) > self._cap:
            return True
        return len(chunk) > self._cap and _is_too_long_behind(chunk, first, self._cap)

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
        """Move pieces of the line ``data[start:end]`` to ``out`` until the rest fits; give where the rest begins."""
        while end - start > self._cap:
            hidden = max([data.rfind(way, start, start + self._cap) for way in RETURNS]) if self._fold else -1
            if hidden > start:
                if goes_up(data[start:hidden]):
                    out += (data[start:hidden], STAYS)
                start = hidden
                continue
            if end - start == self._cap + 1 and data[end - 1] == 13:
                break  # a line of just the cap that ends with CR LF, perhaps
            stop = _sequence_start(data, start + 1, _character_start(data, start + self._cap))
            out += (data[start:stop], MARK, b"\n")
            start = stop
        return start


def goes_up(data: bytes) -> bool:
    """Whether the cursor is sent up: other rows are painted over."""
    if b"\x1b[" not in data:
        return False
    import re  # not before a child does such things: it costs more than all of this module

    return re.search(rb"\x1b\[[0-9]*[AF]", data) is not None


def _is_too_long_behind(chunk: bytes, at: int, cap: int) -> bool:
    """Whether a line behind the line end ``at`` is longer than ``cap``. A step takes all lines that end within it."""
    while len(chunk) - (at + 1) > cap:
        at = chunk.rfind(b"\n", at + 1, at + cap + 2)
        if at < 0:
            return True
    return False


def _character_start(data: bytes, index: int) -> int:
    """The nearest place at or before ``index`` that does not split a UTF-8 character (of at most four bytes)."""
    for back in range(4):
        if data[index - back] & 0xC0 != 0x80:  # not a continuation byte
            return index - back
    return index


def _sequence_start(data: bytes, first: int, index: int) -> int:
    """The nearest place at or before ``index``, but not before ``first``, that does not split an escape sequence."""
    first = max(first, index - _LONGEST)
    string = data.rfind(b"\x1b]", first, index)
    if string >= 0 and data.find(b"\x07", string, index) < 0 and data.find(b"\x1b\\", string, index) < 0:
        return string
    last = data.rfind(b"\x1b", first, index)
    if last < 0 or (last + 1 < index and data[last + 1] != ord("[")):
        return index
    return index if data[last + 2 : index].translate(None, _UNFINISHED_CSI) else last
