"""A job for Nomad: a group per process type, run by the docker driver."""

from __future__ import annotations

from itertools import count
from urllib.parse import urlsplit

from procman.core.model.checks import HTTP
from procman.export.application import (
    LASTING,
    ONCE,
    RELEASE,
    application,
    average_backoff,
    budget_window,
    seconds,
    starts_allowed,
)
from procman.export.container.check_commands import rule_warnings, startup
from procman.export.container.containers import (
    dns_label,
    env_files,
    image_of,
    image_warnings,
    labels_of,
    own_environment,
)
from procman.export.container.first_process import container_argv, signal_warnings
from procman.export.cron import crontab_of, schedule_warnings
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import assignments, escaped, hcl, hcl_lines, nomad_environment, sh
from procman.export.overlay import (
    CPU_MAX,
    HEALTH,
    MEMORY_MAX,
    PIDS_MAX,
    READY,
    SCHEDULE,
    STOP_COMMAND,
    STOP_TO,
    by_hand_warnings,
    overlay_warnings,
)
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.checks import Check
    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "jobs for Nomad"

_MIN_DURATION = 1.0  # seconds; Nomad refuses shorter intervals and limits of checks


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the job, then the env files that ``nomad job run`` includes in it."""
    app = application(plan, options)
    held = (READY, HEALTH, STOP_COMMAND, STOP_TO, MEMORY_MAX, CPU_MAX, PIDS_MAX, SCHEDULE)
    yield from overlay_warnings(app, "Nomad", *held)
    for service in app.services:
        if service.first.cpu_max is not None:
            yield ExportWarning(f"not exported to Nomad: cpu_max of {service.name}; Nomad shares out MHz, not CPUs")
    yield from schedule_warnings(app, "Nomad", "UTC", "tz")
    yield from _check_warnings(app)
    yield from image_warnings(app, options, "Nomad")
    yield from signal_warnings(app)
    yield ExportWarning("this job has not been run on Nomad yet: check it with `nomad job validate`", True)
    yield from by_hand_warnings(app)
    if any(service.kind == LASTING for service in app.services):
        yield ExportFile(_file(app), _job(app, options))
    for service in app.services:
        if service.kind != LASTING and not (service.first.schedule and crontab_of(service) is None):
            yield ExportFile(_file(app, service.name), _batch(app, service, options))
    for path, env in env_files(app):
        comment = header("nomad", app.name, "nomad job run includes this file in the job: keep its mode at 0600.")
        values = assignments(env, "Nomad", lambda name, value: f"{name}={nomad_environment(value)}")
        yield ExportFile(path, comment + values, SECRET)


def _job(app: Application, options: ExportOptions) -> str:
    """Return the job of what lasts."""
    release = [service.name for service in app.services if service.kind == RELEASE]
    once = [service.name for service in app.services if service.kind == ONCE]
    steps = [f"nomad job run {_file(app, name)}   (and wait: nomad job status {app.name}-{name})" for name in release]
    steps += [f"nomad job run {_file(app)}   (in this folder, for the env files)"]
    steps += [f"nomad job run {_file(app, name)}" for name in once]
    comment = header(
        "nomad",
        app.name,
        "",
        *(f"{'Install:  ' if not at else '          '}{step}" for at, step in enumerate(steps)),
        f"Look:     nomad job status {app.name}",
        f"Stop:     nomad job stop {app.name}",
    )
    labels = labels_of(app)
    lasting = [service for service in app.services if service.kind == LASTING]
    groups = "\n".join(_group(app, service, labels[service.name], options) for service in lasting)
    return f'{comment}\njob {hcl(app.name)} {{\n  type = "service"\n\n{groups}}}\n'


def _batch(app: Application, service: Service, options: ExportOptions) -> str:
    """Return the job of what ends: Nomad restarts whatever ends in a job of services."""
    when = "Run it before each new version, and wait for its success." if service.kind == RELEASE else "It runs once."
    name = f"{app.name}-{service.name}"
    again = "Nomad runs it again only if it has changed, such as its image."
    if service.first.schedule is not None:
        when, again = f"It runs by the clock: {service.first.schedule.words}.", "Before: nomad job stop -purge, once."
    group = _group(app, service, labels_of(app)[service.name], options)
    comment = header("nomad", app.name, when, again)
    return f'{comment}\njob {hcl(name)} {{\n  type = "batch"\n\n{_periodic(service)}{group}}}\n'


def _periodic(service: Service) -> str:
    """Return the block that runs a job by the clock; empty for other jobs."""
    rule, times = service.first.schedule, crontab_of(service)
    if rule is None or times is None:
        return ""
    zone = f"    time_zone        = {hcl(rule.timezone)}\n" if rule.timezone else ""
    return f"  periodic {{\n    crons            = [{hcl(times)}]\n    prohibit_overlap = true\n{zone}  }}\n\n"


def _file(app: Application, name: str = "") -> str:
    return f"{app.name}{'-' if name else ''}{name}.nomad.hcl"


def _group(app: Application, service: Service, label: str, options: ExportOptions) -> str:
    port = _port(service)
    return (
        f"  group {hcl(label)} {{\n    {_count(service)}\n\n"
        + (f'    network {{\n      port "http" {{\n        to = {port}\n      }}\n    }}\n\n' if port else "")
        + _registration(app, service, label)
        + _restart(service, options.keep_trying)
        + f"\n    task {hcl(label)} {{\n"
        + _task(app, service, options)
        + "    }\n  }\n"
    )


# Checks ---------------------------------------------------------------------------------------------------------------


def _check_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield a warning for each check that Nomad cannot make without Consul, and each rule that it does not have."""
    for service in app.services:
        for what, check in ((READY, service.first.ready), (HEALTH, service.first.health)):
            if check and not _is_made(service, check):
                reason = "Nomad itself makes only http and tcp checks of a port that is served"
                yield ExportWarning(f"not exported to Nomad: {what} of {service.name} ({reason})")
        ready, health = service.first.ready, service.first.health
        if ready and _is_made(service, ready):
            yield from rule_warnings(service.name, ready, "Nomad")
        if health and health.on_fail == "fail" and _is_made(service, health):
            yield ExportWarning(f"Nomad restarts {service.name} when it is unhealthy: on_fail = fail is not exported")


