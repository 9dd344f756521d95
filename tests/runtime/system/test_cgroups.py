"""Control groups, in a copy of their folders: who may make groups where, and what is written into them."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from procman.runtime.system import cgroups
from procman.runtime.system.cgroups import ControlGroup, NoGroupError, claim, own_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

V2 = "36 25 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = "33 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
HYBRID = V1 + "36 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folders are ordinary ones: writing creates a file, and systemd is not here."""
    monkeypatch.setattr(cgroups, "write", written)
    monkeypatch.setattr(cgroups, "SYSTEMD", str(tmp_path / "no-systemd"))


def written(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(f"{text}\n")


def group(folder: Path, controllers: str = "cpu io memory pids", enabled: str = "", pids: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cgroup.controllers").write_text(f"{controllers}\n")
    (folder / "cgroup.subtree_control").write_text(enabled)
    (folder / "cgroup.procs").write_text(pids)
    return folder


@pytest.mark.parametrize(
    ("mounts", "groups", "folder"),
    [
        (V2, "0::/user.slice/app.scope\n", "/sys/fs/cgroup/user.slice/app.scope"),
        (V2, "0::/\n", "/sys/fs/cgroup"),
        (V2.replace("0:30 /", "0:30 /docker/1a"), "0::/docker/1a/job\n", "/sys/fs/cgroup/job"),
        (HYBRID, "4:memory:/x\n0::/shop\n", "/sys/fs/cgroup/unified/shop"),
    ],
)
def test_our_own_folder_is_found(tmp_path: Path, mounts: str, groups: str, folder: str) -> None:
    (tmp_path / "mounts").write_text(mounts)
    (tmp_path / "groups").write_text(groups)
    assert own_folder(str(tmp_path / "mounts"), str(tmp_path / "groups")) == folder


@pytest.mark.parametrize(("mounts", "groups"), [(V1, "4:memory:/x\n"), (V2, "0::/../elsewhere\n"), ("", "")])
def test_without_version_2_there_is_none(tmp_path: Path, mounts: str, groups: str) -> None:
    (tmp_path / "mounts").write_text(mounts)
    (tmp_path / "groups").write_text(groups)
    with pytest.raises(NoGroupError):
        own_folder(str(tmp_path / "mounts"), str(tmp_path / "groups"))
    with pytest.raises(NoGroupError):
        own_folder(str(tmp_path / "none"), str(tmp_path / "none"))


def test_a_folder_with_only_our_processes_is_prepared(tmp_path: Path) -> None:
    folder = group(tmp_path / "own", pids=f"{os.getpid()}\n")
    assert claim(str(folder), os.getpid()) == {"cpu", "memory", "pids"}
    assert (folder / "procman" / "cgroup.procs").read_text() == f"{os.getpid()}\n"
    assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory +pids\n"


def test_what_is_forked_while_the_folder_is_prepared_is_moved_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = group(tmp_path / "own", pids=f"{os.getpid()}\n")
    with subprocess.Popen(["sleep", "1000"]) as late:
        moves: list[str] = []

        def write(path: str, text: str) -> None:
            if path.endswith("subtree_control") and not moves.count(str(late.pid)):
                (folder / "cgroup.procs").write_text(f"{late.pid}\n")
                raise OSError(errno.EBUSY, "Device or resource busy")
            moves.append(text)

        monkeypatch.setattr(cgroups, "write", write)
        assert claim(str(folder), os.getpid()) == {"cpu", "memory", "pids"}
        late.kill()
    assert moves == [str(os.getpid()), str(late.pid), "+cpu +memory +pids"]


def test_a_folder_that_never_becomes_empty_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, _text: str) -> None:
        if path.endswith("subtree_control"):
            raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(cgroups, "write", refuse)
    with pytest.raises(NoGroupError, match="faster than they can be moved"):
        claim(str(group(tmp_path / "own", pids=f"{os.getpid()}\n")), os.getpid())


def test_a_process_that_has_just_ended_is_not_of_others(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    assert claim(str(group(tmp_path / "own", pids=f"{gone.pid}\n")), os.getpid())


def test_one_that_is_prepared_already_is_not_touched(tmp_path: Path) -> None:
    folder = group(tmp_path / "own", enabled="cpu memory pids\n", pids="1\n")
    assert claim(str(folder), os.getpid()) == {"cpu", "memory", "pids"}
    assert not (folder / "procman").exists()


@pytest.mark.parametrize(
    ("controllers", "pids", "why"),
    [("", "", "no controllers"), ("hugetlb", "", "no controllers"), ("memory", "1\n", "processes of others")],
)
def test_one_that_cannot_be_ours_is_refused(tmp_path: Path, controllers: str, pids: str, why: str) -> None:
    folder = group(tmp_path / "own", controllers, pids=pids)
    with pytest.raises(NoGroupError, match=why):
        claim(str(folder), os.getpid())
    assert (folder / "cgroup.subtree_control").read_text() == ""


def test_what_systemd_manages_has_to_be_delegated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = group(tmp_path / "own")
    monkeypatch.setattr(cgroups, "SYSTEMD", str(tmp_path))
    with pytest.raises(NoGroupError, match="managed by systemd"):
        claim(str(folder), os.getpid())
    monkeypatch.setattr(cgroups, "_attribute", lambda _folder, name: b"1" if name == "user.delegate" else b"")
    assert claim(str(folder), os.getpid())


def test_a_group_has_its_limits_and_is_killed_as_a_whole(tmp_path: Path) -> None:
    made = ControlGroup(str(tmp_path / "web.1"))
    made.create(memory=64 << 20, cpus=1.5, pids=100)
    contents = {path.name: path.read_text().strip() for path in (tmp_path / "web.1").iterdir()}
    assert contents == {
        "memory.max": "67108864",
        "memory.oom.group": "1",
        "cpu.max": "150000 100000",
        "pids.max": "100",
    }


def test_a_group_tells_a_kill_for_memory_from_any_other(tmp_path: Path) -> None:
    made = ControlGroup(str(tmp_path))
    assert not made.has_lost_some
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n")
    assert not made.has_lost_some
    assert made.most_memory is None
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\noom_group_kill 1\n")
    (tmp_path / "memory.peak").write_text("67108864\n")
    assert made.most_memory == 67108864
    assert made.has_lost_some
    assert made.reached_its_limit
    (tmp_path / "memory.events").write_text("max 0\noom 0\noom_kill 1\n")  # the machine ran out of memory
    assert made.has_lost_some
    assert not made.reached_its_limit


def test_removing_one_that_is_gone_or_in_use_is_no_error(tmp_path: Path) -> None:
    made = ControlGroup(str(tmp_path / "web.1"))
    assert made.remove()
    made.create(None, None, pids=1)
    assert not made.remove()


def test_a_group_without_a_controller_does_not_hold_its_limit(tmp_path: Path) -> None:
    made = ControlGroup(str(tmp_path / "web.1"))
    assert not made.is_there
    made.create(memory=1 << 20, cpus=None, pids=None)
    assert made.is_there
    assert made.holds(1 << 20, None, None)
    assert not made.holds(1 << 20, 1.5, None)
