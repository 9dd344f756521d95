"""The disk behind stdout is full: the run continues, ends in order, and reports what was lost."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Place

PAGE = os.sysconf("SC_PAGE_SIZE")

# Lines of 61 bytes, of which no number fills a page.
TALKER = """
import time
number = 0
while True:
    number += 1
    print(f"<{number:0>58}>", flush=True)
    time.sleep(0.0005)
"""

PROCFILE = "flood: seq 200000\nlives: exec sleep {}\n"


def _stops_in_order(place: Place, descriptor: int) -> str:
    argument = kit.sleep_time()
    place.procfile(PROCFILE.format(argument))
    session = place.session("start", stdout=descriptor)
    os.close(descriptor)
    kit.wait_running(1, argument)
    kit.wait_until(lambda: len(kit.all_pids(session)) == 4, "the end of the flood")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []
    return session.err.decode()


def test_dev_full(place: Place) -> None:
    kit.need_linux()
    err = _stops_in_order(place, os.open("/dev/full", os.O_WRONLY))
    assert "bytes of output" in err
    assert "No space left" in err
    assert "Traceback" not in err


def _is_full(file: Path) -> bool:
    """Whether its last page is, and there is no room for another."""
    return file.stat().st_size % PAGE == 0 < file.stat().st_size and os.statvfs(file).f_bavail == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    kit.need_root()
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", small], capture_output=True, check=False)
    if mount.returncode != 0:
        kit.miss("mounting is not allowed")
    yield small
    subprocess.run(["umount", "-l", small], check=True)


def test_a_full_file_system(place: Place, small: Path) -> None:
    err = _stops_in_order(place, os.open(small / "log", os.O_WRONLY | os.O_CREAT))
    assert "bytes of output" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("form", ["text", "json"])
def test_when_there_is_room_again_no_two_lines_share_a_row(place: Place, small: Path, form: str) -> None:
    kit.need_linux()
    filler = small / "filler"
    filler.write_bytes(b"x" * (32 << 10))
    place.procfile(f"one: {kit.script(place, 'talk.py', TALKER)}\ntwo: {kit.script(place, 'talk.py', TALKER)}\n")
    log = small / "log"
    with log.open("wb") as out:
        session = place.session(
            "start", "--log-dir", str(small), "--no-timestamp", "--format", form, stdout=out.fileno()
        )
    files = [log, small / "one.1.log", small / "two.1.log"]
    kit.wait_until(lambda: all(map(_is_full, files)), "a full disk")
    full = [file.stat().st_size for file in files]
    filler.unlink()
    kit.wait_until(lambda: all(file.stat().st_size > size for file, size in zip(files, full, strict=True)), "more")
    session.signal(signal.SIGTERM)
    session.wait()
    rows = [row for file in files for row in file.read_bytes().splitlines()]  # each may be full again by now
    assert [row for row in rows if row.count(b"<") > 1] == []
    assert [row for row in rows if b"<" in row and b">" not in row]  # lines were cut


def test_run_says_what_its_child_says(place: Place) -> None:
    kit.need_linux()
    full = os.open("/dev/full", os.O_WRONLY)
    session = place.session("run", "--", "sh", "-c", "echo lost || exit 7", stdout=full)
    os.close(full)
    assert session.wait() == 7
