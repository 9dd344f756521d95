"""Requests are parsed strictly: anything that is not valid is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from procman.core.text.protocol import VERBS, ProtocolError, read_request


def test_a_request_is_read_with_its_fields() -> None:
    request = read_request({"verb": "logs", "names": ["web", "db.1"], "lines": 5, "since": 1.5, "follow": True})
    assert (request.verb, request.names, request.lines) == ("logs", ("web", "db.1"), 5)
    assert (request.since, request.follow) == (1.5, True)
    request = read_request({"verb": "logs", "after": 5, "before": 1 << 40})
    assert (request.after, request.before) == (5, 1 << 40)


def test_a_field_that_is_null_is_left_out() -> None:
    assert read_request({"verb": "logs", "names": [], "lines": None}).lines is None


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "ps",
        {},
        {"verb": 1},
        {"verb": "exec"},
        {"verb": "ps", "command": "rm"},
        {"verb": "ps", "names": "web"},
        {"verb": "ps", "names": [1]},
        {"verb": "logs", "lines": "5"},
        {"verb": "logs", "lines": True},
        {"verb": "logs", "lines": -5},
        {"verb": "logs", "since": 1e300},
        {"verb": "logs", "since": float("nan")},
        {"verb": "stop", "wait": 1},
        {"verb": "attach", "text": ["web.1"]},
    ],
    ids=str,
)
def test_what_is_no_request_is_refused(record: object) -> None:
    with pytest.raises(ProtocolError):
        read_request(record)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(VERBS)), st.dictionaries(st.sampled_from(["names", "text", "lines", "rows"]), JSON))
def test_any_object_is_read_or_refused(verb: str, fields: dict[str, object]) -> None:
    with contextlib.suppress(ProtocolError):
        assert read_request({"verb": verb, **fields}).verb == verb


def test_a_request_that_says_nothing_more_has_the_usual_fields() -> None:
    request = read_request({"verb": "attach"})
    assert (request.names, request.text, request.lines, request.since, request.timeout) == ((), "", None, None, None)
    assert (request.wait, request.follow, request.rolling, request.fresh) == (True, False, False, False)
    assert (request.rows, request.columns) == (24, 80)


@pytest.mark.parametrize(
    ("value", "valid"), [(-1, True), (-2, False), (1 << 31, True), ((1 << 31) + 1, False), (0, True)]
)
def test_a_number_has_a_range(value: int, valid: bool) -> None:
    record = {"verb": "logs", "lines": value}
    if valid:
        assert read_request(record).lines == value
    else:
        with pytest.raises(ProtocolError, match="lines is out of range"):
            read_request(record)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"verb": "x" * 50}, f"unknown verb '{'x' * 40}'; the verbs are: hello, "),
        ({"verb": "ps", "y" * 50: 1}, f"ps has no field '{'y' * 40}'"),
        ({"verb": "ps", "names": ["web", 1]}, "names must be a list of strings"),
        ({"verb": "ps", "names": "web"}, "names has the wrong type"),
        ({"verb": "logs", "lines": True}, "lines has the wrong type"),
        ([], "a request must be a JSON object"),
    ],
)
def test_a_refusal_says_why(record: object, message: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_request(record)
    assert str(refused.value).startswith(message)
