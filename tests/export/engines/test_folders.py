"""runit and s6 run their exports: a folder per instance, supervised by runsvdir or s6-svscan."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial

import pytest

from export.rig import LIMIT, Application, attempt, call, need, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATION = "web=2,worker=1,clock=1"
INSTANCES = ("web.1", "web.2", "worker.1", "clock.1")


class Runit:
    """A runsvdir of our own."""

    format = "runit"
    programs = ("runsvdir", "sv", "chpst", "svlogd")

    def __init__(self, folder: Path) -> None:
        need(*self.programs)
        self.folder = folder

    def start(self) -> None:
        # Everything runs below runsvdir. Its own session keeps its signals apart from ours.
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def command(self) -> list[str]:
        return ["runsvdir", str(self.folder)]

    def stop(self, name: str) -> None:
        call("sv", "-w", "30", "stop", str(self.folder / f"shop-{name}"))

    def is_down(self, name: str) -> bool:
        status = attempt("sv", "status", str(self.folder / f"shop-{name}")).stdout
        return status.startswith("down:") and "want up" not in status  # it says so in the second between two lives

    def end(self) -> None:
        """Send HUP, with which runsvdir makes each runsv stop its service and its logger, then itself."""
        self.process.send_signal(signal.SIGHUP)
        self.process.wait(LIMIT)


class S6(Runit):
    """An s6-svscan of our own."""

    format = "s6"
    programs = ("s6-svscan", "s6-svc", "s6-svstat", "s6-log")

    def command(self) -> list[str]:
        return ["s6-svscan", str(self.folder)]

    def stop(self, name: str) -> None:
        call("s6-svc", "-wD", "-T", "30000", "-d", str(self.folder / f"shop-{name}"))

    def is_down(self, name: str) -> bool:
        return attempt("s6-svstat", "-o", "up,wantedup", str(self.folder / f"shop-{name}")).stdout.split() == [
            "false",
            "false",
        ]

    def end(self) -> None:
        if self.process.poll() is None:
            attempt("s6-svscanctl", "-t", str(self.folder))
        self.process.wait(LIMIT)


@pytest.fixture(params=[Runit, S6], ids=["runit", "s6"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runit]:
    folder = tmp_path / "service"
    folder.mkdir()
    engine: Runit = request.param(folder)
    yield engine
    if hasattr(engine, "process"):
        try:
            engine.end()
        finally:
            if engine.process.poll() is None:
                engine.process.kill()


def is_logged(engine: Runit, name: str) -> bool:
    log = engine.folder / f"shop-{name}" / "log" / "main" / "current"
    return log.exists() and f"up {name}" in log.read_text()


def test_everything_arrives_comes_back_and_ends(app: Application, engine: Runit) -> None:
    app.export(engine.format, engine.folder, "-m", FORMATION)
    engine.start()
    for name, env in app.expected(FORMATION).items():
        app.pid(name)
        assert app.environ(name).items() >= env.items()
        assert "PROCMAN_SESSION" not in app.environ(name)
        wait_for(partial(is_logged, engine, name), f"a log of {name}")
    for type_ in ("web", "worker", "clock"):
        assert (app.seen / f"{type_}.1.args").read_bytes().split(b"\0")[:-1] == app.arguments(type_)

    killed = app.pid("web.2")
    app.forget("web.2")
    os.kill(killed, signal.SIGKILL)
    assert app.pid("web.2") != killed

    for name in INSTANCES:
        engine.stop(name)
    assert {path.name for path in app.seen.glob("*.bye")} == {f"{name}.bye" for name in INSTANCES}
    engine.end()
    app.wait_until_gone()


def test_what_dies_at_once_is_given_up_and_what_is_done_rests(tmp_path: Path, engine: Runit) -> None:
    app = Application(tmp_path / "shop", "crash: echo x >>seen/crashes; exit 3\nonce: echo x >>seen/once\n")
    app.export(engine.format, engine.folder, "--max-restarts", "2")
    engine.start()
    wait_for((app.seen / "crashes").exists, "it ran once")
    for name in ("crash.1", "once.1"):
        wait_for(partial(engine.is_down, name), f"{name} is down")
    assert (app.seen / "crashes").read_text() == "x\n" * 2
    assert (app.seen / "once").read_text() == "x\n"


def test_what_ignores_the_signal_is_killed_after_the_grace(tmp_path: Path, engine: Runit) -> None:
    stubborn = "web: trap '' TERM; echo > seen/web.1.pid; sleep 1000; sleep 1000\n"
    app = Application(tmp_path / "shop", stubborn)
    app.export(engine.format, engine.folder, "-t", "1")
    engine.start()
    wait_for((app.seen / "web.1.pid").exists, "the process is up")
    engine.stop("web.1")
    engine.end()
    app.wait_until_gone()
