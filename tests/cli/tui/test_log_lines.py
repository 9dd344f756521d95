"""The lines that the screen holds are bounded, filtered, searched and laid out."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from procman.cli.tui import log_lines
from procman.cli.tui.log_lines import MAX_LENGTH, LogLine, LogLines


def lines(*texts: str, at: int = 0) -> list[LogLine]:
    found = []
    for text in texts:
        found.append(LogLine(at, "web.1", 1.0, text.encode()))
        at = found[-1].end
    return found


def texts(held: LogLines) -> list[str]:
    return [line.text for line in held.shown]


def test_the_oldest_lines_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "MAX_LINES", 3)
    held = LogLines()
    held.append(lines("a", "b"))
    held.append(lines("c", "d"))
    assert (texts(held), held.dropped, held.is_full) == (["b", "c", "d"], 1, True)
    held.append(lines("e", "f", "g", "h"))
    assert (texts(held), held.dropped) == (["f", "g", "h"], 4)


def test_long_lines_count_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "MAX_SIZE", 100)
    held = LogLines()
    held.append(lines("a" * 60, "b" * 30, "c" * 30))
    assert [line.text[0] for line in held.shown] == ["b", "c"]
    assert held.prepend(lines("d" * 60)) == 1
    assert held.is_full


def test_a_line_without_end_is_cut() -> None:
    line = LogLine(7, "web.1", 1.0, b"x" * (MAX_LENGTH + 5))
    assert line.text.endswith("x… (more)")
    assert line.end == 7 + MAX_LENGTH + 6  # where it really ends


def test_a_level_leaves_out_lines_below_it_and_those_without() -> None:
    held = LogLines()
    held.append(lines('{"level":"info","msg":"a"}', "plain", "level=error msg=b"))
    held.set_level("warn")
    held.append(lines("level=warn msg=c", "level=debug msg=d"))
    held.prepend(lines('{"level":60}'))
    assert texts(held) == ['{"level":60}', "level=error msg=b", "level=warn msg=c"]
    held.set_level("")
    assert len(held.shown) == 6


def test_dropped_lines_are_counted_among_those_of_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "MAX_LINES", 3)
    held = LogLines()
    held.set_level("warn")
    held.append(lines("level=warn a=1", "plain", "level=warn a=2"))
    held.append(lines("plain", "plain"))
    assert (texts(held), held.dropped) == (["level=warn a=2"], 1)


@pytest.mark.parametrize(
    ("text", "start", "step", "found"),
    [("job", 0, 1, 0), ("job", 1, 1, 3), ("JOB", 3, -1, 3), ("Job", 0, 1, None), ("[a", 0, 1, 2), ("x", 3, -1, None)],
)
def test_a_text_is_found(text: str, start: int, step: int, found: int | None) -> None:
    held = LogLines()
    held.append(lines("a \x1b[1mjob", "b", "[a(", "JOB"))
    assert held.find(text, start, step) == found


def test_rows_know_their_lines() -> None:
    held = LogLines(cell_len)
    held.append(lines("a" * 10, "", "b" * 25, "c"))
    rows = held.rows(10)
    assert rows.count == 6
    assert [rows.at(row) for row in range(6)] == [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (3, 0)]
    assert (rows.first(2), rows.end(2)) == (2, 5)
    assert held.rows(0).count == 4
    assert LogLines().rows(10).count == 0


def test_a_wide_character_is_not_cut_in_two() -> None:
    held = LogLines(cell_len)
    held.append(lines("a日本語", "日本語"))
    assert held.cuts(held.shown[0], 4) == [0, 3]
    assert held.cuts(held.shown[1], 3) == [0, 2, 4]
    assert held.rows(3).count == 6
