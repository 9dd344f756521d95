"""A Docker Swarm of two nodes runs compose.yaml: deploy, scale, drain, stop."""

from __future__ import annotations

import subprocess
import sys
import uuid
from functools import partial

import pytest

from export.engines.docker import IMAGE, Cluster, Container
from export.rig import LIMIT, PROCFILE, Application, wait_for

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
    assert all(one.said_bye for one in swarm.nodes[1].containers(every=True, of=stack.name)), "TERM was honored"
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
    wait_for(lambda: not any(killed in node.running() for node in swarm.nodes), "it has ended")
    wait_for(partial(are_up, swarm, "web.1"), "another one is up")


# A client in the network of a container: it resolves the name for each request, since not every kernel has the module
# that a virtual address needs. An answer repeats the query, and ends with records of one size, each with an address at
# its end.
CLIENT = """
import http.client, random, select, socket, sys
query = bytes(5) + b"\\1" + bytes(6) + b"\\5tasks\\3web\\0\\0\\1\\0\\1"
seen = {"ok": 0}
while not select.select([sys.stdin], [], [], 0.01)[0]:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
            dns.settimeout(30)
            dns.sendto(query, ("127.0.0.11", 53))
            answer = dns.recv(4096)
        count = int.from_bytes(answer[6:8], "big")
        size = (len(answer) - len(query)) // count
        ends = [len(answer) - size * at for at in range(count)]
        addresses = [answer[end - 4 : end] for end in ends]
        server = http.client.HTTPConnection(socket.inet_ntoa(random.choice(addresses)), 5000, timeout=30)
        server.request("GET", "/witness")
        result = "ok" if server.getresponse().status == 200 else "wrong status"
    except Exception as error:
        result = repr(error)
    seen[result] = seen.get(result, 0) + 1
    print("up", flush=True)
print(seen)
"""


def test_a_slow_start_is_waited_for_and_an_update_loses_no_request(tmp_path: Path, swarm: Cluster, stack: Path) -> None:
    lines = "web: sleep 3 && exec busybox httpd -f -p $PORT -h /app\nclient: ./witness\n"
    app = Application(tmp_path / "shop", lines)
    (app.folder / "procman.toml").write_text(
        '[process.web]\nready = { http = "/witness", timeout = 60 }\nhealth = { http = "/witness", interval = 1 }\n'
    )
    deploy(swarm, app, stack, "-m", "web=3,client=1")
    manager = swarm.nodes[0]
    wait_for(lambda: manager.call("service", "ls", "--format={{.Replicas}}").split() == ["1/1", "3/3"], "all are up")
    states = manager.call("service", "ps", "--format={{.CurrentState}}", f"{stack.name}_web").splitlines()
    assert len(states) == 3, "none was replaced while it started"
    found = ((node, node.call("ps", "-q", f"--filter=name={stack.name}_client").strip()) for node in swarm.nodes)
    node, container = next((node, container) for node, container in found if container)
    pid = node.call("inspect", "--format={{.State.Pid}}", container).strip()
    argv = ["nsenter", "--target", pid, "--net", "--", sys.executable, "-c", CLIENT]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "up\n"
        manager.call("service", "update", "--force", "--detach=false", "--quiet", f"{stack.name}_web")
        *lines_of_client, result = client.communicate("end\n", timeout=LIMIT)[0].splitlines()
    assert len(lines_of_client) > 20, result
    assert result == f"{{'ok': {len(lines_of_client) + 1}}}"


def test_what_a_launcher_starts_gets_its_time(tmp_path: Path, swarm: Cluster, stack: Path) -> None:
    app = Application(tmp_path / "shop", "web: ./witness & trap 'exit 1' TERM; wait\nmail: pwd; exec ./witness\n")
    (app.folder / "procman.toml").write_text('[process.mail]\ncwd = "mail"\n')
    (app.folder / "mail").mkdir()
    deploy(swarm, app, stack, "-m", "web=1,mail=0")
    wait_for(partial(are_up, swarm, "web.1"), "the stack is up")
    swarm.nodes[0].call("service", "scale", "--detach", f"{stack.name}_web=0")
    wait_for(lambda: not any(node.running() for node in swarm.nodes), "it has ended")
    (ended,) = [one for node in swarm.nodes for one in node.containers(every=True, of=f"{stack.name}_web")]
    assert ended.said_bye


def test_the_smallest_export_deploys(tmp_path: Path, swarm: Cluster, stack: Path) -> None:
    app = Application(tmp_path / "shop", PROCFILE.replace("LONG", ""), {})
    deploy(swarm, app, stack, "-m", "clock=1", "-t", "1", "--restart", "never", "--no-port")
    wait_for(partial(are_up, swarm, "clock.1"), "the stack is up")
