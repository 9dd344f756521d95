"""How severe a structured line (JSON, logfmt) says it is, on the scale of pino and bunyan."""

from __future__ import annotations

import re

from procman.output.sinks.pretty import LEVELS, NUMBERED, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

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
_OFFSET = re.compile(r"[+-]\d+\Z")  # Go's slog writes a level between two as INFO+2


class SeverityFilter:
    """Finds the lines of a lowest severity. JSON is read of those alone in which a key of a level has such a value."""

    def __init__(self, lowest: int) -> None:
        self._lowest = lowest
        names = "|".join(name for name in (*RANKS, *_SYNONYMS) if RANKS[_SYNONYMS.get(name, name)] >= lowest)
        number = rf"[{lowest // 10}-9]\d|\d{{3}}|\d+[.eE]"
        self._is_value = re.compile(rf"""(?:name)?["=\s:]*(?:{number}|[a-z]*\\|{names})""", re.IGNORECASE).match

    def matches(self, text: str) -> list[int]:
        """Return the indexes of the lines without colors that have this severity or a higher one."""
        candidates = {number for key in _KEYS for number in self._candidates(text, key)}
        if not candidates and _ESCAPE not in text:
            return []
        lines = text.split("\n")
        if _ESCAPE in text:
            candidates.update(number for number, line in enumerate(lines) if _ESCAPE in line)
        return [number for number in sorted(candidates) if severity(lines[number]) >= self._lowest]

    def _candidates(self, text: str, key: str) -> Iterator[int]:
        """Yield the indexes of lines in which what follows the key may be a high level."""
        is_value, size = self._is_value, len(key)
        at = text.find(key)
        number = last = 0
        while at >= 0:
            if is_value(text, at + size):
                number += text.count("\n", last, at)
                last = at
                yield number
            at = text.find(key, at + size)


def severity(line: str) -> int:
    """Return the severity of a line without colors: 10 for trace, 60 for fatal, 0 if it does not have a level."""
    try:
        fields = fields_of(line)
    except RecursionError:
        return 0
    value = next((fields[key] for key in LEVELS if key in fields), None) if fields else None
    if isinstance(value, str):
        name = _OFFSET.sub("", value.strip().lower())
        if not (name.isascii() and name.isdigit() and len(name) < 4):
            return RANKS.get(_SYNONYMS.get(name, name), 0)
        value = int(name)
    return int(value) if isinstance(value, (int, float)) and LOWEST_NUMBER <= value < 1000 else 0
