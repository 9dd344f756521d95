"""What is answered to a line that is not a message of the protocol, so that no client waits for an answer in vain."""

from __future__ import annotations

import json
import re

from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    jsonrpc_message_adapter,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    Id = str | int | None

_TEXT = rb'"(?:[^"\\]|\\.)*"'
_ID = rb'"id"\s*:\s*(-?\d{1,18}|' + _TEXT + rb")"
_FIRST = re.compile(rb'\s*\{\s*(?:"(?:jsonrpc|method)"\s*:\s*' + _TEXT + rb"\s*,\s*)*" + _ID + rb"\s*[,}]")
_LAST = re.compile(rb'[,{]\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*' + _ID + rb"\s*\}\s*\Z")


def answer_to(line: str) -> JSONRPCError | None:
    """Return the answer to a line if it is not a message; None if it is one, or has to be ignored.

    Neither a notification, which has no id, nor a response is answered: two peers would exchange errors forever.
    """
    if not line.strip():
        return None
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return _answer_to_invalid(line)
    if isinstance(message, JSONRPCNotification) and '"id"' in line:  # maybe a request whose id is not one
        return _answer_to_invalid(line)
    return None


def _answer_to_invalid(line: str) -> JSONRPCError | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return _error(None, PARSE_ERROR, "this is not JSON")
    if not isinstance(message, dict):
        return _error(None, INVALID_REQUEST, "a request must be one JSON object")
    if "id" not in message or "method" not in message:
        return None
    number = _usable(message["id"])
    if _has_half_a_character(message):
        return _error(number, INVALID_REQUEST, "a string has half of a surrogate pair, such as \\ud83d without \\ude00")
    return _error(number, INVALID_REQUEST, "this is not a request of JSON-RPC 2.0")


def _usable(number: object) -> Id:
    """Return an id; None if it cannot be one, or cannot be written."""
    if not isinstance(number, (int, str)) or isinstance(number, bool) or _has_half_a_character(number):
        return None
    return number


def _has_half_a_character(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def answer_to_long(start: bytes, end: bytes, limit: int) -> JSONRPCError:
    """Return the answer to a line that is too long. Its id is known if it is among the first members, or the last."""
    found = _FIRST.match(start) or _LAST.search(end)
    try:
        number = json.loads(found[1]) if found else None
    except ValueError:
        number = None
    return _error(_usable(number), INVALID_REQUEST, f"a request may have at most {limit} bytes")


def _error(number: Id, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=message))
