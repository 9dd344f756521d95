"""Reads recorded sessions. A record may end anywhere and hold anything: what is whole in it counts."""

from __future__ import annotations

import os
import time

from procman.cli.control.log_query import lines_after
from procman.cli.control.recorded_file import RecordedFile, as_object
from procman.config.state_folder import require_own, state_folder
from procman.core.procfile.selection import matches
from procman.core.text.record_format import END, LIFE, STREAMS
from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError
from procman.output.sinks.record_files import FOLDER, record_name, recorded
from procman.output.stamp import utc
from procman.runtime.control.endpoint import session_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from procman.cli.control.log_query import Output, Query, Record
    from procman.core.model.settings import Settings
    from procman.core.text.record_format import Chunk
    from procman.output.sinks.record_files import RecordFiles

RUNNING, ENDED, KILLED = "running", "ended", "killed"  # states
TAIL = 256 << 10  # bytes at the end of a file that are searched first for the last lines


def records_folder() -> str:
    """Return the folder of the records, or an empty string if it is not the user's own."""
    try:
        folder = f"{state_folder(os.environ)}/{FOLDER}"
        require_own(folder)
    except OSError:
        return ""
    return folder


def all_records() -> list[RecordFiles]:
    """Return all recorded sessions of the user."""
    folder = records_folder()
    return recorded(folder) if folder else []


def records_of(settings: Settings) -> list[Recording]:
    """Return the recorded sessions of a Procfile and folder, the oldest first; with --socket, those that used it."""
    folder = records_folder()
    if not folder:
        return []
    procfile, root = os.path.realpath(settings.procfile), os.path.realpath(settings.root)
    socket = settings.socket and os.path.abspath(settings.socket)
    name = record_name(session_name(root, procfile), bool(socket))
    found = [Recording(files) for files in recorded(folder, name)]
    return [one for one in found if one.head.get("socket") == socket and one.is_of(procfile, root)]


class Ending:
    """How a recorded session has ended: ``code`` is its exit code, None if no end is recorded."""

    def __init__(self, moment: float, code: int | None, reason: str, is_running: bool) -> None:
        self.time = moment  # of the last output, or of the end; in seconds since the epoch
        self.code = code
        self.reason = reason
        self.is_running = is_running

    @property
    def state(self) -> str:
        """RUNNING, ENDED or KILLED."""
        return RUNNING if self.is_running else KILLED if self.code is None else ENDED

    @property
    def utc(self) -> str | None:
        """Its time, as `logs --json` prints it; None for a time that is none, which a record may hold."""
        try:
            return utc(self.time)
        except (OverflowError, ValueError, OSError):
            return None

    @property
    def local_time(self) -> str:
        """Its time, for a sentence."""
        try:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time))
        except (OverflowError, ValueError, OSError):
            return "an unknown day"


