"""How the container engines run a check, kind by kind, and what becomes of the rules around it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest

from export.plans import Export, plan_of
from export.rig import LIMIT
from procman.core.model.autoscale import Autoscale
from procman.core.model.checks import DELAY, EXEC, HTTP, KINDS, LOG, TCP, Check
from procman.export.application import application
from procman.export.container.check_commands import probes
from procman.export.options import ExportOptions
from procman.export.shell_checks import check_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from export.plans import Overlay
    from procman.export.application import Service


def service_of(line: str = "worker: ./work", **attributes: object) -> Service:
    plan = plan_of(f"{line}\n", {line.partition(":")[0]: attributes})
    return application(plan, ExportOptions(app="app")).services[0]


def read(plan_lines: str, overlay: Overlay, format_name: str) -> dict[str, Any]:
    """Return what holds the checks of each service: its container in Kubernetes, its part of compose.yaml."""
    import yaml

    export = Export(format_name, plan_of(plan_lines, overlay))
    if format_name == "compose":
        services: dict[str, Any] = yaml.safe_load(export.files["compose.yaml"])["services"]
        return services
    parts = [part for part in yaml.safe_load_all(export.files["app.yaml"]) if part["kind"] == "Deployment"]
    containers = (part["spec"]["template"]["spec"]["containers"][0] for part in parts)
    return {container["name"]: container for container in containers}


# For each kind: a target, and the action of a Kubernetes probe.
ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    HTTP: (
        "http://localhost:5000/health?full=1",
        {
            "httpGet": {
                "path": "/health?full=1",
                "port": 5000,
                "httpHeaders": [{"name": "Host", "value": "localhost:5000"}],
            }
        },
    ),
    TCP: ("[::1]:5432", {"tcpSocket": {"port": 5432}}),
    EXEC: ("./check $X $(id)", {"exec": {"command": ("/bin/sh", "-c", "./check $X $$(id)")}}),
}


@pytest.mark.parametrize("kind", ACTIONS)
def test_readiness_holds_back_the_other_probes_for_its_timeout(kind: str) -> None:
    target, action = ACTIONS[kind]
    found = probes(service_of(ready=Check(kind, target, interval=2.0, timeout=61.0), health=Check(kind, target)))
    assert list(found) == ["startupProbe", "readinessProbe", "livenessProbe"]
    times = {"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 31}
    assert found["startupProbe"] == {**action, **times}
    assert found["readinessProbe"] == {**action, **times, "failureThreshold": 3}


def test_a_time_without_limit_is_a_day() -> None:
    found: Any = probes(service_of(ready=Check(TCP, "localhost:5432", interval=1.0)))
    assert found["startupProbe"]["failureThreshold"] == 86400


def test_a_delay_is_a_probe_that_starts_late() -> None:
    found: Any = probes(service_of(ready=Check(DELAY, "2.5", timeout=60.0)))
    assert found == {"startupProbe": {"exec": {"command": ("/bin/sh", "-c", "true")}, "initialDelaySeconds": 3}}


def test_what_only_procman_can_see_still_holds_back_the_health_check() -> None:
    found: Any = probes(service_of(ready=Check(LOG, "listening", timeout=30.0), health=Check(TCP, "localhost:1")))
    assert found["startupProbe"]["failureThreshold"] == 30
    assert "readinessProbe" not in found
    assert probes(service_of(ready=Check(LOG, "listening"))) == {}


def test_kubernetes_sends_headers_itself_and_leaves_statuses_to_a_command() -> None:
    found: Any = probes(service_of(ready=Check(HTTP, "http://localhost:1/", headers=(("Accept", "a"),))))
    headers = [{"name": "Host", "value": "localhost:1"}, {"name": "Accept", "value": "a"}]
    assert found["readinessProbe"]["httpGet"]["httpHeaders"] == headers
    found = probes(service_of(ready=Check(HTTP, "http://localhost:1/", headers=(("host", "shop"),))))
    assert found["readinessProbe"]["httpGet"]["httpHeaders"] == [{"name": "host", "value": "shop"}]
    found = probes(service_of(ready=Check(HTTP, "http://localhost:1/", status=(401,))))
    assert "case $status in 401)" in found["readinessProbe"]["exec"]["command"][2]


def test_kubernetes_counts_successes_only_where_it_may_and_waits_before_the_first_attempt() -> None:
    ready = Check(EXEC, "./is-up", timeout=60.0, successes=3, initial_delay=1.5)
    found: Any = probes(service_of(ready=ready, health=Check(EXEC, "./is-up", initial_delay=4.0)))
    assert [found[name].get("successThreshold") for name in found] == [None, 3, None]
    assert [found[name].get("initialDelaySeconds") for name in found] == [2, 2, 4]
    warnings = Export("compose", plan_of("worker: ./work\n", {"worker": {"ready": ready}})).warnings
    assert any("success_threshold of worker" in one for one in warnings)


def test_kubernetes_follows_the_cpu_in_use_and_no_command() -> None:
    validator = import_module("kubernetes_validate")
    import yaml

    rules = {"web": {"autoscale": Autoscale("", 0.8, 4, 2, 300.0)}, "worker": {"autoscale": Autoscale("./n", 9.0, 4)}}
    export = Export("kubernetes", plan_of("web: ./serve $PORT\nworker: ./work\n", rules, formation="web=2,worker=1"))
    objects = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(export.files["app.yaml"])}
    found = objects["HorizontalPodAutoscaler", "app-web"]
    validator.validate(found, "1.32", strict=True)
    spec = found["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app-web"}
    assert spec["metrics"][0]["resource"]["target"] == {"type": "AverageValue", "averageValue": "800m"}
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 300}}
    assert "replicas" not in objects["Deployment", "app-web"]["spec"]  # each new version would set it back
    assert ("HorizontalPodAutoscaler", "app-worker") not in objects
    assert objects["Deployment", "app-worker"]["spec"]["replicas"] == 1
    assert "not exported to Kubernetes: autoscale of worker, which it cannot measure" in export.warnings
    for target in ("compose", "nomad", "systemd", "fly"):
        warnings = Export(target, plan_of("web: ./serve $PORT\n", {"web": rules["web"]})).warnings
        assert any("autoscale" in one and "web" in one for one in warnings), target


def test_what_serves_a_port_is_ready_when_it_listens() -> None:
    assert probes(service_of("web: ./serve")) == {
        "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 3}
    }
    assert probes(service_of("worker: ./work")) == {}


@pytest.mark.parametrize("target", ["compose", "kubernetes"])
@pytest.mark.parametrize(("on_fail", "kept", "warned"), [("restart", 1, 0), ("fail", 1, 1), ("none", 0, 1)])
def test_a_check_that_is_only_reported_restarts_nothing(target: str, on_fail: str, kept: int, warned: int) -> None:
    overlay = {"worker": {"health": Check(EXEC, "false", on_fail=on_fail)}}
    container = read("worker: ./work\n", overlay, target)["worker"]
    assert len({"livenessProbe", "healthcheck"} & set(container)) == kept
    assert (
        len([one for one in Export(target, plan_of("worker: ./work\n", overlay)).warnings if "on_fail" in one])
        == warned
    )


@pytest.mark.parametrize("target", ["compose", "kubernetes"])
@pytest.mark.parametrize("kind", KINDS)
def test_readiness_that_the_target_cannot_see_is_warned_of(target: str, kind: str) -> None:
    checked = {HTTP: "http://localhost:1/", TCP: "localhost:1", DELAY: "3"}.get(kind, "x")
    warnings = Export(target, plan_of("worker: ./work\n", {"worker": {"ready": Check(kind, checked)}})).warnings
    assert any("readiness by log of worker" in one for one in warnings) == (kind == LOG)


@pytest.mark.parametrize("ready", [Check(TCP, "localhost:1", timeout=90.0), Check(LOG, "up", timeout=90.0)])
def test_in_compose_no_failure_counts_while_a_service_starts(ready: Check) -> None:
    overlay = {"worker": {"ready": ready, "health": Check(HTTP, "http://localhost:1/", threshold=4)}}
    found = read("worker: ./work\n", overlay, "compose")["worker"]["healthcheck"]
    assert (found["retries"], found["start_period"]) == (4, "90s")


def test_in_compose_readiness_alone_keeps_the_patience_of_the_start() -> None:
    overlay = {"worker": {"ready": Check(TCP, "localhost:1", interval=2.0, timeout=90.0)}}
    found = read("worker: ./work\n", overlay, "compose")["worker"]["healthcheck"]
    assert (found["retries"], found["start_period"]) == (45, "90s")


def test_in_compose_a_delay_is_the_time_before_the_first_attempt() -> None:
    found = read("worker: ./work\n", {"worker": {"ready": Check(DELAY, "3", timeout=60.0)}}, "compose")
    assert found["worker"]["healthcheck"] == {
        "test": ["CMD-SHELL", "true"],
        "interval": "3s",
        "timeout": "5s",
        "retries": 1,
    }


@pytest.mark.parametrize("target", ["compose", "kubernetes"])
def test_a_command_runs_in_the_folder_of_its_service(target: str) -> None:
    overlay = {"worker": {"cwd": "/srv/app/jobs", "health": Check(EXEC, "./alive")}}
    container = read("worker: ./work\n", overlay, target)["worker"]
    command = container["healthcheck"]["test"] if target == "compose" else container["livenessProbe"]["exec"]["command"]
    assert command[-1] == "cd jobs || exit 126; ./alive"


# The commands of checks, with the tools of an image -------------------------------------------------------------------


class Answer(BaseHTTPRequestHandler):
    """Answers with the status that the path names; "/guest" is 204 for the guest that a header names, else 403."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0][1:]
        guest = self.headers["Host"], self.headers["X-Guest"]
        self.send_response((204 if guest == ("shop.test", "it's: me") else 403) if path == "guest" else int(path))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def free() -> int:
    """A port of this machine without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def passes(check: Check, folder: Path, *tools: str) -> bool:
    """Run the command of a check with no tools but these on PATH."""
    for tool in tools:
        program = sys.executable if tool == "python3" else shutil.which(tool)
        if program is None:
            pytest.skip(f"{tool} is not installed")
        if not (folder / tool).exists():
            os.symlink(program, folder / tool)
    argv = ["/bin/sh", "-c", check_command(check)]
    return (
        subprocess.run(argv, env={"PATH": str(folder)}, capture_output=True, timeout=LIMIT, check=False).returncode == 0
    )


@pytest.mark.parametrize("tool", ["curl", "wget", "bash", "python3", "node"])
def test_http_uses_whatever_the_image_has(tool: str, port: int, free: int, tmp_path: Path) -> None:
    for path, expected in (("/200", True), ("/204?a=1&b=it's", True), ("/404", False), ("/500", False)):
        assert passes(Check(HTTP, f"http://localhost:{port}{path}"), tmp_path, tool) == expected, path
    assert not passes(Check(HTTP, f"http://localhost:{free}/200"), tmp_path, tool)


@pytest.mark.parametrize("tool", ["curl", "bash", "python3", "node"])
def test_http_sends_headers_and_accepts_the_given_statuses(tool: str, port: int, free: int, tmp_path: Path) -> None:
    headers = (("X-Guest", "it's: me"), ("Host", "shop.test"))
    assert passes(Check(HTTP, f"http://localhost:{port}/guest", headers=headers), tmp_path, tool)
    assert not passes(Check(HTTP, f"http://localhost:{port}/guest", headers=headers[:1]), tmp_path, tool)
    for path, expected in (("/401", True), ("/500", True), ("/200", False)):
        assert passes(Check(HTTP, f"http://localhost:{port}{path}", status=(401, 500)), tmp_path, tool) == expected
    assert not passes(Check(HTTP, f"http://localhost:{free}/401", status=(401,)), tmp_path, tool)


def test_http_without_a_tool_fails(port: int, tmp_path: Path) -> None:
    assert not passes(Check(HTTP, f"http://localhost:{port}/200"), tmp_path)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_tcp_on_this_machine_needs_only_grep(host: str, port: int, free: int, tmp_path: Path) -> None:
    assert passes(Check(TCP, f"{host}:{port}"), tmp_path, "grep")
    assert not passes(Check(TCP, f"{host}:{free}"), tmp_path, "grep")


def test_a_connection_to_the_port_of_another_is_no_listener(port: int, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert not passes(Check(TCP, f"localhost:{client.getsockname()[1]}"), tmp_path, "grep")


@pytest.mark.parametrize("tool", ["nc", "bash", "python3"])
def test_tcp_elsewhere_uses_whatever_the_image_has(tool: str, tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        check = Check(TCP, f"0.0.0.0:{server.getsockname()[1]}")  # to the command, an address like any other
        assert not passes(check, tmp_path, tool)
        server.listen()
        assert passes(check, tmp_path, tool)
