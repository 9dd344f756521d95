"""What /proc says of processes, on a fake kernel."""

from __future__ import annotations

import builtins
import os
from typing import Any

import pytest

from procman.runtime.system import descendants, procfs
from runtime.fakes import FIRST_PID, Kernel, Process, open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

GONE = FIRST_PID + 99


def a_process(kernel: Kernel, parent: int | None = None, command: str = "serve --fast", **env: str) -> Process:
    return Process(kernel, kernel.us if parent is None else parent, command, env)


def test_our_children_are_listed_zombies_and_adopted_ones_too(kernel: Kernel) -> None:
    one, other = a_process(kernel), a_process(kernel)
    grandchild = one.fork()
    assert procfs.own_children() == [one.pid, other.pid]
    one.exit()
    assert sorted(procfs.own_children()) == [one.pid, other.pid, grandchild.pid]


def test_the_children_of_another_process_are_listed(kernel: Kernel) -> None:
    one = a_process(kernel)
    child = one.fork()
    assert procfs.children_of(one.pid) == [child.pid]
    assert procfs.children_of(child.pid) == []
    assert procfs.children_of(GONE) == []


def test_without_lists_of_children_every_process_is_looked_at(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_process(kernel)
    one.fork()
    a_process(kernel, parent=1)
    real = os.open

    def refuse(path: str, *more: int) -> int:
        if path.endswith("/children"):
            raise FileNotFoundError
        return real(path, *more)

    monkeypatch.setattr(os, "open", refuse)
    assert procfs.own_children() == [one.pid]


def test_in_a_foreign_proc_nothing_is_seen(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_process(kernel)
    monkeypatch.setattr(os, "readlink", lambda path: "1")
    assert procfs.own_children() == []
    assert procfs.children_of(one.pid) == []
    assert not procfs.is_awake(one.pid)


def test_without_proc_nothing_misleads_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> str:
        raise FileNotFoundError

    assert procfs.proc_is_ours()
    monkeypatch.setattr(os, "readlink", missing)
    assert procfs.proc_is_ours()


@pytest.mark.parametrize(
    ("state", "zombie", "awake"),
    [("S", False, True), ("R", False, True), ("T", False, False), ("Z", True, True), ("X", True, True)],
)
def test_the_state_of_a_process(kernel: Kernel, state: str, zombie: bool, awake: bool) -> None:
    one = a_process(kernel)
    one.state = state
    assert procfs.is_zombie(one.pid) is zombie
    assert procfs.is_awake(one.pid) is awake


def test_what_is_gone_is_a_zombie_and_not_awake(kernel: Kernel) -> None:
    assert procfs.is_zombie(GONE)
    assert not procfs.is_awake(GONE)
    assert procfs.parent_of(GONE) is None
    assert procfs.stat_fields(GONE) == []
    assert procfs.comm_of(GONE) == procfs.environ_of(GONE) == b""
    assert descendants.group_of(GONE) == descendants.session_of(GONE) == -1


def test_a_name_with_parentheses_and_spaces_misleads_nobody(kernel: Kernel) -> None:
    one = a_process(kernel)
    assert procfs.parent_of(one.pid) == kernel.us
    assert procfs.stat_fields(one.pid)[:2] == [b"S", b"%d" % kernel.us]


def test_names_and_environments(kernel: Kernel) -> None:
    one = a_process(kernel, A="1", B="2")
    assert procfs.comm_of(one.pid) == b"serve\n"
    assert procfs.environ_of(one.pid) == b"A=1\0B=2\0"


def test_a_file_is_read_to_its_end(tmp_path: object) -> None:
    path = f"{tmp_path}/long"
    with open(path, "wb") as file:
        file.write(b"x" * 200_000)
    assert procfs.content(path) == b"x" * 200_000
    assert procfs.listing(f"{tmp_path}") == ["long"]
    assert procfs.listing(f"{tmp_path}/missing") == []


def test_a_thread_that_has_just_ended_hides_no_child_of_another(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def children_of_thread(_process: int, thread: str) -> list[int]:
        if thread == "8":
            raise FileNotFoundError
        return [int(thread) * 100]

    monkeypatch.setattr(procfs, "listing", lambda _folder: ["7", "8", "9"])
    monkeypatch.setattr(procfs, "_children_of_thread", children_of_thread)
    assert procfs.children_of(7) == [700, 900]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
@pytest.mark.parametrize("title", [b"x", b"x" * 1_000_000])
def test_a_title_fills_the_room_of_the_arguments_and_ends_in_nul(monkeypatch: pytest.MonkeyPatch, title: bytes) -> None:
    written: list[tuple[bytes, int]] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda _path, flags: real(os.devnull, flags))
    monkeypatch.setattr(os, "pwrite", lambda _fd, data, at: written.append((data, at)))
    procfs._overwrite_arguments(title)
    ((data, start),) = written
    fields = procfs.stat_fields(os.getpid())
    assert start == int(fields[45])  # field 48 of proc(5), where the state is field 3
    assert len(data) == int(fields[46]) - start
    assert data.startswith(b"x")
    assert data.endswith(b"\0")


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 200_000)
    before = open_descriptors()
    assert procfs.content(f"{tmp_path}/file") == b"x" * 200_000
    assert open_descriptors() == before


class Title:
    """Files in place of those of our own process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.comm, self.memory, stat = folder / "comm", folder / "mem", folder / "stat"
        fields = ["0"] * 50
        fields[procfs.ARG_START], fields[procfs.ARG_END] = "3", str(3 + room)
        stat.write_text(f"7 (a) b) {' '.join(fields)}")
        self.comm.write_text("")
        self.memory.write_bytes(b"#" * 40)
        files: dict[Any, Any] = {"/proc/self/comm": self.comm, "/proc/self/stat": stat, "/proc/self/mem": self.memory}
        open_file, opened = builtins.open, os.open

        def opens(path: Any, *more: Any, **named: Any) -> Any:
            return open_file(files.get(path, path), *more, **named)

        def opens_low(path: Any, flags: int) -> int:
            return opened(files.get(path, path), flags)

        monkeypatch.setattr(builtins, "open", opens)
        monkeypatch.setattr(os, "open", opens_low)


def test_our_name_is_cut_to_what_the_kernel_takes_and_the_arguments_to_their_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = Title(tmp_path, monkeypatch, room=12)
    before = open_descriptors()
    procfs.set_title("procman-manager-of-all", "procman: manager")
    assert open_descriptors() == before
    assert title.comm.read_text() == "procman-manager"
    assert title.memory.read_bytes() == b"###procman: ma\0".ljust(40, b"#")


def test_without_arguments_only_our_name_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    title = Title(tmp_path, monkeypatch, room=12)
    procfs.set_title("procman")
    assert (title.comm.read_text(), title.memory.read_bytes()) == ("procman", b"#" * 40)


def test_a_shorter_title_leaves_nothing_of_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    title = Title(tmp_path, monkeypatch, room=12)
    procfs.set_title("procman", "new")
    assert title.memory.read_bytes() == b"###new".ljust(15, b"\0").ljust(40, b"#")


def test_a_circle_of_parents_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pids may be used again while /proc is read."""
    children = {1: [2, 3], 2: [4], 4: [1, 2]}
    looks: list[int] = []

    def children_of(pid: int) -> list[int]:
        looks.append(pid)
        assert len(looks) < 100, "it goes round in a circle"
        return children.get(pid, [])

    monkeypatch.setattr(procfs, "children_of", children_of)
    assert procfs.descendants_of(1) == {1, 2, 3, 4}
    assert procfs.descendants_of(3) == {3}
