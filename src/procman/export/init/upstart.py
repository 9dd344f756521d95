"""Jobs for Upstart (historic) on Foreman's three levels: the application, a process type, an instance."""

from __future__ import annotations

import re

from procman.core.procfile.command import direct
from procman.export.application import (
    RELEASE,
    application,
    budget_window,
    install_folder,
    starts_allowed,
    whole_seconds,
)
from procman.export.file import ExportFile, ExportWarning, header
from procman.export.overlay import by_hand_warnings, overlay_warnings, release_warnings
from procman.export.shell import change_user_lines, environment_file, signal_name, start_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "jobs for Upstart (historic: Ubuntu 6.10 to 14.10, RHEL 6)"

_FOLDERS = ("/etc/init",)


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the jobs of the application, of its process types and of their instances."""
    app = application(plan, options)
    yield from overlay_warnings(app, "Upstart")
    yield from by_hand_warnings(app)
    yield from release_warnings(app, f"start {app.name}-release")
    yield ExportWarning(
        "Upstart is no longer maintained: these files are tested only as text, and have not been run", True
    )
    folder = install_folder(options.location, _FOLDERS)
    yield ExportFile(f"{app.name}.conf", _master(app, folder))
    for service in app.services:
        yield ExportFile(f"{app.name}-{service.name}.conf", _process_type(app, service))
        for instance in service.instances:
            secret = header("upstart", app.name, "Only the job needs to read this file: keep its mode at 0600.")
            yield ExportFile(
                f"{app.name}-{service.name}-{instance.number}.conf", _job(app, service, instance, options, folder)
            )
            yield environment_file(f"{app.name}/{instance.name}.env", secret, app, service, instance)


def stop_commands(removed: Sequence[str], options: ExportOptions) -> list[str]:
    """Return the commands that stop the instances whose jobs an export removes."""
    instances = re.compile(f"({re.escape(options.app)}-.+-[0-9]+)\\.conf")
    return [f"stop {found[1]}" for path in removed if (found := instances.fullmatch(path))]


def _master(app: Application, folder: str) -> str:
    comment = header(
        "upstart",
        app.name,
        "",
        f"Install:  cp -a * {folder}/",
        f"          start {app.name}",
        f"Look:     initctl list | grep {app.name}",
        f"Stop:     stop {app.name}",
    )
    return f"{comment}\nstart on runlevel [2345]\nstop on runlevel [!2345]\n"


def _process_type(app: Application, service: Service) -> str:
    comment = header("upstart", app.name, f"All instances of {service.name}.")
    by_hand = f"# It starts by hand: start {app.name}-{service.name}\n"
    start = f"start on starting {app.name}\n" if service.starts and service.kind != RELEASE else by_hand
    return f"{comment}\n{start}stop on stopping {app.name}\n"


def _job(app: Application, service: Service, instance: InstancePlan, options: ExportOptions, folder: str) -> str:
    group = f"{app.name}-{service.name}"
    script = start_lines(service.cwd, f"{folder}/{app.name}/{instance.name}.env", direct(service.command))
    user = change_user_lines(
        options.account, "start-stop-daemon --start --chuid {user} --exec /usr/bin/env --", instance
    )
    body = "".join(f"    {line}\n" for line in f'{script}{user}exec "$@"'.splitlines())
    return (
        f"{header('upstart', app.name, instance.name)}\n"
        f"start on starting {group}\nstop on stopping {group}\n\n{_restart(service, options.keep_trying)}"
        f"kill signal {signal_name(service.stop.signal_number)}\nkill timeout {whole_seconds(service.stop.grace, 1)}\n"
        f"console log\n\nscript\n{body}end script\n"
    )


def _restart(service: Service, keep_trying: bool) -> str:
    policy = service.restart
    if policy.mode == "never" or service.kind == RELEASE:
        return ""
    done = (
        f"normal exit {' '.join(str(code) for code in policy.success_codes)}\n" if policy.mode == "on-failure" else ""
    )
    limit = "unlimited" if keep_trying else f"{starts_allowed(policy)} {budget_window(policy)}"
    return f"respawn\nrespawn limit {limit}\n{done}"
