"""Service directories for runit: one per instance, with its logger and scripts that stop the whole process group."""

from __future__ import annotations

from procman.core.procfile.command import is_simple
from procman.export.file import SCRIPT, ExportFile, header
from procman.export.grammar import sh
from procman.export.init.service_directory import (
    change_user_line,
    log_folder,
    render_directories,
    restart_lines,
    run_script,
    stop_group_lines,
)
from procman.export.shell import environment_file, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportWarning
    from procman.export.options import ExportOptions

SUMMARY = "service directories for runit, with svlogd"

_RECORD_START = """\
# For ./finish and ./control/t: the start time, and the process group that chpst -P creates.
date +%s >supervise/procman.started
echo $$ >supervise/procman.group
"""

_FINISH = """\
state=supervise/procman
group=$(cat "$state.group" 2>/dev/null)
wanted() {{ ! grep -q "want [de]" supervise/stat; }}
rest() {{ printf d >supervise/control; exit 0; }}

{stop_group}rm -f "$state.group"

{restart}"""

_CONTROL = """\
# runsv runs this instead of sending TERM to the shell alone: signal {target}, kill the group after the grace period.
group=$(cat supervise/procman.group 2>/dev/null) && [ -n "$group" ] || exit 1
kill -s {signal} -- "{first}$group" 2>/dev/null || exit 1
kill -s CONT -- "-$group" 2>/dev/null
{{
    left={tenths}
    while [ "$left" -gt 0 ]; do
        [ "$(cat supervise/procman.group 2>/dev/null)" = "$group" ] || exit 0
{rest}        sleep 0.1
        left=$((left - 1))
    done
    kill -s KILL -- "-$group"
}} >/dev/null 2>&1 &
exit 0
"""


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield a service directory for each instance."""
    yield from render_directories("runit", plan, options, _directory)


def _directory(
    app: Application, service: Service, instance: InstancePlan, options: ExportOptions
) -> Iterator[ExportFile]:
    base = f"{app.name}-{instance.name}"
    secret = header("runit", app.name, "Only ./run needs to read this file: keep its mode at 0600.")
    last = change_user_line(options.account, "chpst -u") + 'exec chpst -P "$@"\n'
    install = (
        "",
        "Install:  cp -a * /etc/sv/",
        f"          ln -s /etc/sv/{base} /etc/service/",
        f"Look:     sv status {base}",
        f"Stop:     sv stop {base}",
    )
    run = run_script(header("runit", app.name, *install), service, _RECORD_START, last)
    yield ExportFile(f"{base}/run", run, SCRIPT)
    yield environment_file(f"{base}/env", secret, app, service, instance)
    yield ExportFile(f"{base}/finish", _finish(app, service, base), SCRIPT)
    yield ExportFile(f"{base}/control/t", _control(app, service), SCRIPT)
    yield ExportFile(f"{base}/log/run", _log(app, instance, options), SCRIPT)


def _finish(app: Application, service: Service, base: str) -> str:
    comment = header("runit", app.name, "runsv runs this after each exit, with the exit code (or -1) and the signal.")
    body = _FINISH.format(stop_group=stop_group_lines(service), restart=restart_lines(service, base))
    return f"#!/bin/sh\n{comment}\n{body}"


def _control(app: Application, service: Service) -> str:
    """Return the script that signals the program, which leads the group, and the group at half of the grace.

    When the program has ended, ./finish signals the rest.
    """
    tenths, name = max(1, round(service.stop.grace * 10)), signal_name(service.stop.signal_number)
    alone = service.stop.to == "program" or (not service.stop.to and is_simple(service.command))
    rest = f'        [ "$left" -ne {tenths // 2} ] || kill -s {name} -- "-$group"\n' if alone else ""
    target, first = ("the program, then its group", "") if alone else ("the whole group", "-")
    body = _CONTROL.format(signal=name, tenths=tenths, target=target, first=first, rest=rest)
    return f"#!/bin/sh\n{header('runit', app.name)}\n{body}"


def _log(app: Application, instance: InstancePlan, options: ExportOptions) -> str:
    folder = sh(log_folder(app, instance.name, options.log))
    comment = header("runit", app.name, "10 files of 1 MB each, with a timestamp before each line.")
    return f"#!/bin/sh\n{comment}\nmkdir -p {folder} || exit 111\nexec svlogd -tt {folder}\n"
