"""Log files: one per instance (``--log-dir``), or those that an overlay names."""

from __future__ import annotations

import errno
import os
import stat

from procman.errors import ConfigError
from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Output may hold secrets, so the folder and the files belong to the user alone.
FOLDER_MODE = 0o700
FILE_MODE = 0o600
# O_NONBLOCK: opening a FIFO without a reader must not hang us. It has no effect on a regular file.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class LogFiles(Sink):
    """One file per instance, opened for appending at its first output.

    If a file cannot be written, ``complain`` is called once, and the next lines are tried again. After a line that was
    written only in part, the next one starts in a row of its own.
    """

    __slots__ = ("_complain", "_complained", "_fds", "_folder", "_torn", "dropped")

    wants_colors = False

    def __init__(self, folder: str, complain: Callable[[str], None]) -> None:
        """Make ``folder``, which is relative to the current folder. Raises ConfigError if that fails."""
        folder = os.path.abspath(folder)  # the session changes to another folder later
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
        """Append all of these lines, also after a short write."""
        try:
            fd = self._fds.get(name)
            self._write(name, self._open(name) if fd is None else fd, lines)
        except OSError as error:
            self._lose(name, lines, error)

    def reopen(self) -> None:
        """Close every file. The next line of an instance opens the file that has its name by then."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._complained.clear()

    def close(self) -> None:
        """Close every file, and complain if lines are missing."""
        self.reopen()
        if self.dropped:
            self._complain(f"up to {self.dropped:,} bytes are missing from the log files")

    def path(self, name: str) -> str:
        """Return the path of an instance's file."""
        return f"{self._folder}/{name}.log"

    def _open(self, name: str) -> int:
        path = self.path(name)
        try:
            fd = os.open(path, FLAGS, FILE_MODE)
        except FileNotFoundError:  # the folder was moved away
            os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
            fd = os.open(path, FLAGS, FILE_MODE)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file")
        if not status.st_size:  # a new file with the same name
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
            self._complain(f"cannot write to {self.path(name)}: {_reason(error)}")


class ProcessLogFiles(LogFiles):
    """The log files of an overlay: one per process type, or per instance if the path holds ``{instance}``."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Mapping[str, str], complain: Callable[[str], None]) -> None:
        """``paths`` are absolute, by process type. Raises ConfigError if a folder cannot be made."""
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
        """Append the lines of an instance that has a file."""
        if name.partition(".")[0] in self._paths:
            super().publish(name, stream, lines)

    def path(self, name: str) -> str:
        """Return the path of an instance's file."""
        return self._paths[name.partition(".")[0]].replace("{instance}", name)


def _reason(error: OSError) -> str:
    """Return the system's message, or a clearer one for this place."""
    messages = {errno.EEXIST: "it is not a folder", errno.ELOOP: "it is a symbolic link, which is not followed"}
    return messages.get(error.errno or 0) or error.strerror or str(error)
