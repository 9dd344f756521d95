"""Which files belong to which session, and which are removed."""

from __future__ import annotations

import os
import stat

import pytest

from procman.output.sinks.record_files import RecordFiles, next_files, recorded, remove_drafts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, name: str, number: int, session: str, *turns: str) -> RecordFiles:
    files = RecordFiles(str(folder), name, number, session, turns)
    for turn in turns:
        os.close(files.create(turn))
        files.name_it(turn)
    return files


def sessions(folder: Path, name: str = "") -> list[str]:
    return [files.session for files in recorded(str(folder), name)]


def test_a_file_is_the_users_alone_and_has_no_name_until_it_is_complete(tmp_path: Path) -> None:
    files = RecordFiles(str(tmp_path), "shop", 1, "a-1")
    fd = files.create("0")
    assert recorded(str(tmp_path)) == []
    files.name_it("0")
    (path,) = tmp_path.iterdir()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == ("shop.000001.a-1.0", 0o600)
    os.close(fd)


def test_what_was_left_of_a_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "shop.000001.a-1.0.new").write_bytes(b"left")
    files = written(tmp_path, "shop", 1, "a-1", "0")
    assert os.stat(files.path("0")).st_size == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_sessions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, session in ((2, "b-2"), (1000000, "d-4"), (10, "c-3"), (1, "z-1")):
        written(tmp_path, "shop", number, session, "0", "1")
    written(tmp_path, "till", 3, "e-5", "1")
    assert sessions(tmp_path, "shop") == ["z-1", "b-2", "c-3", "d-4"]
    assert sessions(tmp_path, "till") == ["e-5"]
    assert [files.turns for files in recorded(str(tmp_path))][:2] == [["0", "1"], ["0", "1"]]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("x", "shop.1.a", "shop.one.a-1.0", "shop.1.a-1.2", "shop.1.a-1.0.new", "shop.²3.a-1.0"):
        (tmp_path / name).touch()
    assert recorded(str(tmp_path)) == []
    next_files(str(tmp_path), "shop", "b-2", 1)
    assert len(list(tmp_path.iterdir())) == 6
    assert recorded(f"{tmp_path}/x") == recorded(f"{tmp_path}/nothing") == []


def test_a_new_session_has_the_next_number_and_the_oldest_go(tmp_path: Path) -> None:
    for number in range(1, 5):
        written(tmp_path, "shop", number, f"s-{number}", "0", "1")
    written(tmp_path, "till", 9, "t-9", "0")
    assert next_files(str(tmp_path), "shop", "s-5", keep=3).number == 5
    assert sessions(tmp_path) == ["s-3", "s-4", "t-9"]
    next_files(str(tmp_path), "shop", "s-5", keep=0)
    assert sessions(tmp_path) == ["t-9"]
    assert next_files(str(tmp_path), "new", "n-1", keep=5).number == 1


@pytest.mark.parametrize("keep", [1, 2, 5, 6, 50])
def test_as_many_sessions_remain_as_are_kept(tmp_path: Path, keep: int) -> None:
    for number in range(1, 13):
        files = next_files(str(tmp_path), "shop", f"s-{number}", keep)
        written(tmp_path, "shop", files.number, files.session, "0")
        assert len(sessions(tmp_path)) == min(number, keep)
    assert recorded(str(tmp_path))[-1].session == "s-12"


def test_files_of_a_session_that_is_running_stay(tmp_path: Path) -> None:
    running = RecordFiles(str(tmp_path), "shop", 1, "s-1", ["0"])
    fd = running.create("0")
    running.name_it("0")
    assert running.is_running()
    next_files(str(tmp_path), "shop", "s-2", keep=1)
    assert sessions(tmp_path) == ["s-1"]
    os.close(fd)
    assert not running.is_running()
    next_files(str(tmp_path), "shop", "s-2", keep=1)
    assert sessions(tmp_path) == []


def test_a_draft_that_nobody_holds_is_removed_when_it_is_not_young(tmp_path: Path) -> None:
    names = ["left.000001.a-1.1.new", "held.000002.b-2.0.new", "young.000003.c-3.0.new", "x.new", "shop.000004.d-4.0"]
    for name in names:
        if not name.startswith("held"):
            (tmp_path / name).touch()
    held = RecordFiles(str(tmp_path), "held", 2, "b-2").create("0")
    for path in tmp_path.iterdir():
        if not path.name.startswith("young"):
            os.utime(path, (1000, 1000))
    remove_drafts(str(tmp_path))
    os.close(held)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_a_link_or_a_pipe_in_place_of_a_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "shop.000001.a-1.0").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "shop.000001.a-1.1")
    (files,) = recorded(str(tmp_path))
    opened = files.open()
    assert [stat.S_ISREG(os.fstat(fd).st_mode) for fd in opened] == []
