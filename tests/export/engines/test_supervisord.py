"""supervisord runs its export."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from export.rig import LIMIT, Application, attempt, call, cannot, wait_for

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
        assert "up" in (supervisor.logs / f"{name}.log").read_text()
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
