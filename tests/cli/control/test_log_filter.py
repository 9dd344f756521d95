"""Which lines `procman logs` shows."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.cli.control.log_filter import LineFilter, Selection, shown
from procman.core.text.values import regex
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.cli.control.connection import Record


class Shown:
    """A selection and what it has shown: the instance and its lines."""

    def __init__(self, line_filter: LineFilter, around: int = 0, count: int | None = None, first: bool = False) -> None:
        self.lines: list[str] = []
        self.selection = Selection(line_filter, self._show, around, count, first)

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


def whole(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_case_and_inversion() -> None:
    lines = whole("Error one", "error two", "fine")
    assert list(LineFilter("error").matches("stdout", lines)) == [1]
    assert list(LineFilter("error", ignore_case=True).matches("stdout", lines)) == [0, 1]
    assert list(LineFilter("error", invert=True).matches("stdout", lines)) == [0, 2]


def test_filters_add_up_and_inversion_is_about_the_pattern_only() -> None:
    line_filter = LineFilter("db", invert=True, level="warn", only_stderr=True)
    lines = whole("level=error msg=db", "level=error msg=web", "level=info msg=web", "web")
    assert list(line_filter.matches("stderr", lines)) == [1]
    assert list(line_filter.matches("stdout", lines)) == []


def test_a_level_takes_those_above_and_leaves_out_lines_without_one() -> None:
    lines = whole(
        '{"level": 40}', "level=fatal msg=x", "level=info msg=x", "WARN plain", "\x1b[33mlevel=warn\x1b[0m msg=x"
    )
    assert list(LineFilter(level="warn").matches("stdout", lines)) == [0, 1, 4]


def test_each_line_is_matched_by_itself() -> None:
    assert list(LineFilter("^b$").matches("stdout", b"a\nb\n\n\xff\nb\n")) == [1, 4]
    assert list(LineFilter("a\\s*b").matches("stdout", b"a\nb\n")) == []
    assert list(LineFilter("^$").matches("stdout", b"\n")) == [0]
    assert list(LineFilter("\ufffd$").matches("stdout", b"\xe2\x82\n\x1b[1m\xe2\n")) == [0, 1]


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
        LineFilter("(a+)+$").matches("stdout", b"a" * 64 + b"!\n")


@pytest.mark.filterwarnings("error")
def test_a_pattern_that_python_warns_about_is_searched_for() -> None:
    assert regex("[[b]") == "[[b]"
    assert list(LineFilter("[[b]", ignore_case=True).matches("stdout", b"[\nc\n")) == [0]


CHUNKS = st.lists(
    st.tuples(st.sampled_from(["web.1", "db.1"]), st.lists(st.sampled_from("x-"), min_size=1, max_size=9))
)


@given(CHUNKS, CHUNKS, st.integers(0, 3), st.one_of(st.none(), st.integers(0, 4)), st.sampled_from([1, 12, 65536]))
def test_the_last_matches_of_the_memory_and_all_later_ones_are_shown_with_the_lines_around_them(
    memory: list[tuple[str, list[str]]], live: list[tuple[str, list[str]]], around: int, count: int | None, block: int
) -> None:
    with (
        mock.patch("procman.cli.control.log_filter.BLOCK", block),
        mock.patch("procman.cli.control.log_filter.MAX_PENDING", 2 * block),
    ):
        _require_all_that_is_near(memory, live, around, count)


def _require_all_that_is_near(
    memory: list[tuple[str, list[str]]], live: list[tuple[str, list[str]]], around: int, count: int | None
) -> None:
    numbered = [(log, f"{text}{number}") for number, (log, text) in enumerate(lines_of(memory + live))]
    held = len(list(lines_of(memory)))
    matches = [number for number, (_, line) in enumerate(numbered[:held]) if line[0] == "x"]
    dropped = matches[: 0 if count is None else max(0, len(matches) - count)]
    shown = [number for number, (_, line) in enumerate(numbered) if line[0] == "x" and number not in dropped]

    out, number = Shown(LineFilter("x"), around, count), 0
    for place, (log, lines) in enumerate(memory + live):
        if place == len(memory):
            out.end()
        out.add(log, *(line for _, line in numbered[number : number + len(lines)]))
        number += len(lines)
    out.end()
    near = around_them(numbered, shown, around)
    assert sorted(out.lines, key=place_of) == [f"{log} {line}" for log, line in map(numbered.__getitem__, near)]
    in_memory = [line for line in out.lines if place_of(line) < held]
    assert live or in_memory == sorted(in_memory, key=place_of)


@given(CHUNKS, st.integers(0, 3), st.integers(0, 4))
def test_the_first_matches_are_complete_when_there_is_one_more(
    chunks: list[tuple[str, list[str]]], around: int, count: int
) -> None:
    numbered = [(log, f"{text}{number}") for number, (log, text) in enumerate(lines_of(chunks))]
    matches = [number for number, (_, line) in enumerate(numbered) if line[0] == "x"]
    end = matches[count] if len(matches) > count else len(numbered)
    out, number = Shown(LineFilter("x"), around, count, first=True), 0
    for log, lines in chunks:
        if out.selection.complete:
            break
        out.add(log, *(line for _, line in numbered[number : number + len(lines)]))
        number += len(lines)
    near = around_them(numbered[:end], matches[:count], around) if count else []
    assert sorted(out.end(), key=place_of) == [f"{log} {line}" for log, line in map(numbered.__getitem__, near)]
    assert out.selection.complete is (len(matches) > count or not count)


def lines_of(chunks: list[tuple[str, list[str]]]) -> Iterator[tuple[str, str]]:
    return ((log, text) for log, texts in chunks for text in texts)


def around_them(numbered: list[tuple[str, str]], shown: list[int], around: int) -> list[int]:
    """Return the numbers of lines that are so near to one of these lines of the same instance."""
    near = set()
    for log in {log for log, _ in numbered}:
        own = [number for number, (other, _) in enumerate(numbered) if other == log]
        for place, number in enumerate(own):
            if number in shown:
                near.update(own[max(0, place - around) : place + around + 1])
    return sorted(near)


def place_of(line: str) -> int:
    return int(line.partition(" ")[2][1:])


def test_a_gap_is_between_the_lines_before_and_after_it() -> None:
    out = Shown(LineFilter("x")).add("web.1", "x1")
    assert out.lines == []
    out.selection.show_pending()
    assert out.lines == ["web.1 x1"]


def test_lines_of_both_streams_are_searched_each_by_itself() -> None:
    out = Shown(LineFilter("x", only_stderr=True))
    out.add("web.1", "x1", stream="stderr").add("web.1", "x2").add("db.1", "-", "x3", stream="stderr")
    assert out.end() == ["web.1 x1", "db.1 x3"]


def test_the_last_matches_are_found_without_a_search_of_all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.cli.control.log_filter.BLOCK", 30)
    line_filter = LineFilter("x")
    searched = mock.Mock(side_effect=line_filter.matches)
    monkeypatch.setattr(line_filter, "matches", searched)
    out = Shown(line_filter, count=5)
    for number in range(1000):
        out.add("web.1", f"x{number}")
    assert out.end() == [f"web.1 x{number}" for number in range(995, 1000)]
    assert len(searched.mock_calls) <= 2


def ends_of(record: dict[str, object]) -> object:
    """The positions after lines, if a record knows them."""
    ends = record.get("ends")
    return ends() if callable(ends) else ends


def test_parts_of_a_chunk_are_shown_with_their_positions() -> None:
    shown: list[tuple[object, bytes]] = []
    selection = Selection(LineFilter("x"), lambda record, lines: shown.append((ends_of(record), lines)))
    selection.add({"log": "web.1", "stream": "stdout", "at": 100}, b"x1\nx2\n-\n\nx3\n")
    selection.add({"log": "web.1", "stream": "stdout", "at": 112}, b"x4\n")
    selection.end_memory()
    assert shown == [([103, 106, 112], b"x1\nx2\nx3\n"), (None, b"x4\n")]


@pytest.mark.parametrize("pattern", ["x.y", "x-y", "x y", "", "^x", "x$", "a|x", "(x)", r"\d", "[x]", "#"])
@pytest.mark.parametrize(("ignore_case", "invert"), [(False, False), (True, False), (False, True)])
def test_a_pattern_means_what_python_says_whether_it_is_a_plain_word_or_not(
    pattern: str, ignore_case: bool, invert: bool
) -> None:
    texts = ["x.y", "x-y", "xzy", "x y", "X-Y", "a", "", "ax", "(x)", "7", "[x]", "# x", "\\d"]
    found = LineFilter(pattern, ignore_case, invert).matches("stdout", "".join(f"{text}\n" for text in texts).encode())
    search = re.compile(pattern, re.IGNORECASE if ignore_case else 0).search
    assert list(found) == [at for at, text in enumerate(texts) if bool(search(text)) != invert]
