"""runit and s6 run their exports: a folder per instance, supervised by runsvdir or s6-svscan."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from functools import partial

import pytest

from export.rig import LAUNCHER, LIMIT, POOL, Application, attempt, call, need, wait_for

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
    stop_command = "sv stop shop-worker.2"

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
    stop_command = "s6-svc -wD -d /run/service/shop-worker.2"

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


@pytest.mark.parametrize("command", ["./launcher", "true && ./launcher"])
def test_a_launcher_that_dies_leaves_its_program_the_grace(tmp_path: Path, engine: Runit, command: str) -> None:
    app = Application(tmp_path / "shop", f"web: {command}\n")
    app.add("launcher", LAUNCHER)
    app.export(engine.format, engine.folder)
    engine.start()
    app.pid("web.1")
    engine.stop("web.1")
    assert (app.seen / "web.1.bye").exists()


@pytest.mark.parametrize("command", ["./pool", "true && ./pool"])
def test_a_pool_finishes_the_job_of_its_worker(tmp_path: Path, engine: Runit, command: str) -> None:
    if engine.format == "s6" and "&" in command:
        pytest.skip("s6 signals the shell, and the export warns of it")
    app = Application(tmp_path / "shop", f"pool: {command}\n")
    app.add("pool", POOL)
    (app.folder / "procman.toml").write_text('[process.pool]\nstop_to = "program"\nstop_timeout = 30\n')
    app.export(engine.format, engine.folder)
    engine.start()
    app.pid("pool.1")
    engine.stop("pool.1")
    assert (app.seen / "pool.job").exists()
    assert (app.seen / "pool.bye").exists()


def test_what_is_scaled_away_can_be_stopped_and_leaves_nothing(tmp_path: Path, engine: Runit) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\nworker: true && ./witness | cat -u\n")
    app.export(engine.format, engine.folder, "-m", "web=1,worker=2")
    engine.start()
    for name in ("web.1", "worker.1", "worker.2"):
        app.pid(name)
    done = app.export(engine.format, engine.folder, "-m", "web=1,worker=1")
    assert f"stop what was removed, before anything else:\n    {engine.stop_command}\n" in done.out
    engine.stop("worker.2")
    assert (app.seen / "worker.2.bye").exists()
    left = len({app.pid("web.1"), app.pid("worker.1")}) + 1  # worker.1 has its line's shell, too
    wait_for(lambda: sum("witness" in survivor for survivor in app.survivors()) == left, "only the others are left")
    app.export(engine.format, engine.folder, "-m", "web=1,worker=2")  # the stop files that have stayed are ours


def test_a_release_and_what_starts_by_hand_wait(tmp_path: Path, engine: Runit) -> None:
    app = Application(tmp_path / "shop", 'web: ./witness\nlazy: ./witness\nrelease: echo "$PS"; [ -e seen/fixed ]\n')
    (app.folder / "procman.toml").write_text("[process.lazy]\nautostart = false\n")
    app.export(engine.format, engine.folder)
    release = engine.folder / "shop-release.1"
    assert attempt("./run", cwd=release).returncode == 1
    (app.seen / "fixed").touch()
    assert call("./run", cwd=release) == "release.1\n"
    engine.start()
    app.pid("web.1")
    for name in ("lazy.1", "release.1"):
        wait_for(partial(engine.is_down, name), f"{name} is down")
    assert not list(app.seen.glob("lazy*"))


def test_another_account_has_its_own_home(tmp_path: Path, engine: Runit) -> None:
    need("getent", root=True)
    app = Application(tmp_path / "shop", "web: ./witness\n")
    for folder in (*tmp_path.parents[:2], tmp_path, app.folder):
        folder.chmod(0o755)
    app.seen.chmod(0o777)
    app.export(engine.format, engine.folder, "--user", "games")
    engine.start()
    app.pid("web.1")
    account = pwd.getpwnam("games")
    seen = app.environ("web.1")
    assert (seen["HOME"], seen["USER"], seen["LOGNAME"]) == (account.pw_dir, "games", "games")


def test_a_failing_process_is_tried_for_ever_on_request(tmp_path: Path, engine: Runit) -> None:
    app = Application(tmp_path / "shop", 'web: echo >>seen/tries; [ "$(wc -l <seen/tries)" -gt 2 ] && exec ./witness\n')
    app.export(engine.format, engine.folder, "--max-restarts", "1", "--keep-trying")
    engine.start()
    app.pid("web.1")


def test_a_stop_command_runs_instead_of_the_signal(tmp_path: Path, engine: Runit) -> None:
    if engine.format == "s6":
        pytest.skip("s6 has no place for it, and the export warns of it")
    app = Application(tmp_path / "shop", "web: ./witness\n")
    command = 'echo "$PROCMAN_PID $PS" >seen/command; sleep 0.1; kill $PROCMAN_PID # and no more'
    (app.folder / "procman.toml").write_text(f"[process.web]\nstop_command = '{command}'\n")
    app.export(engine.format, engine.folder)
    engine.start()
    pid = app.pid("web.1")
    engine.stop("web.1")
    assert (app.seen / "command").read_text() == f"{pid} web.1\n"
    assert (app.seen / "web.1.bye").exists()


def test_the_signal_follows_a_stop_command_that_fails(tmp_path: Path, engine: Runit) -> None:
    if engine.format == "s6":
        pytest.skip("s6 has no place for it, and the export warns of it")
    app = Application(tmp_path / "shop", "web: ./witness\n")
    (app.folder / "procman.toml").write_text("[process.web]\nstop_command = 'echo x >seen/command; false'\n")
    app.export(engine.format, engine.folder)
    engine.start()
    app.pid("web.1")
    engine.stop("web.1")
    assert (app.seen / "command").exists()
    assert (app.seen / "web.1.bye").exists()
