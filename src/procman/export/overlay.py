"""Decides what of an overlay a target takes over: readiness, health, dependencies; and says what it does not."""

from __future__ import annotations

from procman.export.file import ExportWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export.application import Application, Service

READY, HEALTH, DEPENDENCIES, STOP_COMMAND = "a readiness check", "a health check", "dependencies", "a stop command"


def overlay_warnings(app: Application, target: str, *taken: str) -> Iterator[ExportWarning]:
    """Yield a warning for everything that is said about a service and is not among ``taken``."""
    for service in app.services:
        missing = [what for what in _features(service) if what not in taken]
        if missing:
            yield ExportWarning(f"{target} does not take over {' and '.join(missing)} of {service.name}")


def _features(service: Service) -> Iterator[str]:
    plan = service.first
    if plan.ready:
        yield READY
    if plan.health:
        yield HEALTH
    if plan.depends_on:
        yield DEPENDENCIES
    if service.stop.command:
        yield STOP_COMMAND


def dependencies_of(app: Application, service: Service) -> list[tuple[Service, str]]:
    """Return the exported services that ``service`` waits for, each with the condition."""
    known = {other.name: other for other in app.services}
    return [(known[one.type], one.condition) for one in service.first.depends_on if one.type in known]
