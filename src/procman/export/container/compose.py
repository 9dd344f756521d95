"""Writes compose.yaml: a service per process type, for Docker Compose and for Docker Swarm."""

from __future__ import annotations

from procman.core.model.dependency import COMPLETED, SUCCEEDED
from procman.core.model.dependency import READY as READY_CONDITION
from procman.export.application import application, budget_window, seconds, starts_allowed
from procman.export.container.containers import image_of, labels_of, log_warning, own_environment, warnings_of
from procman.export.file import PLAIN, SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import (
    assignments,
    compose,
    docker_line,
    holds,
    swarm,
    text,
    yaml,
    yaml_list,
    yaml_name,
)
from procman.export.overlay import DEPENDENCIES, HEALTH, READY, left_out, needs, probe_command
from procman.export.shell import container_argv, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from procman.core.model.plan import Plan
    from procman.core.model.policy import RestartPolicy
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "compose.yaml for Docker Compose and `docker stack deploy` (Swarm)"

_CONDITIONS = {"on-failure": "on-failure", "always": "any", "never": "none"}


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield compose.yaml, what only Compose should read, and the env files."""
    app = application(plan, options)
    yield from warnings_of(app, options, "Compose")
    yield from log_warning(options, "Docker")
    yield from left_out(app, "Compose", READY, HEALTH, DEPENDENCIES)
    if any(service.first.depends_on for service in app.services):
        yield ExportWarning("Swarm knows no dependencies: there all services start at once")
    yield from _numbering(app)
    odd = [name for _, env in _env_files(app) for name, value in env.items() if not holds(docker_line, value)]
    if odd:
        yield ExportWarning(f"compose.yaml holds {', '.join(odd)}, which no env file can: keep it at mode 0600")
    yield ExportFile("compose.yaml", _compose(app, options), SECRET if odd else PLAIN)
    yield ExportFile("compose.override.yaml", _override(app), SECRET if odd else PLAIN)
    for path, env in _env_files(app):
        yield ExportFile(path, _env_file(app, env), SECRET)


def _numbering(app: Application) -> Iterator[ExportWarning]:
    for service in app.services:
        if len(service.instances) > 1:
            name = service.name
            yield ExportWarning(
                f"Compose cannot number the containers of {name}: PS is {name}.1 in each (not on Swarm)"
            )


def _env_files(app: Application) -> list[tuple[str, dict[str, str]]]:
    """Return the env files that are not empty: of the application, then of its services."""
    files = [(f"{app.name}.env", app.secrets)]
    files += [(f"{app.name}-{service.name}.env", service.env) for service in app.services]
    return [(path, env) for path, env in files if env]


def _env_file(app: Application, env: Mapping[str, str]) -> str:
    comment = header("compose", app.name, "Compose and Docker read each line alike: no quotes, nothing is expanded.")
    plain = {name: value for name, value in env.items() if holds(docker_line, value)}
    return comment + assignments(plain, "Compose", lambda name, value: f"{name}={docker_line(value)}")


def _compose(app: Application, options: ExportOptions) -> str:
    comment = header(
        "compose",
        app.name,
        "",
        "Here:      docker compose up -d                          (reads compose.override.yaml, too)",
        f"On Swarm:  docker stack deploy -c compose.yaml {app.name}",
        f"Look:      docker compose ps        docker stack ps {app.name}",
        f"Stop:      docker compose down      docker stack rm {app.name}",
    )
    labels = labels_of(app)
    services = "\n".join(_service(app, service, labels[service.name], options) for service in app.services)
    version = 'version: "3.8" # the stack deploy of Docker 20.10 asks for it; Compose does not look at it'
    return f"{comment}\n{version}\n\nservices:\n{services}"


def _service(app: Application, service: Service, label: str, options: ExportOptions) -> str:
    argv = container_argv(service.command, service.stop.signal_number)
    command = text(service.command, "Compose", f"the command of {service.name}", lambda _: yaml_list(argv, compose))
    files = [f"{app.name}.env"] if app.secrets else []
    files += [f"{app.name}-{service.name}.env"] if service.env else []
    stop = f"SIG{signal_name(service.stop.signal_number)}"
    return (
        f"  {yaml_name(label)}:\n"
        f"    image: {yaml(image_of(app, options))}\n"
        f"    command: {command}\n"
        + (f"    user: {yaml(options.user)}\n" if options.user else "")
        + (f"    env_file: {yaml_list(files, yaml_name)}\n" if files else "")
        + f"    environment:\n{_environment(app, service)}"
        + _ports(service)
        + _health(service)
        + f"    stop_signal: {stop}\n"
        f"    stop_grace_period: {seconds(service.stop.grace)}s\n"
        f"    deploy:\n"
        f"      replicas: {len(service.instances)}\n"
        f"{_restart(service.restart)}"
    )


def _environment(app: Application, service: Service) -> str:
    """What differs, what all have, and whatever value an env file cannot hold."""
    names = own_environment(service, f"{service.name}.{{{{.Task.Slot}}}}")
    templates = {name: value for name, value in names.items() if "{{" in value}
    odd = {name: value for name, value in {**app.secrets, **service.env}.items() if not holds(docker_line, value)}
    rest = {**{name: value for name, value in names.items() if name not in templates}, **app.contract, **odd}
    return _lines(templates, compose) + _lines(rest, swarm)


def _lines(env: Mapping[str, str], write: Callable[[str], str]) -> str:
    return assignments(env, "Compose", lambda name, value: f"      {name}: {write(value)}")


def _ports(service: Service) -> str:
    if not service.serves or service.port is None:
        return ""
    last = service.port + len(service.instances) - 1
    published = str(service.port) if last == service.port else f"{service.port}-{last}"
    return f'    ports:\n      - "{published}:{service.port}"\n'


def _health(service: Service) -> str:
    """Docker knows one check, so the one for health goes before the one for readiness."""
    check = service.first.health or service.first.ready
    command = probe_command(check) if check else ""
    if check is None or not command:
        return ""
    return (
        f'    healthcheck:\n      test: ["CMD", "/bin/sh", "-c", {compose(command)}]\n'
        f"      interval: {seconds(check.interval, 0.001)}s\n      timeout: {seconds(check.attempt, 0.001)}s\n"
        f"      retries: {max(1, check.threshold)}\n"
        + (f"      start_period: {seconds(check.timeout)}s\n" if check.timeout else "")
    )


def _depends_on(app: Application, service: Service, labels: Mapping[str, str]) -> str:
    conditions = {READY_CONDITION: "service_healthy", COMPLETED: "service_completed_successfully"}
    conditions[SUCCEEDED] = conditions[COMPLETED]
    lines = []
    for other, wanted in needs(app, service):
        condition = conditions.get(wanted, "service_started")
        if condition == "service_healthy" and not _health(other):
            condition = "service_started"
        lines.append(f"      {yaml_name(labels[other.name])}:\n        condition: {condition}\n")
    return f"    depends_on:\n{''.join(lines)}" if lines else ""


def _restart(policy: RestartPolicy) -> str:
    lines = [f"      restart_policy:\n        condition: {_CONDITIONS[policy.mode]}\n"]
    if policy.mode != "never":
        lines.append(f"        delay: {seconds(policy.backoff)}s\n")
        lines.append(f"        max_attempts: {starts_allowed(policy) - 1}\n")
        lines.append(f"        window: {budget_window(policy)}s\n")
    return "".join(lines)


def _override(app: Application) -> str:
    comment = header(
        "compose",
        app.name,
        "Compose reads this beside compose.yaml; Swarm does not, and fills in what stands in {{ }} there.",
    )
    labels = labels_of(app)
    services = "".join(
        f"  {yaml_name(labels[service.name])}:\n    environment:\n{_lines(_local(app, service), compose)}"
        f"{_depends_on(app, service, labels)}"
        for service in app.services
    )
    return f"{comment}\nservices:\n{services}"


def _local(app: Application, service: Service) -> dict[str, str]:
    names = own_environment(service, service.first.name)
    braces = {name: value for name, value in {**app.secrets, **service.env}.items() if "{{" in value}
    return {name: names[name] for name in ("PS", "PROCMAN_INSTANCE")} | braces
