"""Container units for Podman Quadlet: a template per process type, which systemd runs like any other service."""

from __future__ import annotations

import json
import re

from procman.core.model.dependency import SUCCEEDED
from procman.export.application import LASTING, application, install_folder, own, seconds, whole_seconds
from procman.export.container.check_commands import grace, health_warnings, liveness
from procman.export.container.containers import image_of, image_warnings
from procman.export.container.first_process import container_argv, signal_warnings
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import Block, assignments, escaped, podman_line, systemd_lines, systemd_path, systemd_word
from procman.export.overlay import (
    CPU_MAX,
    DEPENDENCIES,
    HEALTH,
    MEMORY_MAX,
    PIDS_MAX,
    RESTART_WITH,
    STOP_COMMAND,
    STOP_TO,
    by_hand_warnings,
    dependencies_of,
    overlay_warnings,
)
from procman.export.shell import signal_name
from procman.export.shell_checks import check_command
from procman.export.units import (
    ONE_SHOT,
    SHARED_FILE,
    environment_lines,
    first_lines,
    is_awaited,
    limit_lines,
    readiness_warnings,
    release_lines,
    restart_lines,
    restart_with_lines,
    type_file,
    units_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from procman.core.model.checks import Check
    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "container units for Podman Quadlet"

_SUPPORTED = (
    *(DEPENDENCIES, HEALTH, RESTART_WITH, STOP_COMMAND, STOP_TO),
    *(MEMORY_MAX, CPU_MAX, PIDS_MAX),
)
SYSTEM_FOLDERS = ("/etc/containers/systemd", "/run/containers/systemd", "/usr/share/containers/systemd")
_PODMANS_OWN = re.compile(
    "NOTIFY_SOCKET|LISTEN_(FDS|FDNAMES|PID)|(CONTAINERS?|DOCKER|PODMAN|STORAGE|REGISTRY|XDG|LD)_.*"
    "|DBUS_SESSION_BUS_ADDRESS|GODEBUG|HOME|PATH|TMPDIR"
)
_CHECK = "PROCMAN_HEALTH_CHECK"  # systemd puts it into the unit; the container does not get it
_BY_HAND = "# autostart = false: it does not start by itself, not even at boot."
USER_FOLDERS = ("%E/containers/systemd", "/etc/containers/systemd/users")


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the container units, the links that choose the instances, and the environment files."""
    app = application(plan, options)
    yield from overlay_warnings(app, "Quadlet", *_SUPPORTED)
    yield from health_warnings(app, "Podman")
    yield from readiness_warnings(app)
    yield from by_hand_warnings(app)
    yield from image_warnings(app, options, "Quadlet")
    yield from signal_warnings(app)
    folder = install_folder(options.location, USER_FOLDERS if options.user_units else SYSTEM_FOLDERS)
    for service in app.services:
        unit = f"{app.name}-{service.name}"
        yield ExportFile(f"{unit}@.container", _unit(app, service, options, f"{folder}/{app.name}"))
        for instance in service.instances:
            yield ExportFile(f"{unit}@{instance.number}.container", link=f"{unit}@.container")
            variables = own(instance) | _check_variable(service, instance)
            yield ExportFile(f"{app.name}/{instance.name}.env", _environment(app, variables), SECRET)
        if service.env:
            yield ExportFile(f"{app.name}/{type_file(service)}", _environment(app, service.env), SECRET)
        if kept := _podmans_own({**app.shared, **service.env}):
            yield ExportFile(f"{app.name}/{service.name}.podman.env", _for_podman(app, kept), SECRET)
    yield ExportFile(f"{app.name}/{SHARED_FILE}", _environment(app, app.shared), SECRET)


def stop_commands(removed: Sequence[str], options: ExportOptions) -> list[str]:
    """Return the command that stops the instances whose links an export removes."""
    names = [path.removesuffix(".container") for path in removed if path.endswith(".container") and "@." not in path]
    manager = "systemctl --user" if options.user_units else "systemctl"
    return [f"{manager} stop {' '.join(f'{name}.service' for name in names)}"] if names else []


def _environment(app: Application, env: Mapping[str, str]) -> str:
    comment = header("quadlet", app.name, "Only systemd needs to read this file: keep its mode at 0600.")
    kept = _podmans_own(env)
    return f"{comment}\n{environment_lines({name: value for name, value in env.items() if name not in kept})}"


def _podmans_own(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Podman would take for its own if they passed through its environment."""
    return {name: value for name, value in env.items() if _PODMANS_OWN.fullmatch(name)}


def _for_podman(app: Application, env: Mapping[str, str]) -> str:
    note = "Podman reads these for the container. In its own environment, they would change what it does itself."
    values = assignments(env, "an env file of Podman", lambda name, value: f"{name}={podman_line(value)}")
    return header("quadlet", app.name, note) + "\n" + values


def _unit(app: Application, service: Service, options: ExportOptions, folder: str) -> str:
    manager, place = "systemctl", SYSTEM_FOLDERS[0]
    if options.user_units:
        manager, place = "systemctl --user", "~/.config/containers/systemd"
    unit = f"{app.name}-{service.name}"
    comment = header(
        "quadlet",
        app.name,
        "",
        f"Install:  cp -a * {place}/",
        f"          {manager} daemon-reload",
        f"          {manager} start {unit}@1.service      (and automatically at boot)",
        f"Look:     journalctl -f -u '{unit}@*'",
        f"Stop:     {manager} stop '{unit}@*'",
    )
    return "\n".join(
        [
            comment,
            "[Unit]",
            f"Description={app.name} {service.name}.%i",
            *_needs(app, service),
            *limit_lines(service, options.keep_trying),
            "",
            "[Container]",
            *_container(app, service, options, folder),
            "",
            "[Service]",
            *(ONE_SHOT if is_awaited(app, service) else ()),
            "# systemd reads these into Podman's environment, and Podman passes on the variables that --env names. No",
            "# value becomes an argument or goes through Podman's own env files, which cannot hold newlines.",
            f"EnvironmentFile={folder}/{SHARED_FILE}",
            *([f"EnvironmentFile={folder}/{type_file(service)}"] if service.env else []),
            f"EnvironmentFile={folder}/{service.name}.%i.env",
            *restart_lines(service, has_an_end=is_awaited(app, service)),
            f"TimeoutStopSec={seconds(service.stop.grace + 10)}",
            "",
            *_install(service, options),
            "",
        ]
    )


def _install(service: Service, options: ExportOptions) -> list[str]:
    wanted_by = "default.target" if options.user_units else "multi-user.target default.target"
    return ["[Install]", f"WantedBy={wanted_by}"] if service.starts else [_BY_HAND]


def _needs(app: Application, service: Service) -> Iterator[str]:
    yield from release_lines(app, service)
    yield from restart_with_lines(app, service)
    for other, condition in dependencies_of(app, service):
        yield from first_lines("Requires" if condition == SUCCEEDED else "Wants", units_of(app, other))


def _container(app: Application, service: Service, options: ExportOptions, folder: str) -> list[str]:
    argv = container_argv(service)
    words = escaped(
        service.command,
        "Quadlet",
        f"the command of {service.name}",
        lambda _: " ".join(_word(argument) for argument in argv),
    )
    kept = _podmans_own({**app.shared, **service.env})
    names = [name for name in (*app.shared, *service.env, *own(service.first)) if name not in kept]
    return [
        f"ContainerName={app.name}-{service.name}-%i",
        f"Image={escaped(image_of(app, options), 'Quadlet', 'the image', systemd_path)}",
        *([f"User={escaped(options.user, 'Quadlet', 'the user', systemd_path)}"] if options.user else []),
        f"Exec={words}",
        *([f"EnvironmentFile={folder}/{service.name}.podman.env"] if kept else []),
        *(f"PodmanArgs=--env={name}" for name in names),
        f"PodmanArgs=--stop-signal=SIG{signal_name(service.stop.signal_number)}",
        f"PodmanArgs=--stop-timeout={whole_seconds(service.stop.grace)}",
        *(["PublishPort=${PORT}:${PORT}"] if service.serves else []),
        *_health(service),
        *_limits(service.first),
    ]


def _limits(plan: InstancePlan) -> Iterator[str]:
    """Yield the limits, for the container: of the unit, they would count Podman's own processes, too."""
    if plan.memory_max is not None:
        yield f"PodmanArgs=--memory={plan.memory_max}b"
    if plan.cpu_max is not None:
        yield f"PodmanArgs=--cpus={plan.cpu_max:g}"
    if plan.pids_max is not None:
        yield f"PodmanArgs=--pids-limit={plan.pids_max}"


def _health(service: Service) -> list[str]:
    """Return the health check. Podman kills what fails it, and systemd then starts it again."""
    check = _condemning(service)
    if check is None:
        return []
    first = grace(service)
    return [
        f"HealthCmd=${{{_CHECK}}}",
        f"HealthInterval={seconds(check.interval)}s",
        f"HealthTimeout={whole_seconds(check.attempt, 1)}s",
        f"HealthRetries={max(1, check.threshold)}",
        *([f"HealthStartPeriod={seconds(first)}s"] if first else []),
        "HealthOnFailure=kill",
    ]


def _condemning(service: Service) -> Check | None:
    return liveness(service) if service.kind == LASTING else None


def _check_variable(service: Service, instance: InstancePlan) -> dict[str, str]:
    """Return the variable with the health check of an instance, which has a port of its own; empty without a check."""
    if _condemning(service) is None or instance.health is None:
        return {}
    return {_CHECK: json.dumps(["/bin/sh", "-c", check_command(instance.health, service.folder)])}


def _word(argument: str) -> str:
    if isinstance(argument, Block):
        return systemd_lines(argument)
    return argument if argument.isalnum() or argument in ("/bin/sh", "-c") else systemd_word(argument)
