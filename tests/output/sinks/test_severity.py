"""How severe a structured line is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.sinks.severity import RANKS, SeverityFilter, severity


@pytest.mark.parametrize(
    ("line", "rank"),
    [
        ('{"level": "info", "msg": "up"}', 30),
        ('{"level": 50, "msg": "pino"}', 50),
        ('{"level": 35}', 35),
        ('{"severity": "CRITICAL", "message": "cloud"}', 60),
        ('{"lvl": "Warning"}', 40),
        ('{"level": "INFO+2"}', 30),
        ("level=error msg=lost", 50),
        ('lvl=dbug level=debug msg="two of them"', 20),
        ("level=40 msg=number", 40),
        ("time=1 msg=none", 0),
        ("level=loud msg=unknown", 0),
        ('{"level": 3}', 0),
        ('{"level": true}', 0),
        ('{"level": null}', 0),
        ('{"level": 1e400}', 0),
        ('{"level": NaN}', 0),
        ('["level", "error"]', 0),
        ("a plain ERROR level=error", 0),
        ("{" * 100_000, 0),
        ('{"a":' * 100_000, 0),
        ("", 0),
    ],
)
def test_a_level_is_a_name_or_a_number_in_a_structured_line(line: str, rank: int) -> None:
    assert severity(line) == rank


KEYS = ["level", "lvl", "severity", "levelname", "log.level", "le\\u0076el", "Level", "msg"]
VALUES = [
    "warn",
    "WARNING",
    " Error ",
    "err",
    "panic",
    "dpanic",
    "info",
    "INFO+2",
    "e\\u0072r",
    "4",
    "40",
    "050",
    "1e2",
]
NUMBERS = ["40", "4.5e1", "30", "39.9", "60.5", "999", "1000", "true", "null", "-40", "[40]", '{"level": "error"}']


def as_json(key: str, value: str) -> str:
    return f'{{"{key}" : "{value}", "level":"{value}"}}' if value.isupper() else f'{{"{key}":  "{value}"}}'


LINES = st.one_of(
    st.builds(as_json, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds('{{"{}": {}, "pid": 7}}'.format, st.sampled_from(KEYS), st.sampled_from(NUMBERS)),
    st.builds("{}={} msg=x".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds('msg="level" {}="{}"'.format, st.sampled_from(KEYS), st.sampled_from([*VALUES, "e\\rror", "\\error"])),
    st.sampled_from(["", "level", "level=", "error level", '{"level":"error"', "a plain level=error", "{"]),
)


@given(st.lists(LINES), st.sampled_from(sorted(RANKS.values())))
def test_a_filter_finds_the_lines_of_a_severity_or_a_higher_one(lines: list[str], lowest: int) -> None:
    expected = [number for number, line in enumerate(lines) if severity(line) >= lowest]
    assert SeverityFilter(lowest).matches("\n".join(lines)) == expected


OBJECTS = [
    '{"level": "error"}',
    '{"level": "info"} ',
    '{"lvl": 50, "level": NaN}',
    '{"level": "fatal", "nested": {"a": [1, 2]}}',
    '{"severity": "warn"}\t',
]
BROKEN = [
    '{"level": "error"',
    '{"level": "error"}]',
    '{"level": "error"}, {"level": "error"}',
    '{"level": "error"},NaN,{"level": "error"}',
    '{"level": "error", "open": [1',
    '{"level": "error", "open": "',
    '{"level": "error", "open": [NaN,{"level": "error"',
    '{"closing": 2}]}, {"level": "error"}',
    "{}]NaN",
    "{",
]


@given(st.lists(st.sampled_from(OBJECTS + BROKEN)), st.booleans())
def test_a_broken_object_does_not_change_what_its_neighbors_are(lines: list[str], is_closed: bool) -> None:
    lines += ["{" + '"level": "fatal"}]}'] * is_closed
    expected = [number for number, line in enumerate(lines) if severity(line) >= RANKS["warn"]]
    assert SeverityFilter(RANKS["warn"]).matches("\n".join(lines)) == expected


def test_a_line_is_not_two_values_where_another_takes_one() -> None:
    lines = ['{"level": "error", "open": [1', '{"closing": 2}]}', '{"level": "error"},NaN,{"level": "error"}']
    assert SeverityFilter(RANKS["warn"]).matches("\n".join(lines)) == []
