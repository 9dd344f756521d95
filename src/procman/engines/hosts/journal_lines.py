"""The journal's lines, as ``journalctl -o json`` writes them."""

from __future__ import annotations

import json
from itertools import chain

from procman.engines.records import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OPTIONS = ("--no-pager", "--quiet", "--all", "--output=json", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER")
_MICROSECONDS = 1_000_000


def parse(line: bytes, app: str, node: str) -> LogLine | None:
    """Return a line of the journal; None for anything else, such as a last line that was cut off."""
    try:
        entry = json.loads(line)
        name = entry["SYSLOG_IDENTIFIER"].removeprefix(f"{app}-")
        return LogLine(name, _bytes(entry["MESSAGE"]), _time(entry), node=node)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


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
