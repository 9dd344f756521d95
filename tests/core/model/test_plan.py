"""The rules of one instance: how long it waits to be restarted, what counts as a success, and how it is stopped."""

from __future__ import annotations

import pytest

from procman.core.model.plan import RestartPolicy, StopPolicy


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(0, 0), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (10**6, 30)]
)
def test_the_wait_doubles_up_to_its_ceiling(deaths: int, seconds: float) -> None:
    assert RestartPolicy().delay(deaths) == seconds


def test_the_wait_doubles_from_its_own_start_to_its_own_ceiling() -> None:
    policy = RestartPolicy(backoff=0.1, backoff_max=1000.0)
    assert [policy.delay(deaths) for deaths in (0, 1, 2, 3, 14, 15)] == [0, 0.1, 0.2, 0.4, 819.2, 1000.0]
    assert RestartPolicy(backoff=1e-300, backoff_max=1e300).delay(10**6) == pytest.approx(1e-300 * 2.0**64)


def test_a_policy_that_says_nothing() -> None:
    policy = RestartPolicy()
    assert (policy.mode, policy.max_restarts, policy.min_uptime) == ("on-failure", 5, 10.0)
    assert (policy.backoff, policy.backoff_max, policy.success_codes) == (1.0, 30.0, (0,))
    stop = StopPolicy()
    assert (stop.signal_number, stop.grace, stop.command, stop.to) == (15, 5.0, "", "")


def test_other_codes_may_count_as_success() -> None:
    policy = RestartPolicy(success_codes=(3, 143))
    assert [code for code in range(256) if policy.is_success(code)] == [3, 143]
    assert [code for code in range(256) if RestartPolicy().is_success(code)] == [0]


@pytest.mark.parametrize(
    ("stop", "two"),
    [
        (StopPolicy(), True),
        (StopPolicy(to="program"), True),
        (StopPolicy(to="group"), False),
        (StopPolicy(command="bye"), False),
        (StopPolicy(command="bye", to="program"), False),
    ],
)
def test_the_rest_of_a_group_is_signalled_later_only_if_the_program_is_signalled_first(
    stop: StopPolicy, two: bool
) -> None:
    assert stop.has_two_steps is two
