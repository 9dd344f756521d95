"""``procman logs``: the recent output of processes, and with ``--follow`` their live output."""

from __future__ import annotations

import os
import sys
import time

from procman.cli.control.connection import names_in, own_options, print_json, session_settings
from procman.cli.control.log_query import Query, read_cursor
from procman.cli.control.log_sessions import LogSessions, until_position
from procman.core.text.printable import visible
from procman.core.text.protocol import DEFAULT_LINES
from procman.core.text.values import duration
from procman.errors import EXIT_OK, UsageError
from procman.output.palette import Palette, wants_color
from procman.output.sanitize.escapes import without_color
from procman.output.sanitize.sanitizer import Sanitizer, guarded
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.control.connection import Record
    from procman.cli.control.log_filter import Selection
    from procman.cli.control.log_query import Output
    from procman.cli.options.option import Invocation

EXIT_NO_MATCH = 1  # as grep(1)
_LIMITS = ("since", "after", "until", "previous")  # settings that limit the output already
_FILTERS = ("grep", "level", "stderr")  # settings


def perform(invocation: Invocation) -> int:
    """Print the recent output. With ``--follow`` continue until Ctrl-C or the end of the session."""
    given = own_options(invocation)
    _require_sense(given)
    query = _query(given, names_in(invocation))
    sessions = LogSessions(invocation, given)
    color = given.get("color", session_settings(invocation).color)
    printer = JsonPrinter() if given.get("as_json") else Printer(_palette(color))
    if isinstance(printer, Printer):
        printer.learn(sessions.rows)
    selection = selection_of(given, printer.print)
    output = sessions.output(query)
    if _is_cursor(given.get("until")):
        output = until_position(output, *read_cursor(str(given["until"]), "--until"))
    _print_all(output, printer, selection)
    if not selection.complete and (ending := sessions.ending()):
        printer.report_end(ending)
    if "stderr" in given and not selection.filter.has_seen_stderr:
        sys.stderr.write("procman: no line is known to be from stderr; a session with --format json keeps it apart\n")
    return EXIT_OK if selection.found or "grep" not in given else EXIT_NO_MATCH


def _query(given: Record, names: list[str]) -> Query:
    """Return what to request. With a filter that is everything, of which the last matches are shown."""
    query = Query(names)
    query.follow = bool(given.get("follow"))
    query.previous = bool(given.get("previous"))
    query.after = 0 if "after" in given else None  # which one, is up to the sessions
    query.since = age(str(given["since"])) if "since" in given else None
    if "until" in given and not _is_cursor(given["until"]):
        query.until = age(str(given["until"]), "--until")
    lines = given.get("lines", DEFAULT_LINES)
    if not has_filter(given) and not any(setting in given for setting in _LIMITS):
        query.lines = lines if isinstance(lines, int) else None
    return query


def _is_cursor(text: object) -> bool:
    return isinstance(text, str) and ":" in text


def _require_sense(given: Record) -> None:
    """Raise UsageError for options that exclude each other, or change a filter which is not there."""
    require_pattern(given)
    if "after" in given:
        read_cursor(str(given["after"]), "--after")
        if "follow" in given and "lines" in given:
            raise UsageError("--lines with --after means the first lines, which --follow cannot end with")
        if "session" in given:
            raise UsageError("--after names a session already", "leave --session out")
    for setting in ("until", "previous", "session"):
        if "follow" in given and setting in given:
            raise UsageError(f"--follow cannot be combined with --{setting}, which is about the past")


def require_pattern(given: Record) -> None:
    """Raise UsageError for an option that changes a filter which is not there."""
    for setting, flag in (("ignore_case", "--ignore-case"), ("invert", "--invert")):
        if setting in given and "grep" not in given:
            raise UsageError(f"{flag} needs --grep")
    if "context" in given and not has_filter(given):
        raise UsageError("--context needs --grep, --level or --stderr")


def has_filter(given: Record) -> bool:
    """Whether the options choose among the lines."""
    return any(setting in given for setting in _FILTERS)


def selection_of(given: Record, show: Callable[[Record, bytes], None]) -> Selection:
    """Return what shows the lines that the options choose."""
    from procman.cli.control.log_filter import LineFilter, Selection

    pattern, level, around = given.get("grep"), given.get("level"), given.get("context", 0)
    line_filter = LineFilter(
        None if pattern is None else str(pattern),
        ignore_case="ignore_case" in given,
        invert="invert" in given,
        level=None if level is None else str(level),
        only_stderr="stderr" in given,
    )
    limited = any(setting in given for setting in _LIMITS)
    count = given.get("lines", None if limited else DEFAULT_LINES)
    assert isinstance(around, int)
    assert count is None or isinstance(count, int)
    return Selection(line_filter, show, around, count, first="after" in given)


