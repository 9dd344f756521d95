"""One file of a recorded session, as far as it is whole, while the session may go on writing to it."""

from __future__ import annotations

import json
import os

from procman.core.text.record_format import HEAD, ChunkReader, stop_mark, tag_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.cli.control.log_query import Record
    from procman.core.text.record_format import Chunk

BLOCK = 1 << 20  # bytes per read
HEAD_BLOCK = 16 << 10  # bytes per read, for the first chunk alone


class RecordedFile:
    """One of the files: its ``tag``, empty if it is not a record, its ``head``, and the position at which it begins.

    A session writes over a file whose turn is over. Its new head comes first, so what was read counts only if the head
    is the same afterwards.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.file_size = self._size = os.fstat(fd).st_size  # bytes, and how many of them count
        self._begin = b""  # the first bytes; they have the position
        self._mark = b""  # behind what counts, if it has not been looked for
        self._since: int | None = None  # of what counts, if the end of it is not marked
        begin = self._read(0, HEAD_BLOCK)
        self.tag = tag_of(begin)
        first = next(self.chunks(block=HEAD_BLOCK), None) if self.tag else None
        self.at = first.at if first else 0
        self.head = as_object(first.lines) if first and first.kind == HEAD else {}
        self._begin = begin[: begin.find(b"\n") + 1]
        turn = self.head.get("turn")
        if self.head.get("over") is True and isinstance(turn, int):
            self._mark = stop_mark(self.tag, turn)

    def __del__(self) -> None:
        os.close(self._fd)

    @property
    def size(self) -> int:
        """The bytes that count: in a file that is written over an older one, those before a mark, which takes 20 ms."""
        mark, self._mark = self._mark, b""
        if mark:
            self._find_end(mark)
        return self._size

    def _find_end(self, mark: bytes) -> None:
        start, before = 0, b""
        while start < self._size and (data := self._read(start, BLOCK)):
            found = (before + data).find(mark)
            if found >= 0:
                self._size = start - len(before) + found
                return
            start += len(data)
            before = data[-len(mark) :]
        self._since = self.at

    def chunks(self, start: int = 0, block: int = BLOCK) -> Iterator[Chunk]:
        """Yield the chunks from this byte on, as far as the file went when it was opened."""
        size = self.size
        reader = ChunkReader(self.tag, self._since)
        while start < size:
            data = self._read(start, min(block, size - start))
            start += len(data)
            if self._read(0, len(self._begin)) != self._begin:
                return  # it is being written over
            yield from reader.feed(data, not data or start >= size)
            if not data:
                return

    def _read(self, start: int, size: int) -> bytes:
        try:
            return os.pread(self._fd, size, start)
        except OSError:  # a folder, or a failing disk
            return b""


def as_object(text: bytes) -> Record:
    """Return a JSON object; an empty one if the text is something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
