"""The journal's lines, as ``journalctl -o json`` writes them."""

from __future__ import annotations

import json
from itertools import chain

from procman.engines.records import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STOPPED = "9d1aaa27d60140bd96365438aad20286"  # MESSAGE_ID of systemd: a unit has been stopped
UNITS = ("UNIT", "USER_UNIT")  # fields of what the managers of the system and of a user say about a unit
OPTIONS = (
    *("--no-pager", "--quiet", "--all", "--output=json"),
    "--output-fields=MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER",
)
_MICROSECONDS = 1_000_000


def parse(line: bytes, app: str, node: str) -> LogLine | None:
    """Return a line of the journal; None for anything else, such as a last line that was cut off."""
    try:
        entry = json.loads(line)
        name = entry["SYSLOG_IDENTIFIER"].removeprefix(f"{app}-")
        return LogLine(name, _bytes(entry["MESSAGE"]), _time(entry), node=node)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def is_stop(line: bytes) -> bool:
    """Whether a line says that a unit has been stopped. A process cannot say so: the journal quotes its lines."""
    return f'"MESSAGE_ID":"{STOPPED}"'.encode() in line.replace(b'" : "', b'":"')


def _bytes(message: str | list[int] | None) -> bytes:
    """Return the message: text, or numbers if it has bytes that are not text, or none if it was too long."""
    if isinstance(message, list):
        return bytes(message)
    return (message or "").encode("utf-8", "surrogateescape")


def _time(entry: Mapping[str, str]) -> float:
    return int(entry["__REALTIME_TIMESTAMP"]) / _MICROSECONDS


def parse_all(output: bytes, app: str, node: str) -> Sequence[LogLine]:
    """Return all lines of an output."""
    return [found for line in output.splitlines() if (found := parse(line, app, node))]


def merged(outputs: Iterable[Sequence[LogLine]], most: int) -> Sequence[LogLine]:
    """Return the last lines of all hosts together, by time."""
    lines = sorted(chain.from_iterable(outputs), key=lambda line: line.time or 0.0)
    return lines[-most:] if most else []
