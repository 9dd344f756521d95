"""The key schedule: what it may hold, what it changes in a plan, and each mistake."""

from __future__ import annotations

import pytest

from core.overlay.test_tables import overlaid, planned, web, wrong
from procman.core.model.schedule import Schedule
from procman.core.overlay.scheduling import NICKNAMES, schedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def fields(rule: Schedule) -> dict[str, object]:
    return {name: getattr(rule, name) for name in Schedule.__slots__ if getattr(rule, name) not in ("", None, False)}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("0 2 * * *", {"cron": "0 2 * * *", "overlap": "skip"}),
        ("  */5  *\t* * mon ", {"cron": "*/5 * * * mon", "overlap": "skip"}),
        ("@daily", {"cron": "0 0 * * *", "overlap": "skip"}),
        ({"every": "15m"}, {"every": 900.0, "overlap": "skip"}),
        (
            {"cron": "@hourly", "tz": "UTC", "overlap": "forbid", "catch_up": True, "timeout": 60},
            {"cron": "0 * * * *", "timezone": "UTC", "overlap": "skip", "catch_up": True, "timeout": 60.0},
        ),
        ({"every": 1, "overlap": "queue"}, {"every": 1.0, "overlap": "queue"}),
    ],
)
def test_a_schedule_is_an_expression_or_a_table(value: object, meant: dict[str, object]) -> None:
    assert fields(schedule(value)) == meant


@pytest.mark.parametrize("name", NICKNAMES)
def test_each_name_is_an_expression(name: str) -> None:
    assert len(schedule(name).cron.split()) == 5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "schedule must be a cron expression or a table, not the number 5"),
        ("0 2 * *", "schedule must be a cron expression of five fields"),
        ("0 0 2 * * *", "schedule must be a cron expression of five fields"),
        ("@reboot", "schedule cannot be @reboot"),
        ("@dayly", 'did you mean "@daily"?'),
        ({}, "schedule needs cron or every, and not both"),
        ({"cron": "@daily", "every": 5}, "schedule needs cron or every, and not both"),
        ({"every": "10ms"}, "schedule.every must be a duration of 1 second or more"),
        ({"every": 60, "tz": "UTC"}, "schedule.tz belongs to cron"),
        ({"cron": "@daily", "overlap": "kill"}, "schedule.overlap must be skip, queue or replace"),
        ({"cron": 5}, "schedule.cron must be a cron expression"),
        ({"chron": "@daily"}, 'did you mean "cron"?'),
    ],
)
def test_mistakes_are_named(value: object, message: str) -> None:
    (found,) = wrong(web={"schedule": value})
    assert message in found


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"restart": "always"}, "is always restarted, so its schedule has no effect"),
        ({"listen": True, "start_on": "connection"}, "starts by the clock or on a connection, not both"),
        ({"autoscale": {"cpu": 50, "max": 3}}, "runs by the clock, and autoscale would start it at other times"),
    ],
)
def test_contradictions_are_named(more: dict[str, Any], message: str) -> None:
    (found,) = wrong(web={"schedule": "@daily", **more})
    assert message in found


def test_it_starts_by_the_clock_alone_and_a_failed_run_is_not_repeated() -> None:
    plan = web(overlaid(web={"schedule": "@daily"}), names=("web",))
    assert (plan.autostart, plan.can_die, plan.restart.mode) == (False, True, "never")
    assert web(overlaid(web={"schedule": "@daily", "restart": "on-failure"})).restart.mode == "on-failure"
    assert planned(overlaid(worker={"schedule": "@daily"})).instances[0].autostart


def test_it_says_its_times() -> None:
    assert repr(schedule("@daily")) == "Schedule('0 0 * * *')"
    assert schedule({"every": "90s"}).words == "every 1 min 30 s"
