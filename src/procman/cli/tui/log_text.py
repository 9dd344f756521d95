"""What a line of output looks like: its text, which nothing acts upon, and where its colors change."""

from __future__ import annotations

import re

from procman.core.text.printable import visible
from procman.output.sanitize.sanitizer import Sanitizer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Run = tuple[str, "Look"]

TAB = 8  # columns
_ACTIVE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # what a terminal acts upon, except for tabs
_SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
_SWITCHES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


class Look:
    """Colors and attributes. A color is a number from 0 to 255, a string such as ``#102030``, or None for the usual."""

    __slots__ = ("attributes", "background", "color")

    def __init__(
        self,
        color: int | str | None = None,
        background: int | str | None = None,
        attributes: frozenset[str] = frozenset(),
    ) -> None:
        self.color = color
        self.background = background
        self.attributes = attributes

    @property
    def key(self) -> tuple[int | str | None, int | str | None, frozenset[str]]:
        """What makes two looks equal."""
        return self.color, self.background, self.attributes

    def after(self, parameters: bytes) -> Look:
        """Return the look after a control sequence with these parameters (ECMA-48, SGR)."""
        codes = iter([int(code) if code.isdigit() else 0 for code in parameters.replace(b":", b";").split(b";")])
        look = Look(self.color, self.background, self.attributes)
        for code in codes:
            look._switch(code, codes)
        return look

    def _switch(self, code: int, codes: Iterator[int]) -> None:
        if code == 0:
            self.color, self.background, self.attributes = None, None, frozenset()
        elif code in _SWITCHES:
            self.attributes |= {_SWITCHES[code]}
        elif code in _OFF:
            self.attributes -= set(_OFF[code])
        elif code in (38, 39) or 30 <= code <= 37 or 90 <= code <= 97:
            self.color = _color(code, codes)
        elif code in (48, 49) or 40 <= code <= 47 or 100 <= code <= 107:
            self.background = _color(code - 10, codes)


PLAIN = Look()


def _color(code: int, codes: Iterator[int]) -> int | str | None:
    """Return the color of the code of a foreground; a longer one takes what belongs to it from ``codes``."""
    if code == 39:
        return None
    if code != 38:
        return code - 30 if code < 90 else code - 82
    kind = next(codes, 0)
    if kind == 5:
        return min(255, next(codes, 0))
    if kind == 2:
        red, green, blue = (min(255, next(codes, 0)) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    return None


def runs_of(line: bytes) -> list[Run]:
    """Return a line as runs of text of one look. No character of the text acts on a terminal."""
    if not _ACTIVE.search(line):
        return [(_shown(line), PLAIN)]
    sanitizer = Sanitizer()
    harmless = sanitizer.clean(line.replace(b"\n", b"") + b"\n") + sanitizer.rest()
    runs: list[Run] = []
    look, pieces = PLAIN, _SGR.split(harmless.rstrip(b"\n"))
    for at, piece in enumerate(pieces):
        if at % 2:
            look = look.after(piece)
        elif piece:
            runs.append((_shown(piece), look))
    return runs or [("", PLAIN)]


def plain(line: bytes) -> str:
    """Return the text of a line, as it is shown."""
    return "".join(text for text, _ in runs_of(line))


def _shown(piece: bytes) -> str:
    text = piece.decode("utf-8", "replace")
    return visible(text.expandtabs(TAB) if "\t" in text else text)
