"""What runit and s6 have in common: a folder per instance, with a finish script that decides on restarts."""

from __future__ import annotations

from dataclasses import dataclass

from procman.core.model.status import CANNOT_RUN
from procman.core.procfile.command import direct
from procman.export.application import RELEASE, application, starts_allowed, whole_seconds
from procman.export.file import SCRIPT, ExportFile, header
from procman.export.grammar import sh
from procman.export.overlay import by_hand_warnings, overlay_warnings
from procman.export.shell import change_user_lines, environment_file, signal_name, start_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportWarning
    from procman.export.options import ExportOptions

    Others = Callable[[Application, Service, InstancePlan, ExportOptions], Iterator[ExportFile]]

_RECORD_START = """\
# For ./finish: the start time, and the process group that {leader} creates.
date +%s >supervise/procman.started
echo $$ >supervise/procman.group
"""

_FINISH = """\
state=supervise/procman
group=$(cat "$state.group" 2>/dev/null)
{functions}
# The command's shell dies first and may leave children: signal the rest of its group, kill it after the grace period.
if [ -n "$group" ] && kill -s {signal} -- "-$group" 2>/dev/null; then
    kill -s CONT -- "-$group" 2>/dev/null
    left={tenths}
    while [ "$left" -gt 0 ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
    kill -s KILL -- "-$group" 2>/dev/null
fi
rm -f "$state.group"

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
{budget}wait={backoff}
while [ "$deaths" -gt 1 ] && [ "$wait" -lt {backoff_max} ]; do wait=$((wait * 2)); deaths=$((deaths - 1)); done
[ "$wait" -le {backoff_max} ] || wait={backoff_max}
while [ "$wait" -gt 0 ] && wanted; do sleep 1; wait=$((wait - 1)); done
exit 0
"""

_BUDGET = """\
if [ "$deaths" -ge {starts} ]; then
    echo "{name}: gave up after $deaths quick deaths in a row, the last with code $code" >&2
    rm -f "$state.deaths"
    rest
fi
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """What differs between runit and s6.

    ``functions`` are lines of ./finish that define the shell functions ``wanted``, whether the instance should be up,
    and ``rest``, which keeps it down. ``user`` is the command that changes to ``{user}``, ``start`` the one that runs
    the program, whose group ``leader`` creates, ``log`` the one that writes the logs into ``{folder}``.
    ``folder`` is where the directories are installed. ``link``, ``look``, ``up`` and ``down`` are the commands for one.
    """

    name: str
    folder: str
    link: str
    look: str
    up: str
    down: str
    leader: str
    user: str
    start: str
    exits: str
    functions: str
    log: str
    log_note: str
    features: tuple[str, ...] = ()


def render_directories(
    tool: Tool, others: Others, plan: Plan, options: ExportOptions
) -> Iterator[ExportFile | ExportWarning]:
    """Yield warnings for what ``tool`` cannot do, then a directory for each instance.

    ``others`` yields the files that only this tool has.
    """
    app = application(plan, options)
    yield from overlay_warnings(app, tool.name, *tool.features)
    yield from by_hand_warnings(app)
    yield from options.account_warning(f"{tool.name} will run the application as its own user")
    for service, instance in app.instances:
        base = f"{app.name}-{instance.name}"
        yield ExportFile(f"{base}/run", _run(tool, app, service, instance, options), SCRIPT)
        secret = header(tool.name, app.name, "Only ./run needs to read this file: keep its mode at 0600.")
        yield environment_file(f"{base}/env", secret, app, service, instance)
        if service.kind == RELEASE or not service.starts:
            yield ExportFile(f"{base}/down", header(tool.name, app.name, "It does not start by itself: see ./run."))
        yield ExportFile(f"{base}/finish", _finish(tool, app, service, base, options), SCRIPT)
        yield from others(app, service, instance, options)
        yield ExportFile(f"{base}/log/run", _log(tool, app, instance, options), SCRIPT)


def _run(tool: Tool, app: Application, service: Service, instance: InstancePlan, options: ExportOptions) -> str:
    comment = header(tool.name, app.name, *_instructions(tool, app, service, f"{app.name}-{instance.name}"))
    # A release is run by hand, so the folder of a supervisor may be missing.
    record = "" if service.kind == RELEASE else _RECORD_START.format(leader=tool.leader)
    start = start_lines(service.cwd, "./env", direct(service.command))
    user = change_user_lines(options.account, tool.user, instance)
    return f"#!/bin/sh\n{comment}\nexec 2>&1\n{record}{start}{user}{tool.start}\n"


def _instructions(tool: Tool, app: Application, service: Service, base: str) -> Iterator[str]:
    yield ""
    yield f"Install:  cp -a * {tool.folder}/"
    if service.kind == RELEASE:
        yield f"Run:      cd {tool.folder}/{base} && ./run     (before each new version; it must succeed)"
        return
    if any(other.kind == RELEASE for other in app.services):
        yield "          (first the release, see its ./run)"
    yield f"          {tool.link.format(base=base)}"
    if not service.starts:
        yield f"Start:    {tool.up.format(base=base)}"
    yield f"Look:     {tool.look.format(base=base)}"
    yield f"Stop:     {tool.down.format(base=base)}"


def _finish(tool: Tool, app: Application, service: Service, base: str, options: ExportOptions) -> str:
    policy, stop = service.restart, service.stop
    comment = header(tool.name, app.name, tool.exits)
    sweep = _FINISH.format(
        functions=tool.functions, signal=signal_name(stop.signal_number), tenths=max(1, round(stop.grace * 10))
    )
    restart = _RESTART.format(
        final_exits=_final_exits(service),
        min_uptime=whole_seconds(policy.min_uptime),
        budget="" if options.keep_trying else _BUDGET.format(name=base, starts=starts_allowed(policy)),
        backoff=whole_seconds(policy.backoff, 1),
        backoff_max=whole_seconds(policy.backoff_max, 1),
    )
    return f"#!/bin/sh\n{comment}\n{sweep}{restart}"


def _final_exits(service: Service) -> str:
    policy = service.restart
    if policy.mode == "never" or service.kind == RELEASE:
        return "# It is never restarted, however it exits.\nrest"
    codes = "|".join(str(code) for code in (*CANNOT_RUN, *(policy.success_codes if policy.mode != "always" else ())))
    return f'# It is done, or cannot be run at all: keep it down.\ncase "$code" in {codes}) rest ;; esac'


def _log(tool: Tool, app: Application, instance: InstancePlan, options: ExportOptions) -> str:
    """Return the logger's script, which writes below ``--log`` if given, else into its own folder."""
    folder = sh(f"{options.log}/{app.name}/{instance.name}" if options.log else "./main")
    comment = header(tool.name, app.name, tool.log_note)
    return f"#!/bin/sh\n{comment}\nmkdir -p {folder} || exit 111\nexec {tool.log.format(folder=folder)}\n"


def stop_lines(tool: Tool, removed: Sequence[str], *commands: str) -> list[str]:
    """Return the commands for each directory that is removed, with its name for ``{base}``."""
    bases = [path.removesuffix("/run") for path in removed if path.count("/") == 1 and path.endswith("/run")]
    return [command.format(base=base) for base in bases for command in (tool.down, *commands)]
