"""``procman logs --on NAME``: the output of what is deployed, as the local command shows it."""

from __future__ import annotations

import sys
import time

from procman.cli.colors import palette_for
from procman.cli.control.connection import names_in, print_json
from procman.cli.control.log_printers import Printer
from procman.cli.control.logs import EXIT_NO_MATCH, age, has_filter, require_pattern, selection_of
from procman.cli.remote.remote_target import Remote
from procman.core.text.protocol import DEFAULT_LINES
from procman.errors import EXIT_OK, UsageError
from procman.output.sanitize.escapes import without_color
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation
    from procman.engines.records import LogLine


def logs(invocation: Invocation) -> int:
    """Print the last lines; with ``--follow`` continue until Ctrl-C, or until what is followed is removed."""
    remote = Remote(invocation)
    remote.require("logs")
    given = remote.given
    require_pattern(given)
    if local := next((setting for setting in _OF_A_SESSION if setting in given), None):
        raise UsageError(f"--{local} is about sessions of this machine", "leave it out with --on")
    since = age(str(given["since"])) if "since" in given else None
    printer = _printer(remote)
    selection = selection_of(given, printer.print) if has_filter(given) else None
    add = selection.add if selection else printer.print
    if selection and "follow" in given:
        selection.end_memory()  # nothing says where the memory of an engine ends

    def show_now(line: LogLine) -> None:
        _add(line, add)
        printer.flush()

    remote.display.show_line = show_now
    lines = given.get("lines", DEFAULT_LINES if since is None else None)
    found = remote.perform(
        remote.engine.logs(
            names_in(invocation),
            follow=bool(given.get("follow")),
            lines=lines if isinstance(lines, int) and selection is None else _MANY,
            since=since,
        )
    )
    for line in found:
        _add(line, add)
    if selection:
        selection.end_memory()
    printer.flush()
    if given.get("follow") and given.get("as_json") and remote.display.said:  # the engine has said how it ended
        print_json({"destination": remote.destination.name, "state": "removed", "words": remote.display.said[-1]})
    return EXIT_NO_MATCH if selection and "grep" in given and not selection.found else EXIT_OK


_OF_A_SESSION = ("after", "until", "previous", "session", "mask")
_MANY = 1_000_000  # lines: all that an engine keeps


def _add(line: LogLine, add: Callable[[Record, bytes], None]) -> None:
    moment = time.time() if line.time is None else line.time
    record: Record = {"time": moment, "log": line.instance, "stream": line.stream, "node": line.node}
    add(record, line.line + b"\n")


def _printer(remote: Remote) -> Printer | _JsonPrinter:
    if remote.given.get("as_json"):
        return _JsonPrinter()
    printer = Printer(palette_for(sys.stdout, remote.settings.color))
    rows = [{"name": f"{name}.1", "type": name, "index": index} for index, name in enumerate(remote.types)]
    printer.learn(rows)
    return printer


class _JsonPrinter:
    """Prints one JSON object per line, as the local command does, with the node instead of a cursor."""

    @staticmethod
    def print(record: Record, lines: bytes) -> None:
        """Print lines of one instance without their colors."""
        moment, name = record["time"], str(record["log"])
        assert isinstance(moment, (int, float))
        head = {"time": utc(moment), "instance": name, "type": name.partition(".")[0], "stream": record["stream"]}
        for line in without_color(lines)[:-1].split(b"\n"):
            print_json({**head, "node": record["node"] or None, "line": line.decode("utf-8", "replace")})

    @staticmethod
    def flush() -> None:
        """Do nothing: each object is written when it is printed."""
