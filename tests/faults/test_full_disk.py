"""The disk behind stdout is full: the run goes on, ends in order, and says what was lost."""

from __future__ import annotations

import os
import signal
import subprocess

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from harness import Place

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


def test_a_full_file_system(place: Place, tmp_path: Path) -> None:
    kit.need_root()
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", small], capture_output=True, check=False)
    if mount.returncode != 0:
        kit.miss("mounting is not allowed")
    try:
        err = _stops_in_order(place, os.open(small / "log", os.O_WRONLY | os.O_CREAT))
        assert "bytes of output" in err
        assert "Traceback" not in err
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_run_says_what_its_child_says(place: Place) -> None:
    kit.need_linux()
    full = os.open("/dev/full", os.O_WRONLY)
    session = place.session("run", "--", "sh", "-c", "echo lost || exit 7", stdout=full)
    os.close(full)
    assert session.wait() == 7
