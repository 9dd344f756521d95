"""Layers of variables, the variables that procman adds, and which values are secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procman.core.model.plan import Layer, merge
from procman.core.planner import own_environment, shared_environment
from procman.core.text.printable import MASK, masked

if TYPE_CHECKING:
    from procman.core.model.plan import Environment

REAL = Layer("environment", {"HOME": "/h", "A": "real", "B": "real"})
FIRST = Layer(".env", {"A": "first", "C": "first"}, {"A": 1, "C": 2})
SECOND = Layer("b.env", {"C": "second"})


def child_environment(
    environment: Environment,
    process: str,
    instance: str,
    port: int | None = None,
    session: str = "",
    ports: dict[str, int] | None = None,
) -> dict[str, str]:
    return shared_environment(environment, session, ports or {}) | own_environment(process, instance, port)


def test_the_later_layer_wins_and_its_place_is_known() -> None:
    environment = merge([REAL, FIRST, SECOND])
    assert environment.values == {"HOME": "/h", "A": "first", "B": "real", "C": "second"}
    assert environment.origin == {"HOME": "environment", "A": ".env:1", "B": "environment", "C": "b.env"}


def test_what_files_give_is_known_in_order_even_where_the_real_environment_wins() -> None:
    environment = merge([FIRST, SECOND, REAL])
    assert environment.values["A"] == "real"
    assert environment.origin["A"] == "environment"
    assert environment.given == ("A", "C")


def test_no_layer_no_variable() -> None:
    assert merge([]).values == {}


def test_a_child_knows_its_names_its_session_and_everybodys_port() -> None:
    ports = {"web": 5000, "my-job": 5100}
    env = child_environment(merge([REAL]), "my-job", "my-job.2", port=5101, session="s1", ports=ports)
    assert env == {
        "HOME": "/h",
        "A": "real",
        "B": "real",
        "PORT": "5101",
        "PS": "my-job.2",
        "PROCMAN_INSTANCE": "my-job.2",
        "PROCMAN_PROCESS": "my-job",
        "PROCMAN_SESSION": "s1",
        "PROCMAN_WEB_PORT": "5000",
        "PROCMAN_MY_JOB_PORT": "5100",
        "PROCMAN_WEB_URL": "http://localhost:5000",
        "PROCMAN_MY_JOB_URL": "http://localhost:5100",
        "PYTHONUNBUFFERED": "1",
    }


def test_without_a_port_a_child_keeps_the_port_of_its_layers() -> None:
    assert "PORT" not in child_environment(merge([REAL]), "web", "web.1")
    assert child_environment(merge([Layer(".env", {"PORT": "7"})]), "web", "web.1")["PORT"] == "7"


@pytest.mark.parametrize("value", ["0", "", "x"])
def test_python_is_unbuffered_unless_somebody_has_said_otherwise(value: str) -> None:
    layer = Layer(".env", {"PYTHONUNBUFFERED": value})
    assert child_environment(merge([layer]), "web", "web.1")["PYTHONUNBUFFERED"] == value


def test_our_own_names_win_over_those_of_a_session_around_us() -> None:
    outer = Layer("environment", {"PS": "outer.1", "PROCMAN_SESSION": "outer", "PROCMAN_INSTANCE": "outer.1"})
    env = child_environment(merge([outer]), "web", "web.1", session="inner")
    assert (env["PS"], env["PROCMAN_SESSION"], env["PROCMAN_INSTANCE"]) == ("web.1", "inner", "web.1")


def test_of_two_types_that_share_a_variable_the_first_has_it() -> None:
    env = child_environment(merge([]), "a-b", "a-b.1", ports={"a-b": 5000, "a_b": 5100})
    assert env["PROCMAN_A_B_PORT"] == "5000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "abc"),
        ("STRIPE_APIKEY", "abc"),
        ("DB_PASSWORD", "abc"),
        ("PGPASSWORD", "abc"),
        ("DB_PASS", "abc"),
        ("github-token", "abc"),
        ("AWS_SECRET_ACCESS_KEY", "abc"),
        ("AUTH", "abc"),
        ("SENTRY_DSN", "https://x@h/1"),
        *((name, "abc") for name in ("SECRETS", "TOKENS", "PASSWORDS", "KEYS", "DBPASS", "MYSQL_ROOTPASS", "ROOTPW")),
        *((name, "abc") for name in ("PASSCODE", "PIN", "CREDS", "BEARER", "dbPass", "DB_PASS2", "SMTP_CREDENTIALS")),
        *((name, "abc") for name in ("OAUTH", "JWT", "COOKIES", "SECRETVALUE", "pgpassword", "spring.datasource.pw")),
        *(("X", f"host=db;{key}=abc") for key in ("pass", "Pwd", "pw", "sig", "PIN", "passwd", "api_key", "tokens")),
        ("X", '{"password": "abc"}'),
        ("X", "login --token abc"),
        ("X", "host=db password=abc"),
        ("X", "-----BEGIN KEY-----"),
        ("X", "one\ntwo"),
        ("X", "Bearer abc"),
        ("STRIPE", "sk_live_51Hq8bLkd93jdls"),
        ("X", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x"),
        ("X", "550e8400-e29b-41d4-a716-446655440000"),
    ],
)
def test_a_secret_is_masked(name: str, value: str) -> None:
    assert masked(name, value) == MASK


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgres://u:p@h/db", f"postgres://u:{MASK}@h/db"),
        ("postgres://u:p%40ss@h:5432/db?x=1", f"postgres://u:{MASK}@h:5432/db?x=1"),
        ("redis://:p@h/0", f"redis://:{MASK}@h/0"),
        ("https://tok@h/1", f"https://{MASK}@h/1"),
    ],
)
def test_the_password_of_a_url_is_masked(value: str, shown: str) -> None:
    assert masked("DATABASE_URL", value) == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "5000"),
        ("RAILS_ENV", "development"),
        ("DEBUG", "true"),
        ("URL", "http://localhost:5000/x?y=1"),
        ("PATH", "/usr/local/bin:/usr/bin"),
        ("DB", "/var/lib/postgresql/15/main/data.sqlite3"),
        ("SECRET_KEY", ""),
        ("TIMEOUT", "30"),
        ("REDIS_URL", "redis://auth:6379/0"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("ORIGIN", "x"),
        ("PASSENGER_APP_ENV", "production"),
    ],
)
def test_a_value_that_is_no_secret_is_shown(name: str, value: str) -> None:
    assert masked(name, value) == value
