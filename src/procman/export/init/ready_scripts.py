"""How systemd learns that a process is ready: by a script for each instance, which ends when its check passes."""

from __future__ import annotations

from procman.core.model.checks import DELAY, EXEC, HTTP, NOTIFY, TCP, is_here, split_host, split_url
from procman.core.model.dependency import READY
from procman.core.model.plan import speaks_of_port
from procman.core.procfile.command import is_container_client
from procman.export.application import LASTING, seconds
from procman.export.file import SCRIPT, ExportFile, ExportWarning, header
from procman.export.overlay import dependencies_of
from procman.export.shell_checks import COMMANDS, check_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.checks import Check
    from procman.core.model.plan import InstancePlan
    from procman.export.application import Application, Service

_SCRIPT = """\
#!/bin/sh
{comment}
ready() {{
{check}
}}
{own}
{first}# A process that ends before it is ready has failed. systemd acts on it when this script has ended.
# If it ended even before this script began, systemd sets no MAINPID.
while [ -e "/proc/${{MAINPID:-none}}" ]; do
    {attempt}
    sleep {interval}
done
exit 1
"""

# The unit's processes are found by its control group, whatever their parents are. A row of the kernel's table: number,
# address, the other address, state (0A is LISTEN), five fields, and the inode, by which a descriptor names the socket.
_OWN = """
# Whether a process of this unit listens on port {port}. If another program does, that one answers, and ours will fail.
# When in doubt, it is ours: without such a table, or if a process hides its files. Those that have ended, those that
# systemd has not yet executed, "((NAME", and those that hide for a moment are no reason for doubt. In a container, root
# may list the files of another user's process, but can see neither what they are nor the process's root.
own() {{
    row=' *[0-9]+: [0-9A-F]+:{port:04X} [^ ]+ 0A( +[^ ]+){{5}} +([0-9]+) .*'
    sockets=$(sed -nE "s/^$row/socket:[\\2]/p" /proc/net/tcp /proc/net/tcp6)
    group=$(grep -m 1 -E '^[0-9]+:(name=systemd)?:' "/proc/$MAINPID/cgroup") || return 1
    [ -n "$sockets" ] || return 0
    before=$hidden hidden=
    for path in $(grep -lsF "$group" /proc/[0-9]*/cgroup); do
        process=${{path%/cgroup}}
        if [ -r "$process/fd" ] && [ -e "$process/root" ]; then
            ls -l "$process/fd" | grep -qF "$sockets" && return 0
        else
            case $(cat "$process/stat") in "" | *") Z "* | *" (("*) ;; *) hidden="$hidden $process " ;; esac
        fi
    done
    for process in $hidden; do
        case $before in *" $process "*) return 0 ;; esac
    done
    return 1
}}
hidden=
"""
_PASSES = "(ready) >/dev/null 2>&1"
_OWN_PASSES = f"{_PASSES} && own 2>/dev/null"
_ONCE = "{passes} && exit 0"
_IN_A_ROW = """\
if {passes}; then passed=$((passed + 1)); else passed=0; fi
    [ "$passed" -lt {successes} ] || exit 0"""


def _is_checked(service: Service) -> bool:
    """Whether the service keeps running and a command can find out when it is ready."""
    ready = service.first.ready
    return ready is not None and ready.kind in COMMANDS and service.kind == LASTING


def _notifies(service: Service) -> bool:
    """Whether the service itself tells when it is ready, which systemd understands as well."""
    ready = service.first.ready
    return ready is not None and ready.kind == NOTIFY and service.kind == LASTING


def _shows_when_ready(service: Service) -> bool:
    return _is_checked(service) or _notifies(service)


def type_lines(service: Service) -> list[str]:
    """Return the lines of [Service] about how systemd learns that the service has started.

    With Type=exec, a process that ends immediately may have ended before systemd notices that it was executed. Then it
    counts as a success that needs no script, and is not restarted (systemd issue 28304).
    """
    health = service.first.health
    watched = health if health is not None and health.kind == NOTIFY and service.kind == LASTING else None
    return [
        f"Type={'notify' if _notifies(service) else 'simple' if _is_checked(service) else 'exec'}",
        *(["# It is a child of the shell that tells."] if _notifies(service) or watched else []),
        *(["NotifyAccess=all"] if _notifies(service) or watched else []),
        *([f"WatchdogSec={seconds(watched.interval * watched.threshold)}"] if watched else []),
    ]


def startup_limit(service: Service) -> float:
    """Return the seconds that an instance has to become ready; 0 if there is no limit, or no check."""
    ready = service.first.ready
    return (ready.timeout or 0.0) if ready and _shows_when_ready(service) else 0.0


def ready_lines(service: Service, folder: str) -> list[str]:
    """Return the lines of [Service] that run the script in ``folder``."""
    if not _shows_when_ready(service):
        return []
    limit = startup_limit(service)
    return [
        "# It counts as started when it is ready; until then, what depends on it waits.",
        *([] if _notifies(service) else [f"ExecStartPost=/bin/sh {folder}/{service.name}.%i.ready"]),
        f"TimeoutStartSec={seconds(limit) if limit else 'infinity'}",
    ]


def ready_script(app: Application, service: Service, instance: InstancePlan) -> Iterator[ExportFile]:
    """Yield the script of an instance, if it has a check that a command can make."""
    ready = instance.ready
    if ready is None or not _is_checked(service):
        return
    comment = header("systemd", app.name, f"{instance.name} is ready, and so it has started, when this succeeds.")
    port = _own_port(instance, ready)
    attempt = _IN_A_ROW if ready.successes > 1 else _ONCE
    content = _SCRIPT.format(
        comment=comment,
        own=_OWN.format(port=port) if port is not None else "",
        first=_first(ready),
        attempt=attempt.format(successes=ready.successes, passes=_PASSES if port is None else _OWN_PASSES),
        check=check_command(ready).rstrip("\n"),
        interval=seconds(ready.interval),
    )
    yield ExportFile(f"{app.name}/{instance.name}.ready", content, SCRIPT)


def shows_itself(service: Service) -> bool:
    """Whether the service is ready only by what it does itself, and not by what another program may answer."""
    ready = service.first.ready
    is_checked = ready is not None and _is_checked(service) and _own_port(service.first, ready) is not None
    return is_checked or _notifies(service)


def _own_port(instance: InstancePlan, ready: Check) -> int | None:
    """Return the port that the instance itself has to listen on when the check passes, as with `start`."""
    if ready.anyone or is_container_client(instance.command):
        return None
    if ready.kind == EXEC:
        return instance.port if speaks_of_port(ready.target, instance.port, instance.type) else None
    if ready.kind not in (HTTP, TCP):
        return None
    host = (split_url(ready.target) if ready.kind == HTTP else split_host(ready.target))[0]
    return ready.port if is_here(host) else None


def _first(ready: Check) -> str:
    """Return what the script does before the first attempt."""
    delay = float(ready.target) if ready.kind == DELAY else ready.initial_delay
    pause = f"sleep {seconds(delay)}\n" if delay else ""
    return f"{pause}passed=0\n" if ready.successes > 1 else pause


def ready_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield warnings for checks that only procman can make, and for what waits for them."""
    for service in app.services:
        if service.first.ready and not _shows_when_ready(service):
            yield ExportWarning(f"not exported to systemd: readiness by {service.first.ready.kind} of {service.name}")
        for other, condition in dependencies_of(app, service):
            if condition == READY and other.first.ready and not _shows_when_ready(other):
                yield ExportWarning(f"on systemd, {service.name} only waits until {other.name} has started")
