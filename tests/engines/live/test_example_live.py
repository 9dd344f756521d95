"""The example is deployed as its README says: the release first, a job for the workers, a version that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import harness
from engines.live.python_image import python_image
from export.engines.docker import Cluster
from export.engines.test_compose_up import compose_program
from export.rig import LIMIT, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[3] / "examples" / "deploy"
QUEUE = "import urllib.request as r; print(r.urlopen('http://{}:5000/jobs', b'hello').status)"
DONE = "import json, urllib.request as r; print(json.load(r.urlopen('http://{}:5000/'))['done'])"
# On a Swarm, `store` is an address that the kernel balances. Not every kernel can, so the tests use that of the tasks.
HOSTS = {"staging": "", "production": "tasks."}


class Notes:
    """The example in a folder of its own, and a daemon to deploy it to: that of Compose, or a swarm of one."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder / "deploy"
        shutil.copytree(EXAMPLE, self.folder)
        self.set_secret("s3cr3t")
        (folder / "bin").mkdir()
        (folder / "bin" / "docker-compose").symlink_to(compose_program())
        (self.node,) = cluster.nodes
        docker = {"DOCKER_CONFIG": str(folder / "docker"), "PATH": f"{folder}/bin:/usr/bin:{os.environ['PATH']}"}
        self.env = {"DOCKER_HOST": self.node.socket, **docker}
        self.destination = ""

    def set_secret(self, value: str) -> None:
        for name, prefix in HOSTS.items():
            path = self.folder / f".env.{name}"
            path.write_text(f"SECRET_KEY={value}\nSTORE_HOST={prefix}store\nTICK=3600\n")
            path.chmod(0o600)

    def docker(self, *words: str, data: bytes = b"") -> None:
        subprocess.run(["docker", *words], input=data, env={**os.environ, **self.env}, check=True, timeout=LIMIT)

    def attempt(self, verb: str, *words: str) -> harness.Finished:
        return harness.call(verb, "--on", self.destination, *words, cwd=self.folder, env=self.env, limit=2 * LIMIT)

    def __call__(self, verb: str, *words: str) -> str:
        done = self.attempt(verb, *words)
        assert done.code == 0, done
        return done.out


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    cluster = Cluster(1)
    try:
        notes = Notes(tmp_path_factory.mktemp("notes"), cluster)
        notes.docker("import", "--change=WORKDIR /app", "-", "notes:1", data=python_image(EXAMPLE))
        notes.docker("swarm", "init", f"--advertise-addr={notes.node.address}")
        notes.docker("context", "create", "production", f"--docker=host={notes.node.socket}")  # as procman.toml has it
        yield notes
    finally:
        cluster.end()


@pytest.fixture(params=["staging", "production"])
def destination(notes: Notes, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a destination, and leave nothing there: the names of its networks are those of the other one."""
    notes.destination = request.param
    yield request.param
    notes.attempt("down")


def test_it_is_deployed_scaled_and_kept_when_a_version_fails(notes: Notes, destination: str) -> None:
    notes.set_secret("s3cr3t")
    image = ("--image", "notes:1", "-m", "web=1,worker=1,clock=1,store=1")
    done = notes.attempt("deploy", "--version", "1", *image)
    assert done.code == 0, done
    assert f"{destination}: 1 is deployed: web 1, worker 1, clock 1, store 1\n" in done.out
    web = f"{HOSTS[destination]}web"
    assert notes("run", "--", "python", "-c", QUEUE.format(web)) == "202\n"
    wait_for(lambda: int(notes("run", "--", "python", "-c", DONE.format(web))) >= 1, "the job is done")
    wait_for(lambda: "worker.1 has done 'hello'" in notes("logs", "worker"), "the worker says so")
    notes("scale", "worker=2")

    notes.set_secret("")
    done = notes.attempt("deploy", "--version", "2", "--image", "notes:1", "-m", "web=1,worker=2,clock=1,store=1")
    assert (done.code, "missing in the env file: SECRET_KEY" in done.err) == (1, True), done
    rows = json.loads(notes("ps", "--json"))["instances"]
    assert {row["name"]: (row["state"], row["version"]) for row in rows} == dict.fromkeys(
        ("web.1", "worker.1", "worker.2", "clock.1", "store.1"), ("running", "1")
    )
    notes("stop")
    if destination == "staging":  # Swarm removes a container, and with it its output
        assert "worker.2 leaves no job behind" in notes("logs", "worker.2")
    notes("down")
    refused = notes.attempt("ps")
    assert (refused.code, f"notes is not deployed to {destination}" in refused.err) == (1, True), refused
