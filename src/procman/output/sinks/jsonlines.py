"""Lines as JSON, one object per line, for programs that collect logs.

A line is ``{"time": "…Z", "instance": "web.1", "type": "web", "stream": "stdout", "pid": 4711, "line": "…"}``, an event
``{"time": …, "event": "exited", "instance": …, …}``. Bytes that are not UTF-8 become U+FFFD, so that every line is
valid JSON.
"""

from __future__ import annotations

from procman.output.sink import Sink
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SYSTEM = "system"


class JsonLines(Sink):
    """The screen of a program. A chunk is escaped as a whole, without a Python object per line."""

    __slots__ = ("_clock", "_dumps", "_heads", "_is_hidden", "_lines", "_put")

    wants_colors = False

    def __init__(self, put: Callable[..., None], clock: Callable[[], float], is_hidden: Callable[[str], bool]) -> None:
        from json import dumps

        self._put = put
        self._clock = clock
        self._is_hidden = is_hidden
        self._dumps = dumps
        self._lines: dict[str, int] = {}
        self._heads: dict[str, dict[str, object]] = {SYSTEM: {"pid": None}}

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Write lines as objects that differ only in ``line``, because they arrived together."""
        if self._is_hidden(name):
            self._lines[name] = self._lines.get(name, 0) + lines.count(b"\n")
            return
        head = self._head({"instance": name, "type": name.partition(".")[0], "stream": stream, **self._fields(name)})
        glue = b'"}\n' + head
        lines = escaped(lines)
        body = lines.replace(b"\n", glue)
        self._lines[name] = self._lines.get(name, 0) + (len(body) - len(lines)) // (len(glue) - 1)
        self._put(head, memoryview(body)[: -len(head)])

    def announce(self, text: str) -> None:
        """Write a line of ``system``."""
        self.publish(SYSTEM, SYSTEM, text.encode("utf-8", "surrogateescape") + b"\n")

    def child_started(self, name: str, pid: int) -> None:
        """Note the pid for the lines that follow."""
        self._heads[name] = {"pid": pid}

    def record(self, record: Mapping[str, object]) -> None:
        """Write an event as an object."""
        self._put(self._dumps(record, default=str).encode() + b"\n")

    def line_count(self, name: str) -> int:
        """Return how many lines an instance has published, shown or not."""
        return self._lines.get(name, 0)

    def _fields(self, name: str) -> dict[str, object]:
        return self._heads.get(name, self._heads[SYSTEM])

    def _head(self, fields: dict[str, object]) -> bytes:
        """Return the start of an object, up to the text of its line."""
        record = self._dumps({"time": utc(self._clock()), **fields})
        return f'{record[:-1]}, "line": "'.encode()


def escaped(lines: bytes) -> bytes:
    """Return whole lines escaped for JSON strings; the newlines between them stay."""
    c1 = b""
    if not lines.isascii():
        lines = lines.decode("utf-8", "replace").encode()
        c1 = _C1_LEAD if _C1_LEAD in lines else b""
    lines = lines.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    for control in _CONTROLS:
        if control in lines:
            lines = lines.replace(bytes((control,)), _ESCAPES.get(control) or b"\\u%04x" % control)
    for control in range(0x80, 0xA0) if c1 else ():  # controls, to a terminal that shows the JSON
        lines = lines.replace(_C1_LEAD + bytes((control,)), b"\\u%04x" % control)
    return lines


_C1_LEAD = b"\xc2"  # the first byte of each C1 control in UTF-8


_CONTROLS = tuple(code for code in range(32) if code != 10)
_ESCAPES = {8: b"\\b", 9: b"\\t", 12: b"\\f", 13: b"\\r"}
