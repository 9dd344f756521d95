"""Decides which changed files concern an instance, by its patterns and the .gitignore files."""

from __future__ import annotations

import os

import pathspec

from procman.config.reading import read_file
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Globs:
    """The patterns of one instance below ``folder``, in the syntax of .gitignore.

    Files ignored by git never match, unless a pattern names them, or their folder, outright: ``.env``, ``dist/*.js``.
    """

    def __init__(self, folder: str, patterns: tuple[str, ...]) -> None:
        self.folder = folder
        self.patterns = patterns
        self._wanted = pathspec.GitIgnoreSpec.from_lines(patterns)
        self._outright = [words for words in map(_literal_start, patterns) if words]
        self._top = _repository(folder)
        self._ignored: dict[str, tuple[float, pathspec.GitIgnoreSpec | None]] = {}

    def match(self, path: str) -> bool:
        """Return whether a change of this file concerns the instance."""
        inner = _below(self.folder, path)
        if not inner or not self._wanted.match_file(inner):
            return False
        rule = self._ignoring_rule(path)
        return rule is None or any(self._ignoring_rule(named) == rule for named in self._named(inner.split("/")))

    def _named(self, words: list[str]) -> Iterator[str]:
        """Yield the file, or the folders around it, that a pattern names without any wildcard."""
        for depth in range(1, len(words) + 1):
            for literal, is_anchored in self._outright:
                if literal == (words[:depth] if is_anchored else words[depth - 1 : depth]):
                    yield os.path.join(self.folder, *words[:depth]) + ("/" if depth < len(words) else "")

    def _ignoring_rule(self, path: str) -> tuple[str, int | None] | None:
        """Return the rule by which git ignores a file or a folder (which ends in a slash), or None.

        The .gitignore nearest to it decides.
        """
        rule: tuple[str, int | None] | None = None
        folder = self._top
        for name in (*os.path.dirname(_below(self._top, path.rstrip("/"))).split("/"), ""):
            spec = self._spec(folder)
            found = spec.check_file(_below(folder, path)) if spec else None
            if found is not None and found.include is not None:
                rule = (folder, found.index) if found.include else None
            folder = os.path.join(folder, name) if name else folder
        return rule

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


def _literal_start(pattern: str) -> tuple[list[str], bool] | None:
    """Return the folders and the file that a pattern begins with, as far as they have no wildcard.

    The second value is whether they begin at the folder of the patterns, else anywhere below it.
    """
    words: list[str] = []
    for word in pattern.strip("/").split("/"):
        if not word or any(character in word for character in "*?[\\!#"):
            break
        words.append(word)
    return (words, "/" in pattern.rstrip("/")) if words else None


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
