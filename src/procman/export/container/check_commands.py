"""Readiness and health checks as the container engines run them: which, for how long, and Kubernetes' probes."""

from __future__ import annotations

from math import ceil
from urllib.parse import urlsplit

from procman.core.model.checks import DELAY, EXEC, HERE, HTTP, TCP, Check, split_host
from procman.export.application import seconds, whole_seconds
from procman.export.file import ExportWarning
from procman.export.grammar import Plain, kubelet
from procman.export.shell_checks import COMMANDS, check_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml

KUBERNETES = "Kubernetes"
DAY = 86400.0  # seconds; for a time without limit, since the engines know none
_FAILURES = 3  # attempts that fail in a row before no request is sent to an instance; Kubernetes' own default
_STARTUP = 60.0  # seconds to become ready, as in a check without a timeout of its own


def check_warnings(app: Application, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for each check, and each rule of one, that the engine does not have."""
    for service in app.services:
        ready = service.first.ready
        if ready and ready.kind not in COMMANDS:
            yield ExportWarning(f"not exported to {target}: readiness by {ready.kind} of {service.name}")
        elif ready and target != KUBERNETES:
            yield from rule_warnings(service.name, ready, target)
    yield from health_warnings(app, target)


def rule_warnings(name: str, ready: Check, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for what few targets know about a readiness check: when it begins, and how often it must pass."""
    if ready.successes > 1:
        yield ExportWarning(f"not exported to {target}: success_threshold of {name}, which it cannot count")
    if ready.initial_delay:
        yield ExportWarning(f"not exported to {target}: initial_delay of {name}, whose first check comes sooner there")


def health_warnings(app: Application, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for each health check whose failure should not be followed by a restart."""
    for service in app.services:
        health = service.first.health
        if health is None or health.kind not in COMMANDS:
            continue
        if health.on_fail == "none":
            reason = f"{target} would restart what on_fail = none only reports"
            yield ExportWarning(f"not exported to {target}: health check of {service.name} ({reason})")
        if health.on_fail == "fail":
            yield ExportWarning(
                f"{target} restarts {service.name} when it is unhealthy: on_fail = fail is not exported"
            )


def readiness(service: Service) -> Check | None:
    """Return the check that says when an instance is ready, if an engine can run it.

    What serves a port is ready when the port accepts connections, unless the overlay says otherwise: an engine that
    does not know sends requests to what does not listen yet.
    """
    ready = service.first.ready
    if ready and ready.kind in COMMANDS:
        return ready
    return Check(TCP, f"{HERE}:{service.port}", timeout=_startup(ready)) if service.serves else None


def liveness(service: Service) -> Check | None:
    """Return the check whose failures condemn an instance. One that is only reported must not restart anything."""
    health = service.first.health
    return health if health and health.kind in COMMANDS and health.on_fail != "none" else None


def startup(service: Service) -> float:
    """Return the seconds that an instance may take to become ready. Until then, no failure counts."""
    ready = service.first.ready or readiness(service)
    return _startup(ready) if ready else 0.0


def grace(service: Service) -> float:
    """Return the seconds after the start in which no failure of the health check counts."""
    health = liveness(service)
    return max(startup(service) if service.first.ready else 0.0, (health and health.initial_delay) or 0.0)


def _startup(ready: Check | None) -> float:
    if ready is None:
        return _STARTUP
    return float(ready.target) if ready.kind == DELAY else ready.timeout or DAY


def attempts(total: float, check: Check) -> int:
    """Return how many attempts of ``check`` fill the time ``total`` in seconds."""
    return max(1, ceil(total / check.interval))


# As Docker runs it ----------------------------------------------------------------------------------------------------


def healthcheck(service: Service, write: Callable[[str], str] = str, before: str = "") -> dict[str, Yaml]:
    """Return the health check, else the readiness check, since a container can have only one; empty without either.

    Swarm replaces a container that fails it. `start` checks readiness only once, so later failures get as much time as
    at the start; a check that is not in the overlay never condemns a container. ``write`` writes the command for the
    target. One of the user's runs after the shell line ``before``, which gives it its environment.
    """
    health, ready, limit = liveness(service), readiness(service), startup(service)
    check = health or ready
    if check is None:
        return {}
    delay = check.kind == DELAY
    retries = health.threshold if health else 1 if delay else attempts(limit if service.first.ready else DAY, check)
    command = check_command(check, service.folder)
    start = grace(service) if health else 0.0 if delay else limit
    return {
        "test": ["CMD-SHELL", write(before + command if check.kind == EXEC and before else command)],
        "interval": duration(limit if delay else check.interval, 0.001),
        "timeout": duration(check.attempt, 0.001),
        "retries": max(1, retries),
        **({"start_period": duration(start)} if start else {}),
    }


def duration(value: float, least: float = 0.0) -> Plain:
    """Write a duration as Docker reads it: ``1.5s``."""
    return Plain(f"{seconds(value, least)}s")


# As a probe -----------------------------------------------------------------------------------------------------------


def probes(service: Service) -> dict[str, Yaml]:
    """Return the probes of a container.

    The startup probe holds back the other two: a process that needs long to start is not killed for it.
    """
    given, ready, health = service.first.ready, readiness(service), liveness(service)
    first = given if given and given.kind in COMMANDS else health if given else None
    return {
        **(_startup_probe(first, service) if first else {}),
        **({"readinessProbe": _readiness_probe(ready, service)} if ready and ready.kind != DELAY else {}),
        **({"livenessProbe": _probe(health, service, health.threshold)} if health else {}),
    }


def _startup_probe(check: Check, service: Service) -> dict[str, Yaml]:
    limit = startup(service)
    if check.kind == DELAY:
        return {"startupProbe": {**_action(check, service), "initialDelaySeconds": whole_seconds(limit)}}
    return {"startupProbe": _probe(check, service, ceil(limit / whole_seconds(check.interval, 1)))}


def _readiness_probe(check: Check, service: Service) -> dict[str, Yaml]:
    """Return the probe that lets requests in. The other two may not ask for more than one success."""
    successes: dict[str, Yaml] = {"successThreshold": check.successes} if check.successes > 1 else {}
    return {**_probe(check, service, _FAILURES), **successes}


def _probe(check: Check, service: Service, failures: int) -> dict[str, Yaml]:
    return {
        **_action(check, service),
        **({"initialDelaySeconds": whole_seconds(check.initial_delay)} if check.initial_delay else {}),
        "periodSeconds": whole_seconds(check.interval, 1),
        "timeoutSeconds": whole_seconds(check.attempt, 1),
        "failureThreshold": max(1, failures),
    }


def _action(check: Check, service: Service) -> dict[str, Yaml]:
    """Return what a probe does. The kubelet connects from outside, to the pod's address.

    Its request names the host of the check, as that of `start` does: many applications refuse other names.
    """
    if check.kind == HTTP and not check.status:
        address = urlsplit(check.target)
        path = address.path + (f"?{address.query}" if address.query else "") or "/"
        given = check.headers if any(name.lower() == "host" for name, _ in check.headers) else ()
        named = given or (("Host", address.netloc), *check.headers)
        headers: list[Yaml] = [{"name": Plain(name), "value": value} for name, value in named]
        return {"httpGet": {"path": path, "port": address.port or 80, "httpHeaders": headers}}
    if check.kind == TCP:
        return {"tcpSocket": {"port": int(split_host(check.target)[1])}}
    return {"exec": {"command": ("/bin/sh", "-c", kubelet(check_command(check, service.folder)))}}