def _is_made(service: Service, check: Check) -> bool:
    return service.kind == LASTING and service.serves and check.port == service.port and not check.status


def _registration(app: Application, service: Service, label: str) -> str:
    """Return the block that makes the port known, with the checks of it; empty without a check that Nomad can make."""
    ready, health = service.first.ready, service.first.health
    grace = max(startup(service), (health and health.initial_delay) or 0.0)
    checks = [
        *([_check("health", health, grace)] if health and _is_made(service, health) else []),
        *([_check("ready", ready)] if ready and _is_made(service, ready) else []),
    ]
    if not checks:
        return ""
    name = hcl(f"{dns_label(app.name)}-{label}")
    return f'    service {{\n      name     = {name}\n      provider = "nomad"\n      port     = "http"\n\n' + (
        "\n".join(checks) + "    }\n\n"
    )


def _check(name: str, check: Check, grace: float = 0.0) -> str:
    """Return a check. Only failures of the health check restart a task, as far as ``on_fail`` allows it."""
    address = urlsplit(check.target)
    path = address.path + (f"?{address.query}" if address.query else "") or "/"
    restarts = name == "health" and check.on_fail != "none"
    return (
        f"      check {{\n        name     = {hcl(name)}\n        type     = {hcl(check.kind)}\n"
        + (f"        path     = {hcl(path)}\n" if check.kind == HTTP else "")
        + f"        interval = {hcl(f'{seconds(check.interval, _MIN_DURATION)}s')}\n"
        f"        timeout  = {hcl(f'{seconds(check.attempt, _MIN_DURATION)}s')}\n"
        + (_headers(check) if check.kind == HTTP else "")
        + (
            f"        check_restart {{\n          limit = {max(1, check.threshold)}\n"
            f"          grace = {hcl(f'{seconds(grace, _MIN_DURATION)}s')}\n        }}\n"
            if restarts
            else ""
        )
        + "      }\n"
    )


def _headers(check: Check) -> str:
    given = {"Host": check.host_header, **dict(check.other_headers)}
    lines = "".join(
        f"          {name if name.isidentifier() else hcl(name)} = [{hcl(value)}]\n" for name, value in given.items()
    )
    return f"        header {{\n{lines}        }}\n"


