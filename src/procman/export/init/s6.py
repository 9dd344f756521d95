"""Writes service directories for s6: one per instance, with its log and what ends the whole process group."""

from __future__ import annotations

from procman.export.file import SCRIPT, ExportFile, header
from procman.export.grammar import sh
from procman.export.init.service_directory import (
    as_user,
    folders,
    judgment,
    log_folder,
    longest_finish,
    run_script,
    sweep,
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

_NOTE = """\
# For ./finish: when this life began, and the process group that s6-supervise made of it.
date +%s >supervise/procman.started
echo $$ >supervise/procman.group
"""

_FINISH = """\
state=supervise/procman
# $4, which not every s6 gives.
group=$(cat "$state.group" 2>/dev/null)
wanted() {{ [ "$(s6-svstat -o wantedup .)" = true ]; }}
rest() {{ exit 125; }}

{sweep}rm -f "$state.group"

{judgment}"""


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield a service directory for each instance."""
    yield from folders("s6", plan, options, _directory)


def _directory(
    app: Application, service: Service, instance: InstancePlan, options: ExportOptions
) -> Iterator[ExportFile]:
    base = f"{app.name}-{instance.name}"
    secret = header("s6", app.name, "Only ./run has to read this file: keep it at mode 0600.")
    last = as_user(options.account, "s6-setuidgid") + 'exec "$@"\n'
    install = (
        "",
        "Install:  cp -a * /etc/s6/sv/",
        f"          s6-svlink /run/service /etc/s6/sv/{base}",
        f"Look:     s6-svstat /run/service/{base}",
        f"Stop:     s6-svc -wD -d /run/service/{base}",
    )
    run = run_script(header("s6", app.name, *install), service, _NOTE, last)
    yield ExportFile(f"{base}/run", run, SCRIPT)
    yield environment_file(f"{base}/env", secret, app, service, instance)
    yield ExportFile(f"{base}/finish", _finish(app, service, base), SCRIPT)
    yield ExportFile(f"{base}/down-signal", f"SIG{signal_name(service.stop.signal_number)}\n")
    yield ExportFile(f"{base}/timeout-kill", f"{max(1, round(service.stop.grace * 1000))}\n")
    yield ExportFile(f"{base}/timeout-finish", f"{round(longest_finish(service) * 1000)}\n")
    yield ExportFile(f"{base}/log/run", _log(app, instance, options), SCRIPT)


def _finish(app: Application, service: Service, base: str) -> str:
    told = "s6-supervise runs this after each life: exit code (or 256), signal."
    body = _FINISH.format(sweep=sweep(service), judgment=judgment(service, base))
    return f"#!/bin/sh\n{header('s6', app.name, told)}\n{body}"


def _log(app: Application, instance: InstancePlan, options: ExportOptions) -> str:
    folder = log_folder(app, instance.name, options.log)
    comment = header("s6", app.name, "20 files of 1 MB each, a time before each line.")
    return f"#!/bin/sh\n{comment}\nmkdir -p {sh(folder)} || exit 111\nexec s6-log -b n20 s1000000 T {sh(folder)}\n"
