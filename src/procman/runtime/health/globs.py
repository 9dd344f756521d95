"""Decides which changed files concern an instance, by its patterns and the .gitignore files."""

from __future__ import annotations

import os

import pathspec

from procman.config.reading import read_file
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Globs:
    """The patterns of one instance below ``folder``, in the syntax of .gitignore. Files ignored by git never match."""

    def __init__(self, folder: str, patterns: tuple[str, ...], never: Iterable[str] = ()) -> None:
        self.folder = folder
        self.patterns = patterns
        self._never = frozenset(never)
        self._wanted = pathspec.GitIgnoreSpec.from_lines(patterns)
        self._top = _repository(folder)
        self._ignored: dict[str, tuple[float, pathspec.GitIgnoreSpec | None]] = {}

    def match(self, path: str) -> bool:
        """Return whether a change of this file concerns the instance."""
        inner = _below(self.folder, path)
        return bool(inner) and path not in self._never and self._wanted.match_file(inner) and not self._is_ignored(path)

    def _is_ignored(self, path: str) -> bool:
        """Return whether git ignores the file: the .gitignore nearest to it decides."""
        verdict = False
        folder = self._top
        for name in (*os.path.dirname(_below(self._top, path)).split("/"), ""):
            spec = self._spec(folder)
            decision = spec.check_file(_below(folder, path)).include if spec else None
            verdict = verdict if decision is None else decision
            folder = os.path.join(folder, name) if name else folder
        return verdict

    def _spec(self, folder: str) -> pathspec.GitIgnoreSpec | None:
        path = os.path.join(folder, ".gitignore")
        try:
            changed = os.stat(path).st_mtime
        except OSError:
            return None
        known = self._ignored.get(folder)
        if known is None or known[0] != changed:
            known = self._ignored[folder] = (changed, _read(path))
        return known[1]


def _read(path: str) -> pathspec.GitIgnoreSpec | None:
    try:
        data, _ = read_file(path, pipes=False)
        return pathspec.GitIgnoreSpec.from_lines(data.decode(errors="replace").split("\n"))
    except (OSError, ValueError, ConfigError):
        return None


def _repository(folder: str) -> str:
    """Return the top of the folder's working tree, or the folder itself if it is in none."""
    here = folder
    while not os.path.exists(os.path.join(here, ".git")):
        above = os.path.dirname(here)
        if above == here:
            return folder
        here = above
    return here


def _below(folder: str, path: str) -> str:
    """Return the path relative to the folder; empty if it is not inside."""
    start = folder.rstrip("/") + "/"
    return path[len(start) :] if path.startswith(start) else ""
