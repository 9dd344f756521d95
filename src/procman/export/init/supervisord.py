"""A configuration for supervisord: a program per instance in one group, and a script for each."""

from __future__ import annotations

from procman.export.application import RELEASE, application, patience, whole_seconds
from procman.export.file import SCRIPT, ExportFile, header
from procman.export.grammar import escaped, supervisord
from procman.export.overlay import STOP_COMMAND, STOP_TO, by_hand_warnings, overlay_warnings
from procman.export.shell import (
    asks_program_first,
    change_user_lines,
    environment_file,
    program_of,
    signal_name,
    start_lines,
    stop_command_lines,
    trap_stop_signal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan, Plan, RestartPolicy
    from procman.export.application import Application, Service
    from procman.export.file import ExportWarning
    from procman.export.options import ExportOptions

SUMMARY = "a configuration file for supervisord, and a script per process"

_SETPRIV = 'setpriv --reuid {user} --regid "$(id -g {user})" --init-groups'
_FOR_EVER = 1_000_000  # retries
_SPARE = 2  # seconds that supervisord waits longer than the script
_AUTORESTART = {"on-failure": "unexpected", "always": "true"}


_FORWARDED = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2")

_PREPARE = """\
# A shell starts its background commands with INT and QUIT ignored, and they would outlive a shell that is killed.
if setsid setpriv --pdeathsig KILL env --default-signal=INT,QUIT true 2>/dev/null; then
    set -- setpriv --pdeathsig KILL env --default-signal=INT,QUIT "$@"
    procman_watches=yes
fi
"""

_PROGRAM_FIRST = """\
    kill -s {signal} {program}
    kill -s CONT -- "-$program"
    while kill -s 0 "$program" && [ "$left" -gt {half} ]; do sleep 0.1; left=$((left - 1)); done
    kill -s {signal} -- "-$program"
"""

_GROUP_AT_ONCE = """\
    kill -s {signal} -- "-$program" || kill -s {signal} "$program"
    kill -s CONT -- "-$program"
"""

_WATCH = """\
# Without these tools of util-linux and coreutils, supervisord signals the program and its group together.
[ -n "$procman_watches" ] || exec "$@"

# supervisord signals this shell, which lasts as long as the program's group:
# {order}
stop() {{
    trap '' {signal}
{steps}    sweep
    wait "$program"
    exit "${{code:-$?}}"
}} 2>/dev/null
sweep() {{
    while kill -s 0 -- "-$program" && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
    kill -s KILL -- "-$program"
}} 2>/dev/null

trap procman_asked=yes {signal}
setsid "$@" &
program=$! left={tenths} code=
trap stop {signal}
for signal in {others}; do trap "kill -s $signal $program" "$signal"; done
[ -z "$procman_asked" ] || stop
{since}# A signal that is passed on ends the wait, but not the program.
until wait "$program"; code=$?; ! kill -s 0 "$program"; do code=; done 2>/dev/null
kill -s {signal} -- "-$program" 2>/dev/null && sweep
{rest}exit "$code"
"""

_REST = """\
# To supervisord, an exit within startsecs is a failure, whatever its code: so a success exits a little later.
case "$code" in {successes}) while [ "$(($(date +%s) - since))" -le {startsecs} ]; do sleep 1; done ;; esac
"""


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield ``APP.conf``, then a script and an environment file for each instance in a folder beside it."""
    app = application(plan, options)
    yield from overlay_warnings(app, "supervisord", STOP_COMMAND, STOP_TO)
    yield from by_hand_warnings(app)
    yield from options.account_warning("supervisord will run the application as its own user")
    yield ExportFile(f"{app.name}.conf", _configuration(app, options))
    for service, instance in app.instances:
        base = f"{app.name}/{instance.name}"
        comment = header("supervisord", app.name, "Only the script needs to read this file: keep its mode at 0600.")
        yield ExportFile(f"{base}.sh", _script(app, service, instance, options), SCRIPT)
        yield environment_file(f"{base}.env", comment, app, service, instance)


def stop_commands(removed: Sequence[str], options: ExportOptions) -> list[str]:
    """Return the commands that stop the instances whose scripts an export removes."""
    scripts = [path for path in removed if path.startswith(f"{options.app}/") and path.endswith(".sh")]
    return [f"supervisorctl stop {options.app}:{path.partition('/')[2].removesuffix('.sh')}" for path in scripts]


def _configuration(app: Application, options: ExportOptions) -> str:
    comment = header(
        "supervisord",
        app.name,
        "",
        "Install:  cp -a * /etc/supervisor/conf.d/  (or where files= in [include] points)",
        *(f"          sh /etc/supervisor/conf.d/{app.name}/{name}.sh &&" for name in _releases(app)),
        f"          supervisorctl update {app.name}",
        f"Look:     supervisorctl status {app.name}:*",
        f"          supervisorctl tail -f {app.name}:{app.services[0].name}.1",
        f"Stop:     supervisorctl stop {app.name}:*",
        sign=";",
    )
    programs = ",".join(_program_name(app, instance) for _, instance in app.instances)
    sections = [_program(app, service, instance, options) for service, instance in app.instances]
    return "\n".join([comment, f"[group:{app.name}]\nprograms={programs}\n", *sections])


def _program_name(app: Application, instance: InstancePlan) -> str:
    """Return a name that no other application has, since supervisord merges sections of the same name.

    With a hyphen, ``web-api.1`` of ``shop`` would be ``api.1`` of ``shop-web``; no process type has a dot in its name.
    """
    return f"{app.name}.{instance.name}"


def _releases(app: Application) -> list[str]:
    return [instance.name for service, instance in app.instances if service.kind == RELEASE]


def _program(app: Application, service: Service, instance: InstancePlan, options: ExportOptions) -> str:
    stop = service.stop
    lines = [
        f"[program:{_program_name(app, instance)}]",
        f"process_name={instance.name}",
        f'command=/bin/sh "%(here)s/{app.name}/{instance.name}.sh"',
        *_restart(service, options.keep_trying),
        f"stopsignal={signal_name(stop.signal_number)}",
        "; The script kills after the grace: supervisord only has to wait a little longer.",
        f"stopwaitsecs={whole_seconds(stop.grace) + _SPARE}",
        "stopasgroup=true",
        "killasgroup=true",
        "redirect_stderr=true",
        *_log(instance, options),
    ]
    return "\n".join(lines) + "\n"


def _restart(service: Service, keep_trying: bool) -> list[str]:
    policy = service.restart
    by_hand = ["; It starts by hand, not with supervisord.", "autostart=false"] if not service.starts else []
    if service.kind == RELEASE:
        by_hand = ["; Run it by hand before each new version: see the top of this file.", "autostart=false"]
    if service.kind == RELEASE or policy.mode == "never":
        once = "; It is never restarted, however it exits."
        return [*by_hand, once, "autorestart=false", "startsecs=0", "startretries=0"]
    retries = _FOR_EVER if keep_trying else _retries(policy)
    budget = "never FATAL" if keep_trying else f"FATAL after {retries + 1} quick deaths in a row"
    return [
        *by_hand,
        f"autorestart={_AUTORESTART[policy.mode]}",
        f"exitcodes={','.join(str(code) for code in policy.success_codes)}",
        f"; It is {budget}. supervisord waits 1, 2, 3 … s after them.",
        f"startsecs={whole_seconds(policy.min_uptime)}",
        f"startretries={retries}",
    ]


def _retries(policy: RestartPolicy) -> int:
    """Return after how many retries pauses of 1, 2, 3 … s are as long as those of the policy together."""
    return next(count for count in range(_FOR_EVER) if count * (count + 1) / 2 >= patience(policy))


def _log(instance: InstancePlan, options: ExportOptions) -> list[str]:
    if not options.log:
        return ["; The log is in childlogdir, and deleted when supervisord stops. Export with --log DIR to keep it."]
    folder = escaped(options.log, "supervisord", "the folder for logs", supervisord)
    return [f"stdout_logfile={folder}/{instance.name}.log"]


def _script(app: Application, service: Service, instance: InstancePlan, options: ExportOptions) -> str:
    comment = header("supervisord", app.name, f"{instance.name}: started by {app.name}.conf")
    command = trap_stop_signal(service.command, service.stop.signal_number)
    start = start_lines(service.cwd, f'"${{0%/*}}/{instance.name}.env"', command)
    user = change_user_lines(options.account, _SETPRIV, instance)
    asks = ""
    if service.stop.command:
        asks = stop_command_lines(service, f'"${{0%/*}}/{instance.name}.env"', user, "$program")
    return f"#!/bin/sh\n{comment}\n{start}{_PREPARE}{user}{_watch(service, asks)}"


def _watch(service: Service, asks: str) -> str:
    """Return the end of the script, which starts the program and stops it as `procman start` does.

    ``asks`` are the lines of the stop command.
    """
    signal, tenths = signal_name(service.stop.signal_number), max(2, round(service.stop.grace * 10))
    order, steps = "the whole group gets the signal, and KILL after the grace.", _GROUP_AT_ONCE
    if asks:
        order, steps = "the stop command runs instead of the signal. KILL after the grace.", ""
    elif asks_program_first(service):
        order = (
            "the program gets the signal, what is left at its end or after half of the grace, and KILL after the grace."
        )
        steps = _PROGRAM_FIRST
    values = {"signal": signal, "program": program_of(service, "$program"), "half": tenths // 2, "tenths": tenths}
    return _WATCH.format(
        order=order,
        steps=steps.format(**values) if steps else f'{asks} || kill -s {signal} -- "-$program"\n',
        others=" ".join(name for name in _FORWARDED if name != signal),
        since="since=$(date +%s)\n" if _rest(service) else "",
        rest=_rest(service),
        **values,
    )


def _rest(service: Service) -> str:
    policy = service.restart
    if policy.mode != "on-failure" or service.kind == RELEASE:
        return ""
    successes = "|".join(str(code) for code in policy.success_codes)
    return _REST.format(successes=successes, startsecs=whole_seconds(policy.min_uptime))
