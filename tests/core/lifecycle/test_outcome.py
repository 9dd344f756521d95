"""Why a run ends, its exit code, and what an instance says of its lives."""

from __future__ import annotations

import pytest

from procman.core.lifecycle import outcome
from procman.core.lifecycle.instance import Instance, sort_instances
from procman.core.lifecycle.outcome import Outcome, Reason
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy


def an_instance(name: str = "web.1", index: int = 0) -> Instance:
    kind, _, number = name.partition(".")
    return Instance(
        InstancePlan(name, kind, int(number), None, "x", "/", {}, RestartPolicy(), StopPolicy(), index=index)
    )


@pytest.mark.parametrize(
    ("reason", "in_time", "late"),
    [
        (outcome.TERMINATED, 0, 143),
        (outcome.ASKED, 0, 143),
        (outcome.INTERRUPTED, 130, 130),
        (outcome.QUIT, 131, 131),
        (outcome.HUNG_UP, 129, 129),
        (outcome.OUTPUT_CLOSED, 141, 141),
        (outcome.GUARDIAN_DIED, 143, 143),
        (Reason("web.1 failed"), 7, 7),
        (None, 7, 7),
    ],
)
def test_each_reason_has_its_exit_code(reason: Reason | None, in_time: int, late: int) -> None:
    result = Outcome()
    result.note_failure(7)
    result.note_failure(8)  # the first one counts
    assert result.exit_code(reason) == in_time
    result.stopped_in_time = False
    assert result.exit_code(reason) == late


def test_the_uptime_is_that_of_the_present_life_or_else_of_the_last_one() -> None:
    instance = an_instance()
    assert instance.uptime(100.0) == 0.0
    instance.started, instance.pid = 10.0, 7
    assert instance.uptime(15.0) == 5.0
    assert instance.uptime(9.0) == 0.0
    instance.ended, instance.pid = 12.0, None
    assert instance.uptime(100.0) == 2.0
    instance.pid = 8  # a new child counts, whatever the last one left
    assert instance.uptime(100.0) == 90.0


def test_instances_are_sorted_by_the_procfile_and_then_by_number() -> None:
    instances = {name: an_instance(name, index) for name, index in (("db.1", 1), ("web.10", 0), ("web.2", 0))}
    sort_instances(instances)
    assert list(instances) == ["web.2", "web.10", "db.1"]


@pytest.mark.parametrize(
    ("policy", "two"),
    [
        (StopPolicy(), True),
        (StopPolicy(to="program"), True),
        (StopPolicy(to="group"), False),
        (StopPolicy(command="bye"), False),
    ],
)
def test_only_a_signal_that_may_be_for_the_program_alone_has_a_second_step(policy: StopPolicy, two: bool) -> None:
    assert policy.has_two_steps is two


def test_the_rules_without_settings_are_those_of_the_manual() -> None:
    restart, stop = RestartPolicy(), StopPolicy()
    assert (restart.mode, restart.max_restarts, restart.min_uptime) == ("on-failure", 5, 10.0)
    assert (restart.backoff, restart.backoff_max, restart.success_codes) == (1.0, 30.0, (0,))
    assert (stop.signal_number, stop.grace, stop.command, stop.to) == (15, 5.0, "", "")
    assert restart.delay(10_000) == 30.0