def _print_all(output: Output, printer: Printer | JsonPrinter, selection: Selection) -> None:
    for record, lines in output:
        if "skipped" in record:
            printer.report_skipped(record)
        elif "live" in record:
            selection.end_memory()
        else:
            selection.add(record, lines)
            if selection.complete:
                break
    selection.end_memory()
    sys.stdout.flush()


class Printer:
    """Prints lines with their time and name, as ``start`` shows them."""

    def __init__(self, palette: Palette) -> None:
        self._palette = palette
        self._guards = sys.stdout.isatty()
        self._width = len("system")
        self._indexes: dict[str, int] = {}
        self._heads: dict[tuple[object, object], bytes] = {}

    def learn(self, rows: list[Record]) -> None:
        """Take the width of the names and the colors of the process types from rows of ``ps``."""
        self._width = max((self._width, *(len(str(row["name"])) for row in rows)))
        self._indexes = {str(row["type"]): int(str(row["index"])) for row in rows}

    def print(self, record: Record, lines: bytes) -> None:
        """Print lines of one instance. Lines from stderr, if known, have a ``!`` instead of a ``|``."""
        moment = record["time"]
        assert isinstance(moment, (int, float))
        stamp = time.strftime("%H:%M:%S", time.localtime(moment))
        name = visible(str(record["log"]))
        kind = name.partition(".")[0]
        palette = self._palette
        color = palette.dim if name == "system" else palette.of(self._indexes.get(kind, 0))
        mark = "!" if record["stream"] == "stderr" else "|"
        time_ = f"{palette.dim}{stamp}{palette.reset}"
        head = f"{time_} {color}{name.ljust(self._width)} {mark}{palette.reset} ".encode()
        if sys.stdout.isatty():
            lines = safe(lines)
        if not self._palette.reset and 27 in lines:
            lines = without_color(lines)
        if self._guards:
            lines = guarded(lines)
        if name == "system" and palette.reset and 27 not in lines:
            head, end = head + palette.dim.encode(), palette.reset.encode() + b"\n"
        else:
            end = b"\n"
        sys.stdout.buffer.write(head + lines[:-1].replace(b"\n", end + head) + end)
        sys.stdout.buffer.flush()

    def report_skipped(self, record: Record) -> None:
        """Say on stderr how much is missing."""
        if record["skipped"] is None:
            words = "the session of this cursor is not recorded, so its later output is missing"
        elif record.get("unit") == "bytes":
            words = f"up to {record['skipped']:,} bytes of output are missing here"
        else:
            words = f"{record['skipped']} lines skipped because they were read too slowly"
        sys.stderr.write(f"procman: {words}\n")

    def report_end(self, ending: Record) -> None:
        """Say on stderr how the session has ended."""
        sys.stderr.write(f"procman: {ending['words']}\n")


def safe(lines: bytes) -> bytes:
    """Return whole lines without what could act on the terminal: a session with --raw, or a stranger, may send it."""
    sanitizer = Sanitizer()
    return guarded(sanitizer.clean(lines) + sanitizer.rest())


class JsonPrinter:
    """Prints one JSON object per line, as ``start --format json`` does."""

    def print(self, record: Record, lines: bytes) -> None:
        """Print lines of one instance without their colors."""
        moment, name = record["time"], str(record["log"])
        assert isinstance(moment, (int, float))
        head = {"time": utc(moment), "instance": name, "type": name.partition(".")[0], "stream": record["stream"]}
        at = record["at"]
        assert isinstance(at, int)
        for line in lines[:-1].split(b"\n"):
            at += len(line) + 1
            text = without_color(line).decode("utf-8", "replace")
            print_json({**head, "line": text, "cursor": f"{record['session']}:{at}"})

    def report_skipped(self, record: Record) -> None:
        """Print an object that says how much is missing."""
        print_json({"skipped": record["skipped"], "unit": record.get("unit", "lines"), "cursor": record.get("cursor")})

    def report_end(self, ending: Record) -> None:
        """Print an object that says how the session has ended."""
        print_json(ending)


def _palette(color: object) -> Palette:
    return Palette(wants_color(color if isinstance(color, bool) else None, os.environ, sys.stdout.isatty()))


def age(text: str, flag: str = "--since") -> float:
    """Return the seconds of an option. Raises UsageError, which names its ``flag``."""
    try:
        return duration(text)
    except ValueError:
        raise UsageError(f'{flag} must be a duration like 30s, 5m or 2h, not "{text}"') from None
