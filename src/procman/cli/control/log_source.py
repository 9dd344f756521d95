"""The output of a session for ``logs``, in the order in which it was published: from its memory, then live.

A position is a number of bytes: those of all output of the session before it. A cursor names a session and a position,
that after a line; so each line has one.
"""

from __future__ import annotations

from procman.cli.control.connection import StrangerError, require_success
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.cli.control.connection import Connection

    Record = dict[str, object]
    Output = Iterator[tuple[Record, bytes]]

MOMENT = 0.1  # seconds; lines that the session keeps together have one time, that of the first


class Query:
    """Which output is wanted. ``after`` is a position, ``since`` an age in seconds, ``lines`` a number at the end."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.after: int | None = None
        self.since: float | None = None
        self.lines: int | None = None
        self.follow = False


def read_cursor(text: str, flag: str) -> tuple[str, int]:
    """Return the session and the position of a cursor. Raises UsageError if it is not one."""
    session, _, position = text.rpartition(":")
    if not (session and position.isascii() and position.isdigit() and len(position) <= 18):
        raise UsageError(f'{flag} must be a cursor of logs --json, such as 1a2b-0123456789ab:4096, not "{text[:100]}"')
    return session, int(position)


def live_output(connection: Connection, query: Query) -> Output:
    """Yield the output of a running session as records and their lines; between memory and live output ``live``."""
    request = {"verb": "logs", "names": query.names, "since": query.since, "lines": query.lines, "after": query.after}
    connection.send({**request, "follow": query.follow})
    if query.follow:
        connection.wait_without_limit()
    answers = connection.answers()
    head = _next(answers)
    session, _, _ = str(head.get("cursor", "")).rpartition(":")
    if query.after is not None and head.get("missing"):
        yield {"skipped": head["missing"], "unit": "bytes", "cursor": f"{session}:{head['lost']}"}, b""
    memory: list[tuple[Record, bytes]] = []
    for record, lines in answers:
        if "log" not in record:
            yield from in_order(memory, session, query.after or 0)
            if record.get("done"):
                require_success(record)
                return
            yield record, b""
            break
        memory += pieces(record, lines)
    yield from _followed(answers, session)


def _next(answers: Output) -> Record:
    head, _ = next(answers, ({}, b""))
    if head.get("done"):
        require_success(head)
    if "cursor" not in head:
        raise StrangerError
    return head


def _followed(answers: Output, session: str) -> Output:
    for record, lines in answers:
        if record.get("done"):
            require_success(record)
            return
        yield {**record, "session": session} if "log" in record else record, lines


def pieces(record: Record, lines: bytes) -> list[tuple[Record, bytes]]:
    """Return the pieces of lines that belong together, but between which lines of other instances came."""
    marks = record.pop("marks", None)
    if not isinstance(marks, list):
        return [(record, lines)]
    starts = [(0, record["at"]), *zip(marks[::2], marks[1::2], strict=True)]
    ends = [*marks[::2], len(lines)]
    return [({**record, "at": at}, lines[start:end]) for (start, at), end in zip(starts, ends, strict=True)]


def in_order(memory: list[tuple[Record, bytes]], session: str, after: int = 0) -> Output:
    """Yield pieces by their positions, without what comes before ``after``. No time is a moment before the last one."""
    last = 0.0
    for record, lines in sorted(memory, key=lambda piece: _position(piece[0])):
        time = record["time"]
        assert isinstance(time, (int, float))
        last = last if last - MOMENT <= time < last else time
        at = _position(record)
        if at < after:
            rest = lines_after(lines, after - at)
            at += len(lines) - len(rest)
            lines = rest  # noqa: PLW2901 (what is wanted of it)
        if lines:
            yield {**record, "session": session, "time": last, "at": at}, lines


def lines_after(lines: bytes, size: int) -> bytes:
    """Return the lines after the first ``size`` bytes; a line that begins before them is left out."""
    if 0 < size < len(lines) and lines[size - 1] != 10:
        size = lines.index(b"\n", size) + 1
    return lines[size:]


def _position(record: Record) -> int:
    at = record.get("at")
    return at if isinstance(at, int) else 0
