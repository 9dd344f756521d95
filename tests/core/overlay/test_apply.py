"""What an overlay changes in a plan, above all for empty values and types that do not run."""

from __future__ import annotations

import pytest

from procman.core.model.plan import Layer, merge
from procman.core.model.process_overlay import Table
from procman.core.model.settings import Settings
from procman.core.overlay.tables import parse_overlay
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.errors import UsageError

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


@pytest.mark.parametrize(
    ("table", "attribute", "value"),
    [
        ({"groups": ["back"]}, "groups", ("back",)),
        ({"port": 7000}, "names_port", True),
        ({"port": False}, "names_port", False),
        ({}, "names_port", False),
        ({"can_die": True}, "can_die", True),
        ({"pty": False}, "pty", False),
        ({"color": "green"}, "color", 1),
        ({"watch": "*.py"}, "watch", ("*.py",)),
        ({"log_file": "web.log"}, "log_file", "web.log"),
        ({"autostart": False}, "autostart", False),
        ({"cwd": "/srv"}, "cwd", "/srv"),
        ({"primary": True}, "primary", True),
    ],
)
def test_a_key_changes_the_plan_of_its_process_type_alone(
    table: dict[str, object], attribute: str, value: object
) -> None:
    plan, usual = planned({"web": table}), planned({})
    assert getattr(instance(plan, "web.1"), attribute) == value
    assert getattr(instance(plan, "db.1"), attribute) == getattr(instance(usual, "db.1"), attribute)


def test_checks_get_the_port_of_their_instance() -> None:
    web = instance(planned({"web": {"ready": {"tcp": True}, "health": {"http": "/"}, "port": 7000}}), "web.1")
    assert web.ready is not None
    assert web.health is not None
    assert (web.ready.target, web.health.target) == ("localhost:7000", "http://localhost:7000/")


def test_a_dependency_of_a_running_type_is_waited_for_in_order() -> None:
    plan = planned({"web": {"depends_on": ["worker", "db"]}}, exclude=("worker",))
    assert [one.type for one in instance(plan, "web.1").depends_on] == ["db"]
    assert instance(plan, "db.1").depends_on == ()


def test_what_several_types_depend_on_is_added_once() -> None:
    tables: dict[str, object] = {"web": {"depends_on": ["db"]}, "worker": {"depends_on": ["db"]}}
    assert names(planned(tables, names=("web", "worker"))) == ["web.1", "worker.1", "db.1"]


@pytest.mark.parametrize("named", [("web",), ("web=2",), ("front",), ("worker,web",)])
def test_a_named_type_starts_even_if_it_does_not_start_by_itself(named: tuple[str, ...]) -> None:
    plan = planned({"web": {"autostart": False, "groups": ["front"]}, "worker": {"autostart": False}}, names=named)
    assert instance(plan, "web.1").autostart
    both = planned({"web": {"autostart": False}, "worker": {"autostart": False}}, names=("worker", "db"))
    assert [one.name for one in both.instances if one.autostart] == ["worker.1", "db.1"]


def test_counts_of_the_overlay_apply_where_no_formation_does() -> None:
    tables: dict[str, object] = {"web": {"formation": 2}, "db": {"formation": 0}}
    assert names(planned(tables)) == ["web.1", "web.2", "worker.1"]
    assert names(planned(tables, formation="db=1")) == ["db.1"]


def test_a_type_without_a_port_of_its_own_keeps_the_usual_one() -> None:
    plan = planned({"web": {"port": 7000, "formation": 2}, "worker": {"port": False}})
    assert [one.port for one in plan.instances] == [7000, 7001, None, 5200]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, ("on-failure", 5, 10.0, 1.0, 30.0, (0,))),
        ({"restart": "never"}, ("never", 5, 10.0, 1.0, 30.0, (0,))),
        ({"max_restarts": 2}, ("on-failure", 2, 10.0, 1.0, 30.0, (0,))),
        ({"min_uptime": 3}, ("on-failure", 5, 3.0, 1.0, 30.0, (0,))),
        ({"backoff": 2}, ("on-failure", 5, 10.0, 2.0, 30.0, (0,))),
        ({"backoff": {"max": 9}}, ("on-failure", 5, 10.0, 1.0, 9.0, (0,))),
        ({"success_exit_codes": [3]}, ("on-failure", 5, 10.0, 1.0, 30.0, (0, 3))),
    ],
)
def test_a_rule_that_is_not_given_is_the_usual_one(table: dict[str, object], expected: tuple[object, ...]) -> None:
    rule = instance(planned({"web": table}), "web.1").restart
    names_ = ("mode", "max_restarts", "min_uptime", "backoff", "backoff_max", "success_codes")
    assert tuple(getattr(rule, name) for name in names_) == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, (15, 5.0, "", "")),
        ({"stop_signal": "INT"}, (2, 5.0, "", "")),
        ({"stop_timeout": 9}, (15, 9.0, "", "")),
        ({"stop_command": "bye"}, (15, 5.0, "bye", "")),
        ({"stop_to": "group"}, (15, 5.0, "", "group")),
    ],
)
def test_a_way_to_stop_that_is_not_given_is_the_usual_one(
    table: dict[str, object], expected: tuple[object, ...]
) -> None:
    stop = instance(planned({"web": table}), "web.1").stop
    assert (stop.signal_number, stop.grace, stop.command, stop.to) == expected


def test_a_group_of_the_overlay_can_be_quiet_or_the_only_one_that_is_shown() -> None:
    tables: dict[str, object] = {"worker": {"groups": ["back"]}, "db": {"groups": ["back"]}}
    for plan, names_ in (
        (planned(tables, quiet=("back",)), ["web.1"]),
        (planned(tables, only=("back",)), ["worker.1", "db.1"]),
    ):
        assert [one.name for one in plan.instances if not plan.hides(one.name)] == names_


def test_an_unknown_name_that_is_excluded_is_told_with_its_place() -> None:
    overlay = parse_overlay([], PROCFILE)
    settings = Settings({"exclude": "procman.toml:3"}, procfile="/app/Procfile", root="/app", exclude=("old",))
    with pytest.raises(UsageError, match=r"^procman\.toml:3: "):
        make_plan(PROCFILE, merge([]), settings, overlay)
