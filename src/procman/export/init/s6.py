"""Service directories for s6: one per instance, with its logger and a script that stops the whole process group."""

from __future__ import annotations

from procman.export.file import ExportFile
from procman.export.init.service_directory import Tool, render_directories, stop_lines
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan, Plan
    from procman.export.application import Application, Service
    from procman.export.file import ExportWarning
    from procman.export.options import ExportOptions

SUMMARY = "service directories for s6, with s6-log"

_SPARE = 5.0  # seconds that ./finish may need besides those that it waits

_S6 = Tool(
    name="s6",
    folder="/etc/s6/sv",
    link="s6-svlink /run/service /etc/s6/sv/{base}",
    look="s6-svstat /run/service/{base}",
    up="s6-svc -u /run/service/{base}",
    down="s6-svc -wD -d /run/service/{base}",
    leader="s6-supervise",
    user="s6-setuidgid {user}",
    start='exec "$@"',
    exits="s6-supervise runs this after each exit, with the exit code (or 256) and the signal.",
    functions='wanted() { [ "$(s6-svstat -o wantedup .)" = true ]; }\nrest() { exit 125; }\n',
    log="s6-log -b n20 s1000000 T {folder}",
    log_note="20 files of 1 MB each, with a timestamp before each line.",
)


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield a service directory for each instance."""
    yield from render_directories(_S6, _times, plan, options)


def stop_commands(removed: Sequence[str], _: ExportOptions) -> list[str]:
    """Return the commands that stop the instances whose directories an export removes."""
    return stop_lines(_S6, removed, "s6-svunlink /run/service {base}", "rm -r /etc/s6/sv/{base}")


def _times(app: Application, service: Service, instance: InstancePlan, _: ExportOptions) -> Iterator[ExportFile]:
    """Yield the stop signal, and how long the program and ./finish may take: both have the whole grace."""
    base = f"{app.name}-{instance.name}"
    grace, pause = service.stop.grace, service.restart.backoff_max
    yield ExportFile(f"{base}/down-signal", f"SIG{signal_name(service.stop.signal_number)}\n")
    yield ExportFile(f"{base}/timeout-kill", f"{max(1, round(grace * 1000))}\n")
    yield ExportFile(f"{base}/timeout-finish", f"{round((grace + pause + _SPARE) * 1000)}\n")
