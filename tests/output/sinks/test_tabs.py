from __future__ import annotations

import pytest

from procman.output.sinks.tabs import FAR, without_tabs


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
    """A terminal stays at its right edge for further tabs; spaces would go on below."""
    line = b"\t" * 60_000 + b"x\n"
    assert without_tabs(line) == b" " * FAR + b"\t" * (60_000 - FAR // 8) + b"x\n"
