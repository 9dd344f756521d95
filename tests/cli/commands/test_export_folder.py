"""The folder of an export: only our own files change, nothing outside, and each file as a whole."""

from __future__ import annotations

import os

import pytest

from procman.cli.commands.export_folder import Folder
from procman.errors import ConfigError, ProcmanError
from procman.export.file import SECRET, ExportFile, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def ours(path: str, text: str = "", mode: int = 0o644, app: str = "shop") -> ExportFile:
    return ExportFile(path, header("systemd", app) + text, mode)


def write(folder: Path, *files: ExportFile) -> list[tuple[str, str]]:
    place = Folder(str(folder), "systemd", "shop")
    changes = place.changes(files)
    place.apply(changes)
    return [(change.kind, change.path) for change in changes]


def test_files_appear_with_their_modes(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write(tmp_path / "new" / "out", ours("a.service"), ours("shop/a.env", "X=1\n", SECRET))
    finally:
        os.umask(old)
    assert (tmp_path / "new/out/a.service").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "new/out/shop/a.env").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (tmp_path / "new/out").rglob("*")} == {"a.service", "shop", "a.env"}


def test_the_same_export_again_changes_nothing(tmp_path: Path) -> None:
    files = (ours("a.service"), ExportFile("x.wants/a.service", link="../a.service"))
    assert write(tmp_path, *files) == [("create", "a.service"), ("create", "x.wants/a.service")]
    assert write(tmp_path, *files) == [("keep", "a.service"), ("keep", "x.wants/a.service")]


def test_a_mode_that_was_loosened_is_put_right(tmp_path: Path) -> None:
    write(tmp_path, ours("shop/a.env", "X=1\n", SECRET))
    (tmp_path / "shop/a.env").chmod(0o644)
    assert write(tmp_path, ours("shop/a.env", "X=1\n", SECRET)) == [("update", "shop/a.env")]
    assert (tmp_path / "shop/a.env").stat().st_mode & 0o777 == 0o600


def test_what_no_longer_belongs_is_removed_and_nothing_else(tmp_path: Path) -> None:
    link = ExportFile("shop-b.target.wants/b.service", link="../b.service")
    write(tmp_path, ours("a.service"), ours("b.service"), ours("shop/b.env"), link)
    (tmp_path / "c.service").write_text("somebody else's\n")
    (tmp_path / "d.service").write_text(header("systemd", "other"))
    (tmp_path / "shop/note").write_text("mine\n")
    removed = [path for kind, path in write(tmp_path, ours("a.service")) if kind == "remove"]
    assert sorted(removed) == ["b.service", "shop-b.target.wants/b.service", "shop/b.env"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.service", "c.service", "d.service", "shop"]
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["note"]


@pytest.mark.parametrize("there", ["mine\n", header("systemd", "other"), header("runit", "shop")])
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, there: str) -> None:
    (tmp_path / "a.service").write_text(there)
    with pytest.raises(ConfigError, match="was not written by this export"):
        write(tmp_path, ours("a.service"))
    assert (tmp_path / "a.service").read_text() == there


@pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b", "a//b", "", "./a", "a\0b"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(ProcmanError, match="outside the folder"):
        write(tmp_path / "out", ExportFile(path, "x"))
    assert not (tmp_path / "out").exists()


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a link"):
        write(tmp_path / "out", ours("shop/a.env"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_linked_file_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.service").symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigError):
        write(tmp_path / "out", ours("a.service"))
    assert (tmp_path / "victim").read_text() == "precious\n"
