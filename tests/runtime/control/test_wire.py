"""Tests for reading records from the socket, whatever has arrived of them."""

from __future__ import annotations

import pytest

from procman.core.text.protocol import ProtocolError
from procman.runtime.control.wire import complete_records, encode

LARGEST = 100  # bytes


def test_records_are_read_with_what_belongs_to_them() -> None:
    lines = 'GET "/"\n{"ä": 1}\n'.encode()
    data = encode({"log": "wéb.1", "size": len(lines)}) + lines + encode({"done": True})
    assert complete_records(data, LARGEST) == (
        [({"log": "wéb.1", "size": len(lines)}, lines), ({"done": True}, b"")],
        len(data),
        0,
    )


@pytest.mark.parametrize("size", range(len(encode({"size": 4}))))
def test_a_part_of_a_line_waits_for_its_rest(size: int) -> None:
    first = encode({"live": True})
    data = first + encode({"size": 4})[:size]
    assert complete_records(data, LARGEST) == ([({"live": True}, b"")], len(first), 0)


def test_how_much_is_needed_is_known_from_the_line() -> None:
    line = encode({"size": 40})
    assert complete_records(line + b"x" * 39, LARGEST) == ([], 0, len(line) + 40)
    assert complete_records(line + b"x" * 40, LARGEST)[0] == [({"size": 40}, b"x" * 40)]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"[1]\n",
        b"7\n",
        b"{}{}\n",
        b'{"a":\n1}\n',
        b'{"size": -1}\n',
        b'{"size": 101}\n',
        b"[" * 9999 + b"\n",
        b'{"size": "4"}\n',
        b'{"size": true}\n',
        b'{"size": 1.0}\n',
    ],
)
def test_what_is_not_a_record_is_an_error_after_those_before_it(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        complete_records(line, LARGEST)
    first = encode({"live": True})
    assert complete_records(first + line, LARGEST) == ([({"live": True}, b"")], len(first), 0)
