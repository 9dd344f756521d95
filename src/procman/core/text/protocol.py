"""The protocol of the control socket: JSON objects, one per line; a request, then its responses.

A request names a verb and its fields: ``{"verb": "stop", "names": ["web"]}``. The response is any number of records and
a last one with `done`: ``{"say": "web.1 stopped"}``, ``{"done": true, "code": 0}``. A refusal is a last record with
`error`, `hint` and the exit code. A record with `size` is followed by that many raw bytes: log lines and screens are
never escaped.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_LIMIT = 65536  # bytes; enough for ten thousand names
DEFAULT_LINES = 200  # of `logs`, if neither `lines` nor `since` is given
_WAIT = ("names", "wait")

VERBS: Mapping[str, tuple[str, ...]] = {
    "hello": (),
    "ps": ("names",),
    "metrics": ("names",),
    "start": _WAIT,
    "ensure": (*_WAIT, "timeout", "fresh"),
    "stop": _WAIT,
    "restart": (*_WAIT, "rolling"),
    "scale": _WAIT,
    "signal": ("names", "text"),
    "pause": ("names",),
    "resume": ("names",),
    "logs": ("names", "lines", "since", "after", "before", "follow"),
    "attach": ("text", "rows", "columns"),
    "keys": ("text",),
    "resize": ("rows", "columns"),
    "leave": ("wait",),
    "wait": ("names", "timeout"),
    "why": ("names",),
    "events": ("names",),
}


class ProtocolError(Exception):
    """A line is not a valid request; the message says why."""


class Request:
    """A client's request.

    `since` and `timeout` are in seconds; `text` is a signal, an instance or typed keys. `after` and `before` are
    positions in the output: the number of bytes before them. `fresh`: the client has just begun the session, so
    everything is on its way up already.
    """

    __slots__ = (
        "after",
        "before",
        "columns",
        "follow",
        "fresh",
        "lines",
        "names",
        "rolling",
        "rows",
        "since",
        "text",
        "timeout",
        "verb",
        "wait",
    )

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.names: tuple[str, ...] = ()
        self.text = ""
        self.wait = True
        self.follow = False
        self.rolling = False
        self.fresh = False
        self.lines: int | None = None
        self.after: int | None = None
        self.before: int | None = None
        self.rows = 24
        self.columns = 80
        self.since: float | None = None
        self.timeout: float | None = None


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "names": list,
    "text": str,
    "wait": bool,
    "follow": bool,
    "rolling": bool,
    "fresh": bool,
    "lines": int,
    "after": int,
    "before": int,
    "rows": int,
    "columns": int,
    "since": (int, float),
    "timeout": (int, float),
}
_LARGEST = {"after": 1 << 63, "before": 1 << 63}
_LARGEST_OF_OTHERS = 1 << 31


def read_request(record: object) -> Request:
    """Return the request of one line, parsed from JSON. Raises ProtocolError if it is not a valid request."""
    if not isinstance(record, dict):
        raise ProtocolError("a request must be a JSON object")
    verb = record.pop("verb", None)
    if not isinstance(verb, str) or verb not in VERBS:
        raise ProtocolError(f"unknown verb {str(verb)[:40]!r}; the verbs are: {', '.join(VERBS)}")
    request = Request(verb)
    for field, value in record.items():
        if field not in VERBS[verb]:
            raise ProtocolError(f"{verb} has no field {field[:40]!r}")
        if value is not None:
            setattr(request, field, _checked(field, value))
    return request


def _checked(field: str, value: object) -> object:
    kind = _KINDS[field]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ProtocolError(f"{field} has the wrong type")
    if isinstance(value, list):
        if not all(isinstance(name, str) for name in value):
            raise ProtocolError(f"{field} must be a list of strings")
        return tuple(value)
    if isinstance(value, (int, float)) and not -1 <= value <= _LARGEST.get(field, _LARGEST_OF_OTHERS):
        raise ProtocolError(f"{field} is out of range")
    return value
