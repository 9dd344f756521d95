"""Parsers for the values of settings. Each raises ValueError, which says what is expected."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

_TRUE = frozenset(("1", "true", "yes", "on", "t", "y"))
_FALSE = frozenset(("0", "false", "no", "off", "f", "n"))
_DIGITS = 9  # more than any count or port needs, and far below the limit of `int`
HIGHEST_PORT = 65535
PORT = f"a port from 1 to {HIGHEST_PORT}, or 0 for none"
OFFSET = "none, worktree or a whole number"
DURATION = "a duration such as 30, 500ms or 1m30s"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # in seconds
SIZE = "a size in bytes, or with a unit: 512m, 1g, 1.5GiB"
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}  # in bytes
_FOREVER = 1e9  # seconds, 31 years; deadlines and time formats stay far from their limits


def whole(text: str) -> int:
    """Return a whole number from 0. Unlike `int`, accept no sign, space, underscore or non-ASCII digit."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise ValueError("a whole number")
    return int(text)


def port(text: str) -> int:
    """Return a port, or 0 for none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= HIGHEST_PORT):
        raise ValueError(PORT)
    return int(text)


def offset(text: str) -> int | None:
    """Return what is added to the first port, 0 for ``none``, and None for ``worktree``."""
    if text == "worktree":
        return None
    if text != "none" and not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise ValueError(OFFSET)
    return 0 if text == "none" else int(text)


def duration(text: str) -> float:
    """Return a duration in seconds: ``90`` (a bare number), ``0.5``, ``500ms``, ``1m30s``, ``2h``, ``1d``."""
    total, rest = 0.0, text
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("dhms"))]
        rest = rest[len(unit) :]
        is_number = number.replace(".", "", 1).isdigit()
        if not is_number or (unit or "s") not in _UNITS or (rest and not unit):
            raise ValueError(DURATION)
        total += float(number) * _UNITS[unit or "s"]
    if not text or total >= _FOREVER:
        raise ValueError(DURATION)
    return total


def format_duration(seconds: float) -> str:
    """Return a duration for a sentence: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 7 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


def size(text: str) -> int:
    """Return a size in bytes: ``4096``, ``512k``, ``1.5g``, ``64MiB``, ``2 GB``. A unit is a power of 1024."""
    number = text[: len(text) - len(text.lstrip("0123456789."))]
    unit = text[len(number) :].strip().lower().removesuffix("b").removesuffix("i")
    is_number = text.isascii() and number.replace(".", "", 1).isdigit() and len(number) <= 2 * _DIGITS
    if not is_number or unit not in _SIZES:
        raise ValueError(SIZE)
    return int(float(number) * _SIZES[unit])


def format_size(size: int) -> str:
    """Return a size for a sentence: ``512 B``, ``1.5 MiB``, ``2.0 GiB``."""
    if size < 1024:
        return f"{size} B"
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < 1023.95:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"


def truth(text: str) -> bool:
    """Return a boolean from any of the usual words."""
    word = text.lower()
    if word not in _TRUE and word not in _FALSE:
        raise ValueError('"true" or "false"')
    return word in _TRUE


def items(text: str) -> tuple[str, ...]:
    """Split a list at commas; spaces around entries and empty entries are ignored."""
    return tuple(entry for entry in map(str.strip, text.split(",")) if entry)


def choice(text: str, choices: tuple[str, ...]) -> str:
    """Return one of the allowed words."""
    if text not in choices:
        *others, last = choices
        raise ValueError(f"{', '.join(others)} or {last}")
    return text


def stamp(text: str) -> str:
    """Return the format of the time before each line: a word for one, or a format of strftime(3)."""
    if text in ("off", "none", "", "iso", "elapsed"):
        return text
    if "%" not in text:
        raise ValueError("off, iso, elapsed or a format such as %H:%M")
    if "%n" in text.replace("%%", ""):
        raise ValueError("a format without a newline")
    return _undirected(text, "a format")


def template(text: str) -> str:
    """Return the template of the prefix; its fields are checked where it is filled in."""
    return _undirected(text, "a template")


def _undirected(text: str, kind: str) -> str:
    """Refuse control characters: what is printed before each line must not control the terminal."""
    from procman.core.text.printable import is_directing

    if any(map(is_directing, text)):
        raise ValueError(f"{kind} without control characters")
    return text


def regex(text: str) -> str:
    """Return a valid regular expression."""
    import re

    try:
        compiled(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"a regular expression ({error})") from None
    return text


def compiled(text: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a user's regular expression without Python's warnings about what it may mean one day (``[[a]``)."""
    import re
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(text, flags)


def path(text: str) -> str:
    """Return the path of a file or folder."""
    if not text or "\0" in text:
        raise ValueError("the path of a file or folder")
    return text
