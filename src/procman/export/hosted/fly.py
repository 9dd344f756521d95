"""fly.toml for Fly.io: a process group for each process type."""

from __future__ import annotations

from procman.export.application import application, whole_seconds
from procman.export.container.containers import dns_label
from procman.export.file import ExportFile, ExportWarning, header
from procman.export.grammar import toml, variables
from procman.export.hosted.platforms import (
    exported,
    health_path,
    lasting,
    platform_warnings,
    release_line,
    secrets_of,
    shared,
)
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "fly.toml for Fly.io (checked for its syntax only)"

_LONGEST_GRACE = 300  # seconds
_POLICIES = {"on-failure": "on-failure", "always": "always", "never": "never"}


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield fly.toml, with the names of the secrets in its instructions."""
    app = application(plan, options)
    yield from platform_warnings(app, "Fly", signal=True, delay=True)
    stops = {(service.stop.signal_number, service.stop.grace) for service in lasting(app)}
    if len(stops) > 1:
        yield ExportWarning(
            "Fly stops all process types in the same way: with the signal and the longest time of these"
        )
    yield ExportFile("fly.toml", "\n".join(_sections(app, options)) + "\n")


def _sections(app: Application, options: ExportOptions) -> Iterator[str]:
    services = lasting(app)
    counts = " ".join(f"{service.name}={len(service.instances)}" for service in services)
    secrets = secrets_of(app)
    name = dns_label(app.name)
    yield header(
        "fly",
        app.name,
        "",
        f"Install:  fly apps create {name}",
        *([f"          fly secrets set {' '.join(f'{name}=…' for name in secrets)}"] if secrets else []),
        "          fly deploy",
        f"          fly scale count {counts}",
        f"Look:     fly status, fly logs -a {name}",
    )
    yield f"app = {toml(name)}"
    if services:
        yield f"kill_signal = {toml(f'SIG{signal_name(services[0].stop.signal_number)}')}"
        grace = max(whole_seconds(service.stop.grace, 1) for service in services)
        yield f"kill_timeout = {min(grace, _LONGEST_GRACE)}"
    if options.image:
        yield f"\n[build]\nimage = {toml(options.image)}"
    if release := release_line(app):
        yield f"\n[deploy]\nrelease_command = {toml(release)}"
    yield "\n[env]"
    yield from (f"{name} = {value}" for name, value in variables(shared(app), "Fly", toml).items())
    yield "\n[processes]"
    yield from (f"{service.name} = {toml(exported(service))}" for service in services)
    served = [service for service in services if service.serves]
    yield from (_served(service) for service in served[:1])
    yield from (_restart(service) for service in services)


def _served(service: Service) -> str:
    path = health_path(service)
    check = service.first.health or service.first.ready
    lines = ["", "[http_service]", f"internal_port = {service.port}", "force_https = true"]
    lines += [f"processes = [{toml(service.name)}]", "auto_stop_machines = false", "min_machines_running = 1"]
    if path and check:
        lines += ["", "[[http_service.checks]]", f"path = {toml(path)}"]
        lines += [
            f'interval = "{whole_seconds(check.interval, 2)}s"',
            f'timeout = "{whole_seconds(check.attempt, 1)}s"',
        ]
        ready = service.first.ready
        grace = max((ready and ready.timeout) or 0.0, check.initial_delay or 0.0)
        lines += [f'grace_period = "{whole_seconds(grace)}s"'] if grace else []
    return "\n".join(lines)


def _restart(service: Service) -> str:
    policy = service.restart
    retries = f"retries = {policy.max_restarts}\n" if policy.mode == "on-failure" else ""
    return f"\n[[restart]]\npolicy = {toml(_POLICIES[policy.mode])}\n{retries}processes = [{toml(service.name)}]"
