"""What a changed file restarts. The test stands for the thread that watches the disk."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

pytest.importorskip("pathspec")

from procman.config import extras
from procman.core.lifecycle.transitions import Event
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy
from procman.errors import ConfigError
from procman.runtime.health import watch_thread
from procman.runtime.health.watch import Watch
from runtime.fakes import Kernel, Run, a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procman.core.lifecycle.transitions import Instance
    from procman.runtime.health.watch_thread import Root


class Disk:
    """A run with a watched instance. The test is the thread: `change` is what it would notice."""

    def __init__(self, kernel: Kernel, folder: Path, monkeypatch: pytest.MonkeyPatch, *patterns: str) -> None:
        self.kernel = kernel
        self.folder = str(folder)
        self.batches: list[list[str]] = []
        self.error: Exception | None = None
        self.watched: list[tuple[str, ...]] = []
        self.reloaded: list[str] = []
        self.mistake = ""
        monkeypatch.setattr(extras, "can_watch", lambda: True)
        monkeypatch.setattr(watch_thread, "changes", self._changes)
        monkeypatch.setattr("threading.Thread", _no_thread)
        plan = a_plan("web.1", watch=patterns or ("*.py",), restart=RestartPolicy("never"))
        plan.cwd = self.folder
        monkeypatch.chdir(folder)
        self.run = Run(kernel, plan, "db.1", components=self._components)

    def _components(self, run: Run) -> list[Watch]:
        self.watch = Watch(run.supervisor, run.hub, self._reload)
        return [self.watch]

    def _reload(self, chosen: list[Instance]) -> list[str]:
        if self.mistake:
            raise ConfigError(self.mistake)
        self.reloaded += [instance.name for instance in chosen]
        return ["A changed"]

    def _changes(self, roots: list[Root], _debounce: int, _complain: Callable[[str], None]) -> Iterator[list[str]]:
        self.watched.append(tuple(folder for folder, _ in roots))
        if self.error is not None:
            raise self.error
        batches, self.batches = self.batches, []
        yield from batches

    def change(self, seconds: float, *names: str) -> None:
        def notice() -> None:
            self.batches = [[f"{self.folder}/{name}" for name in names]]
            self.watch._run([(self.folder, ("*",))])

        self.run.after(seconds, notice)

    def starts(self) -> int:
        return self.run.events.count(("started", "web.1"))

    def until(self, seconds: float) -> int:
        self.run.after(seconds, lambda: self.run.signal(signal.SIGTERM))
        return self.run.run()


def _no_thread(target: Callable[..., None], args: tuple[object, ...], name: str, daemon: bool) -> SimpleNamespace:
    """What runs immediately, and not in a thread."""
    assert daemon  # the end of the run does not wait for it
    return SimpleNamespace(start=lambda: target(*args))


@pytest.fixture
def disk(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(kernel, tmp_path, monkeypatch)


def test_a_change_restarts_those_whose_files_it_concerns(disk: Disk) -> None:
    disk.change(1.0, "app/views.py", "notes.txt")
    disk.until(2.0)
    assert disk.starts() == 2
    assert disk.run.events.count(("started", "db.1")) == 1
    assert disk.reloaded == ["web.1"]
    assert disk.run.screen.announced[:2] == ["web.1: app/views.py has changed", "A changed"]


def test_a_change_of_another_file_restarts_nobody(disk: Disk) -> None:
    disk.change(1.0, "notes.txt")
    disk.until(2.0)
    assert disk.starts() == 1
    assert disk.run.screen.announced == []


def test_an_ignored_file_restarts_nobody(disk: Disk) -> None:
    with open(f"{disk.folder}/.gitignore", "w") as file:
        file.write("build/\n")
    disk.change(1.0, "build/x.py")
    disk.until(2.0)
    assert disk.starts() == 1


def test_its_own_log_file_restarts_nobody(disk: Disk) -> None:
    disk.run.supervisor.instances["web.1"].plan.log_file = f"{disk.folder}/{{instance}}.py"
    disk.change(1.0, "web.1.py")
    disk.until(2.0)
    assert disk.starts() == 1


def test_one_that_the_user_has_stopped_is_not_restarted(disk: Disk) -> None:
    disk.run.after(0.5, lambda: disk.run.supervisor.hold([disk.run.supervisor.instances["web.1"]], disk.kernel.now))
    disk.run.after(0.5, lambda: disk.run.signal(signal.SIGCONT))
    disk.change(1.0, "views.py")
    disk.until(2.0)
    assert disk.starts() == 1


def test_one_that_has_failed_is_restarted(disk: Disk) -> None:
    disk.run.after(0.5, disk.run.exits("web.1", 3))
    disk.change(1.0, "views.py")
    disk.until(2.0)
    assert disk.starts() == 2


def test_a_stopping_session_restarts_nobody(disk: Disk) -> None:
    disk.kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    disk.change(3.0, "views.py")
    disk.until(2.0)
    assert disk.starts() == 1
    assert disk.run.screen.announced == []


def test_a_mistake_in_the_files_does_not_keep_the_change_from_its_author(disk: Disk) -> None:
    disk.mistake = "Procfile:1: nonsense"
    disk.change(1.0, "views.py")
    disk.until(2.0)
    assert disk.starts() == 2
    assert disk.run.screen.announced[1].startswith("warning: Procfile:1: nonsense; ")


def test_the_folder_is_watched_once_and_a_new_one_too(disk: Disk) -> None:
    def move() -> None:
        disk.run.supervisor.instances["web.1"].plan.cwd = "/"
        disk.run.supervisor.wish(Event.RESTART, disk.run.supervisor.instances.values(), disk.kernel.now)
        disk.run.signal(signal.SIGCONT)

    disk.run.after(1.0, move)
    disk.until(2.0)
    assert disk.watched == [(disk.folder,), ("/",)]


def test_a_new_plan_has_new_patterns(disk: Disk) -> None:
    disk.change(1.0, "views.py")
    disk.run.after(2.0, lambda: setattr(disk.run.supervisor.instances["web.1"].plan, "watch", ("*.txt",)))
    disk.change(3.0, "views.py")
    disk.change(4.0, "notes.txt")
    disk.until(5.0)
    assert disk.starts() == 3


def test_an_error_of_the_watcher_is_told_and_ends_nothing(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(kernel, tmp_path, monkeypatch)
    disk.error = OSError("no more watches")
    disk.until(2.0)
    assert [text for text in disk.run.screen.announced if text.endswith(": no more watches")] == (
        disk.run.screen.announced[:1]
    )
    assert disk.starts() == 1


def test_an_error_without_words_is_told_by_its_kind(disk: Disk) -> None:
    disk.error = RuntimeError()
    disk.until(2.0)
    assert disk.run.screen.announced[0].endswith("RuntimeError")


def test_a_full_pipe_does_not_hold_the_thread(disk: Disk) -> None:
    def flood() -> None:
        for _ in range(70_000):
            disk.watch._wake()

    disk.run.after(1.0, flood)
    disk.until(2.0)
    assert disk.starts() == 1


def test_without_the_extra_nothing_is_watched(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(kernel, tmp_path, monkeypatch)
    monkeypatch.setattr(extras, "can_watch", lambda: False)
    disk.until(2.0)
    assert disk.watched == []
    assert os.getcwd() == disk.folder


def test_a_folder_inside_of_another_is_not_watched_twice() -> None:
    from procman.runtime.health.watch_thread import topmost

    assert topmost(["/srv/app", "/srv/app/web", "/srv/application", "/srv/app"]) == ["/srv/app", "/srv/application"]
    assert topmost(["/srv", "/"]) == ["/"]


def test_patterns_and_folder_are_those_of_the_present_plan(disk: Disk) -> None:
    web = disk.run.supervisor.instances["web.1"]
    first = disk.watch._globs_of(web)
    assert disk.watch._globs_of(web) is first
    web.plan.watch = ("*.js",)
    second = disk.watch._globs_of(web)
    assert (second.patterns, second.folder) == (("*.js",), disk.folder)
    web.plan.cwd = f"{disk.folder}/deeper"
    assert disk.watch._globs_of(web).folder == f"{disk.folder}/deeper"
    disk.until(1.0)


def test_new_patterns_are_watched_for_in_the_same_folder(disk: Disk) -> None:
    def rewrite() -> None:
        disk.run.supervisor.instances["web.1"].plan.watch = ("dist/*",)
        disk.run.supervisor.wish(Event.RESTART, disk.run.supervisor.instances.values(), disk.kernel.now)
        disk.run.signal(signal.SIGCONT)

    disk.run.after(1.0, rewrite)
    disk.until(2.0)
    assert disk.watched == [(disk.folder,), (disk.folder,)]


def test_an_error_is_told_once_although_changes_follow(disk: Disk) -> None:
    disk.watch._errors.append("no more watches")
    disk.change(1.0, "notes.txt")
    disk.change(2.0, "notes.txt")
    disk.until(3.0)
    assert len([text for text in disk.run.screen.announced if "no more watches" in text]) == 1


def test_of_several_errors_the_latest_is_told(disk: Disk) -> None:
    def complain() -> None:
        for text in ("first", "second"):
            disk.watch._complain(text)

    disk.run.after(1.0, complain)
    disk.change(2.0, "notes.txt")
    disk.until(3.0)
    assert disk.run.screen.announced == ["warning: second"]


def test_a_change_does_not_start_what_the_user_has_stopped_although_it_is_needed(disk: Disk) -> None:
    supervisor = disk.run.supervisor
    web, db = supervisor.instances["web.1"], supervisor.instances["db.1"]
    web.plan.depends_on = (Dependency("db"),)
    supervisor.replan(web, web.plan)
    disk.run.after(1.0, lambda: supervisor.hold([db], disk.kernel.now))
    disk.run.after(1.0, lambda: disk.run.signal(signal.SIGWINCH))
    disk.change(2.0, "app.py")
    disk.until(3.0)
    assert disk.run.events.count(("started", "db.1")) == 1


def test_changes_within_a_moment_are_one(disk: Disk) -> None:
    for number in range(10):
        disk.change(1.0 + number * 0.25, f"part{number}.py")
    disk.until(6.0)
    assert disk.starts() == 2
    assert disk.run.events.index(("started", "web.1")) == 0


def test_changes_that_never_end_restart_nevertheless(disk: Disk) -> None:
    for number in range(60):
        disk.change(1.0 + number * 0.2, f"part{number}.py")
    disk.until(11.0)
    assert disk.starts() == 2


def test_a_process_that_writes_what_it_watches_is_slowed_down_and_the_file_named(disk: Disk) -> None:
    for number in range(200):
        disk.change(1.0 + number * 0.5, "written.py")
    disk.until(40.0)
    assert 6 <= disk.starts() <= 11
    (first, *_) = [text for text in disk.run.screen.announced if "does web write it itself?" in text]
    assert first.startswith("web.1: written.py changes right after each restart")
    assert first.endswith("The next restart is in 1 s")


def test_another_file_is_not_slowed_down(disk: Disk) -> None:
    for number in range(20):
        disk.change(1.0 + number, "written.py" if number < 18 else "other.py")
    disk.until(19.5)
    assert disk.run.screen.announced.count("web.1: other.py has changed") == 1


def test_own_log_folder_restarts_nobody(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(kernel, tmp_path, monkeypatch, "*")
    disk.watch._log_dir = f"{tmp_path}/log"
    disk.change(1.0, "log/web.1.log", "log/system.log", "log/web.1.log.1")
    disk.change(3.0, "log/other.txt")
    disk.until(5.0)
    assert disk.starts() == 2


def test_a_session_of_a_watched_process_waits_for_changes(disk: Disk) -> None:
    disk.run.after(0.5, disk.run.exits("web.1", 0))
    disk.run.after(0.5, disk.run.exits("db.1", 0))
    disk.change(5.0, "views.py")
    disk.until(8.0)
    assert disk.starts() == 2


def test_a_session_without_watched_processes_ends(disk: Disk) -> None:
    disk.run.supervisor.instances["web.1"].plan.watch = ()
    disk.run.after(0.5, disk.run.exits("web.1", 0))
    disk.run.after(0.5, disk.run.exits("db.1", 0))
    assert disk.run.run() == 0
    assert disk.kernel.now == 1000.5


def test_the_end_of_a_pause_does_not_hurry_other_changes(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[tuple[float, str]] = []
    now = disk.kernel.now
    monkeypatch.setattr(
        disk.watch, "_restart", lambda concerned: restarted.extend((disk.kernel.now, one.name) for one in concerned)
    )
    db = disk.run.supervisor.instances["db.1"]
    db.plan.watch, db.plan.cwd = ("*.js",), disk.folder
    disk.watch._brake._due["web.1"] = now + 1.1
    disk.change(1.0, "views.js")
    disk.until(2.0)
    assert restarted == [(now + 1.1, "web.1"), (now + 1.3, "db.1")]


def test_its_own_log_file_restarts_nobody_beside_a_log_folder(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(kernel, tmp_path, monkeypatch, "*")
    disk.watch._log_dir = f"{tmp_path}/log"
    disk.run.supervisor.instances["web.1"].plan.log_file = f"{disk.folder}/{{instance}}.txt"
    disk.change(1.0, "web.1.txt")
    disk.change(3.0, "web.1.log.py")
    disk.until(5.0)
    assert disk.run.screen.announced[0] == "web.1: web.1.log.py has changed"
    assert disk.starts() == 2


@pytest.mark.parametrize("stream", [1, 2])
def test_the_file_of_our_own_output_restarts_nobody(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: int
) -> None:
    (tmp_path / "out.py").touch()
    (tmp_path / "other.py").touch()
    fstat = os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat(tmp_path / "out.py") if fd == stream else fstat(fd))
    disk.change(1.0, "out.py")
    disk.until(2.0)
    assert disk.starts() == 1


def test_changes_are_read_on_when_nothing_is_there(disk: Disk) -> None:
    disk.run.after(1.0, disk.watch._on_changes)  # as after a poll that was answered already
    disk.until(2.0)
    assert disk.starts() == 1
