"""How severe a structured line is."""

from __future__ import annotations

import pytest

from procman.output.sinks.severity import severity


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
