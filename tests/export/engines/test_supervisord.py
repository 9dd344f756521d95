"""supervisord runs its export."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from export.rig import LAUNCHER, LIMIT, POOL, Application, attempt, call, cannot, need, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATION = "web=2,worker=1,clock=1"
INSTANCES = ("web.1", "web.2", "worker.1", "clock.1")
SCRIPTS = Path(sys.executable).parent


class Supervisor:
    """A supervisord of our own, with one file in its [include]."""

    def __init__(self, folder: Path) -> None:
        if not (SCRIPTS / "supervisord").exists():
            cannot("supervisor is not installed (PyPI)")
        self.configuration = folder / "supervisord.conf"
        self.included = folder / "conf.d"
        self.included.mkdir(parents=True)
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.configuration.write_text(
            f"[supervisord]\nnodaemon=true\nchildlogdir={self.logs}\nlogfile={folder}/supervisord.log\n"
            f"pidfile={folder}/supervisord.pid\nuser={os.environ.get('USER', 'root')}\n"
            f"[unix_http_server]\nfile={folder}/sock\n[supervisorctl]\nserverurl=unix://{folder}/sock\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[include]\nfiles={self.included}/*.conf\n"
        )
        if os.geteuid():
            text = self.configuration.read_text().replace(f"user={os.environ.get('USER', 'root')}\n", "")
            self.configuration.write_text(text)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [SCRIPTS / "supervisord", "-c", self.configuration], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for(lambda: "refused" not in (said := self.status()) and "no such file" not in said, "supervisord is up")

    def control(self, *words: str) -> str:
        return call(SCRIPTS / "supervisorctl", "-c", self.configuration, *words)

    def status(self) -> str:
        return attempt(SCRIPTS / "supervisorctl", "-c", self.configuration, "status").stdout

    def stop(self) -> None:
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(LIMIT)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "supervisor")
    yield supervisor
    supervisor.stop()


def is_logged(supervisor: Supervisor, name: str) -> bool:
    return f"up {name}" in (supervisor.logs / f"{name}.log").read_text()


def test_everything_arrives_comes_back_and_ends(app: Application, supervisor: Supervisor) -> None:
    app.export("supervisord", supervisor.included, "-m", FORMATION, "--log", str(supervisor.logs))
    supervisor.start()
    for name in INSTANCES:
        app.pid(name)
    status = supervisor.status()
    assert [line.split()[0] for line in status.splitlines()] == sorted(f"shop:{name}" for name in INSTANCES)
    for name, env in app.expected(FORMATION).items():
        assert app.environ(name).items() >= env.items()
        assert "PROCMAN_SESSION" not in app.environ(name)
        wait_for(partial(is_logged, supervisor, name), f"the log of {name}")
    for type_ in ("web", "worker", "clock"):
        assert (app.seen / f"{type_}.1.args").read_bytes().split(b"\0")[:-1] == app.arguments(type_)

    killed = app.pid("web.2")
    app.forget("web.2")
    os.kill(killed, signal.SIGKILL)
    assert app.pid("web.2") != killed

    supervisor.control("stop", "shop:*")
    assert {path.name for path in app.seen.glob("*.bye")} == {f"{name}.bye" for name in INSTANCES}
    app.wait_until_gone()


def test_what_dies_at_once_is_given_up(tmp_path: Path, supervisor: Supervisor) -> None:
    app = Application(tmp_path / "shop", "crash: exit 3\n")
    app.export("supervisord", supervisor.included, "--max-restarts", "1")
    supervisor.start()
    wait_for(lambda: "FATAL" in supervisor.status(), "supervisord gives up")


def test_what_ignores_the_signal_is_killed_after_the_grace(tmp_path: Path, supervisor: Supervisor) -> None:
    stubborn = "web: trap '' TERM; echo > seen/web.1.pid; sleep 1000; sleep 1000\n"
    app = Application(tmp_path / "shop", stubborn)
    app.export("supervisord", supervisor.included, "-t", "1")
    supervisor.start()
    wait_for((app.seen / "web.1.pid").exists, "the process is up")
    supervisor.control("stop", "shop:*")
    app.wait_until_gone()


def test_a_launcher_that_dies_has_not_stopped_before_its_program(tmp_path: Path, supervisor: Supervisor) -> None:
    app = Application(tmp_path / "shop", "web: ./launcher\n")
    app.add("launcher", LAUNCHER)
    app.export("supervisord", supervisor.included)
    supervisor.start()
    first = app.pid("web.1")
    supervisor.control("stop", "shop:web.1")
    assert (app.seen / "web.1.bye").exists()
    app.wait_until_gone()
    app.forget("web.1")
    supervisor.control("start", "shop:web.1")
    assert app.pid("web.1") != first


@pytest.mark.parametrize("command", ["./pool", "true && ./pool"])
def test_a_pool_finishes_the_job_of_its_worker(tmp_path: Path, supervisor: Supervisor, command: str) -> None:
    app = Application(tmp_path / "shop", f"pool: {command}\n")
    app.add("pool", POOL)
    (app.folder / "procman.toml").write_text('[process.pool]\nstop_to = "program"\nstop_timeout = 30\n')
    app.export("supervisord", supervisor.included)
    supervisor.start()
    app.pid("pool.1")
    supervisor.control("stop", "shop:*")
    assert (app.seen / "pool.job").exists()
    assert (app.seen / "pool.bye").exists()


def test_a_killed_script_does_not_leave_its_program(tmp_path: Path, supervisor: Supervisor) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\n")
    app.export("supervisord", supervisor.included)
    supervisor.start()
    first = app.pid("web.1")
    app.forget("web.1")
    os.kill(int(supervisor.control("pid", "shop:web.1")), signal.SIGKILL)
    assert app.pid("web.1") != first
    assert not [survivor for survivor in app.survivors() if survivor.startswith(f"{first} ")]


def test_a_program_can_be_stopped_by_int(tmp_path: Path, supervisor: Supervisor) -> None:
    app = Application(tmp_path / "shop", "web: ./server\n")
    server = "trap 'echo yes >seen/bye; exit 0' INT; echo $$ >seen/web.1.pid; while :; do sleep 0.1 & wait $!; done"
    app.add("server", f"#!/bin/sh\n{server}\n")
    app.export("supervisord", supervisor.included, "--stop-signals", "web=INT")
    supervisor.start()
    wait_for((app.seen / "web.1.pid").exists, "the process is up")
    supervisor.control("stop", "shop:*")
    assert (app.seen / "bye").exists()


def test_what_is_done_rests_and_what_starts_by_hand_waits(tmp_path: Path, supervisor: Supervisor) -> None:
    lines = "build: echo x >>seen/build\nlazy: ./witness\nrelease: echo x >>seen/release; [ -e seen/fixed ]\n"
    app = Application(tmp_path / "shop", lines)
    (app.folder / "procman.toml").write_text("[process.build]\nmin_uptime = 1\n[process.lazy]\nautostart = false\n")
    app.export("supervisord", supervisor.included)
    supervisor.start()
    wait_for(lambda: "EXITED" in supervisor.status(), "what is done is not started again")
    assert (app.seen / "build").read_text() == "x\n"
    assert supervisor.status().count("Not started") == 2
    assert not (app.seen / "release").exists()
    script = supervisor.included / "shop" / "release.1.sh"
    assert attempt("sh", script).returncode == 1
    (app.seen / "fixed").touch()
    assert attempt("sh", script).returncode == 0


def test_another_account_has_its_own_home(tmp_path: Path, supervisor: Supervisor) -> None:
    need("setpriv", root=True)
    app = Application(tmp_path / "shop", "web: ./witness\n")
    for folder in (*tmp_path.parents[:2], tmp_path, app.folder):
        folder.chmod(0o755)
    app.seen.chmod(0o777)
    app.export("supervisord", supervisor.included, "--user", "games")
    supervisor.start()
    app.pid("web.1")
    account = pwd.getpwnam("games")
    seen = app.environ("web.1")
    assert (seen["HOME"], seen["USER"], seen["LOGNAME"]) == (account.pw_dir, "games", "games")


def test_a_stop_command_runs_instead_of_the_signal(tmp_path: Path, supervisor: Supervisor) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\n")
    command = 'echo "$PROCMAN_PID $PS" >seen/command; sleep 0.1; kill $PROCMAN_PID # and no more'
    (app.folder / "procman.toml").write_text(f"[process.web]\nstop_command = '{command}'\n")
    app.export("supervisord", supervisor.included)
    supervisor.start()
    pid = app.pid("web.1")
    supervisor.control("stop", "shop:*")
    assert (app.seen / "command").read_text() == f"{pid} web.1\n"
    assert (app.seen / "web.1.bye").exists()


def test_the_signal_follows_a_stop_command_that_fails(tmp_path: Path, supervisor: Supervisor) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\n")
    (app.folder / "procman.toml").write_text("[process.web]\nstop_command = 'echo x >seen/command; false'\n")
    app.export("supervisord", supervisor.included)
    supervisor.start()
    app.pid("web.1")
    supervisor.control("stop", "shop:*")
    assert (app.seen / "command").exists()
    assert (app.seen / "web.1.bye").exists()
