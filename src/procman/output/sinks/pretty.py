"""Structured lines (JSON, logfmt) laid out for people: time, level, message, and the other fields dimmed."""

from __future__ import annotations

import json
import re

from procman.core.text.printable import escaped
from procman.output.stamp import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.palette import Palette

TIMES = ("time", "ts", "timestamp", "@timestamp", "t", "datetime")
LEVELS = ("level", "lvl", "severity", "levelname", "log.level")
MESSAGES = ("message", "msg", "event", "text")
NUMBERED = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}  # pino and bunyan
_KEY, _TEXT = r"[A-Za-z_@][\w.@/-]*", r'"(?:[^"\\]|\\.)*"|[^\s"]*'
_PAIR = re.compile(rf"({_KEY})=({_TEXT})(?:\s+|$)")
UNITS = (1, 1e3, 1e6, 1e9)  # per second: seconds, milliseconds, microseconds, nanoseconds
EARLIEST, LATEST = 1e8, 1e11  # seconds since 1970, from 1973 on: a number in this range fits one unit only
_COLOR = re.compile("\x1b\\[[0-9:;]*m")
_decode = json.JSONDecoder().raw_decode  # json.loads skips spaces on both sides, which takes as long again
_JSON_SPACES = " \t\n\r"
_PLAIN = re.compile(r'[^\s"=]+\Z')


def prettifier(palette: Palette) -> Callable[[bytes], bytes]:
    """Return a function that lays out the structured ones among whole lines and leaves the others unchanged."""

    def pretty(lines: bytes) -> bytes:
        return b"\n".join([_pretty_line(line, palette) for line in lines[:-1].split(b"\n")]) + b"\n"

    return pretty


def _pretty_line(line: bytes, palette: Palette) -> bytes:
    """Return one line laid out; unchanged if it is not structured, not UTF-8, or nested too deeply to be written."""
    try:
        text = line.decode()
        fields = fields_of(text)
        if not fields or not any(key in fields for key in MESSAGES):
            return line
        return _laid_out(fields, palette).encode()
    except (UnicodeDecodeError, RecursionError):
        return line


def fields_of(text: str) -> dict[str, object] | None:
    """Return the fields of a JSON or logfmt line, or None. Raises RecursionError if it is nested too deeply."""
    return _json_fields(text) if text.startswith("{") else _logfmt_fields(text) if "=" in text else None


def _json_fields(text: str) -> dict[str, object] | None:
    try:
        fields, end = _decode(text)
    except ValueError:
        return None
    is_whole = end == len(text) or not text[end:].strip(_JSON_SPACES)
    return fields if is_whole and isinstance(fields, dict) else None


def _logfmt_fields(text: str) -> dict[str, object] | None:
    """Return the pairs of a line that consists only of pairs, if a level or a time is among them."""
    fields: dict[str, object] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return None
        fields[pair[1]] = _unquoted(pair[2])
        at = pair.end()
    return fields if any(key in fields for key in (*LEVELS, *TIMES)) else None


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _laid_out(fields: dict[str, object], palette: Palette) -> str:
    when, level, message = _time(_pop(fields, TIMES)), _level(_pop(fields, LEVELS)), _pop(fields, MESSAGES)
    cells = [f"{palette.dim}{_one_line(when)}{palette.reset}"] if when is not None else []
    if level:
        cells.append(f"{_level_color(level, palette)}{_one_line(level.upper()):5}{palette.reset}")
    cells.append(_one_line(message))
    if fields:
        rest = " ".join(f"{key}={_value(value)}" for key, value in fields.items())
        cells.append(f"{palette.dim}{_one_line(rest)}{palette.reset}")
    return " ".join(cells)


def _pop(fields: dict[str, object], keys: tuple[str, ...]) -> object:
    return next((fields.pop(key) for key in keys if key in fields), None)


def _time(value: object) -> object:
    """Return a time for people: as ISO 8601 if it counts from 1970 (pino, zap), else unchanged."""
    try:
        since = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return value
    for unit in UNITS:
        if EARLIEST <= since / unit < LATEST:
            return iso(since / unit)
    return value


def _level(value: object) -> str:
    if isinstance(value, int) and value in NUMBERED:
        return NUMBERED[value]
    return "" if value is None else _COLOR.sub("", str(value))


def _level_color(level: str, palette: Palette) -> str:
    first = level[:1].lower()
    if first in "efcap":  # error, fatal, critical, alert, panic
        return palette.failure
    return palette.warning if first == "w" else palette.good if first in "in" else palette.dim


def _value(value: object) -> str:
    """Return a single word as it is, anything else as JSON."""
    return value if isinstance(value, str) and _PLAIN.match(value) else json.dumps(value, ensure_ascii=False)


def _one_line(value: object) -> str:
    """Return text that stays in its line, without colors.

    JSON can hold any control character, escaped, and halves of characters that would join into one.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return "".join([char if char.isprintable() else escaped(char) for char in _COLOR.sub("", text)])
