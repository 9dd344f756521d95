"""Service directories for runit: one per instance, with its logger and scripts that stop the whole process group."""

from __future__ import annotations

from procman.export.file import SCRIPT, ExportFile, header
from procman.export.init.service_directory import Tool, render_directories, stop_lines
from procman.export.overlay import STOP_COMMAND, STOP_TO
from procman.export.shell import asks_program_first, change_user_lines, program_of, signal_name, stop_command_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportWarning
    from procman.export.options import ExportOptions

SUMMARY = "service directories for runit, with svlogd"

_RUNIT = Tool(
    name="runit",
    folder="/etc/sv",
    link="ln -s /etc/sv/{base} /etc/service/",
    look="sv status {base}",
    up="sv start {base}",
    down="sv stop {base}",
    leader="chpst -P",
    user="chpst -u {user}",
    start='exec chpst -P "$@"',
    exits="runsv runs this after each exit, with the exit code (or -1) and the signal.",
    functions='wanted() { ! grep -q "want [de]" supervise/stat; }\nrest() { printf d >supervise/control; exit 0; }\n',
    log="svlogd -tt {folder}",
    log_note="10 files of 1 MB each, with a timestamp before each line.",
    features=(STOP_COMMAND, STOP_TO),
)

_CONTROL = """\
# runsv runs this instead of sending {signal} to the shell alone: it {order}, and kills after the grace.
group=$(cat supervise/procman.group 2>/dev/null) && [ -n "$group" ] || exit 1
{asks}    left={tenths}
    while [ "$left" -gt 0 ]; do
        [ "$(cat supervise/procman.group 2>/dev/null)" = "$group" ] || exit 0
{half}        sleep 0.1
        left=$((left - 1))
    done
    kill -s KILL -- "-$group"
}} >/dev/null 2>&1 &
exit 0
"""


_SIGNAL = """\
kill -s {signal} {target} 2>/dev/null || exit 1
kill -s CONT -- "-$group" 2>/dev/null
{{
"""


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield a service directory for each instance."""
    yield from render_directories(_RUNIT, _control, plan, options)


def stop_commands(removed: Sequence[str], _: ExportOptions) -> list[str]:
    """Return the commands that stop the instances whose directories an export removes."""
    return stop_lines(_RUNIT, removed, "rm /etc/service/{base}", "rm -r /etc/sv/{base}")


def _control(
    app: Application, service: Service, instance: InstancePlan, options: ExportOptions
) -> Iterator[ExportFile]:
    """Yield the script that signals the program, and its group at half of the grace. ./finish signals what is left."""
    tenths, signal = max(1, round(service.stop.grace * 10)), signal_name(service.stop.signal_number)
    order, target, half = "signals the whole group", '-- "-$group"', ""
    if asks_program_first(service) and not service.stop.command:
        order, target = "signals the program, then its group", program_of(service, "$group")
        half = f'        [ "$left" -ne {tenths // 2} ] || kill -s {signal} -- "-$group"\n'
    asks = _SIGNAL.format(signal=signal, target=target)
    if service.stop.command:
        order = "runs the stop command"
        user = change_user_lines(options.account, _RUNIT.user, instance)
        asks = f"{{\n{stop_command_lines(service, './env', user, '$group')} || kill -s {signal} {target}\n"
    body = _CONTROL.format(signal=signal, tenths=tenths, order=order, asks=asks, half=half)
    yield ExportFile(f"{app.name}-{instance.name}/control/t", f"#!/bin/sh\n{header('runit', app.name)}\n{body}", SCRIPT)
