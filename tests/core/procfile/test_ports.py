"""Base + step × type + number, the origin of the base, and ports that are refused."""

from __future__ import annotations

import pytest

from procman.core.model.plan import Environment, InstancePlan, RestartPolicy, StopPolicy
from procman.core.procfile.environment import Layer, merge
from procman.core.procfile.ports import base_port, check_ports, moved_ports, port_of, port_variable, whole_number
from procman.errors import UsageError

NOTHING = Environment({}, {})


@pytest.mark.parametrize(
    ("base", "step", "index", "number", "port"),
    [
        (5000, 100, 0, 1, 5000),
        (5000, 100, 0, 3, 5002),
        (5000, 100, 1, 1, 5100),
        (5000, 100, 2, 4, 5203),
        (8080, 10, 3, 1, 8110),
        (1, 1, 0, 1, 1),
    ],
)
def test_port_of(base: int, step: int, index: int, number: int, port: int) -> None:
    assert port_of(base, step, index, number) == port


def test_the_base_is_5000_unless_somebody_says_otherwise() -> None:
    assert base_port(None, NOTHING) == 5000


@pytest.mark.parametrize("text", ["7000", " 7000 ", "07000"])
def test_port_of_the_environment_is_the_base(text: str) -> None:
    assert base_port(None, merge([Layer(".env", {"PORT": text})])) == 7000


def test_the_option_wins_over_the_environment_even_over_a_wrong_one() -> None:
    assert base_port(8000, merge([Layer(".env", {"PORT": "abc"})])) == 8000


def test_an_empty_port_is_none() -> None:
    assert base_port(None, merge([Layer(".env", {"PORT": ""})])) == 5000


def test_env_files_win_over_the_real_environment() -> None:
    layers = [Layer("environment", {"PORT": "6000"}), Layer(".env", {"PORT": "7000"})]
    assert base_port(None, merge(layers)) == 7000
    assert base_port(None, merge(reversed(layers))) == 6000


@pytest.mark.parametrize("text", ["abc", "-1", "0", "65536", "5000.0", "5e3", "5_000", "٣", "9" * 5000, "80 80"])
def test_a_port_that_is_none_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        base_port(None, merge([Layer(".env", {"PORT": text}, {"PORT": 3})]))
    assert caught.value.message == ".env:3: PORT is not a port"


def test_the_real_environment_is_named_too() -> None:
    with pytest.raises(UsageError, match=r'^environment: PORT is "abc", which is not a port$'):
        base_port(None, merge([Layer("environment", {"PORT": "abc"})]))


@pytest.mark.parametrize("port", [-5, 0, 65536, 70000])
def test_a_port_out_of_range_names_its_instance(port: int) -> None:
    with pytest.raises(UsageError, match=f"^web.1 would get port {port}, outside 1-65535$"):
        check_ports([("web.1", port)])


def test_two_instances_on_one_port_name_both() -> None:
    with pytest.raises(UsageError, match=r"^web.2 and worker.1 would both get port 5001$"):
        check_ports([("web.1", 5000), ("web.2", 5001), ("worker.1", 5001)])


def test_the_first_and_the_last_port_are_accepted() -> None:
    check_ports([("a.1", 1), ("b.1", 65535)])


@pytest.mark.parametrize(
    ("name", "variable"),
    [("web", "PROCMAN_WEB_PORT"), ("my-job", "PROCMAN_MY_JOB_PORT"), ("a_B1", "PROCMAN_A_B1_PORT")],
)
def test_port_variable(name: str, variable: str) -> None:
    assert port_variable(name) == variable


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("007", 7), ("", None), ("-1", None), ("1 ", None)])
def test_whole_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number


def plans(*ports: int) -> list[InstancePlan]:
    rules = RestartPolicy(), StopPolicy()
    return [InstancePlan(f"web.{n}", "web", n, port, "true", "/", {}, *rules, 0, {}) for n, port in enumerate(ports, 1)]


def test_an_instance_moves_to_the_next_port_that_nobody_has() -> None:
    free = {5003, 5004, 5099}
    assert moved_ports(plans(5000, 5001), 100, {5000, 5001}, free.__contains__) == {"web.1": 5003, "web.2": 5004}


def test_an_instance_never_takes_the_port_of_another() -> None:
    assert moved_ports(plans(5000, 5001), 100, {5000}, lambda _port: True) == {"web.1": 5002}


def test_an_instance_stays_within_the_hundred_of_its_type() -> None:
    with pytest.raises(UsageError, match="taken, and so are the ports up to 5099"):
        moved_ports(plans(5000), 100, {5000}, (5100).__eq__)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_with_a_small_step_an_instance_still_moves_to_the_next_port(step: int) -> None:
    assert moved_ports(plans(5000), step, {5000}, lambda _port: True) == {"web.1": 5001}
