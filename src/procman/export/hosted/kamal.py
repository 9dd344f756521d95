"""config/deploy.yml for Kamal: a role for each process type, on machines of your own."""

from __future__ import annotations

from procman.export.application import application, whole_seconds
from procman.export.container.containers import dns_label, image_of
from procman.export.file import ExportFile, ExportWarning, header
from procman.export.grammar import Plain, variables, yaml_lines
from procman.export.hosted.platforms import (
    health_path,
    lasting,
    line,
    platform_warnings,
    release_line,
    secrets_of,
    shared,
    variables_of,
)
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

SUMMARY = "config/deploy.yml for Kamal (checked for its syntax only)"

_TERM = 15


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield config/deploy.yml, with an invented machine for each instance."""
    app = application(plan, options)
    yield from platform_warnings(app, "Kamal", signal=True, limits=True)
    yield ExportWarning("Kamal runs one container of a role on a machine: replace the names of the hosts", True)
    if release_line(app):
        yield ExportWarning(
            "Kamal has no release: run its line in .kamal/hooks/pre-app-boot, with kamal app exec --primary"
        )
    comment = header(
        "kamal",
        app.name,
        "",
        "Install:  write the values of env.secret into .kamal/secrets",
        "          kamal setup, and kamal deploy for each new version",
        "Look:     kamal app details, kamal app logs -f",
    )
    content = "\n".join(yaml_lines(_data(app, options)))
    # Kamal reads it as a template of Ruby, where <% begins code.
    yield ExportFile("config/deploy.yml", f"{comment}\n{content.replace('<%', '<%%')}\n")


def _data(app: Application, options: ExportOptions) -> dict[str, Yaml]:
    services = lasting(app)
    registry, image = _registry_and_name(image_of(app, options))
    served = [service for service in services if service.serves]
    primary = [service.name for service in (*served, *services)][:1]
    secrets = secrets_of(app)
    return {
        "service": Plain(dns_label(app.name)),
        "image": image,
        **({"primary_role": primary[0]} if primary not in ([], ["web"]) else {}),
        "servers": {service.name: _role(service) for service in services},
        **({"proxy": _proxy(served[0])} if served else {}),
        "registry": {
            **({"server": registry} if registry else {}),
            "username": ("KAMAL_REGISTRY_USERNAME",),
            "password": ("KAMAL_REGISTRY_PASSWORD",),
        },
        "builder": {"arch": Plain("amd64")},
        "env": {
            "clear": variables(shared(app), "Kamal"),
            **({"secret": [Plain(name) for name in secrets]} if secrets else {}),
        },
        "drain_timeout": max((whole_seconds(service.stop.grace, 1) for service in services), default=30),
    }


def _registry_and_name(image: str) -> tuple[str, str]:
    """Split a reference, without its tag and digest. Its first part is a host if it looks like one, as for Docker."""
    path, _, last = image.partition("@")[0].rpartition("/")
    name = f"{path}/{last.partition(':')[0]}".lstrip("/")
    host, slash, rest = name.partition("/")
    return (host, rest) if slash and ("." in host or ":" in host or host == "localhost") else ("", name)


def _role(service: Service) -> dict[str, Yaml]:
    options = {"options": found} if (found := _docker_options(service)) else {}
    return {
        "hosts": [f"{service.name}-{instance.number}.example" for instance in service.instances],
        "cmd": line(service),
        "env": {"clear": variables(variables_of(service), "Kamal")},
        **options,
    }


def _docker_options(service: Service) -> dict[str, Yaml]:
    """Return the options of docker run."""
    plan, number = service.first, service.stop.signal_number
    return {
        **({"stop-signal": signal_name(number)} if number != _TERM else {}),
        **({"memory": Plain(f"{plan.memory_max}b")} if plan.memory_max is not None else {}),
        **({"cpus": f"{plan.cpu_max:g}"} if plan.cpu_max is not None else {}),
        **({"pids-limit": plan.pids_max} if plan.pids_max is not None else {}),
    }


def _proxy(service: Service) -> dict[str, Yaml]:
    path, check = health_path(service), service.first.health or service.first.ready
    healthcheck: dict[str, Yaml] = {}
    if path and check:
        healthcheck = {"healthcheck": {"path": path, "interval": whole_seconds(check.interval, 1)}}
    return {"app_port": service.port, **healthcheck}
