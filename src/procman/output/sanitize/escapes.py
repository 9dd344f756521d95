"""Applies or removes escape sequences, carriage returns, backspaces and control characters.

Imported only when a line holds such bytes, because of the cost of importing ``re``.
"""

from __future__ import annotations

import re

from procman.core.text.lines import MANY_BLANKS, goes_up
from procman.output.sanitize.redraws import Redraws, climb, leaves_row_alone, not_wiped, reached
from procman.output.sanitize.sgr import advance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

RESET = b"\x1b[0m"
ESC = 27

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
_COLORS = re.compile(rb"(?:\x1b\[[0-9:;]*m)+")
ENCODED_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_C1 = re.compile("[\x80-\x9f\udc80-\udc9f]")  # encoded, or a byte outside of any UTF-8 character
_CONTROLS = (5, 7, 8, 11, 12, 13, 14, 15)  # those that terminals act upon, besides ESC
_SILENT = b"\x07\x0e\x0f"  # bell and charset shifts
_VISIBLE = ((b"\x05", b"^E"), (b"\x0b", b"^K"), (b"\x0c", b"^L"))
_CELL = re.compile(rb"\x1b\[[0-9:;]*m|[\xc2-\xf4][\x80-\xbf]{1,3}|.", re.DOTALL)
_OVERWRITES = re.compile(rb"\r|\x1b\[(?:[01]?G|[0-9]{3,4}D|2K)")  # the line is overwritten from its start
_CURSOR_SAVES = re.compile(rb"(\x1b(?:[78]|\[[su]))")  # the cursor's position is saved or restored
_SAVES = (b"\x1b7", b"\x1b[s")
_ELSEWHERE = re.compile(rb"\x1b\[[0-9;]*[Hdf]")  # the cursor moves to an unknown row
_CLEARS = re.compile(rb"\x1b(?:c|\[(?:[01]?;?[01]?[Hf]|[23]J))")  # the screen, or moves to its top to do so
_MAX_BLANKS = 200  # spaces for one "cursor forward"
_LINE_START = 500  # columns of a "cursor back" to the start of the line: jest uses 999, many progress bars 1000


class EscapeFilter:
    """The state of one stream: ``sgr``, one sequence for the colors that are on, and the rows being overwritten."""

    __slots__ = ("_climb", "_redraws", "sgr")

    def __init__(self) -> None:
        self.sgr = b""
        self._redraws: Redraws | None = None
        self._climb = 0  # how many rows the cursor moves up after the next lines, if known

    @property
    def settled(self) -> bool:
        """Whether plain lines may pass unchanged."""
        return not self.sgr and self._redraws is None and not self._climb

    def look_ahead(self, tail: bytes) -> None:
        """Give the bytes after the next lines. If the cursor moves up there, it is about to overwrite them."""
        self._climb = climb(tail)

    @property
    def holds(self) -> bool:
        """Whether rows are held back because they may be overwritten again."""
        return self._redraws is not None and self._redraws.holds

    def rows(self) -> bytes:
        """Return the rows held back, now that they no longer change."""
        if self._redraws is None:
            return b""
        self._redraws.calm = True
        return b"".join([row + b"\n" for row in self._redraws.painted()])

    def clean(self, lines: bytes) -> bytes:
        """Return whole lines made harmless. Lines that overwrite others are held back."""
        rough = any(control in lines for control in _CONTROLS)
        out: list[bytes] = []
        rows = lines[:-1].split(b"\n")
        waiting: Collection[int] = ()
        if self._climb or goes_up(lines):
            waiting = reached(rows, self._climb, self._redraws is not None)
            self._climb = 0
        for at, written in enumerate(rows):
            line = written
            start = self.sgr
            if ESC in line and out and _CLEARS.search(line):
                _drop_blanks(out)
            if rough or ESC in line:
                line = self._clean_line(line, rough)
            line = start + line + RESET if self.sgr else start + line
            if at in waiting and self._redraws is None:
                self._redraws = Redraws(visible)
            if self._redraws is None or not self._paints_over(written, line, out, waits=at in waiting):
                out.append(line)
        out.append(b"")
        return b"\n".join(out)

    def preview(self, tail: bytes) -> bytes:
        """Return an unfinished line made harmless, without changing any state."""
        copy = EscapeFilter()
        copy.sgr = self.sgr
        shown = copy.clean(tail + b"\n")[:-1].rpartition(b"\n")[2]
        if not is_blank(shown):
            return shown
        if copy._redraws is not None:
            return copy._redraws.latest
        return self._redraws.latest if self._redraws is not None and self.holds else shown

    def _clean_line(self, line: bytes, rough: bool) -> bytes:
        colors = SGR.findall(line)
        if rough or len(colors) != line.count(b"\x1b"):
            line = self._follow(_without_detours(line))
            overwritten = _OVERWRITES.search(line)
            line = _harmless(line)
            if overwritten:
                line = self._with_one_sgr(line)
            colors = SGR.findall(line)
        self.sgr = advance(self.sgr, colors)
        return line

    def _paints_over(self, written: bytes, line: bytes, out: list[bytes], *, waits: bool) -> bool:
        """Whether a ``written`` line is not shown, or not yet. Add the rows that no longer change to ``out``."""
        assert self._redraws is not None
        out += self._redraws.gone()
        only_arrived = leaves_row_alone(written)
        only_passed = (self._redraws.passed() or only_arrived) and is_blank(line)
        bare = written in (b"", b"\r")
        nothing = only_passed or only_arrived
        if self._redraws.take_over(None if nothing else line, bare=bare):
            out += self._redraws.painted() if self._redraws.calm else self._redraws.gone()
            return True
        if (waits or self._redraws.paints_new) and not only_passed:
            self._redraws.begin(line)
            out += self._redraws.gone()
            return True
        out += self._redraws.painted()
        self._redraws.add(line)
        return only_passed

    def _follow(self, line: bytes) -> bytes:
        if self._redraws is None and goes_up(line):
            self._redraws = Redraws(visible)
        if self._redraws is None:
            return line
        left = self._redraws.move(line)
        return left if left == line else self._with_one_sgr(left)

    def _with_one_sgr(self, line: bytes) -> bytes:
        """Reduce the colors at the start of a line to one sequence: overwritten text may have left several."""
        colors = _COLORS.match(line)
        if colors is None:
            return line
        sgr = advance(self.sgr, SGR.findall(colors[0]))
        line = line[colors.end() :]
        if sgr == self.sgr:
            return line
        return (RESET + sgr if self.sgr else sgr) + line


