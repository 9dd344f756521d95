"""``procman logs``: the recent output of processes, and with ``--follow`` their live output."""

from __future__ import annotations

import os
import sys
import time

from procman.cli.control.connection import connect, names_in, own_options, print_json, require_success, session_settings
from procman.core.text.printable import visible
from procman.core.text.values import duration
from procman.errors import UsageError
from procman.output.palette import Palette, wants_color
from procman.output.sanitize.escapes import without_color
from procman.output.sanitize.sanitizer import Sanitizer, guarded
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Connection, Record
    from procman.cli.options.option import Invocation


def perform(invocation: Invocation) -> int:
    """Print the recent output. With ``--follow`` continue until Ctrl-C or the end of the session."""
    given = own_options(invocation)
    since = _age(str(given["since"])) if "since" in given else None
    connection = connect(invocation)
    color = given.get("color", session_settings(invocation).color)
    printer = JsonPrinter() if given.get("as_json") else Printer(_palette(color))
    if isinstance(printer, Printer):
        printer.learn(connection.request({"verb": "ps"}))
    follow = bool(given.get("follow"))
    connection.send(
        {"verb": "logs", "names": names_in(invocation), "lines": given.get("lines"), "since": since, "follow": follow}
    )
    if follow:
        connection.wait_without_limit()
    return _print_all(connection, printer)


def _print_all(connection: Connection, printer: Printer | JsonPrinter) -> int:
    for record, lines in connection.answers():
        if record.get("done"):
            sys.stdout.flush()
            require_success(record)
            return 0
        if "skipped" in record:
            sys.stderr.write(f"procman: {record['skipped']} lines skipped because they were read too slowly\n")
        else:
            printer.print(record, lines)
    return 0


class Printer:
    """Prints lines with their time and name, as ``start`` shows them."""

    def __init__(self, palette: Palette) -> None:
        self._palette = palette
        self._guards = sys.stdout.isatty()
        self._width = len("system")
        self._indexes: dict[str, int] = {}
        self._heads: dict[tuple[object, object], bytes] = {}

    def learn(self, answer: Record) -> None:
        """Take the width of the names and the colors of the process types from the answer to ``ps``."""
        rows = answer["instances"]
        assert isinstance(rows, list)
        self._width = max((self._width, *(len(row["name"]) for row in rows)))
        self._indexes = {row["type"]: row["index"] for row in rows}

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
        for line in without_color(lines)[:-1].split(b"\n"):
            text = line.decode("utf-8", "replace")
            print_json({**head, "line": text})


def _palette(color: object) -> Palette:
    return Palette(wants_color(color if isinstance(color, bool) else None, os.environ, sys.stdout.isatty()))


def _age(text: str) -> float:
    try:
        return duration(text)
    except ValueError:
        raise UsageError(f'--since must be a duration like 30s, 5m or 2h, not "{text}"') from None
