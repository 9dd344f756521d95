"""Finding programs as a shell does, and what is executed for a line of the Procfile."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace
from typing import Any

import pytest

from procman.runtime.processes.spawn import (
    SilentStdin,
    candidates,
    find_program,
    launch,
    spawn_process,
    start_command,
)
from runtime.fakes import open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, mode in (("bin/web", 0o755), ("other/web", 0o755), ("other/tool", 0o755), ("bin/plain", 0o644)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    (tmp_path / "bin" / "folder").mkdir()
    return tmp_path


def test_the_first_on_the_path_wins(folder: Path) -> None:
    path = f"{folder}/bin:{folder}/other"
    assert find_program("web", path, "/") == f"{folder}/bin/web"
    assert find_program("tool", path, "/") == f"{folder}/other/tool"


def test_folders_and_what_may_not_be_executed_are_passed_over(folder: Path) -> None:
    path = f"{folder}/bin"
    assert find_program("folder", path, "/") is None
    assert find_program("plain", path, "/") is None
    assert find_program("", path, "/") is None
    assert find_program("a\0b", path, "/") is None


def test_relative_and_empty_entries_start_from_the_folder_of_the_child(folder: Path) -> None:
    assert find_program("web", "bin", str(folder)) == f"{folder}/bin/web"
    found = find_program("web", "/nowhere:", f"{folder}/bin")
    assert found is not None
    assert os.path.samefile(found, folder / "bin" / "web")


def test_a_name_with_a_slash_is_not_searched(folder: Path) -> None:
    assert find_program("bin/web", "/nowhere", str(folder)) == "bin/web"
    assert find_program("./web", f"{folder}/bin", str(folder)) is None


def test_without_path_the_usual_folders_are_searched() -> None:
    assert find_program("sh", None, "/") in ("/bin/sh", "/usr/bin/sh")
    assert find_program("sh", "", "/nowhere") is None


def test_a_plain_line_is_executed_directly(folder: Path) -> None:
    assert launch("web -p 1", f"{folder}/bin", "/") == (f"{folder}/bin/web", ["web", "-p", "1"])
    assert launch("web", f"{folder}/bin", "/", ("a b", "$X")) == (f"{folder}/bin/web", ["web", "a b", "$X"])


def test_the_shell_takes_all_else(folder: Path) -> None:
    path = f"{folder}/bin"
    assert launch("missing x", path, "/") == ("/bin/sh", ["/bin/sh", "-c", "missing x"])
    assert launch("web && x", path, "/", ("a b",)) == ("/bin/sh", ["/bin/sh", "-c", "web && x 'a b'"])


@pytest.mark.parametrize(
    ("line", "shell"),
    [
        ("web -p $PORT", "exec web -p $PORT"),
        ('A=1 web "a; b" > log 2>&1', 'A=1 exec web "a; b" > log 2>&1'),
        ("web $X; true", "web $X; true"),
        ("true && web", "true && web"),
        ("web $(id)", "web $(id)"),
        ("cd $X", "cd $X"),
        ("exec web $X", "exec web $X"),
        ("nothing $X", "nothing $X"),  # so that the shell complains of it as it does
    ],
)
def test_a_shell_that_would_only_wait_is_spared(folder: Path, line: str, shell: str) -> None:
    assert launch(line, f"{folder}/bin", "/") == ("/bin/sh", ["/bin/sh", "-c", shell])


# Starting -----------------------------------------------------------------------------------------------------------


class Spawned:
    """What is given to posix_spawn, and in which folder; `refusals` come first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refusals: list[OSError] = []
        self.calls: list[tuple[str, list[str], str]] = []
        monkeypatch.setattr(os, "posix_spawn", self._spawn)

    def _spawn(self, program: str, words: list[str], _env: object, **more: Any) -> int:
        assert more["setsigmask"] == ()
        self.calls.append((program, words, os.getcwd()))
        if self.refusals:
            raise self.refusals.pop(0)
        return 77

    def start(self, command: str, cwd: str, here: str, path: str) -> int:
        limit: Any = SimpleNamespace(spawn=lambda start: start())
        return start_command(command, cwd, here, {"PATH": path}, [], limit)


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    return Spawned(monkeypatch)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_child_starts_in_its_folder_and_we_stay_in_ours(
    spawned: Spawned, folder: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.chdir(folder)
    cwd = f"{folder}/other" if elsewhere else str(folder)
    before = open_descriptors()
    assert spawned.start("web", cwd, str(folder), f"{folder}/bin") == 77
    assert spawned.calls == [(f"{folder}/bin/web", ["web"], cwd)]
    assert os.getcwd() == str(folder)
    assert open_descriptors() == before


def test_a_folder_is_entered_only_if_it_is_another_one(
    spawned: Spawned, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "chdir", lambda _folder: pytest.fail("it is there already"))
    spawned.start("web", str(folder), str(folder), f"{folder}/bin")


def test_a_folder_that_was_made_again_is_entered(
    spawned: Spawned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rename(tmp_path / "old")
    here.mkdir()
    spawned.start("web", str(here), str(here), "/bin")
    assert [cwd for *_, cwd in spawned.calls] == [str(here)]
    assert os.getcwd() == str(tmp_path / "old")


def test_a_child_that_fails_leaves_us_in_our_folder(
    spawned: Spawned, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    spawned.refusals = [OSError(errno.ENOMEM, "no")]
    with pytest.raises(OSError, match="no"):
        spawned.start("web", f"{folder}/other", str(folder), f"{folder}/bin")
    assert os.getcwd() == str(folder)


def test_a_script_that_names_no_interpreter_is_run_by_a_shell(spawned: Spawned, folder: Path) -> None:
    spawned.refusals = [OSError(errno.ENOEXEC, "Exec format error")]
    assert spawned.start("web -p 1", "/", "/", f"{folder}/bin") == 77
    program, words, _ = spawned.calls[1]
    assert (program, words) == ("/bin/sh", ["/bin/sh", "-c", "web -p 1"])


@pytest.mark.parametrize(("number", "forked"), [(errno.EPERM, True), (errno.EACCES, False)])
def test_where_a_sandbox_forbids_it_a_fork_does_it(
    spawned: Spawned, monkeypatch: pytest.MonkeyPatch, number: int, forked: bool
) -> None:
    monkeypatch.setattr("procman.runtime.processes.fork_exec.fork_exec", lambda *_: 88)
    spawned.refusals = [PermissionError(number, "no")]
    if forked:
        assert spawn_process("/x", ["x"], {}, ()) == 88
    else:
        with pytest.raises(PermissionError):
            spawn_process("/x", ["x"], {}, ())


def test_a_program_with_arguments_is_looked_for_by_its_name(folder: Path) -> None:
    assert launch("A=1 web $X $Y", f"{folder}/bin", "/")[1][-1] == "A=1 exec web $X $Y"


def test_an_entry_of_path_is_taken_as_it_is_if_it_is_absolute(folder: Path) -> None:
    assert candidates("web", "/a/../b:c:", "/srv") == ["/a/../b/web", "/srv/c/web", "/srv/web"]


@pytest.mark.parametrize("seen", [False, True])
def test_the_input_is_opened_by_each_child_where_that_is_possible(monkeypatch: pytest.MonkeyPatch, seen: bool) -> None:
    monkeypatch.setattr(os.path, "exists", lambda _path: seen)
    stdin = SilentStdin()
    action = stdin.action()
    if seen:
        assert action == (os.POSIX_SPAWN_OPEN, 0, f"/proc/self/fd/{stdin._reader}", os.O_RDONLY, 0)
    else:
        assert action == (os.POSIX_SPAWN_DUP2, stdin._reader, 0)
    os.close(stdin._reader)
    os.close(stdin._writer)
