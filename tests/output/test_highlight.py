from __future__ import annotations

import pytest

from procman.errors import UsageError
from procman.output import timelimit
from procman.output.highlight import highlighter


@pytest.mark.parametrize(
    ("pattern", "lines", "marked"),
    [
        ("b+", b"abba\nx\n", b"a\x1b[7mbb\x1b[27ma\nx\n"),
        ("^x", b"xx\nx\n", b"\x1b[7mx\x1b[27mx\n\x1b[7mx\x1b[27m\n"),
        (r"\s+", b"a\nb\n", b"a\nb\n"),
        ("x*", b"ab\n", b"ab\n"),
        ("ż", "żółć\n".encode(), "\x1b[7mż\x1b[27mółć\n".encode()),
        ("31", b"\x1b[31m31\x1b[0m\n", b"\x1b[31m\x1b[7m31\x1b[27m\x1b[0m\n"),
        (
            "ERROR",
            b"\x1b[31mER\x1b[0mR\x1b[1m\x1b[4mOR!\n",
            b"\x1b[31m\x1b[7mER\x1b[27m\x1b[0m\x1b[7mR\x1b[27m\x1b[1m\x1b[4m\x1b[7mOR\x1b[27m!\n",
        ),
        ("^a|b$", b"b\x1b[1ma\x1b[0ma\n", b"b\x1b[1ma\x1b[0ma\n"),
        ("^a|b$", b"\x1b[1ma\x1b[0mab\n", b"\x1b[1m\x1b[7ma\x1b[27m\x1b[0ma\x1b[7mb\x1b[27m\n"),
        ("a", b"\x1b[1maxa\x1b[0ma\n", b"\x1b[1m\x1b[7ma\x1b[27mx\x1b[7ma\x1b[27m\x1b[0m\x1b[7ma\x1b[27m\n"),
        ("a", b"\xff a\n", b"\xff \x1b[7ma\x1b[27m\n"),
    ],
)
def test_matches_are_marked_and_nothing_else_changes(pattern: str, lines: bytes, marked: bytes) -> None:
    assert highlighter(pattern)(lines) == marked


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="not a regular expression"):
        highlighter(pattern)


@pytest.mark.parametrize("lines", [b"a" * 60 + b"b\n", b"\x1b[1m" + b"a" * 60 + b"b\n"])
def test_a_search_that_would_take_for_ever_is_given_up(lines: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelimit, "LIMIT", 0.01)
    marked = highlighter("(a+)+$")
    with pytest.raises(TimeoutError):
        marked(lines)
    assert marked(b"aa\n") == b"\x1b[7maa\x1b[27m\n"
