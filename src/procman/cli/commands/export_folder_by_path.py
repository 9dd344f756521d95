"""The folder of an export on Windows, which cannot open files relative to a folder: every file is found by its path."""

from __future__ import annotations

import os
import posixpath
import stat
from contextlib import suppress

from procman.cli.commands.export_folder import MAX_DEPTH, Change, Folder, Found, check_paths
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.export.file import ExportFile


class FolderByPath(Folder):
    """Compares and changes the same files as ``Folder``. Modes do not exist there, and are neither compared nor set."""

    def changes(self, files: Sequence[ExportFile]) -> list[Change]:
        """Compare ``files`` with the folder. Raises ConfigError if a file in the way is not ours."""
        check_paths(files)
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise ConfigError(f"{self.path} is not a folder", "--out takes a folder")
        wanted = [self._change(0, file) for file in files]
        paths = {file.path for file in files}
        return wanted + [Change("remove", path) for path in self._ours(0) if path not in paths]

    def apply(self, changes: Sequence[Change]) -> None:
        """Write and remove files. Each appears completely or not at all. Raises OSError."""
        for change in changes:
            if change.file is not None and change.kind != "keep":
                self._write(change.file)
        for change in changes:
            if change.kind == "remove":
                self._remove(change.path)

    def _full(self, path: str) -> str:
        """Return the path of a file. Raises ConfigError if one of the folders above it is a link."""
        full = self.path
        for part in path.split("/")[:-1]:
            full = os.path.join(full, part)
            if os.path.lexists(full) and (os.path.islink(full) or not os.path.isdir(full)):
                raise ConfigError(f"{path}: {part} is a link or a file, not a folder", "move it away")
        return os.path.join(full, posixpath.basename(path))

    def _find(self, _top: int, path: str) -> Found | None:
        full = self._full(path)
        try:
            mode = os.lstat(full).st_mode
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(mode):
            return Found(link=os.readlink(full))
        if not stat.S_ISREG(mode):
            return Found()
        with open(full, "rb") as file:
            return Found(content=file.read())

    def _is_same(self, found: Found, file: ExportFile) -> bool:
        return found.link == file.link if file.link else found.content == file.content.encode()

    def _ours(self, _top: int) -> Iterator[str]:
        for path in self._paths(""):
            found = self._find(0, path)
            if found is not None and self._is_ours(0, path, found):
                yield path

    def _paths(self, folder: str) -> Iterator[str]:
        above = os.path.join(self.path, folder)
        for name in sorted(os.listdir(above)) if os.path.isdir(above) else ():
            path = posixpath.join(folder, name)
            if not os.path.isdir(os.path.join(above, name)) or os.path.islink(os.path.join(above, name)):
                yield path
            elif path.startswith(self.app) and path.count("/") < MAX_DEPTH:
                yield from self._paths(path)

    def _write(self, file: ExportFile) -> None:
        full = self._full(file.path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        draft = f"{full}.{os.getpid()}.procman"
        try:
            if file.link:
                os.symlink(file.link, draft)
            else:
                with open(draft, "xb") as stream:
                    stream.write(file.content.encode())
            os.replace(draft, full)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft)
            raise

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._full(path))
        folder = posixpath.dirname(path)
        while folder:
            try:
                os.rmdir(os.path.join(self.path, folder))
            except OSError:
                return
            folder = posixpath.dirname(folder)
