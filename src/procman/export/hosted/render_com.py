"""render.yaml for Render: a service for each process type."""

from __future__ import annotations

from procman.export.application import application, whole_seconds
from procman.export.container.containers import image_of
from procman.export.file import ExportFile, ExportWarning, header
from procman.export.grammar import Plain, variables, yaml_lines
from procman.export.hosted.platforms import (
    health_path,
    lasting,
    line,
    platform_warnings,
    release_line,
    shared,
    variables_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

SUMMARY = "render.yaml for Render (checked for its syntax only)"

_LONGEST_GRACE = 300  # seconds


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield render.yaml, with the names of the secrets, never their values."""
    app = application(plan, options)
    yield from platform_warnings(app, "Render", apart=True)
    comment = header(
        "render",
        app.name,
        "",
        "Install:  put this file into the root of the repository, and make a Blueprint of it in the dashboard",
        "          Render asks for the values of the variables with sync: false",
    )
    # One service runs the release: each of them would.
    first = next((service for service in lasting(app) if service.serves), next(iter(lasting(app)), None))
    services: list[Yaml] = [
        _service(app, service, options, release_line(app) if service is first else "") for service in lasting(app)
    ]
    yield ExportFile("render.yaml", comment + "\n" + "\n".join(yaml_lines({"services": services})) + "\n")


def _service(app: Application, service: Service, options: ExportOptions, release: str) -> dict[str, Yaml]:
    kind = "web" if service.name == "web" else "pserv" if service.serves else "worker"
    path = health_path(service) if kind == "web" else ""
    known = {**shared(app), **variables_of(service)}
    return {
        "type": Plain(kind),
        "name": f"{app.name}-{service.name}",
        "runtime": Plain("image"),
        "image": {"url": image_of(app, options)},
        "numInstances": len(service.instances),
        "dockerCommand": line(service),
        **({"preDeployCommand": release} if release else {}),
        **({"healthCheckPath": path} if path else {}),
        "maxShutdownDelaySeconds": min(whole_seconds(service.stop.grace, 1), _LONGEST_GRACE),
        "envVars": [
            *({"key": name, "value": value} for name, value in variables(known, "Render").items()),
            *({"key": name, "sync": False} for name in (*app.secrets, *service.env)),
        ],
    }
