"""Finding programs as a shell does, and what is executed for a line of the Procfile."""

from __future__ import annotations

import os

import pytest

from procman.runtime.processes.spawn import find_program, launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, mode in (("bin/web", 0o755), ("other/web", 0o755), ("other/tool", 0o755), ("bin/plain", 0o644)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    (tmp_path / "bin" / "folder").mkdir()
    return tmp_path


def test_the_first_on_the_path_wins(folder: Path) -> None:
    path = f"{folder}/bin:{folder}/other"
    assert find_program("web", path, "/") == f"{folder}/bin/web"
    assert find_program("tool", path, "/") == f"{folder}/other/tool"


def test_folders_and_what_may_not_be_executed_are_passed_over(folder: Path) -> None:
    path = f"{folder}/bin"
    assert find_program("folder", path, "/") is None
    assert find_program("plain", path, "/") is None
    assert find_program("", path, "/") is None
    assert find_program("a\0b", path, "/") is None


def test_relative_and_empty_entries_start_from_the_folder_of_the_child(folder: Path) -> None:
    assert find_program("web", "bin", str(folder)) == f"{folder}/bin/web"
    found = find_program("web", "/nowhere:", f"{folder}/bin")
    assert found is not None
    assert os.path.samefile(found, folder / "bin" / "web")


def test_a_name_with_a_slash_is_not_searched(folder: Path) -> None:
    assert find_program("bin/web", "/nowhere", str(folder)) == "bin/web"
    assert find_program("./web", f"{folder}/bin", str(folder)) is None


def test_without_path_the_usual_folders_are_searched() -> None:
    assert find_program("sh", None, "/") in ("/bin/sh", "/usr/bin/sh")
    assert find_program("sh", "", "/nowhere") is None


def test_a_plain_line_is_executed_directly(folder: Path) -> None:
    assert launch("web -p 1", f"{folder}/bin", "/") == (f"{folder}/bin/web", ["web", "-p", "1"])
    assert launch("web", f"{folder}/bin", "/", ("a b", "$X")) == (f"{folder}/bin/web", ["web", "a b", "$X"])


def test_the_shell_takes_all_else(folder: Path) -> None:
    path = f"{folder}/bin"
    assert launch("missing x", path, "/") == ("/bin/sh", ["/bin/sh", "-c", "missing x"])
    assert launch("web && x", path, "/", ("a b",)) == ("/bin/sh", ["/bin/sh", "-c", "web && x 'a b'"])


@pytest.mark.parametrize(
    ("line", "shell"),
    [
        ("web -p $PORT", "exec web -p $PORT"),
        ('A=1 web "a; b" > log 2>&1', 'A=1 exec web "a; b" > log 2>&1'),
        ("web $X; true", "web $X; true"),
        ("true && web", "true && web"),
        ("web $(id)", "web $(id)"),
        ("cd $X", "cd $X"),
        ("exec web $X", "exec web $X"),
        ("nothing $X", "nothing $X"),  # so that the shell complains of it as it does
    ],
)
def test_a_shell_that_would_only_wait_is_spared(folder: Path, line: str, shell: str) -> None:
    assert launch(line, f"{folder}/bin", "/") == ("/bin/sh", ["/bin/sh", "-c", shell])
