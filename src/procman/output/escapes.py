"""Shows what an unruly line comes to: escape sequences, overwriting, backspaces, control characters.

Only imported when a line holds such bytes (it costs the import of ``re``).
"""

from __future__ import annotations

import re

from procman.output.pen import advance

RESET = b"\x1b[0m"

# ECMA-48: CSI and its parameters; strings ended by ST (or BEL, for OSC); two- and three-byte escapes; a lone ESC.
SEQUENCE = re.compile(
    rb"\x1b(?:"
    rb"\[(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    rb"|[PX^_][^\x1b]*\x1b\\"
    rb"|[ -/]+[0-~]"
    rb"|[0-OQ-WYZ\\`-~]"
    rb")?"
)
SGR = re.compile(rb"\x1b\[[0-9:;]*m")
ENCODED_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_C1 = re.compile("[\x80-\x9f\udc80-\udc9f]")  # encoded, or a byte that is part of no UTF-8 character
_UNRULY = re.compile(rb"[\x05\x07\x08\x0b-\x0f\x1b]")
_SILENT = b"\x07\x0e\x0f"  # bell and charset shifts
_VISIBLE = ((b"\x05", b"^E"), (b"\x0b", b"^K"), (b"\x0c", b"^L"))
_CELL = re.compile(rb"(?:\x1b\[[0-9:;]*m)*(?:[\xc2-\xf4][\x80-\xbf]{1,3}|[^\x1b])|(?:\x1b\[[0-9:;]*m)+\Z")
_MOST_BLANKS = 200  # spaces for one "cursor forward"


def clean_lines(lines: bytes, pen: bytes) -> tuple[bytes, bytes]:
    """Harmless lines, and the pen they leave switched on. ``lines`` ends with a newline."""
    if not lines.isascii():
        lines = _without_c1(lines)
    out: list[bytes] = []
    for line in lines[:-1].split(b"\n"):
        start = pen
        if _UNRULY.search(line) is not None:
            line = _without_controls(SEQUENCE.sub(_replacement, line))  # noqa: PLW2901 (each line is remade)
            pen = advance(pen, line)
        out.append(start + line + RESET if pen else start + line)
    out.append(b"")
    return b"\n".join(out), pen


def without_color(lines: bytes) -> bytes:
    """Clean lines without their colors, for readers that are no terminal."""
    return SGR.sub(b"", lines)


def _without_c1(lines: bytes) -> bytes:
    text = lines.decode("utf-8", "surrogateescape")
    return _C1.sub(_hexadecimal, text).encode("utf-8", "surrogateescape")


def _hexadecimal(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]) & 0xFF:02x}"


def _replacement(match: re.Match[bytes]) -> bytes:
    """What stands in a line for one escape sequence."""
    final, parameters, osc = match["final"], match["parameters"], match["osc"]
    if final == b"m" and not match["between"] and SGR.fullmatch(match[0]):
        return match[0]
    if final == b"G":  # cursor to a column: the first one is a carriage return in other words
        return b"\r" if parameters in (b"", b"0", b"1") else b" "
    if final in (b"C", b"a"):  # cursor forward, as good as blanks
        return b" " * min(int(parameters) if parameters.isdigit() else 1, _MOST_BLANKS)
    if match[0] == b"\x1b":
        return b"^["
    if osc is not None and osc.startswith(b"52;"):  # writes to the clipboard
        return b"^[]" + osc
    return b""


def _without_controls(line: bytes) -> bytes:
    """Apply carriage returns and backspaces; drop or show the other controls. Only SGR escapes are left in ``line``."""
    line = line.translate(None, _SILENT)
    for control, picture in _VISIBLE:
        line = line.replace(control, picture)
    if b"\r" in line:
        line = _last_state(line)
    if b"\b" in line:
        line = _overstruck(line)
    return line


def _last_state(line: bytes) -> bytes:
    """The last state of a line that was written over, with the colors that were on when it began."""
    states = line.split(b"\r")
    last = len(states) - 1
    while last and not SGR.sub(b"", states[last]):
        last -= 1
    before = b"".join(SGR.findall(b"".join(states[:last])))
    after = b"".join(SGR.findall(b"".join(states[last + 1 :])))
    return before + states[last] + after


def _overstruck(line: bytes) -> bytes:
    """What is left on the paper when backspaces go back and later characters are printed over earlier ones."""
    cells: list[bytes] = []
    at = 0
    for match in _CELL.finditer(line):
        if match[0].endswith(b"\b"):
            at = max(0, at - 1)
            cells[at:at] = ()
            continue
        cells[at : at + 1] = (match[0],)
        at += 1
    return b"".join(cells)
