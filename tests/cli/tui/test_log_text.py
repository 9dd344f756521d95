"""Output on the screen keeps its colors, and nothing in it acts on the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.cli.tui.log_text import plain, runs_of


def looks(line: bytes) -> list[tuple[str, object, object, set[str]]]:
    return [(text, look.color, look.background, set(look.attributes)) for text, look in runs_of(line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"plain", [("plain", None, None, set())]),
        (b"a \x1b[31mred\x1b[0m b", [("a ", None, None, set()), ("red", 1, None, set()), (" b", None, None, set())]),
        (b"\x1b[1;92mok\x1b[22;39m", [("ok", 10, None, {"bold"})]),
        (b"\x1b[38;5;208;48;2;1;2;3mx", [("x", 208, "#010203", set())]),
        (b"\x1b[44;4mx\x1b[24mx", [("x", None, 4, {"underline"}), ("x", None, 4, set())]),
        (b"[bold]x[/bold] [link=a]", [("[bold]x[/bold] [link=a]", None, None, set())]),
        (b"a\tb", [("a       b", None, None, set())]),
        (b"", [("", None, None, set())]),
    ],
)
def test_colors_become_looks(line: bytes, expected: list[object]) -> None:
    assert looks(line) == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"\x1b]0;title\x07x", "x"),
        (b"\x1b[2J\x1b[Hx", "x"),
        (b"50%\r100%", "100%"),
        ("a\u202eb".encode(), "a\\u202eb"),
        (b"a\x9b2Jb", "a\ufffd2Jb"),
        ("a\x9b2J".encode(), "a\\x9b2J"),
        (b"a\x00b", "a\\x00b"),
        ("日本".encode(), "日本"),
    ],
)
def test_the_text_is_what_a_terminal_would_show(line: bytes, text: str) -> None:
    assert plain(line) == text


@given(
    st.lists(
        st.sampled_from([b"\x1b", b"[", b"31", b";", b"m", b"]8;;", b"\x07", b"a", b"\xc2", b"\x9b", b"\r", b"\x7f"])
    )
)
def test_no_line_acts_on_the_terminal(pieces: list[bytes]) -> None:
    assert all(char.isprintable() for char in plain(b"".join(pieces)))
