"""The two files of a recorded session, and those of others: their names, which of them belong together, and their end.

A name is ``SESSION_NAME.NUMBER.SESSION.TURN``: the short name of the Procfile and folder, a number that grows with each
session of them, the session, and 0 or 1. While a session is running it holds a lock on its files. Sessions with a
``--socket`` of their own, of which scripts start many, are counted apart: they do not displace the others.
"""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "records"  # in the state folder
FILE_MODE = 0o600
DRAFT = ".new"  # the end of the name of a file that is not complete yet
YOUNGEST_DRAFT = 60.0  # seconds; it is locked within milliseconds
_PARTS = 4  # of a name
_TURNS = ("0", "1")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_OLD_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class RecordFiles:
    """The files of one session. ``name`` is that of its Procfile and folder, ``number`` its place among them."""

    __slots__ = ("folder", "name", "number", "session", "turns")

    def __init__(self, folder: str, name: str, number: int, session: str, turns: Iterable[str] = ()) -> None:
        self.folder = folder
        self.name = name
        self.number = number
        self.session = session
        self.turns = list(turns)  # of the files that are there

    def path(self, turn: str) -> str:
        """Return the path of one of the two files."""
        return f"{self.folder}/{self.name}.{self.number:06}.{self.session}.{turn}"

    def open(self) -> list[int]:
        """Open the files that are there, for reading."""
        opened = []
        for turn in self.turns:
            try:
                fd = os.open(self.path(turn), _OLD_FILE)
            except OSError:
                continue  # it has just been removed, or is a link
            if stat.S_ISREG(os.fstat(fd).st_mode):
                opened.append(fd)
            else:
                os.close(fd)
        return opened

    def create(self, turn: str) -> int:
        """Create a file that has no name yet, and lock it; see `name_it`. Raises OSError."""
        path = self.path(turn) + DRAFT
        try:
            fd = os.open(path, _NEW_FILE, FILE_MODE)
        except FileExistsError:
            os.unlink(path)
            fd = os.open(path, _NEW_FILE, FILE_MODE)
        is_locked(fd, exclusive=True)
        return fd

    def discard(self, fd: int, turn: str) -> None:
        """Remove a file that could not be written or named."""
        os.close(fd)
        try:
            os.unlink(self.path(turn) + DRAFT)
        except OSError:
            return

    def name_it(self, turn: str) -> None:
        """Give the new file its name, which another may have had: what reads that one can read on."""
        os.rename(self.path(turn) + DRAFT, self.path(turn))

    @property
    def changed(self) -> float:
        """When they were last written; seconds since the epoch, 0 if they are gone."""
        times = []
        for turn in self.turns:
            try:
                times.append(os.lstat(self.path(turn)).st_mtime)
            except OSError:
                continue
        return max(times, default=0.0)

    def remove(self) -> None:
        """Remove the files."""
        for turn in self.turns:
            try:
                os.unlink(self.path(turn))
            except OSError:
                continue

    def is_running(self) -> bool:
        """Return whether a session holds them."""
        opened = self.open()
        try:
            return any(map(is_locked, opened))
        finally:
            for fd in opened:
                os.close(fd)


def record_name(session_name: str, has_own_socket: bool) -> str:
    """Return the first part of the names, which is the same for sessions that are counted together."""
    return f"{session_name}-socket" if has_own_socket else session_name


def is_locked(fd: int, exclusive: bool = False) -> bool:
    """Return whether another process holds the lock of a file. With ``exclusive``, hold it from now on if none does."""
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    return False


def recorded(folder: str, name: str = "") -> list[RecordFiles]:
    """Return all recorded sessions in a folder, the oldest first; with ``name`` only those of one Procfile."""
    found: dict[tuple[str, int, str], RecordFiles] = {}
    try:
        files = sorted(os.listdir(folder))
    except OSError:
        return []
    for file in files:
        parts = file.split(".")
        if len(parts) != _PARTS or (name and parts[0] != name) or parts[3] not in _TURNS or not parts[1].isdecimal():
            continue
        key = (parts[0], int(parts[1]), parts[2])
        found.setdefault(key, RecordFiles(folder, *key)).turns.append(parts[3])
    return sorted(found.values(), key=lambda one: (one.number, one.session))


def remove_drafts(folder: str) -> None:
    """Remove files without a name that killed sessions have left. One that is younger may not be locked yet."""
    before = time.time() - YOUNGEST_DRAFT
    for file in os.listdir(folder):
        path = f"{folder}/{file}"
        if not file.endswith(DRAFT) or file.count(".") != _PARTS:
            continue
        try:
            if os.lstat(path).st_mtime > before:
                continue
            fd = os.open(path, _OLD_FILE)
        except OSError:
            continue  # it has just got its name, or is a link
        if not is_locked(fd):
            os.unlink(path)
        os.close(fd)


def next_files(folder: str, name: str, session: str, keep: int) -> RecordFiles:
    """Return the files of a new session, and remove those of the oldest: ``keep`` remain, with the new one."""
    before = recorded(folder, name)
    for old in before[: max(0, len(before) - max(0, keep - 1))]:  # a negative end would count from the last
        if not old.is_running():
            old.remove()
    return RecordFiles(folder, name, before[-1].number + 1 if before else 1, session)
