"""What the cursor and the escape sequences of one line leave of it."""

from __future__ import annotations

import pytest

from procman.output.sanitize.escapes import EscapeFilter


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\b\bab\bX", b"aX"),
        (b"ab\b\b\bXY", b"XY"),
        (b"old\x1b[500Dnew", b"new"),
        (b"old\x1b[499Dnew", b"oldnew"),
        (b"old\x1b[1Gnew", b"new"),
        (b"old\x1b[2Gnew", b"old new"),
        (b"old\x1b[2Knew", b"new"),
        (b"a\x1b[3Cb", b"a   b"),
        (b"a\x1b[Cb", b"a b"),
        (b"one\rtwo\r", b"two"),
        (b"old\rnew\r\x1b[31m", b"new\x1b[31m\x1b[0m"),
        (b"\x1b[1mab\bc", b"\x1b[1mac\x1b[0m"),
        (b"\r\r", b""),
        (b"\x07a\x0eb\x0f", b"ab"),
        (b"\x1b]0;title\x07text", b"text"),
        (b"\x1b]52;c;aGk=\x07text", b"^[]52;c;aGk=text"),
        (b"a\x1b", b"a^["),
        (b"a\x05\x0b\x0cb", b"a^E^K^Lb"),
    ],
)
def test_of_one_line_its_last_state_remains(written: bytes, shown: bytes) -> None:
    assert EscapeFilter().clean(written + b"\n") == shown + b"\n"


def test_colors_of_an_overwritten_state_stay_on_in_the_next_line() -> None:
    stream = EscapeFilter()
    assert stream.clean(b"\x1b[31mold\rnew\nnext\n") == b"\x1b[31mnew\x1b[0m\n\x1b[31mnext\x1b[0m\n"
    assert not stream.settled
    assert stream.clean(b"\x1b[0mplain\n").endswith(b"plain\n")
    assert stream.settled