def _count(service: Service) -> str:
    if service.kind == RELEASE:
        return "count = 1"
    if service.first.schedule is not None:
        return f"count = {len(service.instances)}"
    return f"count = {service.replicas}" + ("" if service.starts else " # autostart = false: nomad job scale starts it")


def _port(service: Service) -> int | None:
    return service.port if service.serves else None


def _restart(service: Service, keep_trying: bool) -> str:
    policy = service.restart
    if not service.is_restarted:
        once = '    restart {\n      attempts = 0\n      mode     = "fail"\n    }\n'
        return once + "\n    reschedule {\n      attempts  = 0\n      unlimited = false\n    }\n"
    return (
        f"    restart {{\n      attempts = {starts_allowed(policy) - 1}\n"
        f"      interval = {hcl(f'{budget_window(policy)}s')}\n"
        f"      delay    = {hcl(f'{seconds(average_backoff(policy))}s')}\n"
        f"      mode     = {hcl('delay' if keep_trying else 'fail')}\n    }}\n"
    )


def _task(app: Application, service: Service, options: ExportOptions) -> str:
    argv = container_argv(service)
    script = "exec " + " ".join(sh(word) for word in argv) + "\n"
    data = escaped(script, "Nomad", f"the command of {service.name}", hcl_lines)
    stop = hcl(f"SIG{signal_name(service.stop.signal_number)}")
    ports = '        ports   = ["http"]\n' if _port(service) else ""
    return (
        '      driver       = "docker"\n'
        + (f"      user         = {hcl(options.user)}\n" if options.user else "")
        + f"      kill_signal  = {stop}\n      kill_timeout = {hcl(f'{seconds(service.stop.grace)}s')}\n\n"
        f'      config {{\n        image   = {hcl(image_of(app, options))}\n        command = "/bin/sh"\n'
        f'        args    = ["/local/command"]\n{ports}{_pids(service)}      }}\n\n{_resources(service)}'
        f"      # The command is in a file because Nomad would expand ${{PORT}} in args.\n"
        f"{_template(app, 'local/command', data)}\n      env {{\n{_environment(app, service)}      }}\n"
        + _secrets(app, service)
    )


def _pids(service: Service) -> str:
    return "" if service.first.pids_max is None else f"        pids_limit = {service.first.pids_max}\n"


def _resources(service: Service) -> str:
    """Return the block with the memory in MiB, which Nomad reserves and the driver holds it to."""
    memory = service.first.memory_max
    return "" if memory is None else f"      resources {{\n        memory = {max(10, memory >> 20)}\n      }}\n\n"


def _environment(app: Application, service: Service) -> str:
    # NOMAD_ALLOC_INDEX counts from 0, and HCL cannot add at run time.
    names = own_environment(service, f"{service.name}.${{NOMAD_ALLOC_INDEX}}")
    lines = assignments({**names, **app.contract}, "Nomad", lambda name, value: f"        {name} = {hcl(value)}")
    return f"        # Nomad counts from 0: the first instance is {service.name}.0.\n{lines}"


def _secrets(app: Application, service: Service) -> str:
    files = [f"{app.name}.env"] if app.secrets else []
    files += [f"{app.name}-{service.name}.env"] if service.env else []
    return "".join(f"\n{_template(app, f'secrets/{name}', f'file({hcl(name)})', is_env=True)}" for name in files)


def _template(app: Application, destination: str, data: str, is_env: bool = False) -> str:
    left, right = _delimiters(app)
    return (
        f"      template {{\n        destination     = {hcl(destination)}\n        data            = {data}\n"
        + ("        env             = true\n" if is_env else "")
        + f"        left_delimiter  = {hcl(left)}\n        right_delimiter = {hcl(right)}\n      }}\n"
    )


def _delimiters(app: Application) -> tuple[str, str]:
    """Return delimiters of templates that occur in no command and no value, so that a template expands nothing."""
    texts = [*app.secrets.values()]
    for service in app.services:
        texts += [service.command, service.folder, service.stop.command, *service.env.values()]
    number = next(n for n in count() if not any(f"<<procman{n or ''}:" in text for text in texts))
    return f"<<procman{number or ''}:", f":procman{number or ''}>>"
