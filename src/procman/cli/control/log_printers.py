"""How ``procman logs`` prints lines: for people, or as JSON. Lines of the memory are written in large pieces."""

from __future__ import annotations

import sys
import time
from itertools import accumulate, count, repeat
from json import dumps as to_json
from json.encoder import encode_basestring_ascii as string_to_json
from operator import add

from procman.cli.control.connection import print_json
from procman.core.text.printable import visible
from procman.output.sanitize.escapes import without_color
from procman.output.sanitize.sanitizer import Sanitizer, guarded
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from procman.cli.control.connection import Record
    from procman.cli.control.redaction import Redaction
    from procman.output.palette import Palette

BLOCK = 256 << 10  # bytes per write
_TO_ESCAPE = bytes([*(byte for byte in range(32) if byte != 10), *b"\\", *range(127, 256)])  # in JSON, besides quotes


class _Block:
    """What is to be written to stdout next."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take a piece, and write all of them if they are enough."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= BLOCK:
            self.flush()

    def flush(self) -> None:
        """Write all pieces."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces:
            sys.stdout.flush()
            sys.stdout.buffer.write(b"".join(pieces))
            sys.stdout.buffer.flush()


class Printer:
    """Prints lines with their time and name, as ``start`` shows them."""

    def __init__(self, palette: Palette, redaction: Redaction | None = None) -> None:
        self._palette = palette
        self._reset = palette.reset.encode()
        self._redaction = redaction
        self._is_terminal = sys.stdout.isatty()
        self._width = len("system")
        self._indexes: dict[str, int] = {}
        self._time: float | None = None
        self._second = 0
        self._heads: dict[tuple[object, object], bytes] = {}  # of this second
        self._out = _Block()

    def learn(self, rows: list[Record]) -> None:
        """Take the width of the names and the colors of the process types from rows of ``ps``."""
        self._width = max((self._width, *(len(str(row["name"])) for row in rows)))
        self._indexes = {str(row["type"]): int(str(row["index"])) for row in rows}

    def print(self, record: Record, lines: bytes) -> None:
        """Print lines of one instance. Lines from stderr, if known, have a ``!`` instead of a ``|``."""
        if record["time"] != self._time:  # many lines have the time of those before
            self._set_time(record["time"])
        key = record["log"], record["stream"]
        head = self._heads.get(key) or self._new_head(*key)
        if self._redaction is not None:
            lines = self._redaction.lines(lines)
        if self._is_terminal:
            lines = safe(lines)
        if not self._reset and 27 in lines:
            lines = without_color(lines)
        if self._is_terminal:
            lines = guarded(lines)
        if self._reset and key[0] == "system" and 27 not in lines:
            head += self._palette.dim.encode()
            end = self._reset + b"\n"
            self._out.add(head + lines[:-1].replace(b"\n", end + head) + end)
        else:
            self._out.add(head + lines[:-1].replace(b"\n", b"\n" + head) + b"\n")

    def _set_time(self, moment: object) -> None:
        """Take the time of the next lines. Heads are kept for one second."""
        assert isinstance(moment, (int, float))
        self._time = moment
        if int(moment) != self._second:
            self._second = int(moment)
            self._heads.clear()

    def _new_head(self, name: object, stream: object) -> bytes:
        """Return what comes before each line of this instance in this second, and keep it."""
        head = self._heads[name, stream] = self._head(str(name), stream, self._second)
        return head

    def _head(self, name: str, stream: object, second: int) -> bytes:
        palette = self._palette
        stamp = time.strftime("%H:%M:%S", time.localtime(second))
        shown = visible(name)
        color = palette.dim if shown == "system" else palette.of(self._indexes.get(shown.partition(".")[0], 0))
        mark = "!" if stream == "stderr" else "|"
        time_ = f"{palette.dim}{stamp}{palette.reset}"
        return f"{time_} {color}{shown.ljust(self._width)} {mark}{palette.reset} ".encode()

    def flush(self) -> None:
        """Write what has been printed."""
        self._out.flush()

    def report_skipped(self, record: Record) -> None:
        """Say on stderr how much is missing."""
        if record["skipped"] is None:
            words = "the session of this cursor is not recorded, so its later output is missing"
        elif record.get("unit") == "bytes":
            words = f"up to {record['skipped']:,} bytes of output are missing here"
        else:
            words = f"{record['skipped']} lines skipped because they were read too slowly"
        self._say(words)

    def report_end(self, ending: Record) -> None:
        """Say on stderr how the session has ended."""
        self._say(str(ending["words"]))

    def _say(self, words: str) -> None:
        self.flush()  # what came before it
        sys.stderr.write(f"procman: {words}\n")


