"""Checks the times of schedules with what computes them: cronsim, and the time zones of this machine."""

from __future__ import annotations

from procman.core.model.process_overlay import OverlayProblem
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from procman.core.model.plan import InstancePlan
    from procman.core.model.process_overlay import ProcessOverlay


def schedule_problems(process: ProcessOverlay, installation: str) -> Iterator[OverlayProblem]:
    """Yield what is wrong with the times of one process type. ``installation`` is the command that installs cronsim."""
    rule = process.schedule
    if rule is None:
        return
    if rule.timezone and not _is_timezone(rule.timezone):
        message = f'schedule.tz: unknown time zone "{rule.timezone}"'
        yield OverlayProblem(process.location("schedule"), message, "write a name such as Europe/Berlin or UTC")
    if not rule.cron:
        return
    if not can_schedule():
        message = f'"{process.name}" cannot be run by its schedule: cronsim is not installed'
        yield OverlayProblem(process.location("schedule"), message, installation, "warning")
    elif trouble := _trouble(rule.cron):
        hint = "minute, hour, day of the month, month, day of the week"
        yield OverlayProblem(process.location("schedule"), f'schedule: "{rule.cron}": {trouble}', hint)


def require_cronsim(instances: Iterable[InstancePlan], installation: str) -> None:
    """Raise ConfigError if an instance has a schedule whose times cannot be computed here."""
    for instance in instances:
        if instance.schedule is not None and instance.schedule.cron and not can_schedule():
            raise ConfigError(f"the schedule of {instance.type} needs cronsim, which is not installed", installation)


def can_schedule() -> bool:
    """Whether the extra ``schedule`` is installed."""
    from importlib.util import find_spec

    return find_spec("cronsim") is not None


def _is_timezone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # KeyError: ZoneInfoNotFoundError; OSError: a folder, such as Europe
        return False
    return True


def _trouble(cron: str) -> str:
    """Return what is wrong with an expression; empty if there is a time that it means."""
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(cron, datetime.now(UTC)))
    except CronSimError as error:
        return str(error).lower()
    except StopIteration:
        return "there is no such day"
    return ""
