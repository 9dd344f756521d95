"""Records on the socket: one JSON object per line. json is imported when the first one is sent or received."""

from __future__ import annotations

from procman.core.text.protocol import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = tuple[dict[str, object], bytes]  # a record, and the bytes that belong to it


def encode(record: Mapping[str, object]) -> bytes:
    """Return a record as a line. A value that JSON does not know becomes its string."""
    import json

    return json.dumps(record, default=str).encode() + b"\n"


def decode(line: bytes | bytearray) -> object:
    """Return the value of a line. Raises ProtocolError if it is not JSON."""
    import json

    try:
        return json.loads(line.decode())  # json would guess the encoding
    except (ValueError, RecursionError):
        raise ProtocolError("a request must be one JSON object on one line") from None


def complete_records(data: bytes, largest: int) -> tuple[list[Answer], int, int]:
    """Return the complete records at the beginning of the data, where they end, and how long the next one is.

    That length is in bytes, with what belongs to the record; 0 if its line has not arrived. ``largest``: bytes that may
    belong to a record. Raises ProtocolError if the first is not a record.
    """
    import json

    parse = json.JSONDecoder().raw_decode
    text = data.decode("latin-1")  # a record is ASCII, and what belongs to it is not parsed
    found: list[Answer] = []
    at = 0
    while (line := data.find(b"\n", at)) >= 0:
        try:
            record, end = parse(text, at)
            size = record.get("size", 0)
        except (ValueError, RecursionError, AttributeError):
            end = size = -1
        if end != line or type(size) is not int or not 0 <= size <= largest:
            if found:
                break  # those come first
            raise ProtocolError("a record must be one JSON object on one line")
        stop = line + 1 + size
        if stop > len(data):
            return found, at, stop - at
        found.append((record, data[line + 1 : stop]))
        at = stop
    return found, at, 0
