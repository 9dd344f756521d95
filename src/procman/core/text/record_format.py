"""The format of a recorded session: chunks of output, each with a header, in a file that may end anywhere.

A header is ``\\x1e``, the tag of the file, the kind of the chunk, the instance, the position, the time and the size:
``\\x1e0123456789abcdef stdout web.1 4096 1700000000123 6``. The payload has so many bytes and ends with a newline. The
position is the number of bytes of output before it, the time is in milliseconds since the epoch. The tag is random, so
that no output can pretend to be a header. A kind is a stream, or ``head`` (of the file), ``life`` (a new child) or
``end`` (of the session).

A file that is written over an older one of the session has a mark with its turn behind the last chunk,
``\\x1e0123456789abcdef stop 2``, which the next chunk replaces. What follows the mark is what the older file had there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STREAMS = ("stdout", "stderr", "system")
HEAD, LIFE, END = "head", "life", "end"
TAG_SIZE = 16  # characters
MAX_HEADER = 1024  # bytes
MAX_SIZE = 64 << 20  # bytes of a payload; a session writes far less
_MARK = b"\x1e"
_KINDS = {kind.encode(): kind for kind in (*STREAMS, HEAD, LIFE, END)}
_FIELDS = 6
_MAX_DIGITS = 18


def header(tag: bytes, kind: str, name: str, at: int, milliseconds: int, size: int) -> bytes:
    """Return the header of a chunk."""
    return b"\x1e%b %b %b %d %d %d\n" % (tag, kind.encode(), name.encode(), at, milliseconds, size)


def stop_mark(tag: bytes, turn: int) -> bytes:
    """Return what is behind the last chunk of a file that is written over an older one."""
    return b"\x1e%b stop %d\n" % (tag, turn)


class Chunk:
    """One chunk: ``lines`` of an instance, or what ``kind`` says. ``time`` is in seconds since the epoch."""

    __slots__ = ("at", "kind", "lines", "name", "time")

    def __init__(self, kind: str, name: str, at: int, time: float, lines: bytes) -> None:
        self.kind = kind
        self.name = name
        self.at = at
        self.time = time
        self.lines = lines

    @property
    def end(self) -> int:
        """The position after it."""
        return self.at + len(self.lines) if self.kind in STREAMS else self.at


def tag_of(data: bytes) -> bytes:
    """Return the tag of a file, from its first bytes; empty if it is not a record."""
    tag, space, _ = data[1 : TAG_SIZE + 2].partition(b" ")
    return tag if data[:1] == _MARK and space and len(tag) == TAG_SIZE and tag.isalnum() else b""


class ChunkReader:
    """Finds the chunks in a file that is read in blocks, from anywhere on. What is damaged is left out.

    ``since`` is for a file that was written over an older one and has no mark, because everything was killed during a
    write: the position at which it begins. Then a chunk counts only if a later one, or the end, follows it directly.
    """

    def __init__(self, tag: bytes, since: int | None = None) -> None:
        import re  # late: a session only writes the format

        self._start = _MARK + tag + b" "
        number = b"([0-9]{1,%d})" % _MAX_DIGITS
        fields = (b"|".join(_KINDS).join((b"(", b")")), b"([^ \n]*)", number, number, number)
        self._header = re.compile(re.escape(self._start) + b" ".join(fields) + b"\n").match
        self._since = since
        self._needed = 1 if since is None else MAX_HEADER  # bytes after a chunk, to see whether it is whole
        self._data = b""

    def feed(self, block: bytes, is_last: bool = False) -> Iterator[Chunk]:
        """Yield the chunks that are complete with this block."""
        data, at = self._data + block, 0
        while (at := data.find(self._start, at)) >= 0:
            found = self._chunk_at(data, at, is_last)
            if isinstance(found, Chunk):
                yield found
                at = self._end
            elif found and not is_last:
                break  # the rest of it may follow
            else:
                at += 1
        self._data = data[at:] if at >= 0 else data[-len(self._start) :]

    def _chunk_at(self, data: bytes, at: int, is_last: bool) -> Chunk | bool:
        """Return the chunk there; else whether it may be incomplete."""
        header = self._header(data, at, at + MAX_HEADER)
        if header is None:
            return len(data) - at < MAX_HEADER and b"\n" not in data[at:]
        kind, name, position, milliseconds, size = header.groups()
        begin = header.end()
        end = begin + int(size)
        if not begin < end <= begin + MAX_SIZE:
            return False
        if end > len(data) or (len(data) - end < self._needed and not is_last):
            return True
        if data[end - 1] != 10 or (data[end : end + 1] not in (b"", _MARK) and self._start in data[begin:end]):
            return False  # it ends inside of another chunk
        if self._since is not None and not self._is_followed(data, begin, end, int(position)):
            return False
        self._end = end
        text = name.decode("utf-8", "replace")
        return Chunk(_KINDS[kind], text, int(position), int(milliseconds) / 1000, data[begin:end])

    def _is_followed(self, data: bytes, begin: int, end: int, position: int) -> bool:
        """Whether a chunk was written to its end, in a file that was written over an older one.

        What follows then is the end of the file, or the header of a later chunk, of which a part may be missing.
        """
        assert self._since is not None
        if position < self._since or self._start in data[begin:end]:
            return False
        if end == len(data):
            return True
        line = data[end : end + MAX_HEADER].partition(b"\n")[0]
        fields = line.split(b" ")
        if len(fields) == _FIELDS and _is_number(fields[3]) and int(fields[3]) < position:
            return False
        return line.startswith(self._start) and fields[1] != b"stop"


def _is_number(field: bytes) -> bool:
    return field.isdigit() and len(field) <= _MAX_DIGITS
