"""compose.yaml: a service per process type, for Docker Compose and for Docker Swarm."""

from __future__ import annotations

from textwrap import indent

from procman.core.model.dependency import COMPLETED, SUCCEEDED
from procman.core.model.dependency import READY as READY_CONDITION
from procman.export.application import (
    LASTING,
    RELEASE,
    application,
    average_backoff,
    budget_window,
    gate,
    starts_allowed,
)
from procman.export.container.check_commands import (
    check_warnings,
    duration,
    healthcheck,
)
from procman.export.container.containers import (
    MAX_LABEL_LENGTH,
    dns_label,
    env_files,
    image_of,
    image_warnings,
    labels_of,
    own_environment,
    swarm_service,
)
from procman.export.container.first_process import container_argv, script_name, signal_warnings
from procman.export.file import PLAIN, SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import (
    Alias,
    Block,
    Plain,
    assignments,
    can_hold,
    docker_line,
    escaped,
    no_expansion,
    swarm,
    variables,
    yaml_lines,
)
from procman.export.overlay import (
    CPU_MAX,
    DEPENDENCIES,
    HEALTH,
    MEMORY_MAX,
    PIDS_MAX,
    READY,
    RESTART_WITH,
    STOP_COMMAND,
    STOP_TO,
    by_hand_warnings,
    dependencies_of,
    overlay_warnings,
)
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

    Part = dict[str, Yaml]

SUMMARY = "compose.yaml for Docker Compose and `docker stack deploy` (Swarm)"

SUPPORTED = (
    *(READY, HEALTH, DEPENDENCIES, RESTART_WITH, STOP_COMMAND, STOP_TO),
    *(MEMORY_MAX, CPU_MAX, PIDS_MAX),
)
_RESTART_CONDITIONS = {"on-failure": "on-failure", "always": "any", "never": "none"}
# The driver's own default keeps everything forever.
_LOGGING = """\
x-logging: &logging
  driver: json-file
  options: {max-size: "10m", max-file: "3"}

"""
_RELEASE_NOTE = "Compose runs it before all others. On Swarm, docker compose run does, or it would stay as a service."
_STARTED = "service_started"
_CONDITIONS = {
    READY_CONDITION: "service_healthy",
    COMPLETED: "service_completed_successfully",
    SUCCEEDED: "service_completed_successfully",
}


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield compose.yaml, the file that only Compose reads, and the env files."""
    app = application(plan, options)
    yield from image_warnings(app, options, "Compose")
    yield from overlay_warnings(app, "Compose", *SUPPORTED)
    yield from check_warnings(app, "Compose")
    yield from by_hand_warnings(app)
    yield from signal_warnings(app)
    yield from swarm_warnings(app)
    yield from _long_names(app)
    yield from _numbering(app)
    values = [pair for _, env in env_files(app) for pair in env.items()]
    odd = dict.fromkeys(name for name, value in values if not can_hold(docker_line, value))
    if odd:
        yield ExportWarning(f"compose.yaml holds {', '.join(odd)}, which env files cannot hold: keep its mode at 0600")
    yield ExportFile("compose.yaml", _compose(app, options), SECRET if odd else PLAIN)
    yield ExportFile("compose.override.yaml", _override(app), SECRET if odd else PLAIN)
    for path, env in env_files(app):
        yield ExportFile(path, _env_file(app, env), SECRET)


def swarm_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield what Compose supports and Swarm does not."""
    if any(service.first.depends_on for service in app.services if service.kind != RELEASE):
        yield ExportWarning("Swarm does not support dependencies: it starts all services at the same time")
    for service in app.services:
        if service.first.pids_max is not None:
            yield ExportWarning(f"Swarm does not support {PIDS_MAX} of {service.name}, which Compose does")


def _long_names(app: Application) -> Iterator[ExportWarning]:
    for label in labels_of(app).values():
        name = swarm_service(dns_label(app.name), label)
        if len(name) > MAX_LABEL_LENGTH:
            yield ExportWarning(f"Swarm takes no service called {name}: {MAX_LABEL_LENGTH} characters are the most")


