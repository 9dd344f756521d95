"""The folder of an export: compare it with the files, then change only our own files, and nothing outside."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from contextlib import suppress
from dataclasses import dataclass

from procman.errors import ConfigError, ProcmanError
from procman.export.file import marker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from procman.export.file import ExportFile

    Kind = Literal["create", "update", "keep", "remove"]

# Files with a single number or word have no room for a marker. They are ours if a script beside them is.
_COMPANIONS = ("down-signal", "timeout-kill", "timeout-finish")
_SCRIPTS = ("run", "finish")
# A supervisor needs these to stop what still runs. They stay as long as its own folder is beside them.
_STOP_FILES = (*_COMPANIONS, "finish", "control/t")
_SUPERVISES = "supervise"
MAX_DEPTH = 2  # folders, as in shop-web.1/log/run
_MARKER_RANGE = 2048  # bytes at the top of a file that must contain the marker


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one path. ``file`` is None if it is removed."""

    kind: Kind
    path: str
    file: ExportFile | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What exists at a path: the target of a link, or bytes and mode of a regular file; neither for anything else."""

    link: str = ""
    content: bytes | None = None
    mode: int = 0


class Folder:
    """The folder of an export. Paths below it are opened part by part, without following symbolic links."""

    def __init__(self, path: str, format_name: str, app: str) -> None:
        self.path = path
        self.marker = marker(format_name, app).encode()
        self.app = app

    def changes(self, files: Sequence[ExportFile]) -> list[Change]:
        """Compare ``files`` with the folder. Raises ConfigError if a file in the way is not ours."""
        check_paths(files)
        if not os.path.isdir(self.path):
            if os.path.lexists(self.path):
                raise ConfigError(
                    f"{self.path} is not a folder", "--out takes a folder; it is created if it does not exist"
                )
            return [Change("create", file.path, file) for file in files]
        with _opened(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)) as top:
            wanted = [self._change(top, file) for file in files]
            paths = {file.path for file in files}
            gone = [path for path in self._ours(top) if path not in paths and not _may_be_needed(top, path)]
            return wanted + [Change("remove", path) for path in gone]

    def apply(self, changes: Sequence[Change]) -> None:
        """Write and remove files. Each appears completely or not at all. Raises OSError."""
        os.makedirs(self.path, exist_ok=True)
        with _opened(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)) as top:
            for change in changes:
                if change.file is not None and change.kind != "keep":
                    _write(top, change.file)
            for change in changes:
                if change.kind == "remove":
                    _remove(top, change.path)

    def _change(self, top: int, file: ExportFile) -> Change:
        found = self._find(top, file.path)
        if found is None:
            return Change("create", file.path, file)
        if self._is_same(found, file):
            return Change("keep", file.path, file)
        if not self._is_ours(top, file.path, found):
            message = f"{posixpath.join(self.path, file.path)} exists and was not written by this export"
            raise ConfigError(message, "move it away, or choose another folder or --app")
        return Change("update", file.path, file)

    def _is_same(self, found: Found, file: ExportFile) -> bool:
        if file.link:
            return found.link == file.link
        return found.content == file.content.encode() and found.mode == file.mode

    def _find(self, top: int, path: str) -> Found | None:
        folder, name = posixpath.split(path)
        parent = _folder(top, folder, create=False)
        if parent is None:
            return None
        with _opened(parent) as fd:
            return _look(fd, name)

    def _is_ours(self, top: int, path: str, found: Found) -> bool:
        folder, name = posixpath.split(path)
        if found.link:
            target = posixpath.normpath(posixpath.join(folder, found.link))
            inside = not target.startswith(("/", ".."))
            return inside and self._is_marked(self._find(top, target))
        if name in _COMPANIONS:
            return any(self._is_marked(self._find(top, posixpath.join(folder, script))) for script in _SCRIPTS)
        return self._is_marked(found)

    def _is_marked(self, found: Found | None) -> bool:
        return found is not None and found.content is not None and self.marker in found.content[:_MARKER_RANGE]

    def _ours(self, top: int) -> Iterator[str]:
        """Yield every path that an earlier export of this format and application has left here."""
        for path in _paths(top, "", self.app):
            found = self._find(top, path)
            if found is not None and self._is_ours(top, path, found):
                yield path


def _may_be_needed(top: int, path: str) -> bool:
    """Whether a supervisor may still need the file to stop an instance: it has a folder of its own beside it."""
    folder, _, name = path.partition("/")
    parent = _folder(top, folder, create=False) if name in _STOP_FILES else None
    if parent is None:
        return False
    with _opened(parent) as fd:
        return _SUPERVISES in os.listdir(fd)


def check_paths(files: Sequence[ExportFile]) -> None:
    """Raise ProcmanError for a path that leads out of the folder or comes twice, which is a bug in the exporter."""
    seen: set[str] = set()
    for file in files:
        _check_path(file.path)
        if file.path in seen:
            raise ProcmanError(f'the exporter writes "{file.path}" twice', "please report it")
        seen.add(file.path)


def _check_path(path: str) -> None:
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise ProcmanError(f'the exporter tries to write "{path}", which is outside the folder', "please report it")


def _paths(top: int, folder: str, app: str) -> list[str]:
    """List files and links in the folder, and in those of its folders that are named after the application."""
    fd = _folder(top, folder, create=False)
    if fd is None:
        return []
    paths: list[str] = []
    with _opened(fd):
        for name in sorted(os.listdir(fd)):
            path = posixpath.join(folder, name)
            if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                paths.append(path)
            elif path.startswith(app) and path.count("/") < MAX_DEPTH:
                paths += _paths(top, path, app)
    return paths


def _folder(top: int, path: str, create: bool) -> int | None:
    """Open a folder below ``top``, part by part. Return None if it is missing. Raises ConfigError for a link."""
    fd = os.dup(top)
    for part in path.split("/") if path else ():
        try:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=fd)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise ConfigError(f"{path}: {part} is a link or a file, not a folder", "move it away") from None
            raise
        finally:
            os.close(fd)
        fd = inner
    return fd


def _look(folder: int, name: str) -> Found | None:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return Found(link=os.readlink(name, dir_fd=folder))
    if not stat.S_ISREG(mode):
        return Found()
    try:
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
            return Found(content=file.read(), mode=stat.S_IMODE(mode))
    except PermissionError:
        return Found()


def _write(top: int, file: ExportFile) -> None:
    folder, name = posixpath.split(file.path)
    parent = _folder(top, folder, create=True)
    assert parent is not None
    with _opened(parent) as fd:
        draft = f".{name}.{os.getpid()}.procman"
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=fd)
        try:
            _draft(fd, draft, file)
            os.replace(draft, name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=fd)
            raise


def _draft(folder: int, name: str, file: ExportFile) -> None:
    if file.link:
        os.symlink(file.link, name, dir_fd=folder)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    # Created secret, so that there is no moment at which other users could open a file meant for its owner.
    with open(os.open(name, flags, 0o600, dir_fd=folder), "wb") as stream:
        stream.write(file.content.encode())
        stream.flush()
        os.fchmod(stream.fileno(), file.mode)
        os.fsync(stream.fileno())


def _remove(top: int, path: str) -> None:
    folder, name = posixpath.split(path)
    parent = _folder(top, folder, create=False)
    if parent is None:
        return
    with _opened(parent) as fd, suppress(FileNotFoundError):
        os.unlink(name, dir_fd=fd)
    while folder:  # remove empty folders; the files of a running supervisor keep theirs
        folder, name = posixpath.split(folder)
        above = _folder(top, folder, create=False)
        if above is None:
            return
        with _opened(above) as fd:
            try:
                os.rmdir(name, dir_fd=fd)
            except OSError:
                return


class _opened:  # noqa: N801 (it reads like a function)
    """Closes a descriptor at the end of a block."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
