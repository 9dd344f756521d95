"""What targets with a scheduler of their own make of a schedule: a cron expression, or a warning."""

from __future__ import annotations

from procman.core.model.schedule import QUEUE
from procman.core.text.crontab import Crontab, crontab_of_period
from procman.export.file import ExportWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export.application import Application, Service


def crontab_of(service: Service) -> str | None:
    """Return the times of a service as every cron can read them; None if they cannot be written so."""
    rule = service.first.schedule
    if rule is None:
        return None
    if rule.every is not None:
        return crontab_of_period(rule.every)
    table = Crontab(rule.cron)
    return str(table) if table.is_standard else None


def schedule_warnings(app: Application, target: str, default_zone: str, *keys: str) -> Iterator[ExportWarning]:
    """Yield what a target with a scheduler does differently. ``keys`` are those of a schedule that it follows."""
    for service in app.services:
        rule = service.first.schedule
        if rule is None:
            continue
        if crontab_of(service) is None:
            yield ExportWarning(f"not exported to {target}: {service.name}, since no cron can say {rule.words}")
            continue
        if rule.overlap == QUEUE and "queue" not in keys:
            yield ExportWarning(f"{target} skips a run of {service.name} while the previous one lasts: it has no queue")
        missing = [
            *(["overlap = replace"] if rule.overlap == "replace" and "replace" not in keys else []),
            *(["catch_up"] if rule.catch_up and "catch_up" not in keys else []),
            *(["timeout"] if rule.timeout is not None and "timeout" not in keys else []),
            *(["tz"] if rule.timezone and "tz" not in keys else []),
        ]
        if missing:
            yield ExportWarning(f"not exported to {target}: {' and '.join(missing)} of the schedule of {service.name}")
        if not rule.timezone and not _is_everywhere(service):
            yield ExportWarning(f"{target} runs {service.name} by {default_zone}, unless its schedule has a tz")


def _is_everywhere(service: Service) -> bool:
    """Whether the hour does not matter, so that the time zone hardly does."""
    table = crontab_of(service)
    return table is not None and table.split()[1:] == ["*"] * 4
