"""The output of a session for ``logs``, in the order in which it was published: from its memory, then live."""

from __future__ import annotations

import itertools
from operator import itemgetter

from procman.cli.control.connection import NoSessionError, StrangerError, require_success
from procman.cli.control.log_query import lines_after
from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.control.connection import Connection
    from procman.cli.control.log_query import Output, Query, Record

    Placed = tuple[int, Record, bytes]  # a position, and what is there
    from procman.cli.control.recorded import Recording

EVER = 1 << 30  # seconds, 34 years: all that a session keeps
MOMENT = 0.1  # seconds; lines that the session keeps together have one time, that of the first


class NoLifeError(ProcmanError):
    """No instance has had two lives."""

    exit_code = 1


def live_output(
    connection: Connection, query: Query, recording_of: Callable[[str], Recording | None] = lambda _session: None
) -> Output:
    """Yield the output of a running session as records and their lines; between memory and live output ``live``.

    What its memory has dropped comes from its recording, if there is one. A gap is a record with ``skipped``.
    """
    since = EVER if query.lines is None and query.since is None else query.since
    request = {"verb": "logs", "names": query.names, "since": since, "after": query.after}
    if query.before is not None:  # a field that an older session refuses
        request["before"] = query.before
    connection.send({**request, "lines": query.lines, "follow": query.follow})
    if query.follow:
        connection.wait_without_limit()
    answers = connection.answers()
    head = _next(answers)
    session, _, _ = str(head["cursor"]).rpartition(":")
    memory: list[Placed] = []
    last: Record = {"done": True}
    for record, lines in answers:
        if "log" not in record:
            last = record
            break
        if query.until is None or query.is_wanted(str(record["log"]), _time(record)):
            memory += pieces(record, lines)
    older = _older(head, memory, query, recording_of(session) if head.get("lost") else None)
    output = itertools.chain(older, in_order(memory, session, query.after or 0, query.before))
    yield from of_previous_life(output, head.get("lives")) if query.previous else output
    if last.get("done"):
        require_success(last)
        return
    yield last, b""
    yield from _followed(answers, session)


def _next(answers: Output) -> Record:
    head, _ = next(answers, (None, b""))
    if head is None:
        raise NoSessionError("the session has ended")
    if head.get("done"):
        require_success(head)
    if "cursor" not in head:
        raise StrangerError
    return head


def _older(head: Record, memory: list[Placed], query: Query, recording: Recording | None) -> Output:
    """Return what the memory has dropped, and take what comes before that out of the memory.

    In a flood, the memory of a quiet process may reach back further than the record, which has a limit for all.
    """
    lost = head["lost"]
    assert isinstance(lost, int)
    start = query.after or 0
    if recording is None or not recording.head or lost <= start:
        gap = {
            "skipped": head["missing"],
            "unit": "bytes",
            "cursor": f"{str(head['cursor']).rpartition(':')[0]}:{lost}",
        }
        return iter([(gap, b"")] if query.after is not None and head.get("missing") else [])
    complete = [piece for piece in memory if piece[0] >= lost]
    missing = None if query.lines is None else query.lines - sum(lines.count(b"\n") for *_, lines in complete)
    if missing is not None and missing <= 0:
        return iter(())
    begin = min(recording.begin, lost)
    unrecorded = [] if query.after is not None else [piece for piece in memory if piece[0] < begin]
    memory[:] = complete
    older = recording.output(query, lost) if missing is None else recording.tail(query, missing, lost)
    return itertools.chain(in_order(unrecorded, recording.session, before=begin), older)


def of_previous_life(output: Output, lives: object) -> Output:
    """Yield what each instance has published in the life before the latest. Raises NoLifeError if there is none."""
    known = lives if isinstance(lives, dict) else {}
    ranges = {name: starts for name, starts in known.items() if len(starts) > 1}
    if not ranges:
        raise NoLifeError("there is no previous life: each of these has started once at most")
    for record, lines in output:
        start, end = ranges.get(record.get("log"), (0, 0))
        if "skipped" in record or start <= _position(record) < end:
            yield record, lines


def _followed(answers: Output, session: str) -> Output:
    for record, lines in answers:
        if record.get("done"):
            require_success(record)
            return
        yield {**record, "session": session} if "log" in record else record, lines


def pieces(record: Record, lines: bytes) -> list[Placed]:
    """Return the pieces of lines that belong together, but between which lines of other instances came."""
    at, marks = _position(record), record.pop("marks", None)
    record["time"] = _time(record)
    if not isinstance(marks, list):
        return [(at, record, lines)]
    starts = (0, *marks[::2])
    places = zip((at, *marks[1::2]), starts, (*starts[1:], None), strict=True)
    return [(place, record, lines[start:end]) for place, start, end in places]


def in_order(memory: list[Placed], session: str, after: int = 0, before: int | None = None) -> Output:
    """Yield pieces by their positions, without what comes before ``after`` or, as far as that is not None, after
    ``before``. No time is a moment before the last one.
    """
    last = 0.0
    for at, record, lines in sorted(memory, key=itemgetter(0)):
        moment = record["time"]
        assert isinstance(moment, (int, float))
        last = last if last - MOMENT <= moment < last else moment
        if at < after:
            rest = lines_after(lines, after - at)
            at += len(lines) - len(rest)  # noqa: PLW2901 (of what is wanted)
            lines = rest  # noqa: PLW2901 (as above)
        if before is not None and at + len(lines) > before:
            lines = _lines_before(lines, before - at)  # noqa: PLW2901 (as above)
        if lines:
            # A new dict takes a quarter of the time of a copy with a further key.
            new = {"log": record["log"], "stream": record["stream"], "session": session, "time": last, "at": at}
            yield new, lines


def _lines_before(lines: bytes, size: int) -> bytes:
    """Return the lines that end within the first ``size`` bytes."""
    return lines[: lines.rfind(b"\n", 0, max(0, size)) + 1]


def _position(record: Record) -> int:
    at = record.get("at")
    return at if isinstance(at, int) else 0


def _time(record: Record) -> float:
    moment = record.get("time")
    return moment if isinstance(moment, (int, float)) else 0.0
