"""Which changed files restart an instance, and which ones restart none."""

from __future__ import annotations

import os
import threading

import pytest

pytest.importorskip("pathspec")

from procman.runtime.health import globs as globs_module
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_what_the_repository_of_a_stranger_ignores_is_a_change(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "mine").mkdir()
    assert not cares(tmp_path / "mine", ["*.py"], "a.py")
    os.chown(tmp_path / ".git", 54321, 54321)
    assert cares(tmp_path / "mine", ["*.py"], "a.py")


def test_an_edited_gitignore_counts_at_once(tmp_path: Path) -> None:
    ignore = tmp_path / ".gitignore"
    globs = Globs(str(tmp_path), ("*.py",))
    assert globs.match(f"{tmp_path}/a.py")
    ignore.write_text("a.py\n")
    assert not globs.match(f"{tmp_path}/a.py")


def test_other_folders_are_no_change(tmp_path: Path) -> None:
    globs = Globs(str(tmp_path), ("*",))
    assert not globs.match("/elsewhere/a.py")
    assert not globs.match(f"{tmp_path}x/a.py")


def test_a_gitignore_is_read_again_only_when_it_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ignore = tmp_path / ".gitignore"
    ignore.write_text("a.py\n")
    os.utime(ignore, (1000, 1000))
    reads: list[str] = []
    read = globs_module._read

    def counted(path: str) -> object:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(globs_module, "_read", counted)
    globs = Globs(str(tmp_path), ("*.py",))
    assert [globs.match(f"{tmp_path}/{name}.py") for name in "aba"] == [False, True, False]
    assert len(reads) == 1
    ignore.write_text("b.py\n")
    os.utime(ignore, (2000, 2000))
    assert [globs.match(f"{tmp_path}/{name}.py") for name in "aba"] == [True, False, True]
    assert len(reads) == 2


def test_a_gitignore_of_another_encoding_counts(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"# gener\xe9\na.py\n")
    assert not cares(tmp_path, ["*.py"], "a.py")


def test_a_gitignore_with_a_mistake_ignores_nothing(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("!\n")
    assert cares(tmp_path, ["*.py"], "a.py")


def test_a_pipe_called_gitignore_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".gitignore")
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(cares(tmp_path, ["*.py"], "a.py")), daemon=True)
    thread.start()
    thread.join(10)
    assert found == [True]


@pytest.mark.parametrize(
    ("patterns", "path", "matches"),
    [
        (["local.env"], "local.env", True),
        (["local.env"], "deep/local.env", True),
        (["*.env"], "local.env", False),
        (["dist/*.js"], "dist/app.js", True),
        (["/dist/"], "dist/app.js", True),
        (["dist/"], "dist/app.log", False),
        (["src"], "src/x.log", False),
        (["src/x.log"], "src/x.log", True),
        (["*", "!local.env"], "local.env", False),
        (["dist/*/app.js"], "dist/x/app.js", True),
    ],
)
def test_what_a_pattern_names_outright_counts_although_git_ignores_it(
    tmp_path: Path, patterns: list[str], path: str, matches: bool
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\ndist/\n*.env\n*.env/\n")
    assert cares(tmp_path, patterns, path) is matches


@pytest.mark.parametrize(
    ("patterns", "path", "matches"),
    [
        (["*.js"], "node_modules/a/b.js", False),
        (["*"], "deep/target/debug/main.rs", False),
        (["**/*.py"], ".venv/lib/site.py", False),
        (["dist/*.js"], "dist/app.js", True),
        (["node_modules/mine/*.js"], "node_modules/mine/a.js", True),
        (["node_modules/mine/**"], "node_modules/mine/node_modules/b.js", False),
        (["node_modules/mine/*.js"], "node_modules/other/a.js", False),
        (["target"], "deep/target/x", True),
        ([".env"], "node_modules/a/.env", False),
        (["distance/*"], "distance/x", True),
    ],
)
def test_the_folders_of_tools_count_only_if_a_pattern_names_them(
    tmp_path: Path, patterns: list[str], path: str, matches: bool
) -> None:
    assert cares(tmp_path, patterns, path) is matches


def test_folders_in_which_nothing_can_match_are_left_out(tmp_path: Path) -> None:
    for folder in ("src/deep", "node_modules/a", ".git/objects", "logs/old", "target/x", "node_modules/mine/lib"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("logs/\n")
    (tmp_path / "src" / "up").symlink_to("..")
    (tmp_path / "shared").symlink_to("src/deep")

    def folders(*patterns: str) -> set[str]:
        globs = Globs(str(tmp_path), patterns)
        return {os.path.relpath(folder, tmp_path) for folder in globs.folders()}

    assert folders("*.js") == {".", "src", "src/deep", "shared"}
    assert folders("*.js", "logs/old/*") == {".", "src", "src/deep", "shared", "logs", "logs/old"}
    mine = {"node_modules", "node_modules/mine", "node_modules/mine/lib"}
    assert folders("node_modules/mine/**/*.js") == {".", "src", "src/deep", "shared", *mine}
