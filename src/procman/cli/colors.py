"""Colors for what commands print: only on a terminal, unless the user wishes otherwise."""

from __future__ import annotations

import os

from procman.output.palette import Palette, wants_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def palette_for(stream: TextIO, wish: object = None) -> Palette:
    """Return the colors for a standard stream. ``wish`` is the setting ``color``."""
    return Palette(wants_color(wish if isinstance(wish, bool) else None, os.environ, stream.isatty()))


def write(stream: TextIO, text: str) -> None:
    """Write text with colors. Whatever it quotes has been made visible before (core/text/printable.py)."""
    getattr(stream, "unguarded", stream).write(text)


def painted(text: str, color: str, palette: Palette) -> str:
    """Return text in a color of the palette."""
    return f"{color}{text}{palette.reset}" if color else text


def state_color(state: str, palette: Palette) -> str:
    """Return the color of a state in a table."""
    colors = {"running": palette.good, "exited": palette.dim, "failed": palette.failure}
    return colors.get(state, palette.warning)


def with_state(line: str, state: str, palette: Palette) -> str:
    """Return a line of a table with its state in color; a failure is red as a whole."""
    if state == "failed":
        return painted(line, palette.failure, palette)
    return with_word(line, state, state_color(state, palette), palette)


def with_word(line: str, word: str, color: str, palette: Palette) -> str:
    """Return a line of a table with the first cell in color that begins with a word, and is not in the first column."""
    before, gap, after = line.partition(f"  {word}")
    return f"{before}  {painted(word, color, palette)}{after}" if gap else line


def with_severity(line: str, palette: Palette) -> str:
    """Return a line such as ``Procfile:3:1: error: …`` with the severity in color, and ``ok`` in green."""
    if not palette.colored:
        return line
    colors = {"error": palette.failure, "warning": palette.warning, "hint": palette.of(0), "ok": palette.good}
    places = [(at, word) for word in colors if (at := _position(line, word)) >= 0]
    if not places:
        return line
    at, word = min(places)
    if word == "ok":
        return f"{line[:at]}{painted(line[at:], palette.good, palette)}"
    return f"{line[:at]}{painted(word, colors[word], palette)}{line[at + len(word) :]}"


def _position(line: str, word: str) -> int:
    """Return where a severity stands: at the start of the line, or after a place and a colon; -1 if nowhere."""
    end = " —" if word == "ok" else ": "
    if line.startswith(f"{word}{end}"):
        return 0
    found = line.find(f": {word}{end}")
    return found + 2 if found >= 0 else -1


def colored_page(text: str, palette: Palette) -> str:
    """Return a page of help with bold headings, and with its commands and options in color."""
    if not palette.colored:
        return text
    lines = []
    for line in text.split("\n"):
        if line.startswith("  ") and line[2:3].strip():
            term, gap, rest = line[2:].partition("  ")
            lines.append(f"  {palette.of(0)}{term}{palette.reset}{gap}{rest}")
        elif line.startswith("Usage: "):
            lines.append(f"{palette.bold}Usage:{palette.reset}{line.removeprefix('Usage:')}")
        else:
            lines.append(painted(line, palette.bold if line.endswith(":") else "", palette))
    return "\n".join(lines)