class Recording:
    """A recorded session."""

    def __init__(self, files: RecordFiles) -> None:
        self.files = files
        self.session = files.session
        opened = [RecordedFile(fd) for fd in files.open()]
        self._files = sorted((one for one in opened if one.tag), key=lambda one: one.at)
        self.head: Record = self._files[-1].head if self._files else {}

    @property
    def begin(self) -> int:
        """The position at which it begins, which is not 0 if its oldest half was dropped."""
        return self._files[0].at if self._files else 0

    def is_of(self, procfile: str, root: str) -> bool:
        """Return whether it is a session of this Procfile and folder. Short names of two may be the same."""
        places = ((self.head.get("procfile"), procfile), (self.head.get("root"), root))
        return all(not isinstance(here, str) or os.path.realpath(here) == there for here, there in places)

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(one.file_size for one in self._files)

    @property
    def names(self) -> list[str]:
        """The instances that it began with."""
        names = self.head.get("names")
        return [str(name) for name in names] if isinstance(names, list) else []

    def output(self, query: Query, to: int | None = None) -> Output:
        """Yield the output that is wanted, before the position ``to``. A gap is a record with ``skipped``."""
        return self._wanted(self._chunks(), query, to)

    def tail(self, query: Query, count: int, to: int | None = None) -> Output:
        """Yield at least the last ``count`` lines of what is wanted, if there are so many."""
        size = TAIL
        while True:
            found = list(self._wanted(self._last_chunks(size), query, to))
            if size >= self.size or sum(lines.count(b"\n") for _, lines in found) >= count:
                return iter(found)
            size *= 8

    def lives(self, query: Query) -> dict[str, tuple[int, ...]]:
        """Return where the output of the latest two children of each instance begins."""
        lives: dict[str, tuple[int, ...]] = {}
        known = self.head.get("lives")
        for name, starts in known.items() if isinstance(known, dict) else ():
            if isinstance(starts, list) and all(isinstance(start, int) for start in starts):
                lives[name] = tuple(starts)
        for chunk in self._files[-1].chunks() if self._files else ():
            if chunk.kind == LIFE:
                lives[chunk.name] = (*lives.get(chunk.name, ())[-1:], chunk.at)
        return {name: starts for name, starts in lives.items() if query.is_meant(name)}

    def ending(self) -> Ending:
        """Return how it has ended."""
        last, code, reason = 0.0, None, ""
        for chunk in self._last_chunks(TAIL):
            last = chunk.time
            if chunk.kind == END:
                value = as_object(chunk.lines)
                number, words = value.get("code"), value.get("reason")
                code = number if isinstance(number, int) else None
                reason = words if isinstance(words, str) else ""
        return Ending(last, code, reason, code is None and self.files.is_running())

    def require_names(self, names: Iterable[str]) -> list[str]:
        """Return the names, with the process types of a group in its place. Raises UsageError for unknown ones."""
        groups = self.head.get("groups")
        of_type = groups if isinstance(groups, dict) else {}
        known = ["system", *self.names]
        wanted: list[str] = []
        for name in names:
            types = [kind for kind, its in of_type.items() if isinstance(its, list) and name in its]
            if not types and not any(matches(name, one) for one in known):
                known += [chunk.name for chunk in self._chunks() if chunk.kind == LIFE]
                if not any(matches(name, one) for one in known):
                    near = dict.fromkeys(one.partition(".")[0] for one in known)
                    message = f'there is no process "{name}" in the recorded session {self.session}'
                    raise UsageError(message, did_you_mean(name, tuple(near)))
            wanted += types or [name]
        return wanted

    def _chunks(self) -> Iterator[Chunk]:
        for file in self._files:
            yield from file.chunks()

    def _last_chunks(self, size: int) -> Iterator[Chunk]:
        left = size
        kept = []
        for file in reversed(self._files):
            kept.append((file, max(0, file.size - left)))
            left -= file.size
            if left <= 0:
                break
        for file, start in reversed(kept):
            yield from file.chunks(start)

    def _wanted(self, chunks: Iterator[Chunk], query: Query, to: int | None) -> Output:
        after = expected = query.after
        last = to or 0
        for chunk in chunks:
            if chunk.kind == END and to is None:
                last = chunk.at
            if to is not None and chunk.at >= to:
                break
            if chunk.kind not in STREAMS or (after is not None and chunk.end <= after) or (to or chunk.end) < chunk.end:
                continue
            if expected is not None and chunk.at > expected:
                yield self._gap(expected, chunk.at)
            expected = chunk.end
            if query.is_wanted(chunk.name, chunk.time):
                lines = lines_after(chunk.lines, (after or 0) - chunk.at)
                source = {"log": chunk.name, "stream": chunk.kind, "session": self.session}
                yield {**source, "time": chunk.time, "at": chunk.end - len(lines)}, lines
        if expected is not None and last > expected:
            yield self._gap(expected, last)

    def _gap(self, start: int, end: int) -> tuple[Record, bytes]:
        return {"skipped": end - start, "unit": "bytes", "cursor": f"{self.session}:{end}"}, b""
