"""The search for a Procfile in the folders above."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from procman.config.project import project_above


@pytest.fixture(autouse=True)
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("file", "found"), [("../Procfile", ".."), ("../../Procfile", "../.."), ("../procman.toml", ".."), ("../x", "")]
)
def test_the_nearest_folder_above_is_found(file: str, found: str) -> None:
    Path(file).write_text("")
    assert project_above({}) == found


@pytest.mark.parametrize(("git", "found"), [(".", ""), ("..", ""), ("../..", "../..")])
def test_a_working_tree_ends_the_search(git: str, found: str) -> None:
    (Path(git) / ".git").mkdir()
    Path("../../Procfile").write_text("")
    assert project_above({}) == found


@pytest.mark.parametrize(("home", "found"), [(".", ""), ("..", ""), ("../..", "../.."), ("/nowhere", "../..")])
def test_the_home_folder_ends_the_search(home: str, found: str) -> None:
    Path("../../Procfile").write_text("")
    assert project_above({"HOME": os.path.abspath(home)}) == found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_the_file_of_a_stranger_does_not_count() -> None:
    Path("../Procfile").write_text("")
    os.chown("../Procfile", 54321, 54321)
    assert project_above({}) == ""
    os.chown(".", 54321, 54321)
    assert project_above({}) == ".."


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_a_link_of_a_stranger_to_a_file_of_ours_does_not_count() -> None:
    Path("ours").write_text("")
    Path("../Procfile").symlink_to(Path("ours").absolute())
    os.lchown("../Procfile", 54321, 54321)
    assert project_above({}) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_the_repository_of_a_stranger_does_not_end_the_search() -> None:
    Path("../../Procfile").write_text("")
    Path("../.git").mkdir()
    os.chown("../.git", 54321, 54321)
    assert project_above({}) == "../.."
