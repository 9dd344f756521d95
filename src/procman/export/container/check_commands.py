"""Readiness and health checks as the container engines run them: shell commands, and the actions of Kubernetes' probes.

Nothing is known of the image but /bin/sh and a few tools that nearly all have, so a command tries what it finds.
"""

from __future__ import annotations

from math import ceil
from urllib.parse import urlsplit

from procman.core.model.checks import DELAY, EXEC, HERE, HTTP, TCP, Check, split_host
from procman.export.application import whole_seconds
from procman.export.file import ExportWarning
from procman.export.grammar import Block, kubelet, sh
from procman.export.shell import in_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml

DAY = 86400.0  # seconds; for a time without limit, since the engines know none
_FAILURES = 3  # attempts that fail in a row before no request is sent to an instance; Kubernetes' own default
_STARTUP = 60.0  # seconds to become ready, as in a check without a timeout of its own


def check_warnings(app: Application, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for each check, and each rule of one, that the engine does not have."""
    for service in app.services:
        ready, health = service.first.ready, service.first.health
        if ready and ready.kind not in _COMMANDS:
            yield ExportWarning(f"not exported to {target}: readiness by {ready.kind} of {service.name}")
        if health and health.on_fail == "none":
            reason = f"{target} would restart what on_fail = none only reports"
            yield ExportWarning(f"not exported to {target}: health check of {service.name} ({reason})")
        if health and health.on_fail == "fail":
            yield ExportWarning(
                f"{target} restarts {service.name} when it is unhealthy: on_fail = fail is not exported"
            )


def readiness(service: Service) -> Check | None:
    """Return the check that says when an instance is ready, if an engine can run it.

    What serves a port is ready when the port accepts connections, unless the overlay says otherwise: an engine that
    does not know sends requests to what does not listen yet.
    """
    ready = service.first.ready
    if ready and ready.kind in _COMMANDS:
        return ready
    return Check(TCP, f"{HERE}:{service.port}", timeout=_startup(ready)) if service.serves else None


def liveness(service: Service) -> Check | None:
    """Return the check whose failures condemn an instance. One that is only reported must not restart anything."""
    health = service.first.health
    return health if health and health.on_fail != "none" else None


def startup(service: Service) -> float:
    """Return the seconds that an instance may take to become ready. Until then, no failure counts."""
    ready = service.first.ready or readiness(service)
    return _startup(ready) if ready else 0.0


def _startup(ready: Check | None) -> float:
    if ready is None:
        return _STARTUP
    return float(ready.target) if ready.kind == DELAY else ready.timeout or DAY


def attempts(total: float, check: Check) -> int:
    """Return how many attempts of ``check`` fill the time ``total`` in seconds."""
    return max(1, ceil(total / check.interval))


# As a shell command ---------------------------------------------------------------------------------------------------


def check_command(check: Check, folder: str = "") -> str:
    """Return a shell command that succeeds when the check would. A command of the user runs in ``folder``."""
    command = _COMMANDS[check.kind](check.target)
    return in_folder(command, folder) if check.kind == EXEC else command


# What an image may have. Success is a status from 200 to 399.
_BASH_REQUEST = (
    r'exec 3<>/dev/tcp/{host}/{port} && printf "GET %s HTTP/1.0\r\nHost: {host}\r\n\r\n" "$0" >&3'
    ' && read -r _ status _ <&3 && [ "$status" -ge 200 ] && [ "$status" -lt 400 ]'
)
_PYTHON_REQUEST = (
    'import http.client, sys; server = http.client.HTTPConnection("{host}", {port}, timeout=5);'
    ' server.request("GET", sys.argv[1]); sys.exit(not 200 <= server.getresponse().status < 400)'
)
_NODE_REQUEST = 'require("http").get(process.argv[1], (answer) => process.exit(answer.statusCode < 400 ? 0 : 1))'
_HTTP_TOOLS = {
    "curl": "curl -fsS -o /dev/null {url}",
    "wget": "wget -q -O /dev/null {url}",
    "bash": f"bash -c '{_BASH_REQUEST}' {{path}}",
    "python3": f"python3 -c '{_PYTHON_REQUEST}' {{path}}",
    "node": f"node -e '{_NODE_REQUEST}' {{url}}",
}
_TCP_TOOLS = {
    "nc": "nc -z {host} {port}",
    "bash": "bash -c ': </dev/tcp/{host}/{port}'",
    "python3": "python3 -c 'import socket; socket.create_connection((\"{host}\", {port}), 5)'",
}


def _http_command(url: str) -> str:
    address = urlsplit(url)
    path = address.path + (f"?{address.query}" if address.query else "") or "/"
    known = {"url": sh(url), "path": sh(path), "host": address.hostname or HERE, "port": address.port or 80}
    return _first_of(_HTTP_TOOLS, known)


def _tcp_command(address: str) -> str:
    host, port = split_host(address)
    host = host.strip("[]")
    if host in (HERE, "::1") or host.startswith("127."):
        # The kernel's own table needs no tool and opens no connection: a local port in the state 0A, LISTEN.
        return f"grep -q ':{int(port):04X} [^ ]* 0A ' /proc/net/tcp /proc/net/tcp6"
    return _first_of(_TCP_TOOLS, {"host": host, "port": port})


def _first_of(tools: dict[str, str], known: dict[str, object]) -> str:
    """Return a command that uses the first of the tools that the image has, and fails if it has none."""
    word = "if"
    lines = []
    for tool, command in tools.items():
        lines.append(f"{word} command -v {tool} >/dev/null; then {command.format(**known)}")
        word = "elif"
    return Block("\n".join([*lines, "else exit 1; fi", ""]))


_COMMANDS: dict[str, Callable[[str], str]] = {
    HTTP: _http_command,
    TCP: _tcp_command,
    EXEC: str,
    DELAY: lambda _: "true",
}


# As a probe -----------------------------------------------------------------------------------------------------------


def probes(service: Service) -> dict[str, Yaml]:
    """Return the probes of a container.

    The startup probe holds back the other two: a process that needs long to start is not killed for it.
    """
    given, ready, health = service.first.ready, readiness(service), liveness(service)
    first = given if given and given.kind in _COMMANDS else health if given else None
    return {
        **(_startup_probe(first, service) if first else {}),
        **({"readinessProbe": _probe(ready, service, _FAILURES)} if ready and ready.kind != DELAY else {}),
        **({"livenessProbe": _probe(health, service, health.threshold)} if health else {}),
    }


def _startup_probe(check: Check, service: Service) -> dict[str, Yaml]:
    limit = startup(service)
    if check.kind == DELAY:
        return {"startupProbe": {**_action(check, service), "initialDelaySeconds": whole_seconds(limit)}}
    return {"startupProbe": _probe(check, service, ceil(limit / whole_seconds(check.interval, 1)))}


def _probe(check: Check, service: Service, failures: int) -> dict[str, Yaml]:
    return {
        **_action(check, service),
        "periodSeconds": whole_seconds(check.interval, 1),
        "timeoutSeconds": whole_seconds(check.attempt, 1),
        "failureThreshold": max(1, failures),
    }


def _action(check: Check, service: Service) -> dict[str, Yaml]:
    """Return what a probe does. The kubelet connects from outside, to the pod's address."""
    if check.kind == HTTP:
        address = urlsplit(check.target)
        path = address.path + (f"?{address.query}" if address.query else "") or "/"
        return {"httpGet": {"path": path, "port": address.port or 80}}
    if check.kind == TCP:
        return {"tcpSocket": {"port": int(split_host(check.target)[1])}}
    return {"exec": {"command": ("/bin/sh", "-c", kubelet(check_command(check, service.folder)))}}
