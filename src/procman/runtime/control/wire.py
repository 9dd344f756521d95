"""Does the writing and reading of records: one JSON object a line; json is imported when somebody speaks."""

from __future__ import annotations

from procman.core.text.protocol import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def encode(record: Mapping[str, object]) -> bytes:
    """A record as a line; what is no JSON becomes its text."""
    import json

    return json.dumps(record, default=str).encode() + b"\n"


def decode(line: bytes | bytearray) -> object:
    """What a line says. Raises ProtocolError when it is no JSON."""
    import json

    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("a request is one JSON object a line") from None
