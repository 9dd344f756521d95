"""Which colors and attributes are on after some SGR sequences."""

from __future__ import annotations

import pytest

from procman.output.sanitize import sgr
from procman.output.sanitize.sgr import advance


@pytest.mark.parametrize(
    ("before", "parameters", "after"),
    [
        (b"", b"1", b"1"),
        (b"1;2", b"22", b""),
        (b"1;2;3", b"22", b"3"),
        (b"1;2", b"23", b"1;2"),
        (b"4", b"4:0", b""),
        (b"4", b"4:3", b"4:3"),
        (b"4", b"21", b"21"),
        (b"21", b"24", b""),
        (b"5", b"6", b"6"),
        (b"31", b"92", b"92"),
        (b"31;42", b"39", b"42"),
        (b"31;42", b"49", b"31"),
        (b"31;42", b"", b""),
        (b"31", b"0;42", b"42"),
        (b"", b"38;5;1;4", b"38;5;1;4"),
        (b"31", b"38;2;1;2;3;4", b"38;2;1;2;3;4"),
        (b"", b"38;2;1;2;3;39", b""),
        (b"", b"38:5:1;4", b"38:5:1;4"),
        (b"", b"38:5:1;5;7;39", b"5;7"),
        (b"", b"48;5;0;1", b"48;5;0;1"),
        (b"58;5;3", b"59", b""),
        (b"1", b"999", b"1"),
    ],
)
def test_what_is_on_is_one_sequence(before: bytes, parameters: bytes, after: bytes) -> None:
    state = b"\x1b[" + before + b"m" if before else b""
    assert advance(state, [b"\x1b[" + parameters + b"m"]) == (b"\x1b[" + after + b"m" if after else b"")


def test_without_sequences_nothing_changes() -> None:
    assert advance(b"\x1b[1m", []) == b"\x1b[1m"


def test_only_short_sequences_are_remembered_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    cache: dict[tuple[bytes, bytes], bytes] = {}
    monkeypatch.setattr(sgr, "_CACHE", cache)
    advance(b"", [b"\x1b[1m"] * sgr._MAX_CACHED_LENGTH)
    assert cache == {}
    for number in range(3 * sgr._MAX_CACHED):
        assert advance(b"", [b"\x1b[1;38;5;%dm" % number]) == b"\x1b[1;38;5;%dm" % number
    assert 0 < len(cache) <= sgr._MAX_CACHED
    key = (b"", b"\x1b[1m")
    cache[key] = b"known"
    assert advance(b"", [b"\x1b[1m"]) == b"known"
