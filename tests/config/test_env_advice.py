"""What `check` says about env files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from procman.config.env_advice import env_advice
from procman.core.model.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide a folder that every user can enter, unlike `tmp_path`."""
    path = tempfile.mkdtemp(prefix="procman-advice-", dir="/tmp")
    os.chmod(path, 0o755)
    monkeypatch.chdir(path)
    yield Path(path)
    shutil.rmtree(path)


def write(name: str, text: str, mode: int = 0o600) -> None:
    path = Path(name)
    path.write_text(text)
    path.chmod(mode)


def advice(**settings: Any) -> list[tuple[str, str]]:
    return env_advice(Settings(**settings), None)


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o604, True), (0o600, False)])
def test_an_env_file_that_others_can_read_is_one_warning(mode: int, warned: bool) -> None:
    write(".env", "A=1\n", mode)
    assert advice() == [("warning", ".env can be read by other users: chmod go-rwx .env")] * warned


def test_two_env_files_that_others_can_read_are_one_warning_too() -> None:
    write("a.env", "A=1\n", 0o644)
    write("b.env", "A=1\n", 0o644)
    assert advice(env=("a.env", "b.env")) == [
        ("warning", "a.env b.env can be read by other users: chmod go-rwx a.env b.env")
    ]


def test_others_cannot_read_what_is_in_a_private_folder(folder: Path) -> None:
    write(".env", "A=1\n", 0o644)
    folder.chmod(0o700)
    assert advice() == []


def test_an_env_file_that_holds_nothing_may_be_read_by_others() -> None:
    write(".env", "# nothing\n", 0o644)
    assert advice() == []


def test_values_that_are_not_expanded_are_named_by_line() -> None:
    write(".env", "A=x\nURL=pg://${USER_}:${PW}@db\nB='${A}'\nC=${A}\nD=$A\n")
    assert advice() == [
        (
            "hint",
            ".env:2: lines 2 and 4 contain ${NAME}, which is not expanded; "
            "use --env-interpolate to expand it, or single quotes if you mean it literally",
        )
    ]
    assert advice(env_interpolate=True) == []


@pytest.mark.parametrize(
    ("path", "interpolate", "words"),
    [
        ("/x:$PATH", False, "write ${PATH} and use --env-interpolate"),
        ("/x:${PATH}", False, "write ${PATH} and use --env-interpolate"),
        ("/x:$PATH", True, "--env-interpolate expands ${PATH}, not $PATH"),
        ("/x:${PATH}", True, ""),
        ("/x", False, ""),
    ],
)
def test_a_path_with_a_dollar_is_a_warning(path: str, interpolate: bool, words: str) -> None:
    write(".env", f"PATH={path}\n")
    expected = [("warning", f'.env:1: PATH contains a "$" that is not expanded; {words}')] if words else []
    assert advice(env_interpolate=interpolate) == expected
