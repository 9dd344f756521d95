"""How severe a structured line (JSON, logfmt) says it is, on the scale of pino and bunyan."""

from __future__ import annotations

import re

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
_OFFSET = re.compile(r"[+-]\d+\Z")  # Go's slog writes a level between two as INFO+2


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
