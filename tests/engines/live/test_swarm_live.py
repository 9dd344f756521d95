"""`deploy` and the other commands with a Docker Swarm of two nodes: drained, interrupted, and with one of them lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import uuid

import pytest

import harness
from export.engines.docker import Cluster, Container
from export.engines.test_swarm import CLIENT
from export.rig import HOSTILE, LIMIT, Application, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = """\
web: exec busybox httpd -f -p $PORT -h /app
mail_er: ./witness 'it'"'"'s' "$PS"
release: echo "with $H_APOSTROPHE"; [ ! "$BROKEN" ] || exit 4
client: ./witness
"""
OVERLAY = """\
[process.web]
ready = { http = "/witness", timeout = 30 }
[on.lan]
engine = "swarm"
image = "procman-witness:{version}"
timeout = 60
"""


class Shop:
    """An application that is deployed to a swarm."""

    def __init__(self, folder: Path, swarm: Cluster, lines: str = LINES) -> None:
        self.swarm = swarm
        self.manager = swarm.nodes[0]
        self.app = Application(folder / f"shop{uuid.uuid4().hex[:6]}", lines)
        self.name = self.app.folder.name
        (self.app.folder / "procman.toml").write_text(OVERLAY)
        self.sessions: list[harness.Session] = []
        # the docker command of the same package as the daemon
        self.env = {"PATH": f"/usr/bin:{os.environ['PATH']}", "DOCKER_HOST": self.manager.socket, "PROCMAN_ON": "lan"}

    def attempt(self, *words: str) -> harness.Finished:
        return harness.call(*words, cwd=self.app.folder, env=self.env, limit=120)

    def __call__(self, *words: str) -> harness.Finished:
        done = self.attempt(*words)
        assert done.code == 0, done
        return done

    def begin(self, *words: str) -> harness.Session:
        self.sessions.append(harness.Session(*words, cwd=self.app.folder, env=self.env))
        return self.sessions[-1]

    def tag(self, version: str) -> None:
        for node in self.swarm.nodes:
            node.call("tag", "procman-witness:1", f"procman-witness:{version}")

    def deploy(self, version: str, *words: str) -> harness.Finished:
        self.tag(version)
        return self("deploy", "--version", version, *words)

    def ps(self) -> dict[str, tuple[str, str, str]]:
        rows = json.loads(self("ps", "--json").out)["instances"]
        return {row["name"]: (row["state"], row["version"], row["node"]) for row in rows}

    def states(self) -> dict[str, tuple[str, str]]:
        return {name: (state, version) for name, (state, version, _) in self.ps().items()}

    def containers(self) -> dict[str, Container]:
        """Return the running witnesses of this application by the names of their instances."""
        found = {}
        for node in self.swarm.nodes:
            for number in node.call("ps", "--quiet", f"--filter=name={self.name}_").split():
                container = Container(node.attempt("logs", number).stdout)  # it may just have been removed
                if container.is_up:
                    found[container.environ["PS"]] = container
        return found

    def witness(self, name: str) -> Container:
        """Return the container of an instance whose witness is up: the instance runs before that."""
        wait_for(lambda: name in self.containers(), f"the witness of {name} is up")
        return self.containers()[name]

    def variable(self, name: str, value: str) -> None:
        with (self.app.folder / ".env").open("a") as file:
            file.write(f"{name}={value}\n")

    def objects(self, kind: str) -> list[str]:
        return self.manager.call(kind, "ls", "--format={{.Name}}", f"--filter=label=procman.app={self.name}").split()

    def end(self) -> None:
        for session in self.sessions:
            session.kill()
        self.attempt("deploy", "--unlock")
        self.attempt("down")
        self.app.kill_survivors()


@pytest.fixture(scope="module")
def swarm() -> Iterator[Cluster]:
    cluster = Cluster(2)
    yield cluster
    cluster.end()


@pytest.fixture
def shop(tmp_path: Path, swarm: Cluster) -> Iterator[Shop]:
    shop = Shop(tmp_path, swarm)
    yield shop
    shop.end()


def test_from_nothing_to_two_versions_and_back(shop: Shop) -> None:
    refused = shop.attempt("ps")
    assert (refused.code, f"{shop.name} is not deployed to lan" in refused.err) == (1, True)

    done = shop.deploy("1", "-m", "web=2,mail_er=1,client=1")
    assert "release.1 | with it's" in done.err
    assert done.out == "lan: 1 is deployed: web 2, mail_er 1, client 1\n"
    names = ("web.1", "web.2", "mail_er.1", "client.1")
    assert shop.states() == dict.fromkeys(names, ("running", "1"))

    expected = shop.app.expected("web=2,mail_er=1,client=1")
    for name in ("mail_er.1", "client.1"):
        environ = shop.witness(name).environ
        assert {key for key, value in expected[name].items() if environ.get(key) != value} == set()
    assert shop.witness("mail_er.1").arguments == [b"it's", b"mail_er.1"]
    services = shop.manager.call("stack", "services", "--format={{.Name}}", shop.name).split()
    inspected = shop.manager.call("service", "inspect", *services)
    assert [name for name, value in HOSTILE.items() if len(value) > 6 and json.dumps(value)[1:-1] in inspected] == []

    assert shop("scale", "web=3", "mail_er-1").out == "scaled: web=3, mail_er=0\n"
    assert set(shop.states()) == {"web.1", "web.2", "web.3", "client.1"}
    lost_none_in(shop, "restart", "--rolling", "web")

    follower = shop.begin("logs", "-f")
    follower.wait_for(r"client\.1 .* up$")
    secrets = shop.objects("secret")
    shop.variable("TOKEN", "secret-hunter2")
    shown = shop("deploy", "--version", "2", "--dry-run").out
    assert '+      "image": "procman-witness:2",' in shown
    assert '+      "TOKEN",' in shown
    assert "hunter2" not in shown
    done = shop.deploy("2")
    assert done.out == "lan: 2 is deployed (was 1): web 3, client 1\n", "counts are kept"
    assert len(shop.objects("secret")) == 1
    assert shop.objects("secret") != secrets
    assert shop.witness("client.1").environ["TOKEN"] == "secret-hunter2"

    done = shop.attempt("run", "--", "sh", "-c", 'echo "$TOKEN $PS"; echo no >&2; exit 7')
    assert (done.code, done.out) == (7, "secret-hunter2 run.1\n")
    assert re.fullmatch("procman: the command gets no terminal and no input: .*\nno\n", done.err)
    assert re.search(r"client\.1 +\| up\n", shop("logs", "client").out)
    refused = shop.attempt("restart", "web.1")
    assert (refused.code, "alike" in refused.err) == (126, True)

    follower.wait_for(r"client\.1 .* up$")  # of the second version
    shop("down")
    assert follower.wait() == 0
    follower.wait_for(r"client\.1 .* bye$")
    assert follower.err.decode() == f"{shop.name} has been removed from lan\n"
    assert [shop.objects(kind) for kind in ("service", "secret", "config")] == [[], [], []]
    left = ("ps", "--all", "--quiet", f"--filter=name={shop.name}")
    wait_for(lambda: not any(node.call(*left) for node in shop.swarm.nodes), "the nodes have removed all containers")
    assert f"{shop.name}_default" not in shop.manager.call("network", "ls", "--format={{.Name}}").split()


def lost_none_in(shop: Shop, *words: str) -> None:
    """Run a command while a client sends requests from the network of a container."""
    found = ((node, node.call("ps", "-q", f"--filter=name={shop.name}_client").strip()) for node in shop.swarm.nodes)
    node, container = next((node, container) for node, container in found if container)
    pid = node.call("inspect", "--format={{.State.Pid}}", container).strip()
    argv = ["nsenter", "--target", pid, "--net", "--", sys.executable, "-c", CLIENT]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "up\n"
        shop(*words)
        *lines, result = client.communicate("end\n", timeout=LIMIT)[0].splitlines()
    assert len(lines) > 20, result
    assert result == f"{{'ok': {len(lines) + 1}}}"


def test_a_version_that_fails_leaves_the_old_one(shop: Shop) -> None:
    shop.deploy("1", "-m", "web=1,mail_er=2")
    good = (shop.app.folder / "Procfile").read_text()

    shop.variable("BROKEN", "yes")
    shop.tag("2")
    done = shop.attempt("deploy", "--version", "2")
    assert (done.code, "release phase failed: exited with code 4; 1 still runs" in done.err) == (1, True), done.err
    assert shop.states()["mail_er.1"] == ("running", "1")
    shop.variable("BROKEN", "")

    (shop.app.folder / "Procfile").write_text(
        good.replace("mail_er: ./witness", "mail_er: echo no table >&2; exit 3 #")
    )
    done = shop.attempt("deploy", "--version", "1")
    assert done.code == 1
    assert re.search(r"mail_er\.\d FAILED: exited with code 3\nits last line:\n  no table\n", done.err)
    assert re.search(r"mail_er\.\d did not come up; 1 runs again\n$", done.err)
    assert shop.states() == dict.fromkeys(("web.1", "mail_er.1", "mail_er.2"), ("running", "1"))
    assert len(shop.objects("config")) == 1

    (shop.app.folder / "Procfile").write_text(good.replace("release: ", "release: echo begin; sleep 600; "))
    deployment = shop.begin("deploy", "--version", "1")
    deployment.wait_for("begin", stream="err")
    other = shop.attempt("deploy", "--version", "1")
    assert (other.code, f"is changing {shop.name}" in other.err) == (1, True)
    other = shop.attempt("scale", "web=2")
    assert (other.code, f"is changing {shop.name}" in other.err) == (1, True)
    deployment.signal(signal.SIGINT)
    deployment.signal(signal.SIGINT)
    deployment.wait_for("interrupted; 1 still runs", stream="err")
    assert deployment.wait() == 130
    assert len(shop.objects("config")) == 1, "the lock is released"
    assert not any("release" in name for name in shop.objects("service"))

    (shop.app.folder / "Procfile").write_text(good)
    shop("stop", "mail_er")
    assert set(shop.states()) == {"web.1"}
    assert "mail_er: it was stopped; start brings its 2 instances back" in shop("why").out
    shop.deploy("2")
    assert set(shop.states()) == {"web.1"}, "what is stopped stays so"
    shop("start", "mail_er")
    assert set(shop.states()) == {"web.1", "mail_er.1", "mail_er.2"}


def test_instances_leave_a_node_that_is_drained_or_lost(shop: Shop, swarm: Cluster) -> None:
    shop.deploy("1", "-m", "web=2,mail_er=2")
    at = {node for _, _, node in shop.ps().values()}
    assert len(at) == 2
    worker = shop.manager.call("node", "ls", "-q", "--filter=role=worker").strip()
    shop.manager.call("node", "update", "--availability=drain", worker)
    up = dict.fromkeys(("web.1", "web.2", "mail_er.1", "mail_er.2"), ("running", "1"))
    wait_for(lambda: shop.states() == up and len({node for _, _, node in shop.ps().values()}) == 1, "all have moved")
    shop.manager.call("node", "update", "--availability=active", worker)
    shop("restart", "mail_er")
    assert len({node for _, _, node in shop.ps().values()}) == 2

    lost = swarm.nodes.pop()
    try:
        lost.process.kill()  # without a word: its containers cannot be reached any more
        wait_for(
            lambda: shop.states() == up and len({node for _, _, node in shop.ps().values()}) == 1, "they start here"
        )
        shop.deploy("2")
        assert shop.states() == dict.fromkeys(up, ("running", "2"))
        shop("down")
    finally:
        lost.end()
