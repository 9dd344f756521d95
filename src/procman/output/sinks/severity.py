"""How severe a structured line (JSON, logfmt) says it is, on the scale of pino and bunyan."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import compress, count

from procman.output.sinks.pretty import LEVELS, NUMBERED, fields_of

RANKS = {name: number for number, name in NUMBERED.items()}
LOWEST_NUMBER = min(NUMBERED)  # below are the numbers of syslog(3), where 0 is the worst
_SYNONYMS = {
    "silly": "trace",
    "verbose": "debug",
    "information": "info",
    "notice": "info",
    "warning": "warn",
    "err": "error",
    "critical": "fatal",
    "crit": "fatal",
    "alert": "fatal",
    "emergency": "fatal",
    "emerg": "fatal",
    "panic": "fatal",
    "dpanic": "fatal",
}
_KEYS = ("level", "lvl", "severity")  # parts of LEVELS: each of those contains one of these
_ESCAPE = "\\u"  # any letter of a key may be written like this in JSON
_SEPARATOR = object()
_decode = json.JSONDecoder(parse_constant={"NaN": _SEPARATOR}.get).raw_decode  # infinity counts as little
_OFFSET = re.compile(r"[+-]\d+\Z")  # Go's slog writes a level between two as INFO+2


class SeverityFilter:
    """Finds the lines of a lowest severity. Only those are parsed in which a key of a level has such a value."""

    def __init__(self, lowest: int) -> None:
        self._lowest = lowest
        names = "|".join(name for name in (*RANKS, *_SYNONYMS) if RANKS[_SYNONYMS.get(name, name)] >= lowest)
        number = rf"[{lowest // 10}-9]\d|\d{{3}}|\d+[.eE]"
        value = rf"""(?:name)?+["=\s:]*+(?i:{number}|[a-z]*\\|{names})"""
        self._searches = [(key, re.compile(key + value).search) for key in _KEYS]  # a literal first is found fast

    def matches(self, text: str) -> list[int]:
        """Return the indexes of the lines without colors that have this severity or a higher one."""
        searches = [search for key, search in self._searches if key in text]
        has_escape = "\\" in text and _ESCAPE in text  # a single character is found ten times as fast
        if not searches and not has_escape:
            return []
        lines = text.split("\n")
        candidates = {at for search in searches for at in compress(count(), map(search, lines))}
        if has_escape:
            candidates.update(at for at, line in enumerate(lines) if _ESCAPE in line)
        numbers = sorted(candidates)
        ranks = _severities([lines[at] for at in numbers])
        return [at for at, rank in zip(numbers, ranks, strict=True) if rank >= self._lowest]


def severity(line: str) -> int:
    """Return the severity of a line without colors: 10 for trace, 60 for fatal, 0 if it does not have a level."""
    try:
        return _of_fields(fields_of(line))
    except RecursionError:
        return 0


def _severities(lines: list[str]) -> list[int]:
    """Return the severities of lines."""
    objects = [line for line in lines if line[:1] == "{"]
    ranks = iter(_of_objects(objects) if len(objects) > 1 else map(severity, objects))
    return [next(ranks) if line[:1] == "{" else severity(line) for line in lines]


def _of_objects(lines: list[str]) -> list[int]:
    """Return the severities of lines that begin as JSON objects, parsed together, which takes half the time.

    Each line is one value if every separator is between values: then no line can have more than one. A separator is a
    word that JSON does not have, but Python's parser does, so that no string can be one.
    """
    text = f"[{',NaN,'.join(lines)}]"
    separators = len(lines) - 1
    if text.count("NaN") == separators:
        try:
            values, end = _decode(text)
        except (ValueError, RecursionError):
            values, end = [], 0
        is_whole = end == len(text) and len(values) == len(lines) + separators
        if is_whole and values[1::2].count(_SEPARATOR) == separators:
            return [_of_fields(fields) for fields in values[::2]]
    return [severity(line) for line in lines]


def _of_fields(fields: dict[str, object] | None) -> int:
    if fields:
        for key in LEVELS:
            if key in fields:
                value = fields[key]
                return _of_name(value) if isinstance(value, str) else _of_number(value)
    return 0


@lru_cache(maxsize=256)  # programs have few levels
def _of_name(value: str) -> int:
    name = _OFFSET.sub("", value.strip().lower())
    if name.isascii() and name.isdigit() and len(name) < 4:
        return _of_number(int(name))
    return RANKS.get(_SYNONYMS.get(name, name), 0)


def _of_number(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and LOWEST_NUMBER <= value < 1000 else 0
