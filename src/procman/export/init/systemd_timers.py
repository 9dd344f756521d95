"""Timers for systemd: they start the units of a process with a schedule (systemd.timer(5), systemd.time(7))."""

from __future__ import annotations

from procman.core.model.schedule import SKIP
from procman.core.text.crontab import Crontab, weekdays
from procman.export.application import seconds
from procman.export.file import ExportFile, ExportWarning, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.schedule import Schedule
    from procman.export.application import Application, Service

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def timer_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield what systemd does differently with schedules."""
    for service in app.services:
        rule = service.first.schedule
        if rule is None:
            continue
        if rule.every is None and not calendar(rule):
            yield ExportWarning(f"not exported to systemd: the schedule {rule.cron} of {service.name}")
        if rule.overlap != SKIP:
            yield ExportWarning(
                f"systemd skips a run of {service.name} while the previous one lasts: overlap is not exported"
            )


def timer_files(app: Application, service: Service) -> Iterator[ExportFile]:
    """Yield a timer for each instance, and the link that starts it with the application."""
    rule = service.first.schedule
    if rule is None:
        return
    for instance in service.instances:
        unit = f"{app.name}-{service.name}@{instance.number}.timer"
        yield ExportFile(unit, _timer(app, service, rule, instance.name))
        yield ExportFile(f"{app.name}-{service.name}.target.wants/{unit}", link=f"../{unit}")


def time_limit(service: Service) -> list[str]:
    """Return the line of [Service] that ends a run that lasts too long."""
    rule = service.first.schedule
    return [] if rule is None or rule.timeout is None else [f"RuntimeMaxSec={seconds(rule.timeout)}"]


def _timer(app: Application, service: Service, rule: Schedule, instance: str) -> str:
    if rule.every is not None:
        times = [f"OnActiveSec={seconds(rule.every)}", f"OnUnitActiveSec={seconds(rule.every)}"]
    else:
        times = [f"OnCalendar={line}" for line in calendar(rule)]
    lines = [
        header("systemd", app.name, f"When {instance} runs: {rule.words}."),
        "",
        "[Unit]",
        f"Description={app.name} {instance}: {rule.words.replace('%', '%%')}",
        f"PartOf={app.name}-{service.name}.target",
        "",
        "[Timer]",
        *times,
        "# Without this line, systemd may start it up to a minute late.",
        "AccuracySec=1s",
        *(["Persistent=yes"] if rule.catch_up and rule.every is None else []),
    ]
    return "\n".join(lines) + "\n"


def calendar(rule: Schedule) -> list[str]:
    """Return the lines of OnCalendar= that mean the same as a cron expression; none if systemd cannot say it."""
    table = Crontab(rule.cron)
    if "W" in table.day or not Crontab.is_plain(table.weekday):
        return []
    clock = f"{_field(table.hour, 0)}:{_field(table.minute, 0)}:00"
    zone = f" {rule.timezone}" if rule.timezone else ""
    month = _field(table.month, 1)
    date = f"*-{month}~01" if table.day == "L" else f"*-{month}-{_field(table.day, 1)}"
    days = "" if table.weekday == "*" else f"{','.join(_DAYS[day] for day in weekdays(table.weekday))} "
    if "L" in table.day and table.day != "L":
        return []
    if table.either_day:  # cron runs on both, systemd only where they agree
        return [f"{date} {clock}{zone}", f"{days}*-{month}-* {clock}{zone}"]
    return [f"{days}{date} {clock}{zone}"]


def _field(text: str, lowest: int) -> str:
    """Return a field of numbers as systemd writes it: ``1..5/2`` for ``1-5/2``, ``0/15`` for ``*/15``."""
    terms = []
    for term in text.split(","):
        span, slash, step = term.partition("/")
        span = str(lowest) if slash and span == "*" else span.replace("-", "..")
        terms.append(f"{span}{slash}{step}")
    return ",".join(terms)
