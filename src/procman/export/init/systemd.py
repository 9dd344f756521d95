"""Units for systemd: a template per process type, targets, a slice, and environment files."""

from __future__ import annotations

from procman.core.model.dependency import SUCCEEDED
from procman.core.procfile.command import direct
from procman.export.application import RELEASE, application, install_folder, own, seconds
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import escaped, systemd_path, systemd_word
from procman.export.init.ready_scripts import ready_lines, ready_script, ready_warnings, startup_limit, type_lines
from procman.export.init.systemd_sockets import socket_files, socket_lines, socket_warnings, starts_on_connection
from procman.export.init.systemd_timers import time_limit, timer_files, timer_warnings
from procman.export.overlay import (
    CPU_MAX,
    DEPENDENCIES,
    MEMORY_MAX,
    PIDS_MAX,
    READY,
    RESTART_WITH,
    SCHEDULE,
    SOCKETS,
    STOP_COMMAND,
    STOP_TO,
    WATCHDOG,
    by_hand_warnings,
    dependencies_of,
    overlay_warnings,
)
from procman.export.shell import asks_program_first, program_of
from procman.export.units import (
    ONE_SHOT,
    SHARED_FILE,
    environment_lines,
    first_lines,
    is_awaited,
    limit_lines,
    release_lines,
    restart_lines,
    restart_with_lines,
    signal_word,
    type_file,
    units_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "units for systemd: of the system, or with --user alone, of a user"

_SUPPORTED = (
    *(DEPENDENCIES, RESTART_WITH, READY, WATCHDOG, SCHEDULE, SOCKETS, STOP_COMMAND, STOP_TO),
    *(MEMORY_MAX, CPU_MAX, PIDS_MAX),
)
SYSTEM_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# %E is ~/.config in units of a user, wherever the home is: systemd.unit(5).
USER_FOLDERS = ("%E/systemd/user", "/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")

_TRIGGERS = (".socket", ".timer")

_SLICE = """\
[Unit]
Description={app}: limits for all of it

[Slice]
# MemoryMax=2G
# TasksMax=1000
"""

_SANDBOX = """\
# Hardly any application needs what these forbid. "systemd-analyze security {app}-{type}@1" lists further options:
# PrivateTmp=, ProtectHome=, PrivateDevices=, RestrictNamespaces=, ProtectProc=, SystemCallFilter= and UMask= depend on
# the application. Not RemoveIPC=: the end of one instance would remove what the others use.
NoNewPrivileges=yes
LockPersonality=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
{system}RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
{capabilities}"""


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the units, the links that choose the instances, and the environment files."""
    app = application(plan, options)
    yield from overlay_warnings(app, "systemd", *_SUPPORTED)
    yield from socket_warnings(app)
    yield from timer_warnings(app)
    yield from by_hand_warnings(app)
    yield from ready_warnings(app)
    folder = install_folder(options.location, USER_FOLDERS if options.user_units else SYSTEM_FOLDERS)
    if options.user_units and options.user:
        yield ExportWarning("units of a user's service manager run as that user: the name given with --user is ignored")
    if not options.user_units:
        yield from options.account_warning("systemd will run the application as root")
    yield ExportFile(f"{app.name}.target", _app_target(app, options))
    yield ExportFile(f"{app.name}.slice", _comment(app) + _SLICE.format(app=app.name))
    for service in app.services:
        yield from _service_files(app, service, options, f"{folder}/{app.name}")
        yield from socket_files(app, service, options, plan.root)
        yield from timer_files(app, service)
    yield ExportFile(f"{app.name}/{SHARED_FILE}", _environment(app, app.shared), SECRET)


def stop_commands(removed: Sequence[str], options: ExportOptions) -> list[str]:
    """Return the command that stops the instances whose links an export removes."""
    units = [path.rpartition("/")[2] for path in removed if ".wants/" in path or path.endswith(_TRIGGERS)]
    units = [name for name in dict.fromkeys(units) if "@" in name or name.endswith(_TRIGGERS)]
    manager = "systemctl --user" if options.user_units else "systemctl"
    return [f"{manager} stop {' '.join(units)}"] if units else []


def _service_files(
    app: Application, service: Service, options: ExportOptions, folder: str
) -> Iterator[ExportFile | ExportWarning]:
    unit = f"{app.name}-{service.name}"
    yield ExportFile(f"{unit}.target", _type_target(app, service))
    yield ExportFile(f"{unit}@.service", _unit(app, service, options, folder))
    if service.starts or service.first.schedule:
        yield ExportFile(f"{app.name}.target.wants/{unit}.target", link=f"../{unit}.target")
    for instance in service.instances:
        if not starts_on_connection(service) and not service.first.schedule:
            yield ExportFile(f"{unit}.target.wants/{unit}@{instance.number}.service", link=f"../{unit}@.service")
        yield ExportFile(f"{app.name}/{instance.name}.env", _environment(app, own(instance)), SECRET)
        yield from ready_script(app, service, instance)
    if service.env:
        yield ExportFile(f"{app.name}/{type_file(service)}", _environment(app, service.env), SECRET)


def _comment(app: Application, *lines: str) -> str:
    return header("systemd", app.name, *lines) + "\n"


def _environment(app: Application, env: Mapping[str, str]) -> str:
    return _comment(app, "Only systemd needs to read this file: keep its mode at 0600.") + environment_lines(env)


def _app_target(app: Application, options: ExportOptions) -> str:
    manager, folder, wanted_by = "systemctl", SYSTEM_FOLDERS[0], "multi-user.target"
    if options.user_units:
        manager, folder, wanted_by = "systemctl --user", "~/.config/systemd/user", "default.target"
    first = f"{app.services[0].name}.1"
    comment = _comment(
        app,
        "",
        f"Install:  cp -a * {folder}/",
        f"          {manager} daemon-reload",
        f"          {manager} enable --now {app.name}.target",
        f"Update:   {manager} restart {app.name}.target",
        f"Look:     {manager} list-dependencies {app.name}.target",
        f"          journal{'ctl --user' if options.user_units else 'ctl'} -f -t {app.name}-{first}",
        f"Stop:     {manager} stop {app.name}.target",
        *(
            f"By hand:  {manager} start {app.name}-{service.name}.target"
            for service in app.services
            if not service.starts and not service.first.schedule
        ),
    )
    release = [unit for service in app.services if service.kind == RELEASE for unit in units_of(app, service)]
    gate = ["# It starts only if the release has succeeded.", *first_lines("Requires", release)] if release else []
    lines = ["[Unit]", f"Description={app.name}", *gate, "", "[Install]", f"WantedBy={wanted_by}"]
    return comment + "\n".join(lines) + "\n"


def _type_target(app: Application, service: Service) -> str:
    instances = f"{app.name}-{service.name}@NUMBER.service"
    comment = _comment(app, f"All instances of {service.name}: the links in {app.name}-{service.name}.target.wants/.")
    lines = [
        "[Unit]",
        f"Description={app.name} {service.name}: all of {instances}",
        f"# Stopping or restarting {app.name}.target also affects this target, and through it each instance.",
        f"PartOf={app.name}.target",
        f"# Otherwise systemd would order it after {app.name}.target, and the start of that would wait for nothing.",
        f"Before={app.name}.target",
        *release_lines(app, service),
    ]
    return comment + "\n".join(lines) + "\n"


def _unit(app: Application, service: Service, options: ExportOptions, folder: str) -> str:
    system = not options.user_units
    lines = [
        _comment(
            app, f"One instance of {service.name}: {app.name}-{service.name}@1.service is {service.name}.1."
        ).rstrip(),
        "",
        "[Unit]",
        f"Description={app.name} {service.name}.%i",
        f"PartOf={app.name}-{service.name}.target",
        *(["After=network.target"] if system else []),
        *_needs(app, service),
        "# An instance that is no longer exported can still be stopped, but does not start again.",
        f"ConditionPathExists={folder}/{service.name}.%i.env",
        *limit_lines(service, options.keep_trying, startup_limit(service)),
        "",
        "[Service]",
        *_process(app, service, options, folder),
        "",
        *restart_lines(service, has_an_end=is_awaited(app, service)),
        "",
        *(_signals_all(service) if is_awaited(app, service) else _stop(service)),
        "",
        *(_sandbox(app, service, options) if system else ["NoNewPrivileges=yes"]),
        "",
        "[Install]",
        f"WantedBy={app.name}-{service.name}.target",
    ]
    return "\n".join(lines) + "\n"


def _process(app: Application, service: Service, options: ExportOptions, folder: str) -> list[str]:
    command = escaped(direct(service.command), "systemd", f"the command of {service.name}", systemd_word)
    root = escaped(service.cwd, "systemd", "the path of the application", systemd_path)
    account = "" if options.user_units else escaped(options.account, "systemd", "the account", systemd_path)
    return [
        *(ONE_SHOT if is_awaited(app, service) else type_lines(service)),
        *([f"User={account}"] if account else []),
        f"Slice={app.name}.slice",
        f"WorkingDirectory={root}",
        f"EnvironmentFile={folder}/{SHARED_FILE}",
        *([f"EnvironmentFile={folder}/{type_file(service)}"] if service.env else []),
        f"EnvironmentFile=-{folder}/{service.name}.%i.env",
        *socket_lines(app, service),
        f"ExecStart=/bin/sh -c {command}",
        *ready_lines(service, folder),
        *_limits(service.first),
        *time_limit(service),
        f"SyslogIdentifier={app.name}-{service.name}.%i",
    ]


def _limits(plan: InstancePlan) -> Iterator[str]:
    """Yield the limits of one instance. If memory runs out, all of its processes are killed, as under `start`."""
    if plan.memory_max is not None:
        yield from (f"MemoryMax={plan.memory_max}", "OOMPolicy=kill")
    if plan.cpu_max is not None:
        yield f"CPUQuota={plan.cpu_max * 100:g}%"
    if plan.pids_max is not None:
        yield f"TasksMax={plan.pids_max}"


def _needs(app: Application, service: Service) -> Iterator[str]:
    yield from release_lines(app, service)
    yield from restart_with_lines(app, service)
    for other, condition in dependencies_of(app, service):
        if condition == SUCCEEDED:
            yield from first_lines("Requires", units_of(app, other))
        else:
            yield from first_lines("Wants", [f"{app.name}-{other.name}.target"])


# How a unit is stopped: ExecStop= signals the program alone and waits for it, then systemd signals what is left.
_WAIT = "while kill -s 0 $MAINPID; do sleep 0.1; done"
_SPARE = 1.0  # seconds that ExecStop= may need besides those that it waits


def _stop(service: Service) -> list[str]:
    stop = service.stop
    signal = signal_word(stop.signal_number)
    if stop.command:
        reason, limit = (
            "# The stop command, and a wait for the program's end. Then systemd signals what is left.",
            stop.grace,
        )
        script = f"export PROCMAN_PID=$MAINPID; (\n{stop.command}\n) && {_WAIT} 2>/dev/null"
    elif not asks_program_first(service):
        reason = "# A shell runs this command and would not pass the stop signal on, so all processes get it."
        return [*([] if stop.to else [reason]), *_signals_all(service)]
    else:
        reason = (
            "# The program gets the stop signal first; what it leaves gets it at its end, or after half of the grace."
        )
        limit = stop.grace / 2
        asked = f"kill -s {signal.removeprefix('SIG')} {program_of(service, '$MAINPID')}"
        script = f"exec 2>/dev/null; {asked} && {_WAIT}"
    words = escaped(script, "systemd", f"the stop command of {service.name}", systemd_word)
    return [
        reason,
        f"ExecStop=-timeout {seconds(limit)} /bin/sh -c {words}",
        "KillMode=control-group",
        f"KillSignal={signal}",
        f"TimeoutStopSec={seconds(limit + _SPARE)}",
    ]


def _signals_all(service: Service) -> list[str]:
    return [
        "KillMode=control-group",
        f"KillSignal={signal_word(service.stop.signal_number)}",
        f"TimeoutStopSec={seconds(service.stop.grace, least=0.001)}",
    ]


def _sandbox(app: Application, service: Service, options: ExportOptions) -> list[str]:
    own_files = f"{service.cwd}/".startswith(("/usr/", "/etc/", "/boot/", "/efi/"))
    low = any(instance.port and instance.port < 1024 for instance in service.instances)
    capability = "CAP_NET_BIND_SERVICE" if low else ""
    capabilities = f"CapabilityBoundingSet={capability}\nAmbientCapabilities={capability}\n"
    return _SANDBOX.format(
        app=app.name,
        type=service.name,
        system="" if own_files else "ProtectSystem=full\n",
        capabilities=capabilities if options.account and options.account != "root" else "",
    ).splitlines()
