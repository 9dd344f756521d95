"""`deploy` and the other commands with Docker Compose: from nothing to several versions, and back to nothing."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path

import pytest

import harness
from export.engines.docker import IMAGE, Cluster, Container
from export.engines.test_compose_up import compose_program
from export.rig import HOSTILE, Application, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from export.engines.docker import Node

LINES = """\
web: sleep 0.5 && ./witness & exec busybox httpd -f -p $PORT -h /app
mail_er: ./witness 'it'"'"'s' "$PS"
release: echo "with $H_APOSTROPHE"; ./witness & sleep 0.2
lazy: ./witness
"""
DESTINATION = """\
[on.here]
engine = "compose"
image = "procman-witness:1"
version = "1"
build = "true"
timeout = 90
"""
OVERLAY = f"""\
[process.web]
ready = {{ http = "/witness", timeout = 30 }}
[process.mail_er]
health = {{ exec = '[ "$H_DOLLAR" ] && [ ! -e /app/sick ]', interval = 0.5, failure_threshold = 2 }}
[process.lazy]
autostart = false
{DESTINATION}"""


class Shop:
    """An application that is deployed to a daemon of its own."""

    def __init__(self, folder: Path, node: Node, lines: str = LINES, overlay: str = OVERLAY) -> None:
        self.node = node
        self.app = Application(folder / f"shop{uuid.uuid4().hex[:6]}", lines)
        self.name = self.app.folder.name
        self.write(overlay)
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "docker-compose").symlink_to(compose_program())
        self.sessions: list[harness.Session] = []
        self.env = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "DOCKER_HOST": node.socket, "PROCMAN_ON": "here"}

    def write(self, overlay: str) -> None:
        (self.app.folder / "procman.toml").write_text(overlay)
        (self.app.folder / "procman.toml").chmod(0o600)

    def procfile(self, text: str) -> None:
        (self.app.folder / "Procfile").write_text(text)

    def attempt(self, *words: str) -> harness.Finished:
        return harness.call(*words, cwd=self.app.folder, env=self.env, limit=120)

    def __call__(self, *words: str) -> harness.Finished:
        done = self.attempt(*words)
        assert done.code == 0, done
        return done

    def row(self, name: str) -> dict[str, Any]:
        rows = json.loads(self("ps", "--json").out)["instances"]
        return next(row for row in rows if row["name"] == name)

    def ps(self) -> dict[str, tuple[str, str, int | None]]:
        rows = json.loads(self("ps", "--json").out)["instances"]
        return {row["name"]: (row["state"], row["version"], row["port"]) for row in rows}

    def container(self, name: str) -> Container:
        """Return a container whose witness is up: its instance runs before that."""
        wait_for(lambda: self._container(name).is_up, f"the witness of {name} is up")
        return self._container(name)

    def _container(self, name: str) -> Container:
        return Container(self.node.call("logs", f"{self.name}-{name}"))

    def begin(self, *words: str) -> harness.Session:
        self.sessions.append(harness.Session(*words, cwd=self.app.folder, env=self.env))
        return self.sessions[-1]

    def end(self) -> None:
        for session in self.sessions:
            session.kill()
        self.attempt("down")
        self.app.kill_survivors()


@pytest.fixture(scope="module")
def docker() -> Iterator[Cluster]:
    cluster = Cluster(1)
    yield cluster
    cluster.end()


@pytest.fixture
def shop(tmp_path: Path, docker: Cluster) -> Iterator[Shop]:
    shop = Shop(tmp_path, docker.nodes[0])
    yield shop
    shop.end()


def test_from_nothing_to_two_versions_and_back(shop: Shop) -> None:
    refused = shop.attempt("ps")
    assert (refused.code, "is not deployed to here" in refused.err) == (1, True)

    done = shop("deploy")
    assert "here: 1 is deployed: web 1, mail_er 1" in done.out
    assert shop.ps() == {"web.1": ("running", "1", 5000), "mail_er.1": ("running", "1", None)}
    expected = shop.app.expected("all=1")
    for name, label in (("web.1", "web-1"), ("mail_er.1", "mail-er-1")):
        environ = shop.container(label).environ
        wrong = {key for key, value in expected[name].items() if environ.get(key) != value and key != "PORT"}
        assert wrong == set()
    assert shop.container("mail-er-1").arguments == [b"it's", b"mail_er.1"]
    inspected = shop.node.call("inspect", f"{shop.name}-web-1", f"{shop.name}-mail-er-1")
    assert [name for name, value in HOSTILE.items() if len(value) > 6 and json.dumps(value)[1:-1] in inspected] == []

    assert shop("scale", "web=3").out == "scaled: web=3\n"
    assert {name: port for name, (_, _, port) in shop.ps().items() if name.startswith("web")} == {
        "web.1": 5000,
        "web.2": 5001,
        "web.3": 5002,
    }
    assert shop.container("web-3").environ["PS"] == "web.3"
    assert shop("deploy", "--dry-run", "--version", "2").out.splitlines()[2:] == ["-version: 1", "+version: 2"]
    assert "(was 1): web 3, mail_er 1" in shop("deploy", "--version", "2").out
    shop("scale", "web-2")
    assert shop.ps() == {"web.1": ("running", "2", 5000), "mail_er.1": ("running", "2", None)}

    done = shop.attempt("run", "--", "sh", "-c", 'printf %s "$H_QUOTES"; exit 7')
    assert (done.code, done.out) == (7, HOSTILE["H_QUOTES"])
    shop("restart", "--rolling", "web")
    shop.node.call("exec", f"{shop.name}-mail-er-1", "touch", "/app/sick")
    wait_for(lambda: shop.row("mail_er.1")["restarts"], "what is unhealthy is restarted")
    shop("stop", "mail_er")
    assert shop.ps()["mail_er.1"][0] == "exited"
    assert "it is stopped" in shop("why", "mail_er").out
    shop("restart")
    assert shop.ps()["mail_er.1"][0] == "exited"
    follower = shop.begin("logs", "-f")
    follower.wait_for(r"mail_er\.1 .* bye$")
    shop("deploy", "--version", "3")
    assert shop.ps() == {"web.1": ("running", "3", 5000)}, "what is stopped stays so"
    shop("start")
    follower.wait_for(r"mail_er\.1 .* up$")
    assert shop.ps()["mail_er.1"][0] == "running"
    lines = shop("logs", "-n", "1000", "mail_er").out.splitlines()
    assert any(line.endswith("| up") and "mail_er.1" in line for line in lines)

    shop("down")
    assert follower.wait() == 0
    follower.wait_for(r"mail_er\.1 .* bye$")
    assert follower.err.decode() == f"{shop.name} has been removed from here\n"
    assert shop.attempt("ps").code == 1
    for kind in ("ps --all", "volume ls", "network ls"):
        assert shop.name not in shop.node.call(*kind.split())


def test_a_version_that_fails_is_shown_and_the_old_one_runs_again(shop: Shop) -> None:
    shop("deploy")
    shop.procfile(LINES.replace("release: ", "release: echo no table; exit 4; "))
    done = shop.attempt("deploy", "--version", "2")
    assert done.code == 1
    assert "release.1 FAILED: ended with 4\nits last line:\n  no table\n" in done.err
    assert done.err.endswith("the release failed with exit code 4; 1 still runs\n")

    shop.procfile(LINES.replace("-h /app", "-h /tmp"))
    done = shop.attempt("deploy", "--version", "3", "-t", "10")
    assert (done.code, "web.1 FAILED: its health check" in done.err) == (124, True)  # "failed", if Docker has made it
    assert done.err.endswith("web.1 did not come up within 10 s; 1 runs again\n")
    assert shop.ps()["web.1"] == ("running", "1", 5000)

    done = shop.attempt("deploy", "--image", "nothing.invalid/shop:1")
    assert (done.code, "there is no image nothing.invalid/shop:1" in done.err) == (1, True)


def test_a_first_version_that_comes_up_after_its_deployment_has_failed_is_restored(shop: Shop) -> None:
    shop.procfile("web: exec ./witness\n")
    shop.write(
        f"[process.web]\nready = {{ exec = 'busybox wget -q -O /dev/null http://store/witness' }}\n{DESTINATION}"
    )
    done = shop.attempt("deploy", "-t", "3", "-m", "web=2")
    assert (done.code, done.err.splitlines()[-2]) == (
        124,
        "procman: web.1, web.2 did not come up within 3 s; nothing ran before, so what was started stays",
    )
    words = ("run", "--detach", f"--name={shop.name}-store", f"--network={shop.name}_default", "--network-alias=store")
    shop.node.call(*words, IMAGE, "busybox", "httpd", "-f", "-p", "80", "-h", "/app")
    try:
        wait_for(lambda: {state for state, _, _ in shop.ps().values()} == {"running"}, "the outage is over")
        shop.procfile("web: exec ./missing\n")
        done = shop.attempt("deploy", "--version", "2")
        assert (done.code, done.err.splitlines()[-1].endswith("; 1 runs again")) == (1, True), done
        assert shop.ps() == {"web.1": ("running", "1", 5000), "web.2": ("running", "1", 5001)}
    finally:
        shop.node.call("rm", "--force", f"{shop.name}-store")


def test_a_type_that_takes_the_port_of_another_takes_its_place(shop: Shop) -> None:
    shop.procfile("site: exec busybox httpd -f -p $PORT -h /app\n")
    shop.write(DESTINATION)
    shop("deploy")
    shop.procfile("web: exec busybox httpd -f -p $PORT -h /app\n")
    shop("deploy", "--version", "2")
    assert shop.ps() == {"web.1": ("running", "2", 5000)}


def test_only_one_deploys_at_a_time_and_ctrl_c_leaves_nothing_that_the_next_does_not_mend(shop: Shop) -> None:
    shop.procfile("web: exec busybox httpd -f -p $PORT -h /app\nrelease: echo begun; exec sleep 1000\n")
    shop.write(DESTINATION)
    first = harness.Session("deploy", cwd=shop.app.folder, env=shop.env)
    try:
        first.wait_for("release: it runs before", stream="err")
        wait_for(lambda: f"{shop.name}-release" in shop.node.call("ps"), "the release runs")
        second = shop.attempt("deploy")
        assert (second.code, f"is changing {shop.name}" in second.err) == (1, True)
        refused = shop.attempt("down")
        assert (refused.code, f"is changing {shop.name}" in refused.err) == (1, True)
        first.signal(signal.SIGINT)
        first.signal(signal.SIGINT)
        assert first.wait() == 130
    finally:
        first.kill()
    assert b"nothing runs yet" in first.err
    shop.procfile("web: exec busybox httpd -f -p $PORT -h /app\nrelease: true\n")
    shop("deploy")
    assert shop.ps() == {"web.1": ("running", "1", 5000)}
    assert f"{shop.name}-release" not in shop.node.call("ps", "--all")

    # Compose that is killed leaves such a container: it was to replace web-1.
    ours = {"procman.type": "web", "procman.number": "1", "com.docker.compose.project": shop.name}
    ours |= {"com.docker.compose.service": "web-1", "com.docker.compose.oneoff": "False"}
    ours |= {"com.docker.compose.container-number": "1", "com.docker.compose.config-hash": "1"}
    labels = [f"--label={name}={value}" for name, value in ours.items()]
    shop.node.call("create", f"--name=0123456789ab_{shop.name}-web-1", *labels, IMAGE, "true")
    assert shop.ps() == {"web.1": ("running", "1", 5000)}
    shop("deploy", "--version", "2")
    assert "0123456789ab" not in shop.node.call("ps", "--all")


def test_a_daemon_that_does_not_answer_is_a_sentence(shop: Shop) -> None:
    shop.env["DOCKER_HOST"] = f"unix://{shop.app.folder}/nowhere"
    for words in (("deploy",), ("ps",), ("down",), ("logs",)):
        done = shop.attempt(*words)
        assert (done.code, "the Docker daemon here does not answer" in done.err) == (1, True), done


def test_a_machine_behind_ssh_is_a_context_too(shop: Shop) -> None:
    shop.procfile("web: exec busybox httpd -f -p $PORT -h /app\n")
    shop.write(f'{DESTINATION}context = "ssh://deploy@there.example"\n')
    ssh = Path(shop.env["PATH"].partition(":")[0]) / "ssh"  # instead of the network and of sshd
    # DOCKER_HOST is the address of the other machine here, and is that of its daemon there.
    ssh.write_text(
        f'#!/bin/sh\ncase "$*" in *there.example*) ;; *) exit 9 ;; esac\nDOCKER_HOST={shop.node.socket} '
        "exec docker system dial-stdio\n"
    )
    ssh.chmod(0o755)
    shop("deploy")
    assert shop.ps() == {"web.1": ("running", "1", 5000)}
    done = shop.attempt("run", "--", "sh", "-c", "echo $PS; exit 3")
    assert (done.code, done.out) == (3, "run.1\n")
    whole = ssh.read_text()
    # If ssh ends before the request has been written, docker reports that alone, and not what ssh has said.
    ssh.write_text(
        "#!/bin/sh\nread -r request\necho 'deploy@there.example: Permission denied (publickey).' >&2\nexit 255\n"
    )
    sentence = "does not answer: deploy@there.example: Permission denied (publickey)."
    for words in (("ps",), ("deploy",)):
        done = shop.attempt(*words)
        assert (done.code, sentence in done.err) == (1, True), done
    ssh.write_text(whole)
