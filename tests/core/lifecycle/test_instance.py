"""One instance: its attributes before its first life, its uptime, and its place in the list."""

from __future__ import annotations

import pytest

from procman.core.lifecycle.instance import Fact, Instance, State, sort_instances
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy


def an_instance(name: str = "web.1", index: int = 0) -> Instance:
    kind, _, number = name.partition(".")
    plan = InstancePlan(name, kind, int(number), None, "x", "/", {}, RestartPolicy(), StopPolicy())
    plan.index = index
    return Instance(plan)


NOTHING_KNOWN = {
    "state": State.EXITED,
    "deadline": None,
    "time_left": None,
    "grace_left": 0.0,
    "pid": None,
    "started": None,
    "ready_at": None,
    "ended": None,
    "status": None,
    "last": None,
    "last_failure": "",
    "crashes": 0,
    "failure": "",
    "trouble": "",
    "failed_probes": 0,
    "quick_deaths": 0,
    "restarts": 0,
    "delay": 0.0,
}


@pytest.mark.parametrize(("attribute", "value"), NOTHING_KNOWN.items())
def test_of_an_instance_that_never_ran_nothing_is_known(attribute: str, value: object) -> None:
    assert getattr(an_instance(), attribute) == value


@pytest.mark.parametrize(
    "attribute", ["wanted", "held", "held_up", "paused", "asked", "condemned", "killed", "stopped"]
)
def test_nothing_was_done_to_an_instance_that_never_ran(attribute: str) -> None:
    assert getattr(an_instance(), attribute) is False


def test_the_circumstances_of_an_event_are_ordinary_unless_they_are_given() -> None:
    fact = Fact(7.0)
    assert (fact.now, fact.pid, fact.status, fact.reason) == (7.0, None, None, "")
    assert (fact.jitter, fact.until, fact.blocked, fact.held_up) == (1.0, None, [], False)


@pytest.mark.parametrize(
    ("started", "ended", "pid", "uptime"),
    [
        (None, None, None, 0.0),
        (None, 3.0, None, 0.0),
        (2.0, None, 7, 8.0),
        (2.0, 3.0, 7, 8.0),  # the end is that of the life before
        (2.0, 3.0, None, 1.0),
        (2.0, None, None, 8.0),
        (12.0, None, 7, 0.0),
    ],
)
def test_it_is_up_from_its_start_to_its_end_or_to_now(
    started: float | None, ended: float | None, pid: int | None, uptime: float
) -> None:
    instance = an_instance()
    instance.started, instance.ended, instance.pid = started, ended, pid
    assert instance.uptime(10.0) == uptime


@pytest.mark.parametrize(("deadline", "grace_left", "last"), [(None, 4.0, None), (6.0, 4.0, 10.0), (6.0, 0.0, 6.0)])
def test_the_last_deadline_is_the_end_of_the_whole_grace(
    deadline: float | None, grace_left: float, last: float | None
) -> None:
    instance = an_instance()
    instance.deadline, instance.grace_left = deadline, grace_left
    assert instance.last_deadline == last


@pytest.mark.parametrize("state", [value for name, value in vars(State).items() if name.isupper()])
def test_only_what_is_down_is_at_rest(state: str) -> None:
    instance = an_instance()
    instance.state = state
    assert instance.at_rest is (state in ("exited", "failed"))


def test_instances_are_listed_as_in_the_procfile_and_by_number() -> None:
    listed = [an_instance("web.10", 1), an_instance("web.2", 1), an_instance("api.1", 2), an_instance("db.1", 0)]
    instances = {instance.name: instance for instance in listed}
    sort_instances(instances)
    assert list(instances) == ["db.1", "web.2", "web.10", "api.1"]
    assert all(instances[instance.name] is instance for instance in listed)
