"""Property lists for launchd: one per instance, with a script and an environment file."""

from __future__ import annotations

from procman.export.application import RELEASE, application, install_folder, whole_seconds
from procman.export.file import SCRIPT, ExportFile, ExportWarning, header
from procman.export.grammar import escaped, sh, xml
from procman.export.overlay import by_hand_warnings, overlay_warnings, release_warnings
from procman.export.shell import environment_file, start_lines, trap_stop_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan, Plan, RestartPolicy
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "property lists for launchd, the macOS service manager"

DAEMONS, AGENTS = "/Library/LaunchDaemons", "/Library/LaunchAgents"
_TERM = 15
_DOCTYPE = '"-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"'


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield a property list, a script and an environment file for each instance."""
    app = application(plan, options)
    yield from overlay_warnings(app, "launchd")
    yield from by_hand_warnings(app)
    yield from release_warnings(app, f"launchctl kickstart {_domain(options)}/{app.name}.release.1")
    yield ExportWarning("these files are tested only as property lists: they have not been run on macOS yet", True)
    folder = install_folder(options.location, (AGENTS,) if options.user_units else (DAEMONS, AGENTS))
    yield from _limits(app)
    for service, instance in app.instances:
        base = f"{app.name}/{instance.name}"
        secret = header("launchd", app.name, "Only the script needs to read this file: keep its mode at 0600.")
        yield ExportFile(f"{app.name}.{instance.name}.plist", _plist(app, service, instance, options, folder))
        yield ExportFile(f"{base}.sh", _script(app, service, instance, options), SCRIPT)
        yield environment_file(f"{base}.env", secret, app, service, instance)


def _domain(options: ExportOptions) -> str:
    return "gui/$UID" if options.user_units else "system"


def stop_commands(removed: Sequence[str], options: ExportOptions) -> list[str]:
    """Return the commands that stop the instances whose property lists an export removes."""
    labels = [path.removesuffix(".plist") for path in removed if path.endswith(".plist")]
    return [f"launchctl bootout {_domain(options)}/{label}" for label in labels]


def _limits(app: Application) -> Iterator[ExportWarning]:
    policies = [service.restart for service in app.services]
    if any(policy.mode != "never" for policy in policies):
        yield ExportWarning("launchd has no restart budget: it restarts a failing process forever", True)
    if any(service.stop.signal_number != _TERM for service in app.services):
        yield ExportWarning("launchd stops processes only with TERM: other stop signals are not exported")


def _plist(app: Application, service: Service, instance: InstancePlan, options: ExportOptions, folder: str) -> str:
    label = f"{app.name}.{instance.name}"
    log = f"{options.log or '/Library/Logs'}/{label}.log"
    domain = _domain(options)
    starts = service.starts and service.kind != RELEASE
    comment = header(
        "launchd",
        app.name,
        "",
        f"Install:  cp -a * {folder}/",
        f"          launchctl bootstrap {domain} {folder}/{label}.plist",
        *([] if starts else [f"Start:    launchctl kickstart {domain}/{label}"]),
        f"Look:     launchctl print {domain}/{label}",
        f"Stop:     launchctl bootout {domain}/{label}",
        sign=" ",
    )
    entries = [
        ("Label", _string(label)),
        ("ProgramArguments", _array("/bin/sh", f"{folder}/{app.name}/{instance.name}.sh")),
        ("RunAtLoad", "<true/>" if starts else "<false/>"),
        ("KeepAlive", _keep_alive(service.restart) if starts else "<false/>"),
        ("ThrottleInterval", f"<integer>{whole_seconds(service.restart.backoff, 1)}</integer>"),
        ("ExitTimeOut", f"<integer>{whole_seconds(service.stop.grace, 1)}</integer>"),
        ("StandardOutPath", _string(log)),
        ("StandardErrorPath", _string(log)),
    ]
    body = "".join(f"    <key>{key}</key>\n    {value}\n" for key, value in entries)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC {_DOCTYPE}>\n<!--\n{_in_comment(comment)}-->\n'
        f'<plist version="1.0">\n<dict>\n{body}</dict>\n</plist>\n'
    )


def _in_comment(comment: str) -> str:
    """Separate double dashes, which an XML comment must not contain."""
    return comment.replace("--", "- -")


def _string(value: str) -> str:
    return f"<string>{escaped(value, 'launchd', 'a path', xml)}</string>"


def _array(*values: str) -> str:
    return "<array>\n" + "".join(f"        {_string(value)}\n" for value in values) + "    </array>"


def _keep_alive(policy: RestartPolicy) -> str:
    if policy.mode == "on-failure":
        return "<dict>\n        <key>SuccessfulExit</key>\n        <false/>\n    </dict>"
    return "<true/>" if policy.mode == "always" else "<false/>"


def _script(app: Application, service: Service, instance: InstancePlan, options: ExportOptions) -> str:
    comment = header("launchd", app.name, f"{instance.name}: started by {app.name}.{instance.name}.plist")
    start = start_lines(service.cwd, f'"${{0%/*}}/{instance.name}.env"', trap_stop_signal(service.command, _TERM))
    account = "" if options.user_units else options.account
    # With launchd's own UserName the script would run as that user, which cannot read the environment file.
    user = f'set -- sudo -n -E -u {sh(account)} -- /usr/bin/env PATH="$PATH" "$@"\n' if account else ""
    return f'#!/bin/sh\n{comment}\n{start}{user}exec "$@"\n'