def _numbering(app: Application) -> Iterator[ExportWarning]:
    for service in app.services:
        if len(service.instances) > 1:
            name = service.name
            yield ExportWarning(
                f"Compose does not number containers as Swarm does: PS is {name}.1 in each one of {name}"
            )


def _env_file(app: Application, env: Mapping[str, str]) -> str:
    comment = header("compose", app.name, "Compose and Docker read each line alike, without quotes or expansion.")
    plain = {name: value for name, value in env.items() if can_hold(docker_line, value)}
    return comment + assignments(plain, "Compose", lambda name, value: f"{name}={docker_line(value)}")


def _compose(app: Application, options: ExportOptions) -> str:
    labels, stack = labels_of(app), dns_label(app.name)  # Swarm takes no dot
    release = next((labels[service.name] for service in app.services if service.kind == RELEASE), "")
    comment = header(
        "compose",
        app.name,
        "",
        "Here:      docker compose up -d --remove-orphans         (also reads compose.override.yaml)",
        *([f"On Swarm:  docker compose run --rm {release} && \\"] if release else []),
        f"{'          ' if release else 'On Swarm: '} docker stack deploy --prune -c compose.yaml {stack}",
        f"Look:      docker compose ps        docker stack ps {stack}",
        f"Stop:      docker compose down      docker stack rm {stack}",
    )
    services = "\n".join(_part(labels[service.name], _service(app, service, options)) for service in app.services)
    version = 'version: "3.8" # docker stack deploy of Docker 20.10 requires it, Compose ignores it'
    return f"{comment}\n{version}\n\n{_scripts(app)}{_LOGGING}services:\n{services}"


def _scripts(app: Application) -> str:
    """Return the scripts that several services use, each with its anchor."""
    found = {name: script for service in app.services for name, script in _script(service).items()}
    return "".join(f"x-{name}: &{name} |\n{indent(no_expansion(script), '  ')}\n" for name, script in found.items())


def _script(service: Service) -> dict[str, str]:
    """Return the script of PID 1 by its name; there is none if the program is PID 1 itself."""
    script = next((word for word in container_argv(service) if isinstance(word, Block)), "")
    return {script_name(service): script} if script else {}


def _part(label: str, service: Part) -> str:
    return "".join(f"  {line}\n" for line in yaml_lines({label: service}))


def _service(app: Application, service: Service, options: ExportOptions) -> Part:
    escaped(service.command, "Compose", f"the command of {service.name}", str)
    files = [f"{app.name}.env"] if app.secrets else []
    files += [f"{app.name}-{service.name}.env"] if service.env else []
    return {
        "image": image_of(app, options),
        "command": _command(service),
        **({"user": options.user} if options.user else {}),
        **({"cap_drop": (Plain("ALL"),)} if options.user.isdecimal() and int(options.user) else {}),
        **({"env_file": tuple(Plain(path) for path in files)} if files else {}),
        "environment": _environment(app, service),
        **_ports(service),
        **_health(service),
        "stop_signal": Plain(f"SIG{signal_name(service.stop.signal_number)}"),
        "stop_grace_period": duration(service.stop.grace),
        "logging": Alias("logging"),
        "deploy": {
            **_replicas(service),
            **({"update_config": _update(service)} if service.kind == LASTING else {}),
            "restart_policy": _restart(service, options.keep_trying),
            **limits_of(service.first),
        },
    }


def limits_of(plan: InstancePlan) -> Part:
    """Return the limits of an instance, as a part of ``deploy``."""
    limits: Part = {
        **({"cpus": f"{plan.cpu_max:g}"} if plan.cpu_max is not None else {}),
        **({"memory": Plain(f"{plan.memory_max}b")} if plan.memory_max is not None else {}),
    }
    return {"resources": {"limits": limits}} if limits else {}


def _update(service: Service) -> Part:
    """Return how Swarm replaces a version: what serves a port without a gap, anything else one after the other.

    The health check already decides when a container is up, so that watching it for longer only takes time.
    """
    order = "start-first" if service.serves else "stop-first"
    return {"order": Plain(order), "monitor": Plain("1s"), "failure_action": Plain("rollback")}


def _command(service: Service) -> tuple[Yaml, ...]:
    name = next(iter(_script(service)), "")
    return tuple(Alias(name) if isinstance(word, Block) else no_expansion(word) for word in container_argv(service))


