"""The whole plan: instances in order, stable ports, complete environments."""

from __future__ import annotations

import pytest

from procman.core.model.plan import Layer, merge
from procman.core.model.settings import Settings
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.core.model.plan import Plan

PROCFILE = parse_procfile(b"web: serve $PORT\nworker: work\nclock: tick\n")


def planned(**given: Any) -> Plan:
    """Return the plan for these settings; `env` is the contents of .env."""
    layers = [Layer("environment", {"HOME": "/h"}), Layer(".env", given.pop("env", {}))]
    warnings = given.pop("warnings", ())
    return make_plan(PROCFILE, merge(layers), Settings(root="/app", **given), session="s1", warnings=warnings)


def ports(plan: Plan) -> str:
    return " ".join(f"{instance.name}:{instance.port}" for instance in plan.instances)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "web.1:5000 worker.1:5100 clock.1:5200"),
        ({"formation": "web=2,worker=2"}, "web.1:5000 web.2:5001 worker.1:5100 worker.2:5101"),
        ({"formation": "clock=1"}, "clock.1:5200"),
        ({"names": ("clock",)}, "clock.1:5200"),
        ({"exclude": ("web",)}, "worker.1:5100 clock.1:5200"),
        ({"port": 8000}, "web.1:8000 worker.1:8100 clock.1:8200"),
        ({"env": {"PORT": "7000"}}, "web.1:7000 worker.1:7100 clock.1:7200"),
        ({"env": {"PORT": "7000"}, "port": 8000}, "web.1:8000 worker.1:8100 clock.1:8200"),
        ({"port_step": 10}, "web.1:5000 worker.1:5010 clock.1:5020"),
        ({"port": 0}, "web.1:None worker.1:None clock.1:None"),
        ({"port": 0, "env": {"PORT": "abc"}}, "web.1:None worker.1:None clock.1:None"),
        ({"port": 65535, "names": ("web",)}, "web.1:65535"),
        ({"formation": "web=100,worker=1"}, " ".join(f"web.{n}:{4999 + n}" for n in range(1, 101)) + " worker.1:5100"),
    ],
)
def test_instances_and_ports(given: dict[str, Any], expected: str) -> None:
    assert ports(planned(**given)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"port": 65500}, "worker.1 would get port 65600, outside 1-65535"),
        ({"port": 70000}, "web.1 would get port 70000, outside 1-65535"),
        ({"port": -1}, "web.1 would get port -1, outside 1-65535"),
        ({"port_step": 0}, "web.1 and worker.1 would both get port 5000"),
        ({"formation": "web=101,worker=1"}, "web.101 and worker.1 would both get port 5100"),
        ({"env": {"PORT": "abc"}}, ".env: PORT is not a port"),
        ({"names": ("wbe",)}, 'Procfile has no process type "wbe"'),
        ({"quiet": ("wbe",)}, 'Procfile has no process type "wbe"'),
        ({"only": ("wbe",)}, 'Procfile has no process type "wbe"'),
        ({"only": ("wbe.1",)}, 'Procfile has no process type "wbe"'),
        ({"quiet": ("web.one",)}, 'Procfile has no process type "web.one"'),
    ],
)
def test_what_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned(**given)
    assert caught.value.message == message


def test_an_instance_is_worked_out_completely() -> None:
    plan = planned(formation="worker=2", env={"X": "1"}, restart="always", max_restarts=2, timeout=1.0)
    second = plan.instances[1]
    assert (second.name, second.type, second.number, second.port) == ("worker.2", "worker", 2, 5101)
    assert (second.command, second.cwd, second.index) == ("work", "/app", 1)
    assert (second.restart.mode, second.restart.max_restarts) == ("always", 2)
    assert (second.stop.signal_number, second.stop.grace) == (15, 1.0)
    assert second.env == {
        "HOME": "/h",
        "X": "1",
        "PORT": "5101",
        "PS": "worker.2",
        "PROCMAN_INSTANCE": "worker.2",
        "PROCMAN_PROCESS": "worker",
        "PROCMAN_SESSION": "s1",
        "PROCMAN_WEB_PORT": "5000",
        "PROCMAN_WORKER_PORT": "5100",
        "PROCMAN_CLOCK_PORT": "5200",
        "PROCMAN_WEB_URL": "http://localhost:5000",
        "PROCMAN_WORKER_URL": "http://localhost:5100",
        "PROCMAN_CLOCK_URL": "http://localhost:5200",
        "PYTHONUNBUFFERED": "1",
    }


def test_each_environment_is_the_callers_own() -> None:
    plan = planned()
    plan.instances[0].env["X"] = "changed"
    assert "X" not in plan.instances[0].env
    assert "X" not in plan.instances[1].env


