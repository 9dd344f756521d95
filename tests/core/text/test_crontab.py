"""Cron expressions as other schedulers read them."""

from __future__ import annotations

import pytest

from procman.core.text.crontab import Crontab, crontab_of_period, weekdays


@pytest.mark.parametrize(
    ("expression", "standard"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("0 2 * jan-mar sun", "0 2 * 1-3 0"),
        ("*/5 * * * 7", "*/5 * * * 0"),
        ("0 0 1 * mon-fri", "0 0 1 * 1,2,3,4,5"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * */2", "0 0 * * */2"),
    ],
)
def test_names_become_numbers_and_sunday_is_0(expression: str, standard: str) -> None:
    table = Crontab(expression)
    assert str(table) == standard
    assert table.is_standard


@pytest.mark.parametrize("expression", ["0 0 L * *", "0 0 LW * *", "0 0 * * 5#2", "0 0 * * 5L"])
def test_some_days_only_some_crons_know(expression: str) -> None:
    assert not Crontab(expression).is_standard


@pytest.mark.parametrize(
    ("expression", "either"), [("0 0 1 * 5", True), ("0 0 */2 * 5", False), ("0 0 1 * *", False), ("0 0 * * 5", False)]
)
def test_two_restricted_days_are_alternatives(expression: str, either: bool) -> None:
    assert Crontab(expression).either_day is either


@pytest.mark.parametrize(
    ("field", "days"), [("*", [0, 1, 2, 3, 4, 5, 6]), ("1-5/2", [1, 3, 5]), ("0,7", [0]), ("*/3", [0, 3, 6])]
)
def test_a_field_of_weekdays_is_a_set(field: str, days: list[int]) -> None:
    assert weekdays(field) == days


@pytest.mark.parametrize(
    ("seconds", "expression"),
    [
        (60, "*/1 * * * *"),
        (900, "*/15 * * * *"),
        (3600, "0 * * * *"),
        (7200, "0 */2 * * *"),
        (86400, "0 0 * * *"),
        (420, None),
        (90, None),
        (18000, None),
        (172800, None),
        (5400, None),
    ],
)
def test_a_period_that_divides_an_hour_or_a_day_is_an_expression(seconds: float, expression: str | None) -> None:
    assert crontab_of_period(seconds) == expression
