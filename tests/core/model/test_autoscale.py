"""How many instances a number asks for, and how long a higher count lasts."""

from __future__ import annotations

import pytest

from procman.core.model.autoscale import Autoscale, Stabilization


@pytest.mark.parametrize(
    ("number", "count"), [(0, 2), (1, 2), (200, 2), (200.5, 3), (300, 3), (301, 4), (500, 5), (501, 5), (1e300, 5)]
)
def test_each_instance_stands_for_its_share_within_the_limits(number: float, count: int) -> None:
    assert Autoscale("x", per_instance=100.0, highest=5, lowest=2).count(number) == count


def test_more_is_settled_at_once_and_fewer_when_the_whole_window_agrees() -> None:
    window = Stabilization(1, 0.0)
    asked = [(10.0, 4), (20.0, 2), (60.0, 1), (71.0, 1), (85.0, 1), (121.0, 1)]
    assert [window.settle(count, 60.0, now) for now, count in asked] == [4, 4, 4, 2, 1, 1]


def test_it_begins_with_what_runs() -> None:
    window = Stabilization(3, 0.0)
    assert [window.settle(1, 30.0, now) for now in (15.0, 29.0, 30.0)] == [3, 3, 1]


def test_without_a_cooldown_each_measurement_counts() -> None:
    window = Stabilization(3, 0.0)
    assert [window.settle(count, 0.0, 1.0) for count in (1, 5, 2)] == [1, 5, 2]
