from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.palette import Palette
from procman.output.pretty import prettifier

plain = prettifier(Palette(False))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"time":"12:00","level":"info","message":"up","port":80}', "12:00 INFO  up port=80"),
        ('{"level":50,"time":1,"msg":"boom","err":{"a":1}}', '1 ERROR boom err="{\\"a\\": 1}"'),
        ('{"msg":"two\\nlines \\u001b[2J"}', "two\\nlines \\x1b[2J"),
        ('ts=1 level=warn msg="disk \\"a\\" full" free=3%', '1 WARN  disk "a" full free=3%'),
        ('{"msg":"x","why":"two words"}', 'x why="two words"'),
    ],
)
def test_structured_lines_are_laid_out(line: str, shown: str) -> None:
    assert plain(line.encode() + b"\n").decode() == shown + "\n"


@pytest.mark.parametrize(
    "line",
    [
        b"plain text",
        b"",
        b"a=b",
        b"msg=hello",
        b"{not json}",
        b'{"a":1}',
        b"x = 1 msg=2",
        b'["list"]',
        b"{" * 5000,
        b"\xff=\xfe",
    ],
)
def test_other_lines_stay_as_they_are(line: bytes) -> None:
    assert plain(line + b"\n") == line + b"\n"


def test_levels_are_colored() -> None:
    shown = prettifier(Palette(True))(b'{"level":"error","msg":"x"}\n')
    assert shown == b"\x1b[31mERROR\x1b[0m x\n"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.sampled_from(["msg", "level", "time", "x", "y\n"]), JSON))
def test_a_line_stays_one_line_without_controls(fields: dict[str, object]) -> None:
    shown = plain(json.dumps(fields).encode() + b"\n").decode("utf-8", "surrogateescape")
    assert shown.endswith("\n")
    assert shown[:-1].isprintable() or any("\ud800" <= char <= "\udfff" for char in shown)


@given(st.binary())
def test_any_bytes_pass(lines: bytes) -> None:
    assert plain(lines + b"\n").count(b"\n") == lines.count(b"\n") + 1
