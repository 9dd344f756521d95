"""What an overlay says about a service (checks, dependencies, stop command), and a warning for what a target lacks."""

from __future__ import annotations

from procman.core.model.checks import NOTIFY
from procman.export.application import RELEASE
from procman.export.file import ExportWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export.application import Application, Service

READY, HEALTH, DEPENDENCIES = "readiness check", "health check", "dependencies"
WATCHDOG = "health check by notify"
STOP_COMMAND, STOP_TO = "stop command", "stop_to"
MEMORY_MAX, CPU_MAX, PIDS_MAX = "memory_max", "cpu_max", "pids_max"
RESTART_WITH, AUTOSCALE = "restarts with its dependencies", "autoscale"
SOCKETS, SCHEDULE = "kept sockets", "schedule"
# What takes connections at a target while a process restarts, or how it passes sockets.
_INSTEAD_OF_SOCKETS = {
    "Kubernetes": "a Service sends requests to the pods that are ready",
    "Nomad": "service discovery, such as Consul, or a load balancer finds the ready allocations",
    "Compose": "in a swarm, the virtual IP of a service leads to the tasks that run",
    "Quadlet": "a .socket unit beside the container's passes sockets through Podman",
    "launchd": "the key Sockets passes them by launch_activate_socket(3), not by LISTEN_FDS",
    "supervisord": "only a program of its FastCGI kind gets a socket",
    "s6": "s6-fdholder can keep sockets",
    "Upstart": "its socket bridge passes one as UPSTART_FDS",
}
# What starts something by the clock at a target.
_INSTEAD_OF_SCHEDULES = {
    "Compose": "use ofelia, or a cron of the host that calls docker compose run",
    "Swarm": "use a cron that calls procman run --on",
    "Quadlet": "write a .timer unit beside the container's",
    "supervisord": "use a cron of the host that calls supervisorctl start",
    "runit": "use a cron of the host that calls sv once",
    "s6": "use a cron of the host that calls s6-svc -o",
    "launchd": "use its key StartCalendarInterval",
    "Upstart": "use a cron of the host that calls initctl start",
    "Heroku": "use its add-on Heroku Scheduler",
    "Dokku": "procman export app-json writes it for Dokku",
    "Scalingo": "write a file cron.json",
    "Fly": "use a Machine with --schedule, or supercronic",
    "Kamal": "use a role that runs cron",
    "Render": "use a service of the type cron",
    "Railway": "use cronSchedule of a service",
}


def overlay_warnings(app: Application, target: str, *supported: str) -> Iterator[ExportWarning]:
    """Yield a warning per service for what its overlay says and ``supported`` does not list."""
    for service in app.services:
        missing = [what for what in features_of(service) if what not in (*supported, SOCKETS)]
        if missing:
            yield ExportWarning(f"not exported to {target}: {' and '.join(missing)} of {service.name}")
        yield from own_word_warnings(service, target, *supported)


def own_word_warnings(service: Service, target: str, *supported: str) -> Iterator[ExportWarning]:
    """Yield warnings for sockets and schedules that the target does not take, which name what it has instead."""
    if service.first.listen and SOCKETS not in supported:
        instead = _INSTEAD_OF_SOCKETS.get(target)
        own = f"{SOCKETS} of {service.name}, whose command has to open them itself there"
        yield ExportWarning(f"not exported to {target}: {own}{f'; {instead}' if instead else ''}")
    if service.first.schedule and SCHEDULE not in supported:
        instead = _INSTEAD_OF_SCHEDULES.get(target)
        own = f"the {SCHEDULE} of {service.name}, which starts only by hand there"
        yield ExportWarning(f"not exported to {target}: {own}{f'; {instead}' if instead else ''}")


def features_of(service: Service) -> Iterator[str]:
    """Yield what the overlay says about a service and a target may lack."""
    plan = service.first
    if plan.ready:
        yield READY
    if plan.health:
        yield WATCHDOG if plan.health.kind == NOTIFY else HEALTH
    if plan.depends_on:
        yield DEPENDENCIES
    if any(needed.restart for needed in plan.depends_on):
        yield RESTART_WITH
    if plan.autoscale:
        yield AUTOSCALE
    if service.stop.command:
        yield STOP_COMMAND
    if service.stop.to:
        yield STOP_TO
    yield from (name for name in (MEMORY_MAX, CPU_MAX, PIDS_MAX) if getattr(plan, name) is not None)


def by_hand_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield a warning per service that is exported but does not start by itself."""
    for service in app.services:
        if not service.starts and service.first.schedule is None:
            yield ExportWarning(f"{service.name} is exported, but starts only by hand: autostart = false")


def release_warnings(app: Application, command: str) -> Iterator[ExportWarning]:
    """Yield a warning for a target that cannot hold back the rest until the release, run by ``command``, succeeds."""
    if any(service.kind == RELEASE for service in app.services):
        yield ExportWarning(f"release starts only by hand, before each new version: {command}")


def dependencies_of(app: Application, service: Service) -> list[tuple[Service, str]]:
    """Return the exported services that ``service`` depends on, each with its condition."""
    known = {other.name: other for other in app.services}
    return [(known[one.type], one.condition) for one in service.first.depends_on if one.type in known]
