from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.palette import Palette
from procman.output.sinks.pretty import prettifier

plain = prettifier(Palette(False))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"time":"12:00","level":"info","message":"up","port":80}', "12:00 INFO  up port=80"),
        ('{"level":50,"time":1,"msg":"boom","err":{"a":1}}', '1 ERROR boom err={"a": 1}'),
        ('{"msg":"x","stack":"a\\n  b","ok":true,"none":null}', 'x stack="a\\n  b" ok=true none=null'),
        ('{"msg":"two\\nlines \\u001b[2J"}', "two\\nlines \\x1b[2J"),
        ('ts=1 level=warn msg="disk \\"a\\" full" free=3%', '1 WARN  disk "a" full free=3%'),
        ('{"msg":"\\udcc2\\udc9b2J"}', "\\udcc2\\udc9b2J"),  # halves that would join into a C1 control
        ('{"msg":"x","a":"\\udc9b2J"}', "x a=\\udc9b2J"),
        ('{"level":"\\u001b[32minfo\\u001b[39m","message":"\\u001b[1mup"}', "INFO  up"),
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
        b'{"msg":"\xff"}',
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
    assert shown[:-1].isprintable()


@pytest.mark.parametrize("value", ["1531171074631", "1531171074.631", '"1531171074631000"', "1531171074631000123"])
def test_times_that_count_from_1970_are_shown_as_times(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    try:
        shown = plain(b'{"time":%s,"msg":"x"}\n' % value.encode()).decode()
        of_logfmt = plain(b"time=%s msg=x\n" % value.encode()).decode()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert shown == of_logfmt
    assert shown[:20] == "2018-07-09T21:17:54."
    assert shown[23:] == "+00:00 x\n"


@pytest.mark.parametrize("value", ["1", "-1e300", "1e400", "NaN", "true", '"12:00"', "9" * 400])
def test_other_numbers_are_no_times(value: str) -> None:
    assert plain(b'{"time":%s,"msg":"x"}\n' % value.encode()).endswith(b" x\n")


def test_json_of_any_depth_harms_nobody() -> None:
    for depth in range(900, 1100):
        line = b'{"msg":"a","x":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}\n"
        assert plain(line) == line or plain(line).startswith(b"a x=")


@given(st.binary())
def test_any_bytes_pass(lines: bytes) -> None:
    assert plain(lines + b"\n").count(b"\n") == lines.count(b"\n") + 1


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (10, "TRACE"),
        (20, "DEBUG"),
        (30, "INFO "),
        (40, "WARN "),
        (50, "ERROR"),
        (60, "FATAL"),
        (35, "35   "),
        (0, "0    "),
    ],
)
def test_the_numbers_of_pino_and_bunyan_are_levels(number: int, level: str) -> None:
    assert plain(b'{"level":%d,"msg":"x"}\n' % number).decode() == f"{level} x\n"


@pytest.mark.parametrize(
    ("level", "color"),
    [
        *[(level, "\x1b[31m") for level in ("error", "FATAL", "critical", "alert", "panic")],
        *[(level, "\x1b[33m") for level in ("warn", "WARNING")],
        *[(level, "\x1b[32m") for level in ("info", "Notice")],
        *[(level, "\x1b[2m") for level in ("debug", "trace", "1")],
    ],
)
def test_the_color_of_a_level_is_that_of_its_first_letter(level: str, color: str) -> None:
    shown = prettifier(Palette(True))(json.dumps({"level": level, "msg": "x"}).encode() + b"\n").decode()
    assert shown == f"{color}{level.upper():5}\x1b[0m x\n"


def test_times_and_other_fields_are_dim() -> None:
    shown = prettifier(Palette(True))(b'{"time":"12:00","msg":"x","a":1}\n').decode()
    assert shown == "\x1b[2m12:00\x1b[0m x \x1b[2ma=1\x1b[0m\n"


@pytest.mark.parametrize("key", ["time", "ts", "timestamp", "@timestamp", "t", "datetime"])
def test_a_time_has_many_names(key: str) -> None:
    assert plain(json.dumps({"msg": "x", key: "12:00"}).encode() + b"\n") == b"12:00 x\n"


@pytest.mark.parametrize("key", ["level", "lvl", "severity", "levelname", "log.level"])
def test_a_level_has_many_names(key: str) -> None:
    assert plain(json.dumps({"msg": "x", key: "info"}).encode() + b"\n") == b"INFO  x\n"
    assert plain(f"msg=x {key}=info\n".encode()) == b"INFO  x\n"


@pytest.mark.parametrize("key", ["message", "msg", "event", "text"])
def test_a_message_has_many_names(key: str) -> None:
    assert plain(json.dumps({key: "x", "a": 1}).encode() + b"\n") == b"x a=1\n"


@pytest.mark.parametrize(
    ("value", "is_time"),
    [
        ("99999999", False),
        ("100000000", True),
        ("99999999999", True),
        ("100000000000", True),  # milliseconds
        ("99999999999000000000", True),  # nanoseconds
        ("100000000000000000000", False),
        ("-100000000", False),
        ("null", False),
        ("[100000000]", False),
    ],
)
def test_from_which_number_on_a_time_counts_from_1970(value: str, is_time: bool) -> None:
    shown = plain(b'{"time":%s,"msg":"x"}\n' % value.encode()).decode()
    assert ("T" in shown and ":" in shown) is is_time


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('level=info msg="a b" c="d e" f=', 'INFO  a b c="d e" f=""'),
        ('msg=x level="in\\\\fo"', "IN\\FO x"),
        ('{"msg":{"a":1},"b":"c=d","e":"f\\"g"}', '{"a": 1} b="c=d" e="f\\"g"'),
        ('{"msg":"","level":""}', ""),
        ('{"msg":null}', "null"),
        ('{"msg":"x","level":null}', "x"),
        ('{"msg":"\\u00e9","a":"\\u00e9"}', "é a=é"),
    ],
)
def test_values_are_shown_as_they_read_best(line: str, shown: str) -> None:
    assert plain(line.encode() + b"\n").decode() == shown + "\n"


@pytest.mark.parametrize(
    "line", [b'level=info msg="open', b'level=info msg=a=b"', b"level=info, msg=x y", b"level=info"]
)
def test_a_line_that_is_not_all_pairs_stays_as_it_is(line: bytes) -> None:
    assert plain(line + b"\n") == line + b"\n"


def test_of_many_lines_each_is_looked_at() -> None:
    assert plain(b'{"msg":"a"}\nplain\n\n{"msg":"b"}\n') == b"a\nplain\n\nb\n"


def test_letters_of_all_languages_stay_as_they_are() -> None:
    line = '{"msg":{"é":1},"a":"é è","b":{"ñ":2}}'
    assert plain(line.encode() + b"\n").decode() == '{"é": 1} a="é è" b={"ñ": 2}\n'
