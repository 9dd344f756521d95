"""What an overlay changes in a plan, where a value of nothing or a type that does not run makes the difference."""

from __future__ import annotations

import pytest

from procman.core.model.process_overlay import Table
from procman.core.model.settings import Settings
from procman.core.overlay.tables import parse_overlay
from procman.core.planner import make_plan
from procman.core.procfile.environment import Layer, merge
from procman.core.procfile.parser import parse_procfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.core.model.plan import InstancePlan, Plan

PROCFILE = parse_procfile(b"web: serve\nworker: work\ndb: keep\n")


def planned(tables: dict[str, object], moved: dict[str, int] | None = None, **given: Any) -> Plan:
    """Return the plan of an application with these [process.NAME] tables. PWD is set in the environment."""
    overlay = parse_overlay([Table("procman.toml", "", tables, {})], PROCFILE)
    assert not overlay.errors
    environment = merge([Layer("environment", {"PWD": "/home"})])
    return make_plan(PROCFILE, environment, Settings(root="/app", **given), overlay, moved=moved)


def instance(plan: Plan, name: str) -> InstancePlan:
    return next(one for one in plan.instances if one.name == name)


def names(plan: Plan) -> list[str]:
    return [one.name for one in plan.instances]


DEPENDS: dict[str, object] = {"worker": {"depends_on": ["web"]}}


def test_a_formation_lists_all_that_runs_so_a_dependency_is_not_added() -> None:
    plan = planned(DEPENDS, names=("worker",), formation="worker=1,web=1")
    assert names(plan) == ["worker.1"]


def test_a_dependency_with_a_count_of_0_is_not_added() -> None:
    plan = planned({**DEPENDS, "web": {"formation": 0}}, names=("worker",))
    assert names(plan) == ["worker.1"]


def test_an_added_dependency_keeps_its_place_in_the_procfile_and_its_count() -> None:
    plan = planned({**DEPENDS, "web": {"formation": 2}}, names=("worker",))
    assert names(plan) == ["web.1", "web.2", "worker.1"]


def test_a_dependency_that_is_left_out_is_a_warning_and_not_waited_for() -> None:
    plan = planned(DEPENDS, exclude=("web",))
    assert instance(plan, "worker.1").depends_on == ()
    (warning,) = plan.warnings
    assert '"worker" depends on "web", which is left out' in warning
    assert planned(DEPENDS).warnings == planned(DEPENDS, names=("db",)).warnings == ()


def test_only_one_instance_of_the_primary_process_is_primary() -> None:
    plan = planned({"web": {"primary": True, "formation": 2}})
    assert [bool(one.primary) for one in plan.instances if one.type == "web"].count(True) == 1


@pytest.mark.parametrize(("table", "pwd"), [({"cwd": "/srv"}, "/srv"), ({}, "/home")])
def test_pwd_follows_the_folder_of_the_process(table: dict[str, object], pwd: str) -> None:
    assert instance(planned({"web": table}), "web.1").env["PWD"] == pwd


def test_a_value_of_0_is_a_value() -> None:
    web = instance(planned({"web": {"max_restarts": 0, "stop_timeout": 0, "min_uptime": 0}}), "web.1")
    assert (web.restart.max_restarts, web.stop.grace, web.restart.min_uptime) == (0, 0, 0)


def test_a_long_first_delay_raises_the_longest_one() -> None:
    web = instance(planned({"web": {"backoff": 90}}), "web.1")
    assert (web.restart.backoff, web.restart.backoff_max) == (90, 90)


def test_a_moved_port_is_what_the_others_are_given() -> None:
    plan = planned({}, moved={"web.1": 5007})
    assert instance(plan, "web.1").port == 5007
    assert instance(plan, "db.1").env["PROCMAN_WEB_PORT"] == "5007"


def test_pwd_is_not_invented() -> None:
    overlay = parse_overlay([Table("procman.toml", "", {"web": {"cwd": "/srv"}}, {})], PROCFILE)
    plan = make_plan(PROCFILE, merge([Layer("environment", {})]), Settings(root="/app"), overlay)
    web = instance(plan, "web.1")
    assert (web.cwd, "PWD" in web.env) == ("/srv", False)
