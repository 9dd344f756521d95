from __future__ import annotations

import pytest

from procman.runtime.processes.pty_replies import MAX_REPLIES, replies


@pytest.mark.parametrize(
    ("before", "chunk", "answer"),
    [
        (b"", b"\x1b[6n", b"\x1b[24;1R"),
        (b"", b"a line\n>>> \x1b[6n", b"\x1b[24;5R"),
        (b">>> ", b"\x1b[6n", b"\x1b[24;5R"),
        (b"", b"\x1b[32m50%\r\x1b[1m7%\x1b[6n", b"\x1b[24;3R"),
        ("é".encode(), b"\x1b[6n", b"\x1b[24;2R"),
        (b"", b"\x1b[5n\x1b[c\x1b[0c", b"\x1b[0n\x1b[?1;2c\x1b[?1;2c"),
        (b"x\x1b[c", b"y\x1b[m", b""),
        (b"", b"\x1b[>c\x1b[31m\x1b[?6n\x1b[16n", b""),
    ],
)
def test_a_program_that_asks_its_terminal_is_answered(before: bytes, chunk: bytes, answer: bytes) -> None:
    assert replies(before, chunk, 24) == answer


def test_a_flood_of_questions_is_not_answered_for_ever() -> None:
    assert replies(b"", b"\x1b[5n" * 10_000, 24) == b"\x1b[0n" * MAX_REPLIES
