"""The slots of worktrees: remembered, never the same for two, and free again when a worktree is gone."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from procman.config import worktree_slots
from procman.config.state_folder import state_folder
from procman.config.worktree_slots import SLOTS, slot_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


def made(folder: Path, *names: str) -> list[str]:
    """Make the folders of worktrees."""
    for name in names:
        (folder / name).mkdir()
        (folder / name / ".git").write_text("gitdir: elsewhere\n")
    return [str(folder / name) for name in names]


def slots(worktrees: list[str], environ: dict[str, str]) -> list[int]:
    pairs = [slot_of(worktree, None, environ) for worktree in worktrees]
    assert not [warning for _, warning in pairs if warning]
    return [slot for slot, _ in pairs]


def test_each_worktree_has_its_own_and_keeps_it(tmp_path: Path, environ: dict[str, str]) -> None:
    worktrees = made(tmp_path, *(f"w{number}" for number in range(20)))
    first = slots(worktrees, environ)
    assert len(set(first)) == 20
    assert slots(worktrees[::-1], environ) == first[::-1]


def test_the_path_suggests_the_slot(tmp_path: Path, environ: dict[str, str]) -> None:
    worktrees = made(tmp_path, "one")
    before = slots(worktrees, environ)
    shutil.rmtree(tmp_path / "state")
    assert slots(worktrees, environ) == before


def test_at_the_same_time_no_two_get_the_same(tmp_path: Path, environ: dict[str, str]) -> None:
    worktrees = made(tmp_path, *(f"w{number}" for number in range(24)))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda worktree: slot_of(worktree, None, environ)[0], worktrees))
    assert len(set(together)) == 24
    assert slots(worktrees, environ) == together


def test_a_deleted_worktree_gives_its_slot_back(tmp_path: Path, environ: dict[str, str]) -> None:
    worktrees = made(tmp_path, *(f"w{number}" for number in range(25)))  # all but the one that browsers refuse
    slots(worktrees, environ)
    shutil.rmtree(worktrees[7])
    assert slots(made(tmp_path, "late"), environ) != []
    known = (tmp_path / "state/procman/worktrees").read_text()
    assert worktrees[7] not in known.split()


def test_if_all_are_taken_one_is_shared_until_another_is_free(tmp_path: Path, environ: dict[str, str]) -> None:
    worktrees = made(tmp_path, *(f"w{number}" for number in range(25)))
    taken = slots(worktrees, environ)
    (late,) = made(tmp_path, "late")
    slot, warning = slot_of(late, None, environ)
    assert slot in taken
    owner = worktrees[taken.index(slot)]
    assert warning == f"all ranges of ports for worktrees are taken, so this one has the ports of {owner}"
    gone = next(number for number, other in enumerate(taken) if other != slot)
    shutil.rmtree(worktrees[gone])
    assert slot_of(late, None, environ) == (taken[gone], "")


@pytest.mark.parametrize(("base", "refused"), [(None, 1), (5000, 1), (3000, 3), (4000, 2)])
def test_no_base_becomes_port_6000_which_browsers_refuse(
    tmp_path: Path, environ: dict[str, str], base: int | None, refused: int
) -> None:
    worktrees = made(tmp_path, *(f"w{number}" for number in range(25)))
    found = {slot_of(worktree, base, environ)[0] for worktree in worktrees}
    assert found == {*SLOTS} - {refused}


def test_a_slot_that_does_not_suit_the_base_any_more_is_given_up(tmp_path: Path, environ: dict[str, str]) -> None:
    (worktree,) = made(tmp_path, "one")
    slot, _ = slot_of(worktree, None, environ)
    other, _ = slot_of(worktree, 6000 - 1000 * slot, environ)
    assert other != slot


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\xfe\0", b"x /a\n99 /b\n-1 /c\n5\n5 relative\n", b"{}" * 10000, b"1234567 /a\n\n\n"]
)
def test_what_is_damaged_in_the_file_does_not_matter(tmp_path: Path, environ: dict[str, str], damage: bytes) -> None:
    (worktree,) = made(tmp_path, "one")
    expected = slots([worktree], environ)
    (tmp_path / "state/procman/worktrees").write_bytes(damage)
    assert slots([worktree], environ) == expected


def test_any_path_can_be_remembered(tmp_path: Path, environ: dict[str, str]) -> None:
    worktrees = made(tmp_path, "two\nlines", "100%", "%0A", os.fsdecode(b"\xff"), " ", "größe")
    assert slots(worktrees, environ) == slots(worktrees, environ)
    assert len((tmp_path / "state/procman/worktrees").read_bytes().split(b"\n")) == len(worktrees) + 1


def test_the_file_is_for_its_owner_alone(tmp_path: Path, environ: dict[str, str]) -> None:
    slots(made(tmp_path, "one"), environ)
    folder = tmp_path / "state/procman"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [("worktrees", 0o600)]


@as_user
def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, environ: dict[str, str]) -> None:
    (worktree,) = made(tmp_path, "one")
    expected = slots([worktree], environ)
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir(0o500)
    slot, warning = slot_of(worktree, None, environ)
    assert [slot] == expected
    assert warning == ("the ports of this worktree are not remembered, so another one may get them: permission denied")


def test_a_file_in_the_place_of_the_folder_is_a_warning(tmp_path: Path, environ: dict[str, str]) -> None:
    (worktree,) = made(tmp_path, "one")
    (tmp_path / "state").write_text("")
    slot, warning = slot_of(worktree, None, environ)
    assert slot in SLOTS
    assert "are not remembered" in warning


def test_a_pipe_in_the_place_of_the_file_is_replaced(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "state/procman").mkdir(parents=True)
    os.mkfifo(tmp_path / "state/procman/worktrees")
    assert len(set(slots(made(tmp_path, "one", "two"), environ))) == 2
    assert (tmp_path / "state/procman/worktrees").is_file()


def test_a_lock_that_stays_taken_is_a_warning(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    worktrees = made(tmp_path, "one", "two")
    slots(worktrees[:1], environ)
    monkeypatch.setattr(worktree_slots, "LOCK_TIMEOUT", 0.05)
    holder = os.open(tmp_path / "state/procman", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        slot, warning = slot_of(worktrees[1], None, environ)
        assert "are not remembered" in warning
        assert slot not in slots(worktrees[:1], environ)  # which needs no lock
    finally:
        os.close(holder)
    assert slot_of(worktrees[1], None, environ) == (slot, "")


# The folder


def test_the_folder_is_that_of_the_specification(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert state_folder({"HOME": home}) == f"{home}/.local/state/procman"
    assert state_folder({"HOME": home, "XDG_STATE_HOME": "relative"}) == f"{home}/.local/state/procman"
    assert state_folder({"HOME": home, "XDG_STATE_HOME": f"{home}/s"}) == f"{home}/s/procman"


def test_without_any_home_there_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # a user without an account
    for environ in ({}, {"HOME": "relative"}):
        with pytest.raises(FileNotFoundError, match=r"the home folder .* does not exist"):
            state_folder(environ)
    slot, warning = slot_of("/w", None, {})
    assert slot in SLOTS
    assert warning.endswith(": the home folder ~ does not exist")


def test_a_full_disk_leaves_no_draft(tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (worktree,) = made(tmp_path, "one")
    expected = slots([worktree], environ)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    (tmp_path / "state/procman/worktrees").unlink()
    slot, warning = slot_of(worktree, None, environ)
    assert ([slot], warning.endswith(": no space left on device")) == (expected, True)
    assert list((tmp_path / "state/procman").iterdir()) == []


def test_without_home_it_is_that_of_the_account() -> None:
    assert state_folder({}).endswith("/.local/state/procman")


def test_the_home_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        state_folder({"HOME": str(tmp_path)})
