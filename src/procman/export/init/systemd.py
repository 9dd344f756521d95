"""Units for systemd: a template per process type, targets, a slice, and environment files."""

from __future__ import annotations

from procman.core.model.dependency import STARTED
from procman.core.procfile.command import direct, is_simple
from procman.export.application import application, budget_window, install_folder, own, seconds, starts_allowed
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import assignments, escaped, systemd_environment, systemd_path, systemd_word
from procman.export.overlay import DEPENDENCIES, STOP_TO, dependencies_of, overlay_warnings
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.model.plan import Plan
    from procman.core.model.policy import RestartPolicy
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "units for systemd: of the system, or with --user alone, of a user"

SYSTEM_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# %E is ~/.config in units of a user, wherever the home is: systemd.unit(5).
USER_FOLDERS = ("%E/systemd/user", "/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")

# systemd counts a death by these signals as success, `procman start` does not.
_CLEAN_SIGNALS = {129: "SIGHUP", 130: "SIGINT", 141: "SIGPIPE", 143: "SIGTERM"}

_SANDBOX = """\
# Hardly any application needs what these forbid. "systemd-analyze security {app}-{type}@1" lists further options:
# PrivateTmp=, ProtectHome=, PrivateDevices=, RestrictNamespaces= and UMask= depend on the application.
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
    yield from overlay_warnings(app, "systemd", DEPENDENCIES, STOP_TO)
    yield from _conditions(app)
    folder = install_folder(options.location, USER_FOLDERS if options.user_units else SYSTEM_FOLDERS)
    if options.user_units and options.user:
        yield ExportWarning("units of a user's service manager run as that user: the name given with --user is ignored")
    if not options.account and not options.user_units:
        yield ExportWarning("systemd will run the application as root, which owns the folder: --user names another")
    yield ExportFile(f"{app.name}.target", _app_target(app, options))
    yield ExportFile(f"{app.name}.slice", _comment(app) + f"[Unit]\nDescription={app.name}: limits for all of it\n")
    for service in app.services:
        yield from _service_files(app, service, options, f"{folder}/{app.name}")
    yield ExportFile(f"{app.name}/{app.name}.env", _environment(app, app.shared), SECRET)


def _service_files(
    app: Application, service: Service, options: ExportOptions, folder: str
) -> Iterator[ExportFile | ExportWarning]:
    unit = f"{app.name}-{service.name}"
    yield ExportFile(f"{unit}.target", _type_target(app, service))
    yield ExportFile(f"{unit}@.service", _unit(app, service, options, folder))
    yield ExportFile(f"{app.name}.target.wants/{unit}.target", link=f"../{unit}.target")
    for instance in service.instances:
        yield ExportFile(f"{unit}.target.wants/{unit}@{instance.number}.service", link=f"../{unit}@.service")
        yield ExportFile(f"{app.name}/{instance.name}.env", _environment(app, own(instance)), SECRET)
    if service.env:
        yield ExportFile(f"{app.name}/{service.name}.env", _environment(app, service.env), SECRET)


def _comment(app: Application, *lines: str) -> str:
    return header("systemd", app.name, *lines) + "\n"


def _environment(app: Application, env: Mapping[str, str]) -> str:
    values = assignments(env, "systemd", lambda name, value: f"{name}={systemd_environment(value)}")
    return _comment(app, "Only systemd needs to read this file: keep its mode at 0600.") + values


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
        f"Look:     {manager} list-dependencies {app.name}.target",
        f"          journal{'ctl --user' if options.user_units else 'ctl'} -f -t {app.name}-{first}",
        f"Stop:     {manager} stop {app.name}.target",
    )
    return f"{comment}[Unit]\nDescription={app.name}\n\n[Install]\nWantedBy={wanted_by}\n"


def _type_target(app: Application, service: Service) -> str:
    instances = f"{app.name}-{service.name}@NUMBER.service"
    comment = _comment(app, f"All instances of {service.name}: the links in {app.name}-{service.name}.target.wants/.")
    return (
        f"{comment}[Unit]\nDescription={app.name} {service.name}: all of {instances}\n"
        f"# Stopping or restarting {app.name}.target also affects this target, and through it each instance.\n"
        f"PartOf={app.name}.target\n"
    )


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
        *_budget(service.restart),
        "",
        "[Service]",
        *_process(app, service, options, folder),
        "",
        *_restart(service),
        "",
        *_stop(service),
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
    account = options.account if not options.user_units else ""
    return [
        "Type=exec",
        *([f"User={account}"] if account else []),
        f"Slice={app.name}.slice",
        f"WorkingDirectory={root}",
        f"EnvironmentFile={folder}/{app.name}.env",
        *([f"EnvironmentFile={folder}/{service.name}.env"] if service.env else []),
        f"EnvironmentFile={folder}/{service.name}.%i.env",
        f"ExecStart=/bin/sh -c {command}",
        f"SyslogIdentifier={app.name}-{service.name}.%i",
    ]


def _needs(app: Application, service: Service) -> list[str]:
    targets = [f"{app.name}-{other.name}.target" for other, _ in dependencies_of(app, service)]
    return [line for target in targets for line in (f"Wants={target}", f"After={target}")]


def _conditions(app: Application) -> Iterator[ExportWarning]:
    """Yield warnings for conditions: with Type=exec, systemd only knows whether a service has started."""
    for service in app.services:
        for other, condition in dependencies_of(app, service):
            if condition != STARTED:
                yield ExportWarning(
                    f'systemd does not know the condition "{condition}": '
                    f"{service.name} only waits until {other.name} has started"
                )


def _budget(policy: RestartPolicy) -> list[str]:
    if policy.mode == "never":
        return []
    return [
        f"# systemd gives up after {starts_allowed(policy)} starts within this time, since each life was too short.",
        f"StartLimitIntervalSec={budget_window(policy)}",
        f"StartLimitBurst={starts_allowed(policy)}",
    ]


def _restart(service: Service) -> list[str]:
    policy, stopped = service.restart, 128 + service.stop.signal_number
    if policy.mode == "never":
        return ["Restart=no", f"SuccessExitStatus={stopped}"]
    codes = [code for code in policy.success_codes if code and code != stopped]
    forced = [*_unclean(policy), *([] if stopped in policy.success_codes else [str(stopped)])]
    return [
        f"Restart={policy.mode}",
        f"RestartSec={seconds(policy.backoff)}",
        "# With systemd 254 or later, uncomment these two to wait longer after each failure:",
        f"# RestartSteps={policy.max_restarts}",
        f"# RestartMaxDelaySec={seconds(policy.backoff_max)}",
        "# 126 and 127 mean that the command cannot be run, so trying again is of no use.",
        "RestartPreventExitStatus=126 127",
        f"# A stopped shell exits with {stopped}: a success if systemd stopped it, otherwise a failure.",
        f"SuccessExitStatus={' '.join(str(code) for code in (*codes, stopped))}",
        *([f"RestartForceExitStatus={' '.join(forced)}"] if policy.mode == "on-failure" and forced else []),
    ]


def _unclean(policy: RestartPolicy) -> list[str]:
    return [name for code, name in _CLEAN_SIGNALS.items() if code not in policy.success_codes]


def _stop(service: Service) -> list[str]:
    if service.stop.to == "group":
        mode = ["KillMode=control-group"]
    elif service.stop.to == "program" or is_simple(service.command):
        mode = ["# Only the program gets the stop signal; whatever it leaves behind is killed.", "KillMode=mixed"]
    else:
        reason = "# A shell runs this command and would not pass the stop signal on, so all processes get it."
        mode = [reason, "KillMode=control-group"]
    return [
        *mode,
        f"KillSignal={_signal(service.stop.signal_number)}",
        f"TimeoutStopSec={seconds(service.stop.grace, least=0.001)}",
    ]


def _signal(number: int) -> str:
    name = signal_name(number)
    return name if name.isdigit() else f"SIG{name}"


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
