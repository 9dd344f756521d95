"""The thread that looks at the disk: which folders it watches, and what it reports."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import sys
import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("watchfiles")
pytest.importorskip("pathspec")

from procman.runtime.health import watch_thread
from procman.runtime.health.globs import Globs
from procman.runtime.health.watch_thread import LIMIT_REACHED, changes, limit_is_reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 60.0  # seconds; only a hang takes as long


class Eye:
    """A thread that watches a folder, and what it has reported."""

    def __init__(self, folder: Path, *patterns: str) -> None:
        self.folder = folder
        self.complaints: list[str] = []
        self._batches: queue.Queue[list[str]] = queue.Queue()
        threading.Thread(target=self._run, args=([(str(folder), patterns)],), daemon=True).start()

    def _run(self, roots: list[tuple[str, tuple[str, ...]]]) -> None:
        for batch in changes(roots, 100, self.complaints.append):
            self._batches.put(batch)

    def sees(self, name: str, act: Callable[[], object]) -> set[str]:
        """Act until the file is reported, and return all names reported: the watcher needs a moment at first."""
        seen: set[str] = set()
        end = time.monotonic() + LIMIT
        while name not in seen:
            assert time.monotonic() < end, f"{name} is not seen, but {seen}"
            act()
            try:
                seen.update(os.path.relpath(path, self.folder) for path in self._batches.get(timeout=1))
            except queue.Empty:
                continue
        return seen


def kernel_watches() -> int:
    """Return the number of inotify watches of this process."""
    count = 0
    for fd in os.listdir("/proc/self/fdinfo"):
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                count += file.read().count("inotify wd:")
        except OSError:
            continue
    return count


@pytest.mark.parametrize("polls", ["", "1"])
def test_a_change_is_reported_unless_it_is_in_the_folder_of_a_tool(
    tmp_path: Path, polls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", polls)
    (tmp_path / "src").mkdir()
    eye = Eye(tmp_path, "*.py")

    def write() -> None:
        (tmp_path / "src" / "app.py").write_text(str(time.monotonic()))
        (tmp_path / "src" / "app.pyc").write_text(str(time.monotonic()))

    assert "src/app.pyc" not in eye.sees("src/app.py", write)


@pytest.mark.skipif(sys.platform != "linux", reason="watches are counted by the Linux kernel")
def test_folders_of_tools_take_no_watches(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / "node_modules" / str(number)).mkdir(parents=True)
    (tmp_path / "src").mkdir()
    before = kernel_watches()
    eye = Eye(tmp_path, "*.py")
    eye.sees("src/app.py", lambda: (tmp_path / "src" / "app.py").write_text(""))
    assert kernel_watches() - before == 2


def test_a_new_folder_is_looked_through_and_watched(tmp_path: Path) -> None:
    eye = Eye(tmp_path, "*.py")
    eye.sees("a.py", lambda: (tmp_path / "a.py").write_text(""))
    made = tmp_path / "elsewhere" / "new"
    for name in ("deep", "node_modules"):
        (made / name).mkdir(parents=True)
        (made / name / "x.py").write_text("")
    seen = eye.sees("new/deep/x.py", lambda: made.exists() and made.rename(tmp_path / "new"))
    assert "new/node_modules/x.py" not in seen
    later = tmp_path / "new" / "deep" / "later.py"
    eye.sees("new/deep/later.py", lambda: later.write_text(""))


@pytest.mark.parametrize("moved", [False, True], ids=["removed", "moved away"])
def test_the_folder_of_the_patterns_is_watched_again_when_it_comes_back(tmp_path: Path, moved: bool) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    eye = Eye(folder, "*.py")
    eye.sees("a.py", lambda: (folder / "a.py").write_text(""))
    if moved:
        folder.rename(tmp_path / "old")
    else:
        shutil.rmtree(folder)
    (folder / "src").mkdir(parents=True)
    eye.sees("src/b.py", lambda: (folder / "src" / "b.py").write_text(""))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere watchfiles watches what the link leads to")
def test_a_folder_that_is_a_link_is_watched_where_it_leads_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_thread, "TIMEOUT_MS", 100)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    current, new = tmp_path / "current", tmp_path / "new"
    current.symlink_to("one")
    eye = Eye(current, "*.py")
    eye.sees("a.py", lambda: (tmp_path / "one" / "a.py").write_text(""))
    (tmp_path / "two" / "old.py").write_text("")
    new.symlink_to("two")
    new.replace(current)
    eye.sees("old.py", lambda: None)
    eye.sees("b.py", lambda: (tmp_path / "two" / "b.py").write_text(""))


def test_the_limit_of_watches_is_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_thread, "limit_is_reached", lambda: True)
    eye = Eye(tmp_path, "*.py")
    eye.sees("a.py", lambda: (tmp_path / "a.py").write_text(""))
    (tmp_path / "new").mkdir()
    eye.sees("new/b.py", lambda: (tmp_path / "new" / "b.py").write_text(""))
    assert eye.complaints == [LIMIT_REACHED]


def test_each_folder_of_nested_roots_is_watched_once(tmp_path: Path) -> None:
    (tmp_path / "app" / "deep").mkdir(parents=True)
    globs = [Globs(str(folder), ("*",)) for folder in (tmp_path, tmp_path / "app")]
    found = watch_thread.folders_in(globs)
    assert found == [str(tmp_path), str(tmp_path / "app"), str(tmp_path / "app" / "deep")]


# The limit of the kernel ----------------------------------------------------------------------------------------------


def libc(monkeypatch: pytest.MonkeyPatch, *, fd: int = 0, watch: int = 1, number: int = 0) -> list[int]:
    """A C library whose inotify has these results; the descriptors that are closed."""
    closed: list[int] = []
    calls = SimpleNamespace(inotify_init1=lambda _flags: fd, inotify_add_watch=lambda *_: watch)
    load: Callable[..., object] = lambda _name, use_errno: calls if use_errno else None  # noqa: E731 (a type)
    monkeypatch.setattr("ctypes.CDLL", load)
    monkeypatch.setattr("ctypes.get_errno", lambda: number)
    monkeypatch.setattr("os.close", closed.append)
    return closed


@pytest.mark.parametrize(
    ("watch", "number", "reached"),
    [(1, 0, False), (0, errno.ENOSPC, False), (-1, errno.ENOSPC, True), (-1, errno.EACCES, False)],
)
def test_the_limit_is_reached_when_one_more_watch_is_refused(
    monkeypatch: pytest.MonkeyPatch, watch: int, number: int, reached: bool
) -> None:
    closed = libc(monkeypatch, watch=watch, number=number)
    result = limit_is_reached()
    assert (result, closed) == (reached, [0])


def test_without_another_instance_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = libc(monkeypatch, fd=-1, watch=-1, number=errno.ENOSPC)
    result = limit_is_reached()
    assert (result, closed) == (False, [])


def test_elsewhere_there_is_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    libc(monkeypatch, watch=-1, number=errno.ENOSPC)
    monkeypatch.setattr("sys.platform", "darwin")
    assert not limit_is_reached()


def test_the_files_of_new_folders_are_found_although_one_of_them_is_gone_again(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").touch()
    assert list(watch_thread._files_in([f"{tmp_path}/gone", f"{tmp_path}/new"])) == [f"{tmp_path}/new/file"]
