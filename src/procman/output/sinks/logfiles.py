"""Shows lines in files: ``web.1.log`` and so on, besides the screen."""

from __future__ import annotations

import errno
import os
import stat

from procman.errors import ConfigError
from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What children print may hold what they know: the folder and the files are the user's own.
FOLDER_MODE = 0o700
FILE_MODE = 0o600
# O_NONBLOCK: opening a FIFO that nobody reads must not hang us; it means nothing for a regular file.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class LogFiles(Sink):
    """One file for each instance, appended to, opened when it first speaks; colors are left out.

    A file that cannot be written is complained about once (by ``complain``) and tried again at the next lines. A line
    of which only half was written stays in a row of its own.
    """

    __slots__ = ("_complain", "_complained", "_fds", "_folder", "_torn", "dropped")

    wants_colors = False

    def __init__(self, folder: str, complain: Callable[[str], None]) -> None:
        """Make ``folder``, whose name means what it means here and now: the run goes on in another one. Raises
        ConfigError when it cannot be had."""
        folder = os.path.abspath(folder)
        try:
            os.makedirs(folder, FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--log-dir {folder}: {_reason(error)}") from None
        self._folder = folder
        self._complain = complain
        self._complained: set[str] = set()
        self._fds: dict[str, int] = {}
        self._torn: set[str] = set()  # paths of the files that end in half a line
        self.dropped = 0  # bytes

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Append the lines, all of them, whatever it takes."""
        try:
            fd = self._fds.get(name)
            self._write(name, self._open(name) if fd is None else fd, lines)
        except OSError as error:
            self._lose(name, lines, error)

    def reopen(self) -> None:
        """Close every file; the next line of each instance goes to the file that then has its name."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._complained.clear()

    def close(self) -> None:
        """Close every file, and say what is not in them."""
        self.reopen()
        if self.dropped:
            self._complain(f"the log files lack up to {self.dropped:,} bytes")

    def path(self, name: str) -> str:
        """Where the lines of an instance go."""
        return f"{self._folder}/{name}.log"

    def _open(self, name: str) -> int:
        path = self.path(name)
        try:
            fd = os.open(path, FLAGS, FILE_MODE)
        except FileNotFoundError:  # the whole folder was moved away
            os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
            fd = os.open(path, FLAGS, FILE_MODE)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file")
        if not status.st_size:  # another file with the same name
            self._torn.discard(path)
        self._fds[name] = fd
        return fd

    def _write(self, name: str, fd: int, lines: bytes) -> None:
        if self._torn and (path := self.path(name)) in self._torn:
            os.write(fd, b"\n")
            self._torn.discard(path)
        sent = os.write(fd, lines)
        try:
            while sent < len(lines):  # a full disk cuts a write short before it refuses the next
                sent += os.write(fd, memoryview(lines)[sent:])
        except OSError:
            if lines[sent - 1] != 10:
                self._torn.add(self.path(name))
            raise

    def _lose(self, name: str, lines: bytes, error: OSError) -> None:
        self.dropped += len(lines)
        if name not in self._complained:
            self._complained.add(name)
            self._complain(f"{self.path(name)} cannot be written: {_reason(error)}")


class ProcessLogFiles(LogFiles):
    """A file for each process type that has one, or with ``{instance}`` in its path, for each instance."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Mapping[str, str], complain: Callable[[str], None]) -> None:
        """``paths`` by process type, absolute. Makes their folders; raises ConfigError when one cannot be had."""
        self._paths = paths
        folder = os.sep
        for path in paths.values():
            folder = os.path.dirname(path)
            try:
                os.makedirs(folder, FOLDER_MODE, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"log_file {path}: {error.strerror}") from None
        super().__init__(folder, complain)

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Append the lines of those who have a file."""
        if name.partition(".")[0] in self._paths:
            super().publish(name, stream, lines)

    def path(self, name: str) -> str:
        """Where the lines of an instance go."""
        return self._paths[name.partition(".")[0]].replace("{instance}", name)


def _reason(error: OSError) -> str:
    """What the system says, in words for this place."""
    words = {errno.EEXIST: "it is no folder", errno.ELOOP: "it is a symbolic link, which is not followed"}
    return words.get(error.errno or 0) or error.strerror or str(error)
