"""A railway.toml for each process type, since each is a service of its own on Railway."""

from __future__ import annotations

from procman.export.application import application, whole_seconds
from procman.export.file import ExportFile, ExportWarning, header
from procman.export.grammar import toml
from procman.export.hosted.platforms import (
    exported,
    health_path,
    lasting,
    platform_warnings,
    release_line,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "a railway.toml per process type for Railway (checked for its syntax only)"

_POLICIES = {"on-failure": "ON_FAILURE", "always": "ALWAYS", "never": "NEVER"}


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield railway.TYPE.toml for each process type that lasts."""
    app = application(plan, options)
    yield from platform_warnings(app, "Railway", apart=True)
    services = lasting(app)
    first = next((service for service in services if service.serves), next(iter(services), None))
    for service in services:
        lines = _lines(app, service, release_line(app) if service is first else "")
        yield ExportFile(f"railway.{service.name}.toml", "\n".join(lines) + "\n")


def _lines(app: Application, service: Service, release: str) -> Iterator[str]:
    secrets = [*app.secrets, *service.env]
    yield header(
        "railway",
        app.name,
        "",
        f"Install:  railway add --service {service.name}",
        f"          in its settings, Config-as-code: /railway.{service.name}.toml",
        *([f"          as its variables: {', '.join(secrets)}"] if secrets else []),
    )
    yield "[deploy]"
    yield f"startCommand = {toml(exported(service))}"
    if release:
        yield f"preDeployCommand = [{toml(release)}]"
    if path := health_path(service):
        ready = service.first.ready
        yield f"healthcheckPath = {toml(path)}"
        yield f"healthcheckTimeout = {whole_seconds(ready.timeout if ready and ready.timeout else 300)}"
    yield f"restartPolicyType = {toml(_POLICIES[service.restart.mode])}"
    if service.restart.mode == "on-failure":
        yield f"restartPolicyMaxRetries = {service.restart.max_restarts}"
    yield f"numReplicas = {len(service.instances)}"
    yield f"drainingSeconds = {whole_seconds(service.stop.grace)}"