def safe(lines: bytes) -> bytes:
    """Return whole lines without what could act on the terminal: a session with --raw, or a stranger, may send it."""
    sanitizer = Sanitizer()
    return guarded(sanitizer.clean(lines) + sanitizer.rest())


class JsonPrinter:
    """Prints one JSON object per line, as ``start --format json`` does."""

    def __init__(self, redaction: Redaction | None = None) -> None:
        self._redaction = redaction
        self._out = _Block()
        self._forms: dict[tuple[object, object, object], bytes] = {}
        self._moment: object = None
        self._time = b""

    def print(self, record: Record, lines: bytes) -> None:
        """Print lines of one instance without their colors."""
        moment, key = record["time"], (record["log"], record["stream"], record["session"])
        if moment != self._moment:  # many lines have the time of those before
            assert isinstance(moment, (int, float))
            self._moment, self._time = moment, utc(moment).encode()
        form = self._forms.get(key) or self._forms.setdefault(key, _form(*key))
        plain = without_color(lines) if 27 in lines else lines
        shown = plain if self._redaction is None else self._redaction.lines(plain)
        if shown.find(b"\n") == len(shown) - 1:  # as where many processes alternate
            self._out.add(form % (self._time, _text(shown), _end(record, lines)))
            return
        texts = zip(repeat(self._time), _texts(shown), _ends(record, lines), strict=False)
        self._out.add(b"".join([form % of_line for of_line in texts]))

    def flush(self) -> None:
        """Write what has been printed."""
        self._out.flush()

    def report_skipped(self, record: Record) -> None:
        """Print an object that says how much is missing."""
        gap = {"skipped": record["skipped"], "unit": record.get("unit", "lines"), "cursor": record.get("cursor")}
        self._out.add(f"{to_json(gap)}\n".encode())

    def report_end(self, ending: Record) -> None:
        """Print an object that says how the session has ended."""
        self.flush()
        print_json(ending)


def _ends(record: Record, lines: bytes) -> Sequence[int]:
    """Return the position after each line. A record knows them if lines between them are left out."""
    ends, at = record.get("ends"), record["at"]
    if callable(ends):
        known = ends()
        assert isinstance(known, list)
        return known
    assert isinstance(at, int)
    places = accumulate(map(len, lines[:-1].split(b"\n")), initial=at)  # without the newlines
    return list(map(add, places, count()))[1:]


def _end(record: Record, line: bytes) -> int:
    """Return the position after a line."""
    at = record["at"]
    if "ends" in record:
        return _ends(record, line)[0]
    assert isinstance(at, int)
    return at + len(line)


def _text(line: bytes) -> bytes:
    """Return what is between the quotes of a line's JSON."""
    if len(line.translate(None, _TO_ESCAPE)) == len(line):
        return line[:-1].replace(b'"', b'\\"')
    return string_to_json(line[:-1].decode("utf-8", "replace"))[1:-1].encode()


def _texts(lines: bytes) -> Iterable[bytes]:
    """Return what is between the quotes of each line's JSON."""
    if len(lines.translate(None, _TO_ESCAPE)) == len(lines):
        return lines[:-1].replace(b'"', b'\\"').split(b"\n")
    return [string_to_json(line)[1:-1].encode() for line in lines[:-1].decode("utf-8", "replace").split("\n")]


def _form(log: object, stream: object, session: object) -> bytes:
    """Return the objects of a process's lines as a format of their time, their text and the end of their cursor."""
    name = str(log)
    fields = to_json({"instance": name, "type": name.partition(".")[0], "stream": stream})[1:-1].replace("%", "%%")
    cursor = to_json(f"{session}:")[:-1].replace("%", "%%")
    return f'{{"time": "%b", {fields}, "line": "%b", "cursor": {cursor}%d"}}\n'.encode()
