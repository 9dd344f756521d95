"""``procman logs``: the recent output of processes, and with ``--follow`` their live output."""

from __future__ import annotations

import gc
import os
import sys

from procman.cli.control.connection import names_in, own_options, session_settings
from procman.cli.control.log_printers import JsonPrinter, Printer
from procman.cli.control.log_query import Query, read_cursor
from procman.cli.control.log_sessions import LogSessions, until_position
from procman.core.text.protocol import DEFAULT_LINES
from procman.core.text.values import duration
from procman.errors import EXIT_OK, UsageError
from procman.output.palette import Palette, wants_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.cli.control.log_excerpt import Excerpt
    from procman.cli.control.log_filter import Selection, Show
    from procman.cli.control.log_query import Output
    from procman.cli.control.redaction import Redaction
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
    redaction = _redaction(invocation) if "mask" in given else None
    printer = JsonPrinter(redaction) if given.get("as_json") else Printer(_palette(color), redaction)
    if isinstance(printer, Printer):
        printer.learn(sessions.rows)
    selection = _chosen(given, printer.print, redaction)
    output = sessions.output(query)
    if _is_cursor(given.get("until")):
        output = until_position(output, *read_cursor(str(given["until"]), "--until"))
    _print_all(output, printer, selection)
    if not selection.complete and (ending := sessions.ending()):
        printer.report_end(ending)
    if "stderr" in given and selection.filter and not selection.filter.has_seen_stderr:
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


def _redaction(invocation: Invocation) -> Redaction:
    from procman.cli.control.redaction import redaction_for

    return redaction_for(session_settings(invocation))


def _chosen(given: Record, show: Show, redaction: Redaction | None) -> Selection | Excerpt:
    """Return what shows the lines that the options choose."""
    if has_filter(given):
        return selection_of(given, show, redaction)
    from procman.cli.control.log_excerpt import Excerpt

    return Excerpt(show, _count(given), first="after" in given)


def selection_of(given: Record, show: Show, redaction: Redaction | None = None) -> Selection:
    """Return what shows the lines that match the filter in the options."""
    from procman.cli.control.log_filter import LineFilter, Selection

    pattern, level, around = given.get("grep"), given.get("level"), given.get("context", 0)
    line_filter = LineFilter(
        None if pattern is None else str(pattern),
        ignore_case="ignore_case" in given,
        invert="invert" in given,
        level=None if level is None else str(level),
        only_stderr="stderr" in given,
        redaction=redaction,
    )
    assert isinstance(around, int)
    return Selection(line_filter, show, around, _count(given), first="after" in given)


def _count(given: Record) -> int | None:
    """Return how many lines are wanted at most."""
    limited = any(setting in given for setting in _LIMITS)
    count = given.get("lines", None if limited else DEFAULT_LINES)
    assert count is None or isinstance(count, int)
    return count


def _print_all(output: Output, printer: Printer | JsonPrinter, selection: Selection | Excerpt) -> None:
    is_live = False
    gc.disable()  # it would search the many records of a memory again and again, and none of them refers to itself
    try:
        for record, lines in output:
            if "log" in record:
                selection.add(record, lines)
                if selection.complete:
                    break
            elif "skipped" in record:
                selection.show_pending()
                printer.report_skipped(record)
            elif "live" in record:
                selection.end_memory()
                is_live = True
                gc.enable()
            if is_live:
                printer.flush()
        selection.end_memory()
        printer.flush()
    finally:
        gc.enable()


def _palette(color: object) -> Palette:
    return Palette(wants_color(color if isinstance(color, bool) else None, os.environ, sys.stdout.isatty()))


def age(text: str, flag: str = "--since") -> float:
    """Return the seconds of an option. Raises UsageError, which names its ``flag``."""
    try:
        return duration(text)
    except ValueError as error:
        raise UsageError(f'{flag} must be {error}, not "{text}"') from None
