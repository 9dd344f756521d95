"""The folder for what is kept belongs to the user alone."""

from __future__ import annotations

import os
import stat

import pytest

from procman.config.state_folder import make_private, require_own, state_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_with_what_is_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "state/procman/records"
    make_private(str(folder))
    make_private(str(folder))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]


def test_a_folder_that_others_may_enter_becomes_private(tmp_path: Path) -> None:
    folder = tmp_path / "procman/records"
    folder.mkdir(parents=True, mode=0o755)
    make_private(str(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", ["procman", "procman/records"])
@pytest.mark.parametrize(("kind", "error"), [("link", "is a symbolic link"), ("file", "is not a folder")])
def test_nothing_else_is_used(tmp_path: Path, place: str, kind: str, error: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    if kind == "link":
        path.symlink_to(elsewhere)
    else:
        path.touch()
    with pytest.raises(OSError) as raised:  # noqa: PT011 (its words are checked)
        make_private(f"{tmp_path}/procman/records")
    assert error in str(raised.value) or isinstance(raised.value, FileExistsError)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to another user"):
        require_own(str(tmp_path))


def test_a_home_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        state_folder({"HOME": f"{tmp_path}/nobody"})
    assert state_folder({"HOME": f"{tmp_path}/nobody", "XDG_STATE_HOME": f"{tmp_path}/s"}) == f"{tmp_path}/s/procman"