def without_color(lines: bytes) -> bytes:
    """Return clean lines without their colors."""
    return SGR.sub(b"", lines)


def _harmless(line: bytes) -> bytes:
    return _without_controls(SEQUENCE.sub(_replacement, not_wiped(line)))


def _without_detours(line: bytes) -> bytes:
    """Leave out what is written elsewhere, or overwritten, before the cursor returns to its saved position.

    Apt's bar in the bottom row is an example.
    """
    first, *pieces = _CURSOR_SAVES.split(line)
    kept = [first]
    place = len(line)  # index in `kept` of the saved position: none yet
    back = 0  # index in `kept` up to which the pieces since then get overwritten
    elsewhere = False
    for code, text in zip(pieces[::2], pieces[1::2], strict=True):
        if code in _SAVES:
            place = place if back else len(kept)
        else:
            back = len(kept)
            if elsewhere:
                del kept[place:]
                back, elsewhere = place, False
        if back and SEQUENCE.sub(b"", text).strip():
            del kept[place:back]
            back = 0
        kept.append(text)
        elsewhere = elsewhere or _ELSEWHERE.search(text) is not None
    return b"".join(kept)


def _drop_blanks(lines: list[bytes]) -> None:
    """Drop the blank lines at the end if there are many: they cleared the screen by scrolling it away."""
    kept = len(lines)
    while kept and is_blank(lines[kept - 1]):
        kept -= 1
    if len(lines) - kept >= len(MANY_BLANKS):
        del lines[kept:]


def visible(piece: bytes) -> bytes:
    """Return a piece of a line as a line of its own, with colors off at its end; empty if nothing is visible."""
    if not piece:  # the usual case: nothing is written between two moves of the cursor
        return b""
    row = _harmless(piece)
    if is_blank(row):
        return b""
    return row + RESET if ESC in row else row


def is_blank(line: bytes) -> bool:
    """Whether nothing is visible in a clean line."""
    return not SGR.sub(b"", line).strip()


def without_c1(lines: bytes) -> bytes:
    """Return lines with every C1 control as an escape (``\\x9b``), and every byte that some terminals take for one."""
    text = lines.decode("utf-8", "surrogateescape")
    return _C1.sub(_hexadecimal, text).encode("utf-8", "surrogateescape")


def _hexadecimal(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]) & 0xFF:02x}"


def _replacement(match: re.Match[bytes]) -> bytes:
    """Return what replaces one escape sequence in a line."""
    if SGR.fullmatch(match[0]):
        return match[0]
    final, parameters, osc = match["final"], match["parameters"], match["osc"]
    if final == b"G":  # cursor to a column: to the first one, it is a carriage return
        return b"\r" if parameters in (b"", b"0", b"1") else b" "
    if final == b"D" and _distance(parameters) >= _LINE_START:  # farther than a line is long
        return b"\r"
    if final in (b"C", b"a"):  # cursor forward, shown as blanks
        return b" " * min(_distance(parameters), _MAX_BLANKS)
    if match[0] == b"\x1b":
        return b"^["
    if osc is not None and osc.startswith(b"52;"):  # writes to the clipboard
        return b"^[]" + osc
    return b""


def _distance(parameters: bytes) -> int:
    """Return how far the cursor moves, in columns. Four digits are enough; Python refuses more than 4,300."""
    columns = parameters.lstrip(b"0")[:4]
    return int(columns) if columns.isdigit() else 1


def _without_controls(line: bytes) -> bytes:
    """Apply carriage returns and backspaces, and drop or show the other controls. ``line`` holds only SGR escapes."""
    line = line.translate(None, _SILENT)
    for control, picture in _VISIBLE:
        line = line.replace(control, picture)
    if b"\r" in line:
        line = _last_state(line)
    if b"\b" in line:
        line = _overstruck(line)
    return line


def _last_state(line: bytes) -> bytes:
    """Return the last state of an overwritten line, with the colors that were on when that state began."""
    states = line.split(b"\r")
    last = len(states) - 1
    while last and not SGR.sub(b"", states[last]):
        last -= 1
    before = b"".join(SGR.findall(b"".join(states[:last])))
    after = b"".join(SGR.findall(b"".join(states[last + 1 :])))
    return before + states[last] + after


def _overstruck(line: bytes) -> bytes:
    """Return what remains when backspaces move back and later characters replace earlier ones."""
    cells: list[tuple[bytes, bytes]] = []  # the colors written there, and the character
    at = 0
    colors = b""
    for match in _CELL.finditer(line):
        cell = match[0]
        if cell == b"\b":
            at = max(0, at - 1)
        elif cell[0] == ESC:
            colors += cell
        else:
            before = cells[at][0] if at < len(cells) else b""
            cells[at : at + 1] = ((before + colors, cell),)
            colors = b""
            at += 1
    return b"".join([color + cell for color, cell in cells]) + colors
