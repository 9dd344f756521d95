"""What is answered to a line that is not a message of the protocol."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("mcp_types", reason="the extra mcp is not installed")

from procman.cli.mcp.invalid_requests import answer_to, answer_to_long


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": "a", "method": "ping", "params": {"x": "😀"}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"id": 7, "error": {}},
        {"method": "no id"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"id": 1.5}},
    ],
)
def test_messages_and_what_has_no_id_or_no_method_have_no_answer_here(message: object) -> None:
    assert answer_to(json.dumps(message)) is None


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("{", None),
        ("[1]", None),
        ('{"id": 3, "method": "ping"}', 3),
        ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', None),
        ('{"jsonrpc": "2.0", "id": true, "method": "ping"}', None),
        ('{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', None),
        ('{"jsonrpc": "2.0", "id": "é", "method": "p\\udc00"}', "é"),
    ],
)
def test_anything_else_has_an_answer_with_its_id(line: str, number: object) -> None:
    answer = answer_to(line)
    assert answer is not None
    assert answer.id == number
    json.loads(answer.model_dump_json())


@pytest.mark.parametrize(
    ("start", "end", "number"),
    [
        (b'{"jsonrpc":"2.0","id":5,"method":"x', b'x"}', 5),
        (b' { "method" : "a\\"b" , "id" : "n\\u00e9" , "params":"x', b'x"}', "né"),
        (b'{"method":"m","params":{"id":5,"x":"x', b'x"},"jsonrpc":"2.0","id":6}\r\n', 6),
        (b'{"method":"m","params":{"jsonrpc":"2.0","id":5}', b'x,"params":{"jsonrpc":"2.0","id":5}}\n', None),
        (b'{"params":"x', b'\\"jsonrpc\\":\\"2.0\\",\\"id\\":5}"}', None),
        (b'{"id":"\\ud800","method":"x', b'x"}', None),
        (b'{"id":"\xff","method":"x', b'x"}', None),
        (b'{"id":5.5,"x', b'x"}', None),
        (b'{"id":"' + b"\\" * 100_000, b"x", None),
    ],
)
def test_the_id_of_a_long_line_is_found_at_its_start_or_its_end(start: bytes, end: bytes, number: object) -> None:
    assert answer_to_long(start, end, 1000).id == number
