from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from procman.errors import UsageError
from procman.output.sinks import transforms
from procman.output.sinks.transforms import LAST_TAB_STOP, SearchTimeLimit, highlighter, without_tabs


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
    monkeypatch.setattr(transforms, "SEARCH_LIMIT", 0.01)
    marked = highlighter("(a+)+$")
    with pytest.raises(TimeoutError):
        marked(lines)
    assert marked(b"aa\n") == b"\x1b[7maa\x1b[27m\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock and a timer that are set by hand: seconds, and seconds left on the timer."""
    clock = [0.0, 0.0]

    def set_timer(_which: int, seconds: float) -> tuple[float, float]:
        left, clock[1] = clock[1], seconds
        return left, 0.0

    monkeypatch.setattr(transforms, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr("signal.setitimer", set_timer)
    return clock


def search(limit: SearchTimeLimit, clock: list[float], cost: float, size: int = 25) -> None:
    """Return a search that takes this many seconds of CPU time."""

    def find() -> None:
        clock[0] += cost
        clock[1] -= cost
        if clock[1] <= 0:
            clock[1] = 0.0
            raise TimeoutError

    limit.search(find, size)


def test_many_long_searches_take_no_more_together_than_one_may(clock: list[float]) -> None:
    limit = SearchTimeLimit()
    for _ in range(3):
        search(limit, clock, 0.3)
    with pytest.raises(TimeoutError):
        search(limit, clock, 0.3)


def test_a_long_search_now_and_then_is_forgiven(clock: list[float]) -> None:
    limit = SearchTimeLimit()
    for _ in range(100):
        search(limit, clock, 0.6)
        clock[0] += 6.0


def test_an_ordinary_search_in_a_flood_never_takes_too_long(clock: list[float]) -> None:
    limit = SearchTimeLimit()
    for _ in range(1000):
        search(limit, clock, 0.04, 65536)


def test_what_was_not_needed_is_no_reserve(clock: list[float]) -> None:
    limit = SearchTimeLimit()
    search(limit, clock, 0.0, 100_000_000)
    clock[0] += 1000.0
    with pytest.raises(TimeoutError):
        search(limit, clock, 1.1)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"a\tb\n\tc\n", b"a       b\n        c\n"),
        (b"1234567\tx\n12345678\tx\n", b"1234567 x\n12345678        x\n"),
        (b"\x1b[31mred\x1b[0m\tx\n", b"\x1b[31mred\x1b[0m     x\n"),
        ("é\tx\n".encode(), "é       x\n".encode()),
        ("e\u0301\tx\n".encode(), "e\u0301       x\n".encode()),
        ("日本\tx\n".encode(), "日本    x\n".encode()),
        (b"\xff\tx\n", b"\xff       x\n"),
    ],
)
def test_a_tab_leads_where_a_terminal_would_take_it(line: bytes, shown: bytes) -> None:
    assert without_tabs(line) == shown


def test_a_heap_of_tabs_does_not_become_a_heap_of_rows() -> None:
    """A terminal keeps further tabs at its right edge; spaces would wrap."""
    line = b"\t" * 60_000 + b"x\n"
    assert without_tabs(line) == b" " * LAST_TAB_STOP + b"\t" * (60_000 - LAST_TAB_STOP // 8) + b"x\n"


def test_an_empty_match_in_a_colored_line_is_not_marked() -> None:
    assert highlighter("x*")(b"\x1b[1mab\x1b[0m\n") == b"\x1b[1mab\x1b[0m\n"


@pytest.mark.parametrize(("text", "blanks"), [("\uff21", 6), ("e\u200d", 7), ("e\u20dd", 7), ("\u65e5", 6)])
def test_a_tab_follows_wide_and_joined_characters(text: str, blanks: int) -> None:
    assert without_tabs(f"{text}\tx\n".encode()) == f"{text}{' ' * blanks}x\n".encode()


def test_no_timer_is_left_running_after_a_search() -> None:
    assert highlighter("b")(b"abc\n") == b"a\x1b[7mb\x1b[27mc\n"
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
