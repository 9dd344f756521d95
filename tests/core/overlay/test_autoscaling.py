"""What the key autoscale accepts."""

from __future__ import annotations

import re

import pytest

from procman.core.overlay.autoscaling import autoscale
from procman.core.overlay.converters import WrongValueError


def test_a_command_and_its_share() -> None:
    rule = autoscale({"exec": "./length", "per_instance": 50, "min": 2, "max": 8, "cooldown": "2m", "interval": 5})
    assert (rule.exec, rule.per_instance, rule.lowest, rule.highest) == ("./length", 50.0, 2, 8)
    assert (rule.cooldown, rule.interval) == (120.0, 5.0)


def test_the_usual_times_and_the_share_of_a_cpu() -> None:
    rule = autoscale({"cpu": 80, "max": 4})
    assert (rule.exec, rule.per_instance, rule.lowest, rule.highest) == ("", 0.8, 1, 4)
    assert (rule.cooldown, rule.interval) == (60.0, 15.0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "must be a table, not the number 3"),
        ({"max": 3}, "needs exec or cpu, and not both"),
        ({"exec": "x", "cpu": 80, "per_instance": 1, "max": 3}, "needs exec or cpu, and not both"),
        ({"exec": "x", "max": 3}, "needs per_instance with exec, and only there"),
        ({"cpu": 80, "per_instance": 3, "max": 3}, "needs per_instance with exec, and only there"),
        ({"cpu": 80}, "needs max"),
        ({"cpu": 80, "max": 2, "min": 3}, "has min = 3 above max = 2"),
        ({"cpu": 80, "max": 0}, "must be a number from 1 to 1000, not the number 0"),
        ({"exec": "x", "per_instance": 0, "max": 3}, "must be a number above 0, not the number 0"),
        ({"exec": "x", "per_instance": True, "max": 3}, "must be a number above 0, not true"),
        ({"exec": "x", "per_instance": float("nan"), "max": 3}, "must be a number above 0"),
    ],
)
def test_what_it_refuses(value: object, message: str) -> None:
    with pytest.raises(WrongValueError) as refused:
        autoscale(value)
    assert re.match(re.escape(message), refused.value.message)