def test_without_ports_the_environments_port_is_left_alone() -> None:
    plan = planned(port=0, env={"PORT": "abc"})
    assert plan.instances[0].env["PORT"] == "abc"
    assert "PROCMAN_WEB_PORT" not in plan.instances[0].env


def test_a_type_whose_port_cannot_be_and_that_does_not_run_hinders_nobody() -> None:
    plan = planned(port=65500, names=("web",))
    assert "PROCMAN_WORKER_PORT" not in plan.instances[0].env


@pytest.mark.parametrize(
    ("given", "quiet"),
    [
        ({}, []),
        ({"quiet": ("web",)}, ["web"]),
        ({"quiet": ("web,clock",)}, ["web", "clock"]),
        ({"only": ("web",)}, ["worker", "clock"]),
        ({"only": ("web", "clock"), "quiet": ("clock",)}, ["worker", "clock"]),
        ({"quiet": ("web.1", "clock.2")}, ["web"]),
        ({"only": ("web.1,clock",)}, ["worker"]),
        ({"only": ("web.2",)}, ["web", "worker", "clock"]),
    ],
)
def test_quiet_types_and_instances_run_without_being_shown(given: dict[str, Any], quiet: list[str]) -> None:
    plan = planned(**given)
    assert [instance.type for instance in plan.instances if plan.hides(instance.name)] == quiet


def test_the_plan_keeps_what_it_was_made_from() -> None:
    plan = planned(warnings=("mind the gap",))
    assert (plan.procfile, plan.root, plan.session, plan.warnings) == (PROCFILE, "/app", "s1", ("mind the gap",))
    assert plan.environment.origin["HOME"] == "environment"


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("formation", "old=1", "PROCMAN_FORMATION"),
        ("formation", "web=x", "procman.toml:3"),
        ("exclude", ("old",), "procman.toml:3"),
        ("quiet", ("old",), "PROCMAN_QUIET"),
        ("only", ("old.2",), "procman.toml:3"),
    ],
)
def test_a_refusal_names_its_source(name: str, value: object, place: str) -> None:
    settings = Settings({name: place}, procfile="/app/Procfile", root="/app", **{name: value})
    with pytest.raises(UsageError, match=f"^{place}: "):
        make_plan(parse_procfile(b"web: x\n"), merge([]), settings)


def test_names_that_only_foremans_file_has_are_warnings() -> None:
    settings = Settings({"formation": ".foreman:1"}, procfile="/app/Procfile", root="/app", formation="web=1,old=2")
    plan = make_plan(parse_procfile(b"web: x\nworker: y\n"), merge([]), settings)
    assert [one.name for one in plan.instances] == ["web.1"]
    assert plan.warnings == ('.foreman:1: Procfile has no process type "old"',)


@pytest.mark.parametrize(
    ("formation", "names", "warnings"),
    [
        ("old=2", ["web.1", "worker.1"], 1),  # as if there was no formation
        ("all=2", ["web.1", "web.2", "worker.1", "worker.2"], 0),
        ("old=2,all=0,web=1", ["web.1"], 1),
    ],
)
def test_what_is_left_of_foremans_formation_counts(formation: str, names: list[str], warnings: int) -> None:
    settings = Settings({"formation": ".foreman:1"}, procfile="/app/Procfile", root="/app", formation=formation)
    plan = make_plan(parse_procfile(b"web: x\nworker: y\n"), merge([]), settings)
    assert [one.name for one in plan.instances] == names
    assert len(plan.warnings) == warnings


def test_our_own_lines_can_be_quiet_too() -> None:
    assert planned(quiet=("system",)).hides("system")
    assert not planned(only=("system", "web")).hides("system")


def test_a_name_with_two_dots_is_no_instance() -> None:
    with pytest.raises(UsageError) as caught:
        planned(quiet=("web.x.1",))
    assert caught.value.message == 'Procfile has no process type "web.x.1"'


def test_a_port_that_another_instance_has_moved_to_is_not_given_twice() -> None:
    def ports(count: int, **moved: int) -> list[int | None]:
        names = {name.replace("_", "."): port for name, port in moved.items()}
        settings = Settings(root="/app", formation=f"web={count}")
        return [one.port for one in make_plan(PROCFILE, merge([]), settings, moved=names).instances]

    assert ports(4, web_1=5001) == [5001, 5002, 5003, 5004]
    assert ports(2, web_1=5001) == [5001, 5002]  # the same, however many there are
    assert ports(4, web_1=5002) == [5002, 5001, 5003, 5004]
    assert ports(4, web_1=5002, web_4=5003) == [5002, 5001, 5004, 5003]
    assert ports(3, worker_1=5001) == [5000, 5001, 5002]  # that is for the user to settle


