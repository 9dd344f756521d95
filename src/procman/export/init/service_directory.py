"""What runit and s6 have in common: a folder per instance, with a finish script that decides on restarts."""

from __future__ import annotations

from procman.core.model.status import CANNOT_RUN
from procman.core.procfile.command import direct
from procman.export.application import application, starts_allowed, whole_seconds
from procman.export.grammar import sh
from procman.export.overlay import STOP_TO, overlay_warnings
from procman.export.shell import signal_name, start_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportFile, ExportWarning
    from procman.export.options import ExportOptions

    Directory = Callable[[Application, Service, InstancePlan, ExportOptions], Iterator[ExportFile]]

# runit and s6 pass the exit code as $1 (-1 or 256 after a signal) and the signal as $2. Each of them defines the shell
# functions `wanted`, whether the instance should be up, and `rest`, which keeps it down.
_STOP_GROUP = """\
# The command's shell dies first and may leave children: signal the rest of its group, kill it after the grace period.
if [ -n "$group" ] && kill -s {signal} -- "-$group" 2>/dev/null; then
    kill -s CONT -- "-$group" 2>/dev/null
    left={tenths}
    while [ "$left" -gt 0 ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
    kill -s KILL -- "-$group" 2>/dev/null
fi
"""

_RESTART = """\
code=$1
[ "$code" -ge 0 ] && [ "$code" -lt 256 ] || code=$((128 + ($2 & 127)))
wanted || {{ rm -f "$state.deaths"; exit 0; }}
{final_exits}
# Count quick deaths in a row, and wait longer after each of them. A long life resets the count.
deaths=0
if [ "$(($(date +%s) - $(cat "$state.started" 2>/dev/null || echo 0)))" -lt {min_uptime} ]; then
    deaths=$(($(cat "$state.deaths" 2>/dev/null || echo 0) + 1))
fi
echo "$deaths" >"$state.deaths"
[ "$deaths" -gt 0 ] || exit 0
if [ "$deaths" -ge {budget} ]; then
    echo "{name}: gave up after $deaths quick deaths in a row, the last with code $code" >&2
    rm -f "$state.deaths"
    rest
fi
wait={backoff}
while [ "$deaths" -gt 1 ] && [ "$wait" -lt {backoff_max} ]; do wait=$((wait * 2)); deaths=$((deaths - 1)); done
[ "$wait" -le {backoff_max} ] || wait={backoff_max}
while [ "$wait" -gt 0 ] && wanted; do sleep 1; wait=$((wait - 1)); done
exit 0
"""


def render_directories(
    tool: str, plan: Plan, options: ExportOptions, directory: Directory
) -> Iterator[ExportFile | ExportWarning]:
    """Yield warnings for what ``tool`` cannot do, then the files that ``directory`` yields for each instance."""
    app = application(plan, options)
    yield from overlay_warnings(app, tool, *((STOP_TO,) if tool == "runit" else ()))
    yield from options.account_warning(f"{tool} will run the application as its own user")
    for service, instance in app.instances:
        yield from directory(app, service, instance, options)


def run_script(comment: str, service: Service, record: str, last: str) -> str:
    """Return the run script. ``record`` are the lines that save what finish needs, ``last`` those at its end."""
    start = start_lines(service.cwd, "./env", direct(service.command))
    return f"""\
#!/bin/sh
{comment}
exec 2>&1
{record}{start}{last}"""


def change_user_line(user: str, tool: str) -> str:
    """Return the line that changes to ``user`` with ``tool``, such as ``chpst -u``; empty without a user."""
    return f'[ "$(id -un)" = {sh(user)} ] || set -- {tool} {sh(user)} "$@"\n' if user else ""


def log_folder(app: Application, name: str, log: str) -> str:
    """Return the folder that the logger writes to: below ``log`` if given, else in its own folder."""
    return f"{log}/{app.name}/{name}" if log else "./main"


def stop_group_lines(service: Service) -> str:
    """Return the lines that stop whatever is left of the process group ``$group``."""
    tenths = max(1, round(service.stop.grace * 10))
    return _STOP_GROUP.format(signal=signal_name(service.stop.signal_number), tenths=tenths)


def restart_lines(service: Service, name: str) -> str:
    """Return the lines that decide whether and when to restart, by the policy of `procman start`."""
    policy = service.restart
    return _RESTART.format(
        name=name,
        final_exits=_final_exits(service),
        min_uptime=whole_seconds(policy.min_uptime),
        budget=starts_allowed(policy),
        backoff=whole_seconds(policy.backoff, 1),
        backoff_max=whole_seconds(policy.backoff_max, 1),
    )


def finish_timeout(service: Service) -> float:
    """Return the seconds that a finish script may need: the grace, the longest wait, and 5 spare seconds."""
    return service.stop.grace + service.restart.backoff_max + 5


def _final_exits(service: Service) -> str:
    policy = service.restart
    if policy.mode == "never":
        return "# It is never restarted, however it exits.\nrest"
    codes = "|".join(str(code) for code in (*CANNOT_RUN, *(policy.success_codes if policy.mode != "always" else ())))
    return f'# It is done, or cannot be run at all: keep it down.\ncase "$code" in {codes}) rest ;; esac'
