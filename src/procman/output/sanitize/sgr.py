"""Combines SGR sequences: which colors and attributes are on after them."""

from __future__ import annotations

_CACHE: dict[tuple[bytes, bytes], bytes] = {}  # (sgr, sequences of a line) → sgr; programs repeat themselves
_MAX_CACHED = 1024  # entries
_MAX_CACHED_LENGTH = 512  # bytes of sequences: longer ones seldom repeat
_MAX_PARAMETER = 64  # bytes; a longer parameter is not a color
_MAX_PARAMETERS = 32  # of one sequence; terminals take 16 to 32 and ignore the rest as well

# Codes with the same switch replace each other.
_SWITCH = {1: "bold", 2: "faint", 3: "italic", 4: "underline", 5: "blink", 6: "blink", 7: "inverse", 8: "conceal"}
_SWITCH |= {9: "struck", 21: "underline", 51: "framed", 52: "framed", 53: "overlined", 73: "script", 74: "script"}
_SWITCH |= dict.fromkeys((*range(30, 39), *range(90, 98)), "foreground")
_SWITCH |= dict.fromkeys((*range(40, 49), *range(100, 108)), "background")
_SWITCH |= dict.fromkeys(range(11, 21), "font") | {58: "underline color"}
_OFF = {10: ("font",), 22: ("bold", "faint"), 23: ("italic",), 24: ("underline",), 25: ("blink",), 27: ("inverse",)}
_OFF |= {28: ("conceal",), 29: ("struck",), 39: ("foreground",), 49: ("background",), 54: ("framed",)}
_OFF |= {55: ("overlined",), 59: ("underline color",), 75: ("script",)}
_EXTENDED = {b"5": 2, b"2": 4}  # 38;5;N and 38;2;R;G;B: how many parameters follow


def advance(sgr: bytes, colors: list[bytes]) -> bytes:
    """Return the state after these SGR sequences: one sequence that switches on all that is on, or ``b""``."""
    if not colors:
        return sgr
    key = (sgr, b"".join(colors))
    if len(key[1]) > _MAX_CACHED_LENGTH:
        return _combined(sgr, colors)
    known = _CACHE.get(key)
    if known is None:
        if len(_CACHE) >= _MAX_CACHED:
            _CACHE.clear()
        known = _CACHE[key] = _combined(sgr, colors)
    return known


def _combined(sgr: bytes, colors: list[bytes]) -> bytes:
    on: dict[str, bytes] = {}
    for color in (sgr, *colors) if sgr else colors:
        _apply(color[2:-1], on)
    return b"\x1b[" + b";".join(on.values()) + b"m" if on else b""


def _apply(parameters: bytes, on: dict[str, bytes]) -> None:
    values = parameters.split(b";", _MAX_PARAMETERS)[:_MAX_PARAMETERS]
    while values:
        value = values.pop(0)
        code = int(value.split(b":")[0] or b"0") if len(value) < _MAX_PARAMETER else 0
        if value == b"4:0":
            code = 24
        if code in (38, 48, 58) and b":" not in value:
            rest = _EXTENDED.get(values[0] if values else b"", 0)
            value = b";".join([value, *values[:rest]])
            del values[:rest]
        _switch(code, value, on)


def _switch(code: int, value: bytes, on: dict[str, bytes]) -> None:
    if code == 0:
        on.clear()
    elif code in _SWITCH and len(value) < _MAX_PARAMETER:
        on[_SWITCH[code]] = value
    for switch in _OFF.get(code, ()):
        on.pop(switch, None)
