"""Does the sorting of changed files: which ones an instance cares for, and which ones nobody does."""

from __future__ import annotations

import os

import pathspec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Globs:
    """The patterns of one instance, as in a .gitignore, below ``folder``; what .gitignore files name is left out."""

    def __init__(self, folder: str, patterns: tuple[str, ...], never: Iterable[str] = ()) -> None:
        self.folder = folder
        self.patterns = patterns
        self._never = frozenset(never)
        self._wanted = pathspec.GitIgnoreSpec.from_lines(patterns)
        self._top = _repository(folder)
        self._ignored: dict[str, tuple[float, pathspec.GitIgnoreSpec | None]] = {}

    def match(self, path: str) -> bool:
        """Whether a change of this file matters."""
        inner = _below(self.folder, path)
        return bool(inner) and path not in self._never and self._wanted.match_file(inner) and not self._is_ignored(path)

    def _is_ignored(self, path: str) -> bool:
        """As git sees it: the .gitignore nearest to the file has the last word."""
        verdict = False
        folder = self._top
        for name in (*os.path.dirname(_below(self._top, path)).split("/"), ""):
            spec = self._spec(folder)
            said = spec.check_file(_below(folder, path)).include if spec else None
            verdict = verdict if said is None else said
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
        with open(path, encoding="utf-8", errors="replace") as file:
            return pathspec.GitIgnoreSpec.from_lines(file.read().split("\n"))
    except (OSError, ValueError):
        return None


def _repository(folder: str) -> str:
    """The top of the working tree that the folder is in, or else the folder."""
    here = folder
    while not os.path.exists(os.path.join(here, ".git")):
        above = os.path.dirname(here)
        if above == here:
            return folder
        here = above
    return here


def _below(folder: str, path: str) -> str:
    """The path as seen from the folder; empty when it is not inside."""
    start = folder.rstrip("/") + "/"
    return path[len(start) :] if path.startswith(start) else ""
