"""What each key of a process table accepts, including the names of other tools and missing values."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest

from procman.core.model.dependency import COMPLETED, READY, STARTED, SUCCEEDED
from procman.core.overlay.converters import WrongValueError, described, period, seconds, table, text, truth
from procman.core.overlay.keys import KEYS


def converted(key: str, value: object) -> Any:
    return KEYS[key](value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("restart", "always", "always"),
        ("restart", False, "never"),
        ("restart", "no", "never"),
        ("restart", "unless-stopped", "always"),
        ("restart", "on_failure", "on-failure"),
        ("restart", "exit_on_failure", "never"),
        ("backoff", "2s", (2.0, None)),
        ("backoff", {"max": "1m"}, (1.0, 60.0)),
        ("backoff", {"initial": 3, "max": 9}, (3.0, 9.0)),
        ("success_exit_codes", 3, (0, 3)),
        ("success_exit_codes", ["TERM", 0, 3, 3], (0, 143, 3)),
        ("stop_signal", "INT", 2),
        ("stop_signal", "sigint", 2),
        ("stop_signal", 64, 64),
        ("port", False, 0),
        ("port", 65535, 65535),
        ("env", {"A": True, "B": False, "C": 1.5, "D": "x"}, {"A": "true", "B": "false", "C": "1.5", "D": "x"}),
        ("color", "cyan", 0),
        ("color", "bright-red", 10),
        ("color", "bright_red", 10),
        ("primary", True, 1),
        ("primary", False, 0),
        ("groups", ["back-end", "a_1"], ("back-end", "a_1")),
        ("watch", "*.py", ("*.py",)),
        ("formation", 10_000, 10_000),
        ("max_restarts", 0, 0),
        ("stop_timeout", 0, 0.0),
    ],
)
def test_a_value_is_converted(key: str, value: object, expected: object) -> None:
    assert converted(key, value) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("restart", True),
        ("success_exit_codes", 256),
        ("success_exit_codes", True),
        ("stop_signal", 0),
        ("stop_signal", 65),
        ("stop_signal", "15"),
        ("stop_signal", True),
        ("port", 65536),
        ("port", True),
        ("env", {"PORT": "1"}),
        ("env", {"": "1"}),
        ("env", {"A=B": "1"}),
        ("env", {"A": "\0"}),
        ("env", {"A": []}),
        ("groups", ["a b"]),
        ("groups", ["é"]),
        ("formation", -1),
        ("formation", 10_001),
        ("cwd", " "),
        ("cwd", "a\0b"),
        ("stop_timeout", -1),
        ("stop_timeout", 1e9),
        ("stop_timeout", True),
        ("ready", {}),
        ("ready", {"tcp": 1, "exec": "x"}),
        ("ready", {"tcp": 0}),
        ("health", {"log": "x"}),
        ("health", {"tcp": 1, "failure_threshold": 0}),
    ],
)
def test_a_wrong_value_is_refused(key: str, value: object) -> None:
    with pytest.raises(WrongValueError):
        converted(key, value)


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("started", STARTED),
        ("service_started", STARTED),
        ("process_started", STARTED),
        ("running", STARTED),
        ("healthy", READY),
        ("service_healthy", READY),
        ("process_log_ready", READY),
        ("process_completed", COMPLETED),
        ("service_completed_successfully", SUCCEEDED),
        ("process_completed_successfully", SUCCEEDED),
    ],
)
def test_conditions_have_the_words_of_other_tools(word: str, condition: str) -> None:
    (plain,) = converted("depends_on", {"db": word})
    (full,) = converted("depends_on", {"db": {"condition": word, "timeout": "30s"}})
    assert (plain.type, plain.condition, plain.timeout) == ("db", condition, None)
    assert (full.condition, full.timeout) == (condition, 30.0)
    assert plain.healthy is word.endswith("healthy")


def test_a_list_of_dependencies_waits_for_each_to_be_ready_once() -> None:
    found = converted("depends_on", ["db", "cache", "db"])
    assert [(one.type, one.condition, one.timeout, one.healthy) for one in found] == [
        ("db", READY, None, False),
        ("cache", READY, None, False),
    ]


@pytest.mark.parametrize(
    ("value", "kind", "timeout"),
    [
        ({"tcp": 5432}, "tcp", 60.0),
        ({"log": "ready"}, "log", 60.0),
        ({"delay": "2s"}, "delay", None),
        ({"exec": "true", "timeout": False}, "exec", None),
        ({"exec": "true", "timeout": "5s"}, "exec", 5.0),
    ],
)
def test_a_readiness_check_has_a_minute_unless_it_says_otherwise(
    value: dict[str, object], kind: str, timeout: float | None
) -> None:
    check = converted("ready", value)
    assert (check.kind, check.timeout, check.interval) == (kind, timeout, 1.0)


def test_a_health_check_has_its_own_rhythm() -> None:
    check = converted("health", {"tcp": 1})
    assert (check.interval, check.attempt, check.threshold, check.on_fail) == (10.0, 5.0, 3, "restart")
    for word, on_fail in (("stop", "fail"), ("ignore", "none"), ("warn", "none")):
        given = {"tcp": 1, "timeout": "2s", "interval": "30s", "failure-threshold": 5, "on_fail": word}
        check = converted("health", given)
        assert (check.interval, check.attempt, check.threshold, check.on_fail) == (30.0, 2.0, 5, on_fail)


def test_a_mistake_in_a_table_names_the_keys_that_lead_to_it() -> None:
    with pytest.raises(WrongValueError) as caught:
        converted("depends_on", {"db": {"timeout": "never"}})
    assert caught.value.path == ("db", "timeout")
    with pytest.raises(WrongValueError) as caught:
        table({"a-b": "x"}, {"a_b": truth})
    assert caught.value.path == ("a-b",)
    with pytest.raises(WrongValueError, match="is not a known key"):
        table({"c": 1}, {"a_b": truth})


def test_checks_are_at_least_a_twentieth_of_a_second_apart() -> None:
    assert period(0.05) == 0.05
    assert seconds("500ms") == 0.5
    with pytest.raises(WrongValueError):
        period(0.04)
    with pytest.raises(WrongValueError):
        text("")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (False, "false"),
        ("x", '"x"'),
        (3, "the number 3"),
        (1.5, "the number 1.5"),
        ([1], "a list"),
        ({}, "a table"),
        (datetime.date(2026, 5, 1), "a date or time"),
    ],
)
def test_a_value_is_named_in_a_message(value: object, words: str) -> None:
    assert described(value) == words


@pytest.mark.parametrize(
    ("value", "files"),
    [
        (".env.web", ((".env.web", True),)),
        ({"path": ".env.web"}, ((".env.web", True),)),
        ([".env.web", {"path": ".env.local", "required": False}], ((".env.web", True), (".env.local", False))),
        ([], ()),
    ],
)
def test_an_env_file_must_exist_unless_it_says_otherwise(value: object, files: tuple[tuple[str, bool], ...]) -> None:
    assert converted("env_file", value) == files


@pytest.mark.parametrize(
    "value", [{"required": False}, {"path": 1}, {"path": "x", "required": "no"}, {"file": "x"}, [[]], ""]
)
def test_an_env_file_without_a_path_is_refused(value: object) -> None:
    with pytest.raises(WrongValueError):
        converted("env_file", value)


@pytest.mark.parametrize(
    ("key", "value", "number"),
    [
        ("max_restarts", 1_000_000, 1_000_000),
        ("port", 1, 1),
        ("port", 0, 0),
        ("success_exit_codes", [255], (0, 255)),
        ("success_exit_codes", [0], (0,)),
        ("stop_signal", 1, 1),
        ("stop_timeout", 999_999_999, 999_999_999.0),
    ],
)
def test_the_last_value_of_a_range_is_accepted(key: str, value: object, number: object) -> None:
    assert converted(key, value) == number


@pytest.mark.parametrize(
    ("key", "value"), [("max_restarts", 1_000_001), ("success_exit_codes", [-1]), ("stop_signal", -1)]
)
def test_a_value_outside_of_its_range_is_refused(key: str, value: object) -> None:
    with pytest.raises(WrongValueError):
        converted(key, value)


def test_how_often_a_check_may_fail_has_a_range() -> None:
    for number in (1, 1000):
        assert converted("health", {"tcp": 1, "failure_threshold": number}).threshold == number
    with pytest.raises(WrongValueError):
        converted("health", {"tcp": 1, "failure_threshold": 1001})


@pytest.mark.parametrize(("kind", "target"), [("http", 1), ("tcp", 1), ("exec", "curl localhost:$PORT")])
def test_only_a_check_that_connects_may_be_answered_by_anyone(kind: str, target: object) -> None:
    assert converted("ready", {kind: target, "anyone": True}).anyone is True
    assert converted("health", {kind: target}).anyone is False
    with pytest.raises(WrongValueError, match="belongs to a check with http, tcp or exec, not log") as refused:
        converted("ready", {"log": "x", "anyone": True})
    assert refused.value.path == ("anyone",)


def test_a_dependency_may_bring_its_restarts_along() -> None:
    (one,) = converted("depends_on", {"api": {"restart": True}})
    assert (one.type, one.condition, one.restart) == ("api", "ready", True)
    assert not converted("depends_on", {"api": "started"})[0].restart


def test_an_http_check_may_list_statuses_and_headers() -> None:
    check = converted("ready", {"http": "/", "status": [401, 200, 401], "headers": {"X-Guest": "me"}})
    assert (check.status, check.headers) == ((401, 200), (("X-Guest", "me"),))
    assert converted("health", {"http": "/", "status": 401}).status == (401,)
    moved = converted("ready", {"http": "/", "status": 401, "success_threshold": 2, "initial_delay": 1}).on_port(80)
    assert (moved.target, moved.status, moved.successes, moved.initial_delay) == ("http://localhost:80/", (401,), 2, 1)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"tcp": 1, "status": 200}, "belongs to a check with http, not tcp"),
        ({"exec": "x", "headers": {}}, "belongs to a check with http, not exec"),
        ({"log": "x", "success_threshold": 2}, "belongs to a check with http, tcp or exec, not log"),
        ({"delay": 1, "initial_delay": 2}, "belongs to a check with http, tcp or exec, not delay"),
        ({"http": "/", "status": "ok"}, 'must be statuses from 100 to 599, not "ok"'),
        ({"http": "/", "status": 42}, "must be statuses from 100 to 599, not the number 42"),
        ({"http": "/", "headers": {"A B": "x"}}, "is not a valid name for a header"),
        ({"http": "/", "headers": {"A": "x\r\nB: y"}}, "must be a string of printable ASCII"),
        ({"http": "/", "headers": "A: x"}, "must be a table of headers"),
    ],
)
def test_a_key_of_another_kind_of_check_is_refused(check: dict[str, object], message: str) -> None:
    with pytest.raises(WrongValueError, match=re.escape(message)):
        converted("ready", check)


@pytest.mark.parametrize(("index", "color"), list(enumerate(["cyan", "green", "magenta", "blue", "red", "yellow"])))
def test_a_color_is_its_place_in_the_palette(index: int, color: str) -> None:
    assert converted("color", color) == index
    assert converted("color", f"bright-{color}") == converted("color", f"bright_{color}") == index + 6


@pytest.mark.parametrize(
    ("key", "value", "message", "hint"),
    [
        ("ready", {"tcp": 0}, "must be a port, or an address such as localhost:5432, not the number 0", ""),
        (
            "ready",
            {"tcp": "db:1"},
            'must be localhost or an address, not "db:1"',
            "to check another machine by its name, use exec",
        ),
        ("health", 5, "must be a table with http, tcp, exec or notify, not the number 5", "for example { tcp = 5432 }"),
        (
            "ready",
            [],
            "must be a table with http, tcp, log, exec, delay or notify, not a list",
            "for example { tcp = 5432 }",
        ),
        (
            "health",
            {},
            "needs exactly one of http, tcp, exec, notify, but has none of them",
            "for example { tcp = 5432 }",
        ),
    ],
)
def test_a_wrong_check_is_told_what_it_must_be(key: str, value: object, message: str, hint: str) -> None:
    with pytest.raises(WrongValueError) as refused:
        converted(key, value)
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_a_delay_is_a_number_of_seconds() -> None:
    assert converted("ready", {"delay": "2s"}).target == "2.0"
