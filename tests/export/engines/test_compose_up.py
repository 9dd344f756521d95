"""Docker Compose runs compose.yaml: what starts, in which order and folder, and how it is stopped."""

from __future__ import annotations

import os
import shutil
from functools import partial

import pytest

from export.engines.docker import IMAGE, Cluster
from export.engines.roots import root
from export.rig import LIMIT, Application, attempt, cannot, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from export.engines.docker import Node

LINES = """\
web: sleep 2 && exec busybox httpd -f -p $PORT -h /app
mail: pwd; exec ../witness
multi: (trap 'sleep 0.3; echo a done; exit' TERM; echo a up; while :; do sleep 0.1; done) & ./witness & wait
launcher: ./witness & trap 'exit 1' TERM; wait
always: ./witness
lazy: ./witness
release: sleep 1; echo migrated
"""
OVERLAY = """\
[process.web]
ready = { http = "/witness", timeout = 60 }
health = { http = "/witness", interval = 1 }
[process.mail]
cwd = "mail"
depends_on = ["web"]
[process.always]
restart = "always"
[process.lazy]
autostart = false
"""


class Project:
    """A project of Compose 2 on a daemon of its own."""

    def __init__(self, daemon: str) -> None:
        self.argv = [compose_program()]
        self.env = {**os.environ, "DOCKER_HOST": daemon}

    def __call__(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return attempt(*self.argv, *words, cwd=folder, env=self.env, limit=2 * LIMIT)


def compose_program() -> str:
    """Return the path of Compose 2: the one that is installed, else that of a Debian system in a folder."""
    own = str(root("trixie") / "usr/bin/docker-compose")
    program = next((one for one in (shutil.which("docker-compose"), own) if one and _is_new(one)), None)
    if program is None:
        cannot("Compose 2 is not installed")
    return program


def _is_new(program: str) -> bool:
    try:
        return attempt(program, "version", "--short").stdout.lstrip("v").startswith("2")
    except OSError:
        return False


@pytest.fixture(scope="module")
def docker() -> Iterator[Cluster]:
    cluster = Cluster(1)
    yield cluster
    cluster.end()


def test_it_starts_waits_and_stops_as_start_does(tmp_path: Path, docker: Cluster) -> None:
    (node,) = docker.nodes
    compose = Project(node.socket)
    app = Application(tmp_path / "shop", LINES, {})
    (app.folder / "mail").mkdir()
    (app.folder / "procman.toml").write_text(OVERLAY)
    out = tmp_path / "out"
    app.export("compose", out, "--image", IMAGE)
    done = compose(out, "up", "-d")
    assert done.returncode == 0, done.stdout
    try:
        states = dict(
            line.split(maxsplit=1)
            for line in compose(out, "ps", "-a", "--format={{.Service}} {{.State}} {{.Health}}").stdout.splitlines()
            if not line.startswith("time=")
        )
        running = {name: state for name, state in states.items() if name not in ("web", "release")}
        assert running == dict.fromkeys(("mail", "multi", "launcher", "always"), "running ")
        assert states["web"] == "running healthy", "mail waits for it"
        assert states["release"] == "exited "
        assert started(node, "web") > ended(node, "release")
        for name in ("mail", "multi", "launcher", "always"):
            wait_for(partial(has_said, node, name, "up"), f"{name} is up")
        wait_for(partial(has_said, node, "multi", "a up"), "both of multi are up")
        assert "/app/mail" in said(node, "mail")
        done = compose(out, "stop")
        assert done.returncode == 0, done.stdout
        for name in ("mail", "multi", "launcher", "always"):
            assert "bye" in said(node, name), name
        assert "a done" in said(node, "multi")
        assert node.call("ps", "-aq", "--filter=exited=137").split() == []
    finally:
        compose(out, "down", "--timeout=1")


def test_a_failed_release_stops_the_rest(tmp_path: Path, docker: Cluster) -> None:
    compose = Project(docker.nodes[0].socket)
    app = Application(tmp_path / "shop", "web: ./witness\nrelease: exit 3\n", {})
    app.export("compose", tmp_path / "out", "--image", IMAGE)
    try:
        assert compose(tmp_path / "out", "up", "-d").returncode != 0
        assert "web" not in compose(tmp_path / "out", "ps", "--format={{.Service}}", "--status=running").stdout.split()
    finally:
        compose(tmp_path / "out", "down", "--timeout=1")


def said(node: Node, name: str) -> list[str]:
    return node.call("logs", f"out-{name}-1").splitlines()


def has_said(node: Node, name: str, line: str) -> bool:
    return line in said(node, name)


def started(node: Node, name: str) -> str:
    return _moment(node, name, "StartedAt")


def ended(node: Node, name: str) -> str:
    return _moment(node, name, "FinishedAt")


def _moment(node: Node, name: str, what: str) -> str:
    return node.call("inspect", f"--format={{{{.State.{what}}}}}", f"out-{name}-1").strip()
