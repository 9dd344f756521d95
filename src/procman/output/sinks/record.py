"""The record of a session: all of its output, in two files that take turns, so that their size is limited.

The first two are created. From then on each turn is written over the older file, see core/text/record_format.py.
"""

from __future__ import annotations

import os
import time

from procman.core.text.record_format import END, HEAD, LIFE, TAG_SIZE, header, stop_mark
from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.output.outlet import Buffer
    from procman.output.sinks.history import Entry, History
    from procman.output.sinks.record_files import RecordFiles

MAX_GATHERED = 64 << 10  # bytes that wait for the end of the turn
MAX_PARTS = 900  # vectors in one writev; IOV_MAX is 1024
RETRY_INTERVAL = 5.0  # seconds, after a write has failed
SYSTEM = "system"


class Record(Sink):
    """Appends all output to the files. What arrives in one turn of the loop is written at its end, by ``flush``.

    If that is impossible, ``complain`` is called once, and what was to be written is dropped. After a while it is tried
    again. The history, which is before it in the hub, has just counted the lines.
    """

    __slots__ = (
        "_about",
        "_clock",
        "_complain",
        "_complained",
        "_failure",
        "_fds",
        "_files",
        "_good",
        "_head_size",
        "_history",
        "_limit",
        "_lives",
        "_next_at",
        "_parts",
        "_retry_at",
        "_size",
        "_stop",
        "_tag",
        "_turn",
    )

    def __init__(
        self,
        files: RecordFiles,
        history: History,
        about: Mapping[str, object],
        limit: int,
        complain: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create the first file. ``about`` describes the session, ``limit`` is in bytes. Raises OSError."""
        self._files = files
        self._history = history
        self._about = about
        self._limit = limit // 2  # of one file
        self._complain = complain
        self._clock = clock
        self._parts: list[Buffer] = []
        self._size = 0  # bytes of the parts
        self._next_at = 0  # the position of the first of them
        self._good = 0  # bytes of the file, without half a chunk at its end
        self._head_size = 0  # bytes of its first chunk
        self._failure = ""  # why nothing can be written for now
        self._retry_at: float | None = None
        self._complained = False
        self._turn = 0
        self._stop = b""  # what is behind the last chunk, if the file is written over an older one
        self._fds: list[int] = []  # of both files: they hold the locks
        self._lives: dict[str, list[int]] = {}
        self._tag = os.urandom(TAG_SIZE // 2).hex().encode()
        self._begin_file(history.position)

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Take whole lines."""
        size = len(lines)
        self._put(stream, name, self._history.position - size, size, lines)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Take whole lines uncopied."""
        size = len(before) + end
        self._put(stream, name, self._history.position - size, size, before, memoryview(chunk)[:end])

    def announce(self, text: str) -> None:
        """Take a line of ``system``."""
        self.publish(SYSTEM, SYSTEM, text.encode("utf-8", "replace") + b"\n")

    def child_started(self, name: str, pid: int) -> None:
        """Note where the output of a new child begins."""
        at = self._history.position
        self._lives[name] = [*self._lives.get(name, [])[-1:], at]
        line = b"%d\n" % pid
        self._put(LIFE, name, at, len(line), line)

    def recall(self, entries: list[Entry], lives: Mapping[str, tuple[int, ...]]) -> None:
        """Take what was published before the record began, by position."""
        self._lives = {name: list(starts) for name, starts in lives.items()}
        now = self._clock()
        chunks = [(at, now, LIFE, name, b"\n") for name, starts in lives.items() for at in starts]  # before their lines
        chunks += [(at, one.time, one.stream, one.name, lines) for one in entries for at, lines in one.pieces()]
        for at, moment, kind, name, lines in sorted(chunks, key=lambda chunk: chunk[0]):
            self._put_at(moment, kind, name, at, len(lines), lines)

    def _put(self, kind: str, name: str, at: int, size: int, *parts: Buffer) -> None:
        self._put_at(self._clock(), kind, name, at, size, *parts)

    def _put_at(self, moment: float, kind: str, name: str, at: int, size: int, *parts: Buffer) -> None:
        if self._failure or not self._fds:
            return
        if not self._parts:
            self._next_at = at
        self._parts += (header(self._tag, kind, name, at, int(moment * 1000), size), *parts)
        self._size += size
        if self._size >= MAX_GATHERED or len(self._parts) >= MAX_PARTS:
            self._write()

    # The files ------------------------------------------------------------------------------------------------------

    @property
    def has_more(self) -> bool:
        """Return whether something waits to be written."""
        return bool(self._parts)

    def flush(self, now: float) -> None:
        """Write what has been gathered; ``now`` is a time of the monotonic clock in seconds."""
        if self._parts:
            self._write()
        if not self._failure:
            return
        if self._retry_at is None:
            self._retry_at = now + RETRY_INTERVAL
            if not self._complained:
                self._complained = True
                self._complain(f"the output that follows is not recorded: {self._failure}")
        elif self._retry_at <= now:
            self._retry_at, self._failure = None, ""

    def end(self, code: int, reason: str) -> None:
        """Record the end of the session, and close the files."""
        import json

        line = json.dumps({"code": code, "reason": reason}).encode() + b"\n"
        self._failure = ""
        self._put(END, SYSTEM, self._history.position, len(line), line)
        self._write()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def _write(self) -> None:
        """Write all parts. What cannot be written is dropped, and half a chunk at the end of the file removed."""
        parts, self._parts, self._size = self._parts, [], 0
        if not self._fds:
            return
        size = sum(map(len, parts))
        try:
            if self._good + size + len(self._stop) > self._limit and self._good > self._head_size:
                self._begin_file(self._next_at)
            _write_all(self._fds[-1], self._good, [*parts, self._stop], size + len(self._stop))
            self._good += size
        except OSError as error:
            self._failure = (error.strerror or str(error)).lower()
            _cut(self._fds[-1], self._good)

    def _begin_file(self, at: int) -> None:
        """Begin the next file, in place of the one before the last. Raises OSError.

        That one is written over, which takes a third of the time: the kernel has its pages already. The new head is
        written first, so that its readers notice.
        """
        import json

        older = self._fds[:-1]
        is_over = bool(older) and os.fstat(older[0]).st_nlink == 1  # else it has been deleted
        stop = stop_mark(self._tag, self._turn) if is_over else b""
        head = {**self._about, "turn": self._turn, **({"over": True} if is_over else {}), "lives": self._lives}
        line = json.dumps(head).encode() + b"\n"
        chunk = header(self._tag, HEAD, SYSTEM, at, int(self._clock() * 1000), len(line)) + line
        if is_over:
            fd = older[0]
            _write_all(fd, 0, [chunk, stop], len(chunk) + len(stop))
        else:
            fd = self._created(chunk)
            for old in older:
                os.close(old)
        self._fds = [*self._fds[-1:], fd]
        self._good = self._head_size = len(chunk)
        self._stop = stop
        self._turn += 1

    def _created(self, chunk: bytes) -> int:
        """Create the file of this turn with its first chunk."""
        turn = str(self._turn % 2)
        fd = self._files.create(turn)
        try:
            _write_all(fd, 0, [chunk], len(chunk))
            self._files.name_it(turn)
        except OSError:
            self._files.discard(fd, turn)
            raise
        return fd


def _write_all(fd: int, at: int, parts: list[Buffer], size: int) -> None:
    os.lseek(fd, at, os.SEEK_SET)
    sent = os.writev(fd, parts)
    while sent < size:  # a full disk cuts a write short before it refuses the next
        sent += os.write(fd, b"".join(parts)[sent:])


def _cut(fd: int, size: int) -> None:
    try:
        os.ftruncate(fd, size)
    except OSError:
        return  # what is read of the record leaves it out
