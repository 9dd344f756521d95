"""The times of schedules, checked by what computes them."""

from __future__ import annotations

import pytest

from procman.config import schedules
from procman.config.schedules import require_cronsim, schedule_problems
from procman.core.model.process_overlay import ProcessOverlay
from procman.core.model.schedule import Schedule
from procman.errors import ConfigError
from runtime.fakes import a_plan

cronsim = pytest.importorskip("cronsim")


def problems(**rule: str) -> list[str]:
    process = ProcessOverlay("nightly")
    process.schedule = Schedule(**rule)  # type: ignore[arg-type]
    return [str(problem) for problem in schedule_problems(process, "pip install cronsim")]


def test_good_times_have_no_problem() -> None:
    assert problems(cron="0 2 * * mon-fri", timezone="Europe/Berlin") == []
    assert problems(cron="0 2 29 2 *") == []


@pytest.mark.parametrize(
    ("cron", "trouble"), [("61 * * * *", "bad minute"), ("0 25 * * *", "bad hour"), ("0 0 31 2 *", "bad day-of-month")]
)
def test_a_field_that_means_no_time_is_named(cron: str, trouble: str) -> None:
    (found,) = problems(cron=cron)
    assert f'error: schedule: "{cron}": {trouble}' in found


@pytest.mark.parametrize("name", ["Europe/Berlin2", "Europe", "../etc/passwd", "CEST"])
def test_an_unknown_time_zone_is_named(name: str) -> None:
    assert problems(cron="0 2 * * *", timezone=name) == [
        f'the command line: error: schedule.tz: unknown time zone "{name}" (write a name such as Europe/Berlin or UTC)'
    ]


def test_without_the_extra_check_warns_and_start_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "can_schedule", lambda: False)
    (found,) = problems(cron="0 2 * * *")
    assert 'warning: "nightly" cannot be run by its schedule: cronsim is not installed (pip install cronsim)' in found
    plan = a_plan("nightly.1")
    require_cronsim([plan], "pip install cronsim")
    plan.schedule = Schedule(every=60)
    require_cronsim([plan], "pip install cronsim")
    plan.schedule = Schedule("0 2 * * *")
    with pytest.raises(ConfigError, match="the schedule of nightly needs cronsim, which is not installed"):
        require_cronsim([plan], "pip install cronsim")
