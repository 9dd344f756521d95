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
QUEUE = "import urllib.request as r; print(r.urlopen('http://web:5000/jobs', b'hello').status)"
DONE = "import json, urllib.request as r; print(json.load(r.urlopen('http://web:5000/'))['done'])"


class Notes:
    """The example in a folder of its own, and a daemon to deploy it to."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder / "deploy"
        shutil.copytree(EXAMPLE, self.folder)
        self.set_secret("s3cr3t")
        (folder / "bin").mkdir()
        (folder / "bin" / "docker-compose").symlink_to(compose_program())
        (self.node,) = cluster.nodes
        self.env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "DOCKER_HOST": self.node.socket}

    def set_secret(self, value: str) -> None:
        path = self.folder / ".env.staging"
        path.write_text(f"SECRET_KEY={value}\nSTORE_HOST=store\nTICK=3600\n")
        path.chmod(0o600)

    def attempt(self, verb: str, *words: str) -> harness.Finished:
        return harness.call(verb, "--on", "staging", *words, cwd=self.folder, env=self.env, limit=2 * LIMIT)

    def __call__(self, verb: str, *words: str) -> str:
        done = self.attempt(verb, *words)
        assert done.code == 0, done
        return done.out


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    cluster = Cluster(1)
    try:
        notes = Notes(tmp_path, cluster)
        words = ("import", "--change=WORKDIR /app", "-", "notes:1")
        subprocess.run(
            ["docker", *words], input=python_image(EXAMPLE), env={**os.environ, **notes.env}, check=True, timeout=LIMIT
        )
        yield notes
        notes.attempt("down")
    finally:
        cluster.end()


def test_it_is_deployed_scaled_and_kept_when_a_version_fails(notes: Notes) -> None:
    image = ("--image", "notes:1")
    done = notes.attempt("deploy", "--version", "1", *image)
    assert done.code == 0, done
    assert "staging: 1 is deployed: web 1, worker 1, clock 1, store 1\n" in done.out
    assert notes("run", "--", "python", "-c", QUEUE) == "202\n"
    wait_for(lambda: int(notes("run", "--", "python", "-c", DONE)) >= 1, "the job is done")
    assert "worker.1 has done 'hello'" in notes("logs", "worker")
    notes("scale", "worker=2")

    notes.set_secret("")
    done = notes.attempt("deploy", "--version", "2", *image)
    assert (done.code, "missing in the env file: SECRET_KEY" in done.err) == (1, True), done
    rows = json.loads(notes("ps", "--json"))["instances"]
    assert {row["name"]: (row["state"], row["version"]) for row in rows} == dict.fromkeys(
        ("web.1", "worker.1", "worker.2", "clock.1", "store.1"), ("running", "1")
    )
    notes("stop")
    assert "worker.2 leaves no job behind" in notes("logs", "worker.2")