def _replicas(service: Service) -> Part:
    if service.kind == RELEASE:
        return {_RELEASE_NOTE: None, "replicas": 0}
    if service.starts or service.replicas:
        return {"replicas": service.replicas}
    return {"autostart = false: docker compose up --scale, or docker service scale, starts it.": None, "replicas": 0}


def _environment(app: Application, service: Service) -> Part:
    """Return what differs between instances, what all share, and the values that an env file cannot hold."""
    names = own_environment(service, f"{service.name}.{{{{.Task.Slot}}}}")
    templates = {name: value for name, value in names.items() if "{{" in value}
    odd = {name: value for name, value in {**app.secrets, **service.env}.items() if not can_hold(docker_line, value)}
    rest = {**{name: value for name, value in names.items() if name not in templates}, **app.contract, **odd}
    return {**variables(templates, "Compose", no_expansion), **variables(rest, "Compose", swarm)}


def _ports(service: Service) -> Part:
    if not service.serves or service.port is None:
        return {}
    last = service.port + len(service.instances) - 1
    published = str(service.port) if last == service.port else f"{service.port}-{last}"
    return {"ports": [f"{published}:{service.port}"]}


def _health(service: Service) -> Part:
    check = healthcheck(service, no_expansion)
    return {"healthcheck": check} if check else {}


def _restart(service: Service, keep_trying: bool) -> Part:
    policy = service.restart
    condition = {"condition": Plain(_RESTART_CONDITIONS[policy.mode])}
    if not service.is_restarted:
        return {"condition": Plain(_RESTART_CONDITIONS["never"])}
    delay = {"delay": duration(average_backoff(policy))}
    if policy.mode == "always" or keep_trying:  # Compose refuses a number beside "any"
        return {**condition, **delay}
    return {
        **condition,
        **delay,
        "max_attempts": starts_allowed(policy) - 1,
        "window": duration(budget_window(policy)),
    }


def _override(app: Application) -> str:
    comment = header(
        "compose",
        app.name,
        "Compose reads this after compose.yaml. Swarm does not read it, but expands the {{ }} in compose.yaml.",
    )
    labels = labels_of(app)
    services = "".join(_part(labels[service.name], _only_here(app, service)) for service in app.services)
    return f"{comment}\nservices:\n{services}"


def _only_here(app: Application, service: Service) -> Part:
    """Return what Swarm does not support, or has another value for."""
    return {
        "environment": _local(app, service),
        "security_opt": ("no-new-privileges:true",),
        **_depends_on(app, service, labels_of(app)),
        **_deploy_here(service),
    }


def _deploy_here(service: Service) -> Part:
    pids = service.first.pids_max
    found: Part = {
        **({"replicas": 1} if service.kind == RELEASE and service.starts else {}),
        **({"resources": {"limits": {"pids": pids}}} if pids is not None else {}),
    }
    return {"deploy": found} if found else {}


def _local(app: Application, service: Service) -> Part:
    names = own_environment(service, service.first.name)
    braces = {name: value for name, value in {**app.secrets, **service.env}.items() if "{{" in value}
    local = {name: names[name] for name in ("PS", "PROCMAN_INSTANCE")} | braces
    return {**variables(local, "Compose", no_expansion)}


def _depends_on(app: Application, service: Service, labels: Mapping[str, str]) -> Part:
    followed = {needed.type for needed in service.first.depends_on if needed.restart}
    found: Part = {
        labels[other.name]: {
            "condition": condition(other, wanted),
            **({"restart": True} if other.name in followed else {}),
        }
        for other, wanted in dependencies_of(app, service)
    }
    release = gate(app, service)
    if release:
        found[labels[release.name]] = {"condition": Plain(_CONDITIONS[SUCCEEDED])}
    return {"depends_on": found} if found else {}


def condition(other: Service, wanted: str) -> Plain:
    """Return the condition for Compose, which cannot wait for the health of a service without a check."""
    found = _CONDITIONS.get(wanted, _STARTED)
    return Plain(found if wanted != READY_CONDITION or _health(other) else _STARTED)
