"""The plan as records: the rules of one instance, the port that it mentions, and whose output is hidden."""

from __future__ import annotations

import pytest

from procman.core.model.checks import Check
from procman.core.model.plan import Environment, InstancePlan, Plan, RestartPolicy, StopPolicy, speaks_of_port
from procman.core.model.procfile import Procfile


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


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("serve -p $PORT", True),
        ("serve ${PORT:-80}", True),
        ("serve --port=5000", True),
        ("serve :5000/x", True),
        ("serve $PROCMAN_WEB_UI_PORT", True),
        ("env.PORT", True),
        ("serve", False),
        ("", False),
        ("serve 50001", False),
        ("serve $DB_PORT", False),
        ("serve $PROCMAN_WEB_PORT", False),
        ("EXPORT", False),
        ("port", False),
    ],
)
def test_a_text_speaks_of_a_port_by_its_number_or_a_variable(text: str, speaks: bool) -> None:
    assert speaks_of_port(text, 5000, "web-ui") is speaks
    assert not speaks_of_port(text, None, "web-ui")


def an_instance(command: str = "serve", port: int | None = 5000) -> InstancePlan:
    return InstancePlan("web.1", "web", 1, port, command, "/", {}, RestartPolicy(), StopPolicy())


def test_a_port_is_shown_if_something_says_that_it_is_used() -> None:
    silent = an_instance()
    assert silent.shown_port is None
    silent.ready, silent.health = Check("tcp", "localhost:1"), Check("log", "ready")
    assert silent.shown_port is None
    silent.health = Check("http", "http://localhost:5000/")
    assert silent.shown_port == 5000
    silent.ready, silent.health = Check("exec", "curl localhost:$PORT"), None
    assert silent.shown_port == 5000
    assert an_instance("serve $PORT").shown_port == 5000
    named = an_instance()
    named.names_port = True
    assert named.shown_port == 5000
    assert an_instance("serve $PORT", None).shown_port is None


def a_plan(quiet: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> Plan:
    return Plan(Procfile("Procfile", ()), "/Procfile", "/", "s1", (), Environment({}, {}), (), quiet, only)


@pytest.mark.parametrize(
    ("quiet", "only", "hidden"),
    [
        ((), (), []),
        (("web",), (), ["web.1", "web.2"]),
        (("web.2",), (), ["web.2"]),
        (("system",), (), ["system"]),
        ((), ("db",), ["web.1", "web.2"]),
        ((), ("web.1",), ["web.2", "db.1"]),
        (("web.1",), ("web",), ["web.1", "db.1"]),
        ((), ("system",), ["web.1", "web.2", "db.1"]),
    ],
)
def test_whose_output_is_hidden(quiet: tuple[str, ...], only: tuple[str, ...], hidden: list[str]) -> None:
    plan = a_plan(quiet, only)
    assert [name for name in ("system", "web.1", "web.2", "db.1") if plan.hides(name)] == hidden


def test_a_plan_knows_the_ports_that_were_moved() -> None:
    assert a_plan().moved == {}
    moved = {"web.1": 5007}
    assert Plan(Procfile("Procfile", ()), "", "/", "", (), Environment({}, {}), moved=moved).moved == moved


@pytest.mark.parametrize(
    ("type_name", "command", "ready", "health", "url"),
    [
        ("web", "serve $PORT", None, None, "http://localhost:5000"),
        ("api", "serve $PORT", None, None, "http://localhost:5000"),
        ("web", "serve", None, None, None),
        ("web", "serve", Check("http", "http://localhost:8080/a/b"), None, "http://localhost:8080"),
        ("api", "serve", Check("log", "x"), Check("http", "http://[::1]:8080/"), "http://[::1]:8080"),
        (
            "api",
            "serve $PORT",
            Check("tcp", "localhost:1"),
            Check("http", "http://localhost:8080/a"),
            "http://localhost:8080",
        ),
        ("web", "serve $PORT", Check("tcp", "localhost:5000"), None, "http://localhost:5000"),
        ("db", "serve $PORT", Check("tcp", "localhost:5000"), None, None),
        ("db", "serve $PORT", None, Check("tcp", "localhost:5000"), None),
        ("db", "serve $PORT", Check("exec", "true"), None, "http://localhost:5000"),
    ],
)
def test_a_browser_is_sent_to_the_server_of_a_check_or_to_the_port(
    type_name: str, command: str, ready: Check | None, health: Check | None, url: str | None
) -> None:
    plan = InstancePlan(f"{type_name}.1", type_name, 1, 5000, command, "/", {}, RestartPolicy(), StopPolicy())
    plan.ready, plan.health = ready, health
    assert plan.url == url
