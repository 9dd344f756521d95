"""Decides which changed files concern an instance, by its patterns and the .gitignore files."""

from __future__ import annotations

import os
from collections import deque

import pathspec

from procman.config.reading import belongs_to, read_file, trusted_owners
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Rule = tuple[str, int | None]  # a folder, and which line of its .gitignore; None: the folder is never a source

# Folders that tools fill. They hold most of the folders of a project, and each one that is watched costs a watch.
_GENERATED = frozenset(
    (
        *(".git", ".hg", ".svn", ".idea", "node_modules", "bower_components", "target", "dist"),
        *(".venv", "venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox"),
        *(".next", ".nuxt", ".svelte-kit", ".turbo", ".parcel-cache", ".gradle", ".terraform"),
    )
)


class Globs:
    """The patterns of one instance below ``folder``, in the syntax of .gitignore.

    Files that git ignores, or in the folders of tools, never match, unless a pattern names them, or their folder,
    outright: ``.env``, ``dist/*.js``.
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
        return rule is None or self._is_named(inner.split("/"), rule)

    def folders(self, top: str = "") -> Iterator[str]:
        """Yield the folders whose files may match, from ``top`` down; by default from the folder of the patterns.

        A link is followed, unless it leads to a folder around it.
        """
        top = top or self.folder
        waiting = deque([(top, os.path.realpath(top))])
        linked: set[str] = set()
        while waiting:
            folder, real = waiting.popleft()
            yield folder
            for name, is_link in _subfolders(folder):
                path = os.path.join(folder, name)
                if not self.may_match_in(path):
                    continue
                target = os.path.realpath(path) if is_link else os.path.join(real, name)
                if is_link:
                    if target in linked or _below(target, f"{real}/"):
                        continue
                    linked.add(target)
                waiting.append((path, target))

    def may_match_in(self, folder: str) -> bool:
        """Return whether files in this folder may match: it is not ignored, or a pattern names it or what is in it."""
        inner = _below(self.folder, folder)
        rule = self._ignoring_rule(f"{folder}/")
        if not inner or rule is None:
            return bool(inner) or folder == self.folder
        words = inner.split("/")
        leads_there = any(is_anchored and literal[: len(words)] == words for literal, is_anchored in self._outright)
        return leads_there or self._is_named([*words, ""], rule)

    def _is_named(self, words: list[str], rule: Rule) -> bool:
        """Return whether a pattern names, without any wildcard, a part of the path that the rule ignores.

        A pattern of one name means a file or a folder anywhere, so it has to be the very thing that is ignored.
        """
        for depth in range(1, len(words) + 1):
            for literal, is_anchored in self._outright:
                if literal != (words[:depth] if is_anchored else words[depth - 1 : depth]):
                    continue
                named = os.path.join(self.folder, *words[:depth]) + ("/" if depth < len(words) else "")
                around = os.path.join(self.folder, *words[: depth - 1], "")
                if self._ignoring_rule(named) == rule and (is_anchored or self._ignoring_rule(around) != rule):
                    return True
        return False

    def _ignoring_rule(self, path: str) -> Rule | None:
        """Return the rule by which a file, or a folder (which ends in a slash), is ignored, or None.

        The .gitignore nearest to it decides; without any, the innermost folder of a tool around it.
        """
        rule = self._generated(os.path.dirname(path))
        folder = self._top
        for name in (*os.path.dirname(_below(self._top, path.rstrip("/"))).split("/"), ""):
            spec = self._spec(folder)
            found = spec.check_file(_below(folder, path)) if spec else None
            if found is not None and found.include is not None:
                rule = (folder, found.index) if found.include else None
            folder = os.path.join(folder, name) if name else folder
        return rule

    def _generated(self, folder: str) -> Rule | None:
        words = _below(self.folder, folder).split("/")
        found = max((depth for depth, word in enumerate(words, 1) if word in _GENERATED), default=0)
        return (os.path.join(self.folder, *words[:found]), None) if found else None

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


def _subfolders(folder: str) -> list[tuple[str, bool]]:
    """Return the folders in a folder, each with whether it is a link; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.is_symlink()) for entry in entries if entry.is_dir()]
    except OSError:
        return []


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
    """Return the top of the folder's working tree, or the folder itself if it is in none.

    A ``.git`` of a stranger does not count, nor does the ``.gitignore`` beside it.
    """
    here, owners = folder, trusted_owners(folder)
    while not belongs_to(owners, os.path.join(here, ".git")):
        above = os.path.dirname(here)
        if above == here:
            return folder
        here = above
    return here


def _below(folder: str, path: str) -> str:
    """Return the path relative to the folder; empty if it is not inside."""
    start = folder.rstrip("/") + "/"
    return path[len(start) :] if path.startswith(start) else ""
