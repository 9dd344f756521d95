"""Records on the socket: one JSON object per line. json is imported when the first one is sent or received."""

from __future__ import annotations

from procman.core.text.protocol import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


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
