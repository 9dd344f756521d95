from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from procman.errors import ConfigError
from procman.output.hub import Hub
from procman.output.sink import Sink
from procman.output.sinks.logfiles import LogFiles, ProcessLogFiles


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def logs(tmp_path: Path, complaints: list[str]) -> LogFiles:
    return LogFiles(str(tmp_path / "a" / "log"), complaints.append)


def test_each_instance_has_a_file_that_is_appended_to(logs: LogFiles, tmp_path: Path) -> None:
    logs.publish("web.1", "stdout", b"one\n")
    logs.publish("web.2", "stdout", b"other\n")
    logs.close()
    LogFiles(str(tmp_path / "a" / "log"), print).publish("web.1", "stderr", b"two\n")
    assert Path(logs.path("web.1")).read_bytes() == b"one\ntwo\n"
    assert Path(logs.path("web.2")).read_bytes() == b"other\n"


def test_nobody_else_may_read_them(logs: LogFiles) -> None:
    logs.publish("web.1", "stdout", b"secret\n")
    path = Path(logs.path("web.1"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_rotation_loses_no_line(logs: LogFiles) -> None:
    path = Path(logs.path("web.1"))
    logs.publish("web.1", "stdout", b"1\n")
    path.rename(f"{path}.old")
    logs.publish("web.1", "stdout", b"2\n")
    logs.reopen()
    logs.publish("web.1", "stdout", b"3\n")
    assert Path(f"{path}.old").read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"


def test_a_folder_that_was_moved_away_is_made_anew(logs: LogFiles, complaints: list[str]) -> None:
    path = Path(logs.path("web.1"))
    logs.publish("web.1", "stdout", b"one\n")
    path.parent.rename(path.parent.with_name("old"))
    logs.publish("web.1", "stdout", b"two\n")
    logs.reopen()
    logs.publish("web.1", "stdout", b"three\n")
    assert (path.parent.with_name("old") / "web.1.log").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert complaints == []


def test_the_folder_stays_where_it_was_when_the_run_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    logs = LogFiles("log", print)
    monkeypatch.chdir("app")
    logs.publish("web.1", "stdout", b"one\n")
    assert (tmp_path / "log" / "web.1.log").read_bytes() == b"one\n"


def test_colors_are_left_out(logs: LogFiles) -> None:
    hub = Hub(Sink())
    hub.add(logs)
    hub.publish("web.1", "stdout", b"\x1b[31mred\x1b[0m\n")
    assert Path(logs.path("web.1")).read_bytes() == b"red\n"


def test_a_file_that_cannot_be_written_is_complained_about_once(logs: LogFiles, complaints: list[str]) -> None:
    os.symlink("/dev/null", logs.path("web.1"))
    os.mkfifo(logs.path("web.2"))
    for _ in range(3):
        logs.publish("web.1", "stdout", b"x\n")
        logs.publish("web.2", "stdout", b"x\n")
    assert len(complaints) == 2
    assert "it is a symbolic link" in complaints[0]
    logs.close()
    assert complaints[2:] == ["up to 12 bytes are missing from the log files"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the disk that is always full is Linux's")
def test_a_full_disk_is_complained_about(logs: LogFiles, complaints: list[str]) -> None:
    logs._fds["web.1"] = os.open("/dev/full", os.O_WRONLY)
    logs.publish("web.1", "stdout", b"x\n")
    assert "No space left" in complaints[0]


class Disk:
    """A disk with room for some bytes, which cuts short the write that takes the last of them."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        sent = _write(fd, data[: self.room])
        self.room -= sent
        return sent


_write = os.write


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(6)
    monkeypatch.setattr(os, "write", disk.write)
    return disk


@pytest.mark.parametrize(("room", "kept"), [(0, b""), (4, b"one\n"), (6, b"one\ntw\n"), (7, b"one\ntwo\n")])
def test_a_line_that_a_full_disk_cut_shares_its_row_with_no_other(
    logs: LogFiles, disk: Disk, room: int, kept: bytes
) -> None:
    disk.room = room
    logs.publish("web.1", "stdout", b"one\ntwo\nthree\n")
    logs.publish("web.1", "stdout", b"lost\n")
    disk.room = 1000
    logs.publish("web.2", "stdout", b"other\n")
    logs.publish("web.1", "stdout", b"later\n")
    logs.publish("web.1", "stdout", b"last\n")
    assert Path(logs.path("web.1")).read_bytes() == kept + b"later\nlast\n"
    assert Path(logs.path("web.2")).read_bytes() == b"other\n"


@pytest.mark.parametrize("rotated", [True, False])
def test_a_cut_line_ends_in_its_own_file_when_the_files_are_opened_anew(
    logs: LogFiles, disk: Disk, rotated: bool
) -> None:
    logs.publish("web.1", "stdout", b"one\ntwo\n")
    path = Path(logs.path("web.1"))
    if rotated:
        path.rename(f"{path}.old")
    logs.reopen()
    disk.room = 1000
    logs.publish("web.1", "stdout", b"later\n")
    assert path.read_bytes() == (b"later\n" if rotated else b"one\ntw\nlater\n")


def test_a_cut_line_of_one_instance_shares_its_row_with_none_of_another(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "web.log"
    logs = ProcessLogFiles({"web": str(path)}, lambda _: None)
    logs.publish("web.1", "stdout", b"one\ntwo\n")
    disk.room = 1000
    logs.publish("web.2", "stdout", b"later\n")
    logs.publish("web.1", "stdout", b"last\n")
    assert path.read_bytes() == b"one\ntw\nlater\nlast\n"


def test_a_folder_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file: it is not a folder$"):
        LogFiles(str(tmp_path / "file"), print)


def test_a_file_that_is_reopened_is_closed_before(logs: LogFiles) -> None:
    logs.publish("web.1", "stdout", b"one\n")
    (fd,) = logs._fds.values()
    logs.reopen()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_file_that_is_reopened_is_complained_about_again(logs: LogFiles, complaints: list[str]) -> None:
    os.mkdir(logs.path("web.1"))
    logs.publish("web.1", "stdout", b"x\n")
    logs.publish("web.1", "stdout", b"x\n")
    assert len(complaints) == 1
    logs.reopen()
    logs.publish("web.1", "stdout", b"x\n")
    assert len(complaints) == 2


def test_a_pipe_in_place_of_a_file_is_not_kept_open(logs: LogFiles, complaints: list[str]) -> None:
    os.mkfifo(logs.path("web.1"))
    reader = os.open(logs.path("web.1"), os.O_RDONLY | os.O_NONBLOCK)
    for _ in range(3):
        logs.publish("web.1", "stdout", b"x\n")
        assert os.read(reader, 10) == b""  # and no writer is left
    os.close(reader)
    (complaint,) = complaints
    assert "not a regular file" in complaint


def test_files_are_closed_at_the_end(logs: LogFiles) -> None:
    logs.publish("web.1", "stdout", b"x\n")
    (fd,) = logs._fds.values()
    logs.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_path_may_hold_the_instance(tmp_path: Path, complaints: list[str]) -> None:
    logs = ProcessLogFiles({"web": f"{tmp_path}/{{instance}}.txt", "db": f"{tmp_path}/db.txt"}, complaints.append)
    for name in ("web.1", "web.2", "db.1", "db.2", "other.1"):
        logs.publish(name, "stdout", f"{name}\n".encode())
    logs.close()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"web.1.txt": "web.1\n", "web.2.txt": "web.2\n", "db.txt": "db.1\ndb.2\n"}


def test_lines_that_are_written_piece_by_piece_are_whole(logs: LogFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:3]))
    logs.publish("web.1", "stdout", b"one\ntwo\nthree\n")
    monkeypatch.undo()
    assert Path(logs.path("web.1")).read_bytes() == b"one\ntwo\nthree\n"


def test_a_line_that_a_full_disk_cut_is_complained_about(
    logs: LogFiles, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = os.write, []

    def fill(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, bytes(data)[:2])

    monkeypatch.setattr(os, "write", fill)
    logs.publish("web.1", "stdout", b"one\n")
    monkeypatch.undo()
    assert (logs.dropped, len(complaints)) == (4, 1)
    assert complaints[0].endswith(f"{logs.path('web.1')}: No space left on device")


def test_the_folders_of_all_paths_are_made(tmp_path: Path, complaints: list[str]) -> None:
    paths = {name: str(tmp_path / "log" / name / "x.log") for name in ("web", "db")}
    logs = ProcessLogFiles(paths, complaints.append)
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == ["db", "web"]
    assert stat.S_IMODE((tmp_path / "log" / "db").stat().st_mode) == 0o700
    logs.publish("db.1", "stdout", b"x\n")
    assert Path(paths["db"]).read_bytes() == b"x\n"
    (tmp_path / "file").touch()
    wrong = str(tmp_path / "file" / "x.log")
    with pytest.raises(ConfigError) as refused:
        ProcessLogFiles({"web": wrong}, complaints.append)
    assert refused.value.message.startswith(f"log_file {wrong}: ")
    ProcessLogFiles({}, complaints.append).close()
    assert complaints == []