def test_ports_that_were_moved_are_those_of_the_plan() -> None:
    plan = make_plan(
        PROCFILE, merge([]), Settings(root="/app", formation="web=2"), moved={"web.2": 5050, "worker.1": 5150}
    )
    assert ports(plan) == "web.1:5000 web.2:5050"
    assert plan.moved == {"web.2": 5050, "worker.1": 5150}
    assert plan.instances[0].env["PROCMAN_WORKER_PORT"] == "5150"
    assert plan.instances[0].env["PROCMAN_WEB_PORT"] == "5000"
    assert (plan.procfile_path, plan.session) == ("/app/Procfile", "")


def test_warnings_of_the_config_files_come_first() -> None:
    settings = Settings(root="/app")
    settings.notes = ("a note",)
    plan = make_plan(PROCFILE, merge([]), settings, warnings=("a warning",))
    assert plan.warnings == ("a note", "a warning")


# Worktrees


def in_worktree(slot: int, origin: dict[str, str] | None = None, **given: Any) -> Plan:
    """Return the plan in the linked worktree with this slot; `env` is the contents of .env, `real` the environment."""
    layers = [Layer("environment", given.pop("real", {})), Layer(".env", given.pop("env", {}), {"PORT": 1})]
    settings = Settings(origin, root="/app", **given)
    settings.slot = slot
    settings.checkout = "fix"
    return make_plan(PROCFILE, merge(layers), settings, session="s1")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "web.1:8000 worker.1:8100 clock.1:8200"),
        ({"port": 3000, "origin": {"port": "procman.toml:1"}}, "web.1:6000 worker.1:6100 clock.1:6200"),
        ({"port": 40000, "origin": {"port": "procman.toml:1"}}, "web.1:37000 worker.1:37100 clock.1:37200"),
        ({"port": 3000, "origin": {"port": "--port"}}, "web.1:3000 worker.1:3100 clock.1:3200"),
        ({"port": 3000, "origin": {"port": "PROCMAN_PORT"}}, "web.1:3000 worker.1:3100 clock.1:3200"),
        ({"env": {"PORT": "7000"}}, "web.1:7000 worker.1:7100 clock.1:7200"),
        (
            {"env": {"PORT": "7000"}, "origin": {"port_offset": "--port-offset"}},
            "web.1:10000 worker.1:10100 clock.1:10200",
        ),
        ({"real": {"PORT": "7000"}}, "web.1:7000 worker.1:7100 clock.1:7200"),
        ({"port_offset": 0, "origin": {"port_offset": "--port-offset"}}, "web.1:5000 worker.1:5100 clock.1:5200"),
        ({"port_offset": 250, "env": {"PORT": "7000"}}, "web.1:7250 worker.1:7350 clock.1:7450"),
        ({"port": 0}, "web.1:None worker.1:None clock.1:None"),
    ],
)
def test_a_linked_worktree_moves_the_base_unless_it_is_fixed(given: dict[str, Any], expected: str) -> None:
    assert ports(in_worktree(3, **given)) == expected


@pytest.mark.parametrize("slot", range(1, 27))
@pytest.mark.parametrize("base", [1, 80, 5000, 32767, 32768, 60000, 65000])
def test_every_base_has_valid_ports_in_every_worktree(slot: int, base: int) -> None:
    assert len(in_worktree(slot, {"port": "procman.toml:1"}, port=base).instances) == 3


def test_an_offset_too_large_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match=r"^web.1 would get port 70000, outside 1-65535$") as caught:
        in_worktree(0, port_offset=65000)
    assert caught.value.hint == "choose a lower base with -p, or a smaller --port-offset"


def test_a_port_in_an_env_file_is_a_warning_in_a_worktree_only() -> None:
    (warning,) = in_worktree(3, env={"PORT": "7000"}).warnings
    assert warning.startswith(".env:1: PORT gives this worktree the ports of the other checkouts; ")
    assert in_worktree(0, env={"PORT": "7000"}).warnings == ()
    assert in_worktree(3, real={"PORT": "7000"}).warnings == ()
    assert in_worktree(3, {"port_offset": "--port-offset"}, env={"PORT": "7000"}).warnings == ()


def test_each_process_has_the_name_of_the_checkout() -> None:
    environments = [instance.env for instance in in_worktree(3, env={"PROCMAN_CHECKOUT": "mine"}).instances]
    assert {env["PROCMAN_CHECKOUT"] for env in environments} == {"fix"}
    assert "PROCMAN_CHECKOUT" not in planned().instances[0].env
