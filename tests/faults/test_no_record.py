"""A record that cannot be written or read costs a sentence, never the session."""

from __future__ import annotations

import json
import os
import random
import subprocess

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness import Place

TALKER = """
import time
number = 0
while True:
    number += 1
    print(f"<{number:0>998}>", flush=True)
    time.sleep(0.002)
"""
NOT_RECORDED = "output of this session is not recorded"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    kit.need_root()
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "small", small], capture_output=True, check=False
    )
    if mount.returncode != 0:
        kit.miss("mounting is not allowed")
    yield small
    subprocess.run(["umount", "-l", small], check=True)


def test_on_a_full_disk_the_session_runs_on_and_says_so_once(place: Place, small: Path) -> None:
    env: dict[str, str | None] = {"XDG_STATE_HOME": str(small)}
    filler = small / "filler"
    filler.write_bytes(b"x" * (100 << 10))
    place.procfile(f"talk: {kit.script(place, 'talk.py', TALKER)}\nquiet: exec sleep 1000\n")
    assert place.call("up", env=env).code == 0
    try:
        kit.wait_until(lambda: "is not recorded: no space left" in system_lines(place, env), "the complaint")
        filler.unlink()
        (record,) = small.glob("procman/records/*")
        size = record.stat().st_size
        kit.wait_until(lambda: record.stat().st_size > size, "more of the record")
        assert place.call("restart", "quiet", env=env).code == 0
        assert system_lines(place, env).count("is not recorded") == 1
    finally:
        down = place.call("down", env=env)
    assert down.code == 0
    numbers = [int(line[1:-1]) for line in lines(place, env, "-n", "100000", "talk")]
    assert numbers == sorted(set(numbers))
    skipped = [record for record in records(place, env, "--after", first_cursor(place, env)) if "skipped" in record]
    assert skipped
    assert skipped[0]["unit"] == "bytes"


def system_lines(place: Place, env: Mapping[str, str | None]) -> str:
    return place.call("logs", "-n", "1000", "system", env=env).out


def records(place: Place, env: Mapping[str, str | None], *words: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in place.call("logs", "--json", *words, env=env).out.splitlines()]


def lines(place: Place, env: Mapping[str, str | None], *words: str) -> list[str]:
    return [record["line"] for record in records(place, env, *words) if "line" in record]


def first_cursor(place: Place, env: Mapping[str, str | None]) -> str:
    return f"{records(place, env, '-n', '1')[0]['cursor'].rpartition(':')[0]}:0"


def obstacle(place: Place, kind: str) -> dict[str, str | None]:
    """Return the variables of a session that finds this in place of its folder."""
    folder = place.folder / "state"
    if kind == "no home":
        return {"XDG_STATE_HOME": None, "HOME": f"{place.folder}/nothing"}
    if kind == "file":
        place.write("state/procman", "")
    elif kind == "link":
        (place.folder / "elsewhere").mkdir()
        folder.mkdir()
        (folder / "procman").symlink_to(place.folder / "elsewhere")
    elif kind == "link to records":
        (place.folder / "elsewhere").mkdir()
        (folder / "procman").mkdir(parents=True)
        (folder / "procman/records").symlink_to(place.folder / "elsewhere")
    elif kind == "read-only":
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        folder.mkdir(mode=0o500)
    return {"XDG_STATE_HOME": str(folder)}


@pytest.mark.parametrize("kind", ["no home", "file", "link", "link to records", "read-only"])
def test_without_a_place_for_it_the_session_runs_on(place: Place, kind: str) -> None:
    env = obstacle(place, kind)
    place.procfile("shop: echo open; exec sleep 1000\n")
    assert place.call("up", env=env).code == 0
    assert system_lines(place, env).count(NOT_RECORDED) == 1
    kit.wait_until(lambda: lines(place, env, "shop") == ["open"], "its output")
    assert place.call("down", env=env).code == 0
    done = place.call("logs", env=env)
    assert done.code == 1
    assert "no session of" in done.err
    assert "bug" not in place.call("sessions", env=env).err  # one of another test may not answer
    assert not any((place.folder / "elsewhere").glob("*"))


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_record_is_never_a_bug(place: Place, seed: int) -> None:
    env: Mapping[str, str | None] = {"XDG_STATE_HOME": f"{place.folder}/state"}
    place.procfile("shop: seq 1000; exec sleep 1000\n")
    assert place.call("up", env=env).code == 0
    assert place.call("down", env=env).code == 0
    (record,) = (place.folder / "state/procman/records").iterdir()
    whole, chance = record.read_bytes(), random.Random(seed)
    damaged = [b"", os.urandom(5000), b"\x1e" * 5000, whole[: chance.randrange(len(whole))]]
    damaged += [bytes(chance.choice((byte, byte, byte, 30, 48)) for byte in whole)]
    for data in damaged:
        record.write_bytes(data)
        for words in (("logs",), ("logs", "--previous"), ("logs", "--json", "shop"), ("sessions",)):
            done = place.call(*words, env=env)
            assert done.code in (0, 1, 2), done
            assert "Traceback" not in done.err
            assert "bug" not in done.err
