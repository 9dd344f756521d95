"""Which changed files restart an instance, and which ones restart none."""

from __future__ import annotations

import pytest

pytest.importorskip("pathspec")

from procman.runtime.health.globs import Globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def cares(folder: Path, patterns: list[str], path: str) -> bool:
    return Globs(str(folder), tuple(patterns)).match(str(folder / path))


@pytest.mark.parametrize(
    ("patterns", "path", "matches"),
    [
        (["*.py"], "a.py", True),
        (["*.py"], "deep/er/a.py", True),
        (["*.py"], "a.txt", False),
        (["src/**/*.py"], "src/a/b.py", True),
        (["src/**/*.py"], "other/b.py", False),
        (["src/"], "src/x", True),
        (["*.py", "!test_*.py"], "test_a.py", False),
        (["/top.py"], "deep/top.py", False),
    ],
)
def test_patterns_are_those_of_a_gitignore(tmp_path: Path, patterns: list[str], path: str, matches: bool) -> None:
    assert cares(tmp_path, patterns, path) is matches


def test_what_git_ignores_is_no_change(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / ".gitignore").write_text("build/\n*.log\n")
    (tmp_path / "app" / ".gitignore").write_text("!keep.log\nlocal.py\n")
    globs = Globs(str(tmp_path / "app"), ("*",))
    seen = {
        name
        for name in ("a.py", "local.py", "x.log", "keep.log", "build/a.py")
        if globs.match(f"{tmp_path}/app/{name}")
    }
    assert seen == {"a.py", "keep.log"}


def test_an_edited_gitignore_counts_at_once(tmp_path: Path) -> None:
    ignore = tmp_path / ".gitignore"
    globs = Globs(str(tmp_path), ("*.py",))
    assert globs.match(f"{tmp_path}/a.py")
    ignore.write_text("a.py\n")
    assert not globs.match(f"{tmp_path}/a.py")


def test_other_folders_and_our_own_logs_are_no_change(tmp_path: Path) -> None:
    globs = Globs(str(tmp_path), ("*",), [f"{tmp_path}/web.log"])
    assert not globs.match("/elsewhere/a.py")
    assert not globs.match(f"{tmp_path}/web.log")
    assert not globs.match(f"{tmp_path}x/a.py")
