"""Formations, names and exclusions: how many instances of each type run, on which ports, and what is refused."""

from __future__ import annotations

import pytest

from procman.core.model.plan import Environment, InstancePlan, Layer, RestartPolicy, StopPolicy, merge
from procman.core.procfile.formation import (
    MOST_INSTANCES,
    base_port,
    check_ports,
    moved_ports,
    parse_formation,
    port_of,
    port_variable,
    select,
    whole_number,
)
from procman.core.procfile.parser import parse_procfile
from procman.errors import UsageError

PROCFILE = parse_procfile(b"web: a\nworker: b\nclock: c\n")


def chosen(formation: str | None = None, *names: str, exclude: tuple[str, ...] = ()) -> str:
    wanted = None if formation is None else parse_formation(formation)
    return " ".join(f"{type_.name}={count}" for type_, count in select(PROCFILE, wanted, names, exclude))


@pytest.mark.parametrize(
    ("formation", "expected"),
    [
        (None, "web=1 worker=1 clock=1"),
        ("all=1", "web=1 worker=1 clock=1"),
        ("all=2", "web=2 worker=2 clock=2"),
        ("web=1", "web=1"),
        ("web=2,worker=4", "web=2 worker=4"),
        ("worker=4,web=2", "web=2 worker=4"),
        ("all=2,worker=0", "web=2 clock=2"),
        ("worker=0,all=2", "web=2 clock=2"),
        ("all=1,web=3", "web=3 worker=1 clock=1"),
        ("web=3,all=1", "web=3 worker=1 clock=1"),
        ("all=0,web=1", "web=1"),
        ("web=1,worker=0", "web=1"),
        (" web = 2 , worker = 1 ", "web=2 worker=1"),
        ("web=2,\tclock=1\n", "web=2 clock=1"),
        ("web=2,", "web=2"),
        ("web=02", "web=2"),
        ("web=1,web=1", "web=1"),
    ],
)
def test_formation(formation: str | None, expected: str) -> None:
    assert chosen(formation) == expected


@pytest.mark.parametrize(
    ("formation", "names", "exclude", "expected"),
    [
        (None, ("web",), (), "web=1"),
        (None, ("clock", "web"), (), "web=1 clock=1"),
        (None, ("web", "web"), (), "web=1"),
        (None, ("web=2",), (), "web=2"),
        (None, ("web=2", "worker"), (), "web=2 worker=1"),
        (None, ("web,worker=3",), (), "web=1 worker=3"),
        ("web=3,worker=2", ("web",), (), "web=3"),
        ("web=3", ("web=1",), (), "web=1"),
        ("worker=2", ("web",), (), "web=1"),
        ("all=2", ("web",), (), "web=2"),
        (None, (), ("clock",), "web=1 worker=1"),
        (None, (), ("clock,web",), "worker=1"),
        (None, (), ("clock", "web"), "worker=1"),
        ("web=2,clock=1", (), ("clock",), "web=2"),
        (None, ("web", "clock"), ("clock",), "web=1"),
        (None, ("web=0", "clock"), (), "clock=1"),
    ],
)
def test_names_and_exclusions(
    formation: str | None, names: tuple[str, ...], exclude: tuple[str, ...], expected: str
) -> None:
    assert chosen(formation, *names, exclude=exclude) == expected


@pytest.mark.parametrize(
    ("formation", "message"),
    [
        ("", "the formation is empty"),
        (" , ", "the formation is empty"),
        ("web", 'missing count for "web" in the formation'),
        ("2", 'missing count for "2" in the formation'),
        ("web=", 'invalid count "" for "web": it must be 0, 1, 2 …'),
        ("web=x", 'invalid count "x" for "web": it must be 0, 1, 2 …'),
        ("web=-1", 'invalid count "-1" for "web": it must be 0, 1, 2 …'),
        ("web=+1", 'invalid count "+1" for "web": it must be 0, 1, 2 …'),
        ("web=1.5", 'invalid count "1.5" for "web": it must be 0, 1, 2 …'),
        ("web=1_0", 'invalid count "1_0" for "web": it must be 0, 1, 2 …'),
        ("web=٣", 'invalid count "٣" for "web": it must be 0, 1, 2 …'),
        ("web=1=2", 'invalid count "1=2" for "web": it must be 0, 1, 2 …'),
        ("web=1 worker=2", 'invalid count "1 worker=2" for "web": it must be 0, 1, 2 …'),
        ("all=x", 'invalid count "x" for "all": it must be 0, 1, 2 …'),
        ("=1", 'no name before "=1" in the formation'),
        ("web=1,web=2", 'the formation counts "web" twice: 1 and 2'),
        ("wbe=1", 'Procfile has no process type "wbe"'),
        ("all=1,cron=0", 'Procfile has no process type "cron"'),
        ("Web=1", 'Procfile has no process type "Web"'),
        ("all=0", "nothing to start: every process type is excluded or has the count 0"),
        ("web=0", "nothing to start: every process type is excluded or has the count 0"),
        ("web=10001", "10001 instances are too many; procman starts at most 10000"),
        ("all=4000", "12000 instances are too many; procman starts at most 10000"),
        ("web=1000000000000", "1000000000000 instances are too many; procman starts at most 10000"),
        ("web=" + "9" * 5000, f'invalid count "{"9" * 5000}" for "web": it must be 0, 1, 2 …'),
    ],
)
def test_wrong_formation(formation: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(formation)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("formation", "names", "exclude", "message", "hint"),
    [
        (None, ("wbe",), (), 'Procfile has no process type "wbe"', 'did you mean "web"?'),
        (None, ("web.1",), (), 'Procfile has no process type "web.1"', ""),
        (None, ("db",), (), 'Procfile has no process type "db"', "there are: web, worker, clock"),
        (None, (), ("clok",), 'Procfile has no process type "clok"', 'did you mean "clock"?'),
        (None, ("web=x",), (), 'invalid count "x" for "web": it must be 0, 1, 2 …', ""),
        (None, ("web=1", "web=2"), (), '"web" is counted twice: 1 and 2', ""),
        (None, ("web",), ("web",), "nothing to start: every process type is excluded or has the count 0", ""),
        (None, (), ("web,worker,clock",), "nothing to start: every process type is excluded or has the count 0", ""),
        (None, ("web=0",), (), "nothing to start: every process type is excluded or has the count 0", ""),
        ("all=1,clock=0", ("clock",), (), "nothing to start", "its count in the formation is 0: write clock=1"),
    ],
)
def test_wrong_names(
    formation: str | None, names: tuple[str, ...], exclude: tuple[str, ...], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(formation, *names, exclude=exclude)
    assert caught.value.message == message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("formation", "names", "message"),
    [
        ("web=0,worker=1", ("web", "worker"), "nothing to start: every process type is excluded or has the count 0"),
        ("web=0,worker=0", ("web", "worker"), "nothing to start"),
        ("web=0,worker=1", ("web",), "nothing to start"),
        ("web=0,worker=1", (), "nothing to start: every process type is excluded or has the count 0"),
    ],
)
def test_why_nothing_is_left_to_start(formation: str, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(formation, *names, exclude=("worker",))
    assert refused.value.message == message


def test_the_most_instances_are_still_accepted() -> None:
    assert chosen(f"web={MOST_INSTANCES}") == f"web={MOST_INSTANCES}"


# Ports ----------------------------------------------------------------------------------------------------------------

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


def test_an_instance_moves_to_no_port_above_the_last() -> None:
    with pytest.raises(UsageError, match=r"port 65530 .* so are the ports up to 65535"):
        moved_ports(plans(65530), 100, {65530}, (65536).__eq__)
