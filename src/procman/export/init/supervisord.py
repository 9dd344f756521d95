"""A configuration for supervisord: a program per instance in one group, and a script for each."""

from __future__ import annotations

from procman.export.application import application, starts_allowed, whole_seconds
from procman.export.file import SCRIPT, ExportFile, header
from procman.export.grammar import escaped, supervisord
from procman.export.overlay import overlay_warnings
from procman.export.shell import environment_file, setpriv_lines, signal_name, start_lines, trap_stop_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportWarning
    from procman.export.options import ExportOptions

SUMMARY = "a configuration file for supervisord, and a script per process"

_AUTORESTART = {"on-failure": "unexpected", "always": "true", "never": "false"}


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield ``APP.conf``, then a script and an environment file for each instance in a folder beside it."""
    app = application(plan, options)
    yield from overlay_warnings(app, "supervisord")
    yield from options.account_warning("supervisord will run the application as its own user")
    yield ExportFile(f"{app.name}.conf", _configuration(app, options))
    for service, instance in app.instances:
        base = f"{app.name}/{instance.name}"
        comment = header("supervisord", app.name, "Only the script needs to read this file: keep its mode at 0600.")
        yield ExportFile(f"{base}.sh", _script(app, service, instance, options), SCRIPT)
        yield environment_file(f"{base}.env", comment, app, service, instance)


def _configuration(app: Application, options: ExportOptions) -> str:
    comment = header(
        "supervisord",
        app.name,
        "",
        "Install:  cp -a * /etc/supervisor/conf.d/  (or where files= in [include] points)",
        f"          supervisorctl update {app.name}",
        f"Look:     supervisorctl status {app.name}:*",
        f"          supervisorctl tail -f {app.name}:{app.services[0].name}.1",
        f"Stop:     supervisorctl stop {app.name}:*",
        sign=";",
    )
    programs = ",".join(f"{app.name}-{instance.name}" for _, instance in app.instances)
    sections = [_program(app, service, instance, options) for service, instance in app.instances]
    return "\n".join([comment, f"[group:{app.name}]\nprograms={programs}\n", *sections])


def _program(app: Application, service: Service, instance: InstancePlan, options: ExportOptions) -> str:
    policy, stop = service.restart, service.stop
    lines = [
        f"[program:{app.name}-{instance.name}]",
        f"process_name={instance.name}",
        f'command=/bin/sh "%(here)s/{app.name}/{instance.name}.sh"',
        f"autorestart={_AUTORESTART[policy.mode]}",
        f"exitcodes={','.join(str(code) for code in policy.success_codes)}",
        *_budget(service),
        f"stopsignal={signal_name(stop.signal_number)}",
        f"stopwaitsecs={whole_seconds(stop.grace)}",
        "stopasgroup=true",
        "killasgroup=true",
        "redirect_stderr=true",
        *_log(instance, options),
    ]
    return "\n".join(lines) + "\n"


def _budget(service: Service) -> list[str]:
    policy = service.restart
    if policy.mode == "never":
        return ["; It is never restarted, however it exits.", "startsecs=0", "startretries=0"]
    return [
        f"; It is FATAL after {starts_allowed(policy)} quick deaths in a row, with a longer wait after each.",
        f"startsecs={whole_seconds(policy.min_uptime)}",
        f"startretries={starts_allowed(policy) - 1}",
    ]


def _log(instance: InstancePlan, options: ExportOptions) -> list[str]:
    if not options.log:
        return ["; The log is in childlogdir, and deleted when supervisord stops. Export with --log DIR to keep it."]
    folder = escaped(options.log, "supervisord", "the folder for logs", supervisord)
    return [f"stdout_logfile={folder}/{instance.name}.log"]


def _script(app: Application, service: Service, instance: InstancePlan, options: ExportOptions) -> str:
    comment = header("supervisord", app.name, f"{instance.name}: started by {app.name}.conf")
    command = trap_stop_signal(service.command, service.stop.signal_number)
    start = start_lines(service.cwd, f'"${{0%/*}}/{instance.name}.env"', command)
    return f'#!/bin/sh\n{comment}\n{start}{setpriv_lines(options.account)}exec "$@"\n'
