"""A Docker Swarm of two nodes runs compose.yaml: deploy, scale, drain, stop."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from export.engines.docker import IMAGE, Cluster, Container
from export.rig import PROCFILE, Application, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATION = "web=2,worker=1,clock=1"


@pytest.fixture(scope="module")
def swarm() -> Iterator[Cluster]:
    cluster = Cluster(2)
    yield cluster
    cluster.end()


@pytest.fixture
def stack(swarm: Cluster, tmp_path: Path) -> Iterator[Path]:
    """Yield an empty folder for the export, and remove its stack. The name is unique, since Swarm removes slowly."""
    out = tmp_path / f"stack{uuid.uuid4().hex[:6]}"
    yield out
    swarm.nodes[0].attempt("stack", "rm", out.name)
    wait_for(lambda: not any(node.running() for node in swarm.nodes), "all containers have ended")


def deploy(swarm: Cluster, app: Application, out: Path, *words: str) -> None:
    app.export("compose", out, "--image", IMAGE, *words)
    swarm.nodes[0].call("stack", "deploy", "--resolve-image=never", "-c", out / "compose.yaml", out.name)


def running(swarm: Cluster) -> dict[str, Container]:
    """Return the running containers of all nodes by the names of their instances."""
    found = [container for node in swarm.nodes for container in node.containers() if container.is_up]
    return {container.environ["PS"]: container for container in found}


def are_up(swarm: Cluster, *names: str) -> bool:
    return set(running(swarm)) == set(names)


def test_everything_arrives_scales_moves_and_ends(app: Application, swarm: Cluster, stack: Path) -> None:
    deploy(swarm, app, stack, "-m", FORMATION)
    wait_for(partial(are_up, swarm, "web.1", "web.2", "worker.1", "clock.1"), "the stack is up")
    expected = app.expected(FORMATION)
    expected["web.2"]["PORT"] = "5000"  # each has its own network
    found = running(swarm)
    for name, env in expected.items():
        environ = found[name].environ
        assert {key: value for key, value in env.items() if environ.get(key) != value} == {}
        assert "PROCMAN_SESSION" not in environ
    for type_ in ("web", "worker", "clock"):
        assert found[f"{type_}.1"].arguments == app.arguments(type_, home=found[f"{type_}.1"].environ.get("HOME", "/"))

    swarm.nodes[0].call("service", "scale", "--detach", f"{stack.name}_web=4")
    wait_for(partial(are_up, swarm, "web.1", "web.2", "web.3", "web.4", "worker.1", "clock.1"), "there are 4 of web")

    nodes = swarm.nodes[0].call("node", "ls", "-q", "--filter=role=worker").split()
    leaving = len(swarm.nodes[1].running())
    assert leaving
    swarm.nodes[0].call("node", "update", "--availability=drain", *nodes)
    wait_for(lambda: len([one for one in swarm.nodes[0].containers() if one.is_up]) == 6, "all have moved")
    wait_for(lambda: not swarm.nodes[1].running(), "the drained node is empty")
    assert all(one.said_bye for one in swarm.nodes[1].containers(every=True)), "TERM was honored"
    codes = swarm.nodes[1].call("ps", "-aq", "--filter=exited=137").split()
    assert codes == []
    swarm.nodes[0].call("node", "update", "--availability=active", *nodes)


def test_a_container_that_is_killed_is_replaced(tmp_path: Path, swarm: Cluster, stack: Path) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\n")
    deploy(swarm, app, stack)
    wait_for(partial(are_up, swarm, "web.1"), "the stack is up")
    node = next(node for node in swarm.nodes if node.running())
    killed = node.running()[0]
    node.call("kill", killed)
    wait_for(partial(are_up, swarm, "web.1"), "it is up again")
    wait_for(lambda: not any(killed in node.running() for node in swarm.nodes), "and it is another one")


def test_the_smallest_export_deploys(tmp_path: Path, swarm: Cluster, stack: Path) -> None:
    app = Application(tmp_path / "shop", PROCFILE.replace("LONG", ""), {})
    deploy(swarm, app, stack, "-m", "clock=1", "-t", "1", "--restart", "never", "--no-port")
    wait_for(partial(are_up, swarm, "clock.1"), "the stack is up")
