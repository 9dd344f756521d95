"""Service directories for s6: one per instance, with its logger and a script that stops the whole process group."""

from __future__ import annotations

from procman.export.file import SCRIPT, ExportFile, header
from procman.export.grammar import sh
from procman.export.init.service_directory import (
    change_user_line,
    finish_timeout,
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

SUMMARY = "service directories for s6, with s6-log"

_RECORD_START = """\
# For ./finish: the start time, and the process group that s6-supervise created.
date +%s >supervise/procman.started
echo $$ >supervise/procman.group
"""

_FINISH = """\
state=supervise/procman
# The same as $4, which not every version of s6 passes.
group=$(cat "$state.group" 2>/dev/null)
wanted() {{ [ "$(s6-svstat -o wantedup .)" = true ]; }}
rest() {{ exit 125; }}

{stop_group}rm -f "$state.group"

{restart}"""


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield a service directory for each instance."""
    yield from render_directories("s6", plan, options, _directory)


def _directory(
    app: Application, service: Service, instance: InstancePlan, options: ExportOptions
) -> Iterator[ExportFile]:
    base = f"{app.name}-{instance.name}"
    secret = header("s6", app.name, "Only ./run needs to read this file: keep its mode at 0600.")
    last = change_user_line(options.account, "s6-setuidgid") + 'exec "$@"\n'
    install = (
        "",
        "Install:  cp -a * /etc/s6/sv/",
        f"          s6-svlink /run/service /etc/s6/sv/{base}",
        f"Look:     s6-svstat /run/service/{base}",
        f"Stop:     s6-svc -wD -d /run/service/{base}",
    )
    run = run_script(header("s6", app.name, *install), service, _RECORD_START, last)
    yield ExportFile(f"{base}/run", run, SCRIPT)
    yield environment_file(f"{base}/env", secret, app, service, instance)
    yield ExportFile(f"{base}/finish", _finish(app, service, base), SCRIPT)
    yield ExportFile(f"{base}/down-signal", f"SIG{signal_name(service.stop.signal_number)}\n")
    yield ExportFile(f"{base}/timeout-kill", f"{max(1, round(service.stop.grace * 1000))}\n")
    yield ExportFile(f"{base}/timeout-finish", f"{round(finish_timeout(service) * 1000)}\n")
    yield ExportFile(f"{base}/log/run", _log(app, instance, options), SCRIPT)


def _finish(app: Application, service: Service, base: str) -> str:
    comment = "s6-supervise runs this after each exit, with the exit code (or 256) and the signal."
    body = _FINISH.format(stop_group=stop_group_lines(service), restart=restart_lines(service, base))
    return f"#!/bin/sh\n{header('s6', app.name, comment)}\n{body}"


def _log(app: Application, instance: InstancePlan, options: ExportOptions) -> str:
    folder = log_folder(app, instance.name, options.log)
    comment = header("s6", app.name, "20 files of 1 MB each, with a timestamp before each line.")
    return f"#!/bin/sh\n{comment}\nmkdir -p {sh(folder)} || exit 111\nexec s6-log -b n20 s1000000 T {sh(folder)}\n"
