"""The installed command, with a kubectl on PATH that answers like a cluster."""

from __future__ import annotations

import json
import pickle
import signal
import sys

import pytest

from engines.kubernetes import kubectl_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    import harness
    from engines.kubernetes.fake_cluster import FakeCluster

LINES = "web: ./serve --port $PORT\nworker: ./work\nrelease: ./migrate\n"
DESTINATION = """\
[on.live]
engine = "kubernetes"
context = "prod"
namespace = "live"
app = "shop"
image = "shop:{version}"
"""


class Shop:
    """A project, and a cluster that it can be deployed to."""

    def __init__(self, place: harness.Place) -> None:
        self.place = place
        place.procfile(LINES)
        place.write(".env", "KEY=very-secret\n")
        place.write("procman.toml", DESTINATION)
        self.state = place.write("cluster", b"").with_name("cluster.state")
        program = place.write("kubectl", f'#!/bin/sh\nexec {sys.executable} {kubectl_program.__file__} "$@"\n', 0o755)
        self.env: dict[str, str | None] = {
            "PATH": f"{program.parent}:/usr/bin:/bin",
            "FAKE_CLUSTER": str(self.state),
            "PROCMAN_ON": "live",
        }

    def __call__(self, *words: str) -> harness.Finished:
        return self.place.call(*words, env=self.env)

    def good(self, *words: str) -> str:
        done = self(*words)
        assert done.code == 0, done
        return done.out

    def instances(self) -> dict[str, tuple[str, str]]:
        rows = json.loads(self.good("ps", "--json"))["instances"]
        return {row["name"]: (row["state"], row["version"]) for row in rows}

    @property
    def cluster(self) -> FakeCluster:
        found: FakeCluster = pickle.loads(self.state.read_bytes())
        return found


@pytest.fixture
def shop(place: harness.Place) -> Shop:
    return Shop(place)


def test_an_application_goes_to_kubernetes_and_back(shop: Shop) -> None:
    assert "live: 1 is deployed: web 1, worker 1" in shop.good("deploy", "--version", "1")
    assert shop.instances() == {"web.1": ("running", "1"), "worker.1": ("running", "1")}
    shop.good("scale", "web=2")
    shop.good("deploy", "--version", "2")
    assert shop.instances() == dict.fromkeys(("web.1", "web.2", "worker.1"), ("running", "2"))
    shop.good("stop", "web")
    assert shop.instances()["web.1"][0] == "exited"
    assert shop("run", "--", "false").code == 3, "the code that kubectl passes on"
    assert not any("very-secret" in command for command in shop.cluster.commands)
    shop.good("down")
    gone = shop("ps")
    assert (gone.code, gone.err.splitlines()[0]) == (1, "procman: shop is not deployed to live")


def test_a_version_that_fails_is_taken_back_with_a_card(shop: Shop) -> None:
    shop.good("deploy", "--version", "1")
    failed = shop("deploy", "--version", "missing")
    assert failed.code == 1
    assert "release.1 FAILED: the image shop:missing cannot be pulled: not found" in failed.err
    assert "; 1 still runs" in failed.err
    assert shop.instances() == {"web.1": ("running", "1"), "worker.1": ("running", "1")}


def test_ctrl_c_says_what_goes_on_and_releases_the_lock(shop: Shop) -> None:
    shop.place.procfile(LINES.replace("release: ./migrate\n", ""))
    shop.good("deploy", "--version", "1")
    session = shop.place.session("deploy", "--version", "unready", env=shop.env)
    session.wait_for("web.1 is starting", stream="err")
    session.signal(signal.SIGINT)
    assert session.wait() == 130
    session.wait_for("interrupted while unready is rolled out", stream="err")
    assert not any(kind.startswith("lease") for kind, _ in shop.cluster.objects)


def test_without_kubectl_there_is_one_sentence(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shop.env["PATH"] = str(tmp_path / "empty")
    done = shop("ps")
    assert done.code == 127
    assert done.err.splitlines()[0] == 'procman: "kubectl" is not installed, or not on PATH'
