"""What systemd's units of processes and of containers share: environment files, what starts first, and restarts."""

from __future__ import annotations

from math import ceil, log2

from procman.core.model.dependency import COMPLETED, READY, SUCCEEDED
from procman.export.application import RELEASE, budget_window, gate, seconds, starts_allowed
from procman.export.file import ExportWarning
from procman.export.grammar import assignments, systemd_environment
from procman.export.overlay import dependencies_of
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.model.plan import RestartPolicy
    from procman.export.application import Application, Service

ONE_SHOT = (
    "# It counts as started once it has ended, and stays active, so that restarts of others do not run it again.",
    "Type=oneshot",
    "RemainAfterExit=yes",
)
SHARED_FILE = "shared.env"  # the environment of all process types, in the folder of the application
_FIRST_REAL_TIME = 34  # SIGRTMIN of the C library
_DIRECT = (
    "# What waits for it does not fail with the first try (before 254, it does).",
    "RestartMode=direct",
)
# systemd counts a death by these signals as success, `procman start` does not.
_CLEAN_SIGNALS = {1: "SIGHUP", 2: "SIGINT", 13: "SIGPIPE", 15: "SIGTERM"}


def type_file(service: Service) -> str:
    """Return the name of the environment file of what one process type has for itself.

    Its two dots keep it apart from ``SHARED_FILE``, as those of an instance do, whatever the type is called.
    """
    return f"{service.name}.all.env"


def environment_lines(env: Mapping[str, str]) -> str:
    """Return the lines of an environment file. Raises UsageError if systemd cannot hold a variable."""
    return assignments(env, "systemd", lambda name, value: f"{name}={systemd_environment(value)}")


def limit_lines(service: Service, keep_trying: bool, startup: float = 0.0) -> list[str]:
    """Return the lines of [Unit] that say when systemd gives up on what may need ``startup`` seconds to be ready."""
    policy = service.restart
    if not service.is_restarted:
        return []
    if keep_trying:
        return ["# systemd never gives up.", "StartLimitIntervalSec=0"]
    return [
        f"# systemd gives up after {starts_allowed(policy)} starts within this time, since each life was too short.",
        f"StartLimitIntervalSec={budget_window(policy, startup)}",
        f"StartLimitBurst={starts_allowed(policy)}",
    ]


def restart_lines(service: Service, has_an_end: bool = False) -> list[str]:
    """Return the lines of [Service] that say after which exits and pauses it is restarted.

    What ``has_an_end`` is of Type=oneshot, for which systemd refuses Restart=always and RestartForceExitStatus=.
    """
    policy, stopped = service.restart, 128 + service.stop.signal_number
    clean = [str(stopped), *_stopped_by(service)]
    codes = [str(code) for code in policy.success_codes if code and code != stopped]
    if not service.is_restarted:
        return ["Restart=no", f"SuccessExitStatus={' '.join((*codes, *clean))}"]
    mode = "on-failure" if has_an_end else policy.mode
    forced = _forced(service) if policy.mode == "on-failure" and not has_an_end else []
    return [
        f"Restart={mode}",
        *(_DIRECT if has_an_end else ()),
        *_pauses(policy),
        "# 126 and 127 mean that the command cannot be run, so trying again is of no use.",
        "RestartPreventExitStatus=126 127",
        f"# A stopped shell exits with {stopped}: a success if systemd stopped it, otherwise a failure.",
        f"SuccessExitStatus={' '.join((*codes, *clean))}",
        *([f"RestartForceExitStatus={' '.join(forced)}"] if forced else []),
    ]


def _pauses(policy: RestartPolicy) -> list[str]:
    """Return the pause after a failure, and how it doubles with each further one."""
    first = f"RestartSec={seconds(policy.backoff)}"
    if not 0 < policy.backoff < policy.backoff_max:
        return [first]
    return [
        "# The pause grows with each failure since the last manual start, or since systemctl reset-failed.",
        "# systemd before 254 ignores the last two lines, with a warning: there, all pauses are equal.",
        first,
        f"RestartSteps={ceil(log2(policy.backoff_max / policy.backoff))}",
        f"RestartMaxDelaySec={seconds(policy.backoff_max)}",
    ]


def _stopped_by(service: Service) -> list[str]:
    """Return the stop signal, unless systemd itself counts a death by it as success."""
    number = service.stop.signal_number
    return [] if number in _CLEAN_SIGNALS else [signal_word(number)]


def _forced(service: Service) -> list[str]:
    """Return the exits that systemd would take for a success, but `procman start` does not."""
    successes, number = service.restart.success_codes, service.stop.signal_number
    signals = {**_CLEAN_SIGNALS, number: signal_word(number)}
    names = [name for clean, name in signals.items() if 128 + clean not in successes]
    return [*names, *([] if 128 + number in successes else [str(128 + number)])]


def signal_word(number: int) -> str:
    """Return the name with SIG, ``SIGTERM`` for 15. Where an exit status may be meant, a number would be one."""
    if number >= _FIRST_REAL_TIME:
        return f"SIGRTMIN+{number - _FIRST_REAL_TIME}"
    return f"SIG{signal_name(number)}"


# What starts before what ----------------------------------------------------------------------------------------------


def units_of(app: Application, service: Service) -> list[str]:
    """Return the units of all instances."""
    return [f"{app.name}-{service.name}@{instance.number}.service" for instance in service.instances]


def first_lines(how: str, units: list[str]) -> list[str]:
    """Return the lines that start ``units`` first. ``how`` is Requires if they must succeed, else Wants."""
    return [line for unit in units for line in (f"{how}={unit}", f"After={unit}")]


def restart_with_lines(app: Application, service: Service) -> list[str]:
    """Return the lines that restart ``service`` with the dependencies whose restart is to be followed."""
    followed = {needed.type for needed in service.first.depends_on if needed.restart}
    units = [
        unit for other, _ in dependencies_of(app, service) if other.name in followed for unit in units_of(app, other)
    ]
    if not units:
        return []
    return [
        "# It restarts with them. For systemd, that means that it is also stopped with them.",
        *(f"PartOf={unit}" for unit in units),
    ]


def release_lines(app: Application, service: Service) -> list[str]:
    """Return the lines that start the release before ``service``."""
    release = gate(app, service)
    if not release:
        return []
    return [
        "# The release runs first, once for each start of the application.",
        *first_lines("Requires", units_of(app, release)),
    ]


def is_awaited(app: Application, service: Service) -> bool:
    """Whether others wait for its end, so that it has started only when it has ended."""
    waits = (one for other in app.services for one in dependencies_of(app, other))
    return service.kind == RELEASE or any(
        one.name == service.name and condition in (COMPLETED, SUCCEEDED) for one, condition in waits
    )


def readiness_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield warnings for readiness: systemd only knows whether a process has started."""
    for service in app.services:
        for other, condition in dependencies_of(app, service):
            if condition == READY:
                yield ExportWarning(
                    f'systemd does not know the condition "{condition}": '
                    f"{service.name} only waits until {other.name} has started"
                )
