"""Which lines `procman logs` shows."""

from __future__ import annotations

import pytest

from procman.cli.control.log_filter import LineFilter, Selection, shown
from procman.core.text.values import regex
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record


class Shown:
    """A selection and what it has shown: the instance and its lines."""

    def __init__(self, line_filter: LineFilter, around: int = 0, count: int | None = None) -> None:
        self.lines: list[str] = []
        self.selection = Selection(line_filter, self._show, around, count)

    def _show(self, record: Record, lines: bytes) -> None:
        self.lines += [f"{record['log']} {line}" for line in lines.decode().splitlines()]

    def add(self, log: str, *lines: str, stream: str = "stdout") -> Shown:
        self.selection.add({"log": log, "stream": stream}, "".join(f"{line}\n" for line in lines).encode())
        return self

    def end(self) -> list[str]:
        self.selection.end_memory()
        return self.lines


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"plain", "plain"),
        (b"\x1b[31mre\x1b[1md\x1b[0m", "red"),
        (b"tab\tstays", "tab\tstays"),
        (b"  ", "  "),
        (b"old\rnew", "new"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\xff", "\ufffd"),
    ],
)
def test_matching_is_about_the_visible_text(line: bytes, text: str) -> None:
    assert shown(line) == text


def test_colors_do_not_hide_a_match_and_are_shown() -> None:
    out = Shown(LineFilter("lost it")).add("web.1", "\x1b[31mlost\x1b[0m it", "found 31m")
    assert out.end() == ["web.1 \x1b[31mlost\x1b[0m it"]


def test_case_and_inversion() -> None:
    lines = ["Error one", "error two", "fine"]
    assert LineFilter("error").matches("stdout", [line.encode() for line in lines]) == [False, True, False]
    assert LineFilter("error", ignore_case=True).matches("stdout", [b"ERROR", b"fine"]) == [True, False]
    assert LineFilter("error", invert=True).matches("stdout", [b"error", b"fine"]) == [False, True]


def test_filters_add_up_and_inversion_is_about_the_pattern_only() -> None:
    line_filter = LineFilter("db", invert=True, level="warn", only_stderr=True)
    lines = [b"level=error msg=db", b"level=error msg=web", b"level=info msg=web", b"web"]
    assert line_filter.matches("stderr", lines) == [False, True, False, False]
    assert line_filter.matches("stdout", lines) == [False] * 4


def test_a_level_takes_those_above_and_leaves_out_lines_without_one() -> None:
    lines = [
        b'{"level": 40}',
        b"level=fatal msg=x",
        b"level=info msg=x",
        b"WARN plain",
        b"\x1b[33mlevel=warn\x1b[0m msg=x",
    ]
    assert LineFilter(level="warn").matches("stdout", lines) == [True, True, False, False, True]


def test_only_the_last_matches_of_the_memory_are_shown_and_all_live_ones() -> None:
    out = Shown(LineFilter("x"), count=2).add("web.1", "x1", "-", "x2").add("db.1", "x3", "-")
    assert out.lines == []
    assert out.end() == ["web.1 x2", "db.1 x3"]
    out.add("web.1", "x4", "-", "x5", "x6")
    assert out.lines[2:] == ["web.1 x4", "web.1 x5", "web.1 x6"]
    assert out.end() == out.lines


def test_no_lines_of_the_memory_still_count_as_found() -> None:
    out = Shown(LineFilter("x"), count=0).add("web.1", "x1")
    assert out.end() == []
    assert out.selection.found


def test_context_is_lines_of_the_same_instance_each_once_and_in_order() -> None:
    out = Shown(LineFilter("x"), around=1)
    out.add("web.1", "a", "b").add("db.1", "other").add("web.1", "x1", "x2").add("db.1", "other").add("web.1", "c", "d")
    assert out.end() == ["web.1 b", "web.1 x1", "web.1 x2", "web.1 c"]


def test_context_keeps_the_order_of_the_memory() -> None:
    out = Shown(LineFilter("x"), around=1).add("web.1", "before").add("db.1", "x1").add("web.1", "x2", "after")
    assert out.end() == ["web.1 before", "db.1 x1", "web.1 x2", "web.1 after"]


def test_context_of_matches_that_are_not_shown_is_not_shown() -> None:
    out = Shown(LineFilter("x"), around=1, count=1).add("web.1", "a", "x1", "b", "c", "x2", "d", "e")
    assert out.end() == ["web.1 c", "web.1 x2", "web.1 d"]


def test_context_continues_from_memory_to_live_lines() -> None:
    out = Shown(LineFilter("x"), around=2).add("web.1", "a", "x1", "b")
    out.end()
    out.add("web.1", "c", "d", "e", "x2")
    assert out.lines == ["web.1 a", "web.1 x1", "web.1 b", "web.1 c", "web.1 d", "web.1 e", "web.1 x2"]


def test_a_pattern_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(UsageError, match="--grep takes more than 1 s"):
        LineFilter("(a+)+$").matches("stdout", [b"a" * 64 + b"!"])


@pytest.mark.filterwarnings("error")
def test_a_pattern_that_python_warns_about_is_searched_for() -> None:
    assert regex("[[b]") == "[[b]"
    assert LineFilter("[[b]", ignore_case=True).matches("stdout", [b"[", b"c"]) == [True, False]
