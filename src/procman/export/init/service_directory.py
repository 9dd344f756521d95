"""Decides what runit and s6 have in common: a folder per instance, whose finish script sweeps and judges."""

from __future__ import annotations

from procman.core.model.status import CANNOT_RUN
from procman.core.procfile.command import direct
from procman.export.application import application, starts_allowed, whole_seconds
from procman.export.file import ExportWarning
from procman.export.grammar import sh
from procman.export.overlay import overlay_warnings
from procman.export.shell import signal_name, start_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportFile
    from procman.export.options import ExportOptions

    Directory = Callable[[Application, Service, InstancePlan, ExportOptions], Iterator[ExportFile]]

# $1 is the exit code, -1 or 256 after a death by signal $2. The functions that a target defines: wanted, rest.
_STOP_GROUP = """\
# The shell of the command dies first, its children may not: the rest of its group gets the signal, then the grace.
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
# Quick deaths in a row are counted, and each is followed by a longer wait; a long life begins anew.
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
    """Yield what ``directory`` makes of each instance, behind what ``tool`` cannot do of it."""
    app = application(plan, options)
    yield from overlay_warnings(app, tool)
    if not options.account:
        yield ExportWarning(
            f"{tool} will run the application as itself does, and its folder is root's: --user names an account"
        )
    for service, instance in app.instances:
        yield from directory(app, service, instance, options)


def run_script(comment: str, service: Service, record: str, last: str) -> str:
    """Return the run script; ``record`` are lines that keep what finish wants to know, ``last`` ends the script."""
    start = start_lines(service.cwd, "./env", direct(service.command))
    return f"""\
#!/bin/sh
{comment}
exec 2>&1
{record}{start}{last}"""


def change_user_line(user: str, tool: str) -> str:
    """Return the line that has ``tool``, such as ``chpst -u``, change to ``user`` unless it is so already."""
    return f'[ "$(id -un)" = {sh(user)} ] || set -- {tool} {sh(user)} "$@"\n' if user else ""


def log_folder(app: Application, name: str, log: str) -> str:
    """Return where the log service writes: below ``log``, or in its own folder."""
    return f"{log}/{app.name}/{name}" if log else "./main"


def stop_group_lines(service: Service) -> str:
    """Return the lines that end what is left of the process group ``$group``."""
    tenths = max(1, round(service.stop.grace * 10))
    return _STOP_GROUP.format(signal=signal_name(service.stop.signal_number), tenths=tenths)


def restart_lines(service: Service, name: str) -> str:
    """Return the lines that decide what follows a death, by the policy of `procman start`."""
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
    """Return the seconds that a finish script may need: the grace, the longest wait, and some air."""
    return service.stop.grace + service.restart.backoff_max + 5


def _final_exits(service: Service) -> str:
    policy = service.restart
    if policy.mode == "never":
        return "# It is not started again, whatever its end.\nrest"
    codes = "|".join(str(code) for code in (*CANNOT_RUN, *(policy.success_codes if policy.mode != "always" else ())))
    return f'# Done, or it cannot be run at all: it rests.\ncase "$code" in {codes}) rest ;; esac'
