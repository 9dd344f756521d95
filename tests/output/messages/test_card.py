from __future__ import annotations

from procman.output.messages.card import failure_card
from procman.output.palette import Palette

PLAIN = Palette(False)


def test_it_says_how_it_ended_and_shows_the_last_words() -> None:
    assert failure_card("web.1", "exited with status 1", "0.4 s", [b"Traceback", b"  boom"], PLAIN) == [
        "web.1 FAILED: exited with status 1",
        "it ran for 0.4 s; its last lines:",
        "    Traceback",
        "      boom",
    ]


def test_it_shows_twenty_lines_and_no_blank_ones() -> None:
    card = failure_card("web.1", "killed", "1 s", [b"%d" % number for number in range(30)] + [b"", b" "], PLAIN)
    assert card[2:] == [f"    {number}" for number in range(10, 30)]


def test_silence_is_said() -> None:
    assert failure_card("web.1", "not found", "0.0 s", [b""], PLAIN)[1:] == ["it ran for 0.0 s and printed nothing"]


def test_bytes_that_are_no_text_survive() -> None:
    assert failure_card("web.1", "x", "0 s", [b"\xff"], PLAIN)[-1].encode("utf-8", "surrogateescape") == b"    \xff"


def test_its_first_line_is_red_and_nothing_else_is_colored() -> None:
    first, *others = failure_card("web.1", "killed", "1 s", [b"boom"], Palette(True))
    assert first == "\x1b[1m\x1b[31mweb.1 FAILED: killed\x1b[0m"
    assert "\x1b" not in "".join(others)
