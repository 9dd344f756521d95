"""A small terminal emulator that can redraw the rows a process is still writing on.

It models only what is needed: the unfinished line, however it wraps, and the rows above it that the process has
recently moved up to. Output of other processes is printed above: these rows are erased and then drawn again from here.
"""

from __future__ import annotations

import re

from procman.output.sanitize.escapes import RESET, SEQUENCE, SGR
from procman.output.sanitize.sanitizer import whole_part
from procman.output.sanitize.sgr import advance
from procman.output.screen.grid import BLANK, Grid, count, number
from procman.output.screen.keyboard import Keyboard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.output.screen.grid import Cell

LARGE_CHUNK = 4096  # bytes: of a larger chunk only the part after its last newline is modelled, if possible
MAX_REST = 4096  # bytes of an incomplete escape sequence
MAX_MODE_LENGTH = 4  # digits: no terminal has a longer mode, and random bytes must not fill the table
TAB_WIDTH = 8  # columns
HOME = (b"", b"1", b"1;1", b";", b"1;", b";1")
ON_BY_DEFAULT = frozenset((b"7", b"25"))  # lines wrap, the cursor is visible
ALTERNATE = (b"1049", b"1047", b"47")
BRACKETED_PASTE = b"2004"  # on while lines are edited: readline, the REPL of Python 3.13, shells
KEYPAD = b"="
_TOKEN = re.compile(SEQUENCE.pattern + rb"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f]+)")
_MOVES = re.compile(rb"\x1b(?:\[[0-9;]*[ABEFHLMSTdfrsu]|[78DEMc])")
_SWITCHES = re.compile(rb"\x1b\[([<=>?])([0-9;]*)([hlmnu])")


class Emulator(Grid):
    """The grid that a process draws on, and the terminal modes that it switches."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns)
        self.modes: dict[bytes, bool] = {}  # private modes that it has switched
        self.keyboard = Keyboard()
        self._rest = b""
        self._finals: dict[bytes, Callable[[bytes], None]] = {
            b"A": lambda p: self.go_up(count(p)),
            b"B": lambda p: self.go_down(count(p)),
            b"C": lambda p: self.to_column(min(self.column, self.columns - 1) + count(p)),
            b"D": lambda p: self.to_column(min(self.column, self.columns - 1) - count(p)),
            b"E": lambda p: self.go_down(count(p), 0),
            b"F": lambda p: self.go_up(count(p), 0),
            b"G": lambda p: self.to_column(count(p) - 1),
            b"`": lambda p: self.to_column(count(p) - 1),
            b"H": self._place,
            b"f": self._place,
            b"d": self._place,
            b"r": self._place,
            b"J": self.erase_rows,
            b"K": self.erase_cells,
            b"P": self.delete_cells,
            b"@": self.insert_cells,
            b"X": self.blank_cells,
            b"L": self.insert_rows,
            b"M": self.delete_rows,
            b"s": lambda _: self.save(),
            b"u": lambda p: None if p else self.restore(),
        }
        self._escapes, self._controls = self._single_characters()

    def _single_characters(self) -> tuple[dict[bytes, Callable[[], None]], dict[bytes, Callable[[], None]]]:
        """Return what single characters do, after an escape and on their own."""
        escapes = {
            b"7": self.save,
            b"8": self.restore,
            b"D": self.feed_line,
            b"E": lambda: self.feed_line(0),
            b"M": lambda: self.go_up(1),
            b"c": self._reset,
            b"=": lambda: self.modes.update({KEYPAD: True}),
            b">": lambda: self.modes.update({KEYPAD: False}),
        }
        controls = {
            b"\r": lambda: self.to_column(0),
            b"\n": self.feed_line,
            b"\v": self.feed_line,
            b"\f": self.feed_line,
            b"\b": lambda: self.to_column(min(self.column, self.columns - 1) - 1),
            b"\t": lambda: self.to_column((self.column // TAB_WIDTH + 1) * TAB_WIDTH),
        }
        return escapes, controls

    def _reset(self) -> None:
        self.begin()
        self.sgr = b""
        self.edits = False
        self.modes.clear()
        self.keyboard = Keyboard()

    # State -----------------------------------------------------------------------------------------------------------

    @property
    def alternate(self) -> bool:
        """Whether the process uses the terminal's alternate screen, as editors and pagers do."""
        return any(self.modes.get(mode) for mode in ALTERNATE)

    def picture(self, below: list[bytes] = []) -> bytes:  # noqa: B006 (never changed)
        """Return bytes that draw the rows, and others ``below``, starting in an empty row.

        The cursor ends where the process left it.
        """
        rows = [_painted(row) for row in self.rows[self.top :]] + below
        height = self.down + len(below)
        up = b"\x1b[%dA" % height if height else b""
        column = min(self.column, self.columns - 1)
        right = b"\x1b[%dC" % column if column else b""
        last = b""
        if self.column >= self.columns:  # writing the last cell again makes the next character wrap
            last = _painted(self.rows[self.row][column : column + 1] or [BLANK])
        return RESET + (RESET + b"\r\n").join(rows) + RESET + up + b"\r" + right + last + self.sgr

    def undo(self) -> bytes:
        """Return bytes that reset the terminal to its default modes."""
        there = self.keyboard.undo(alternate=True) if self.alternate else b""  # only possible on that screen
        modes = [_switch(mode, not on) for mode, on in self.modes.items() if on != (mode in ON_BY_DEFAULT)]
        return there + b"".join(modes) + self.keyboard.undo(alternate=False)

    def redo(self) -> bytes:
        """Return bytes that switch the modes of the process on again."""
        modes = [_switch(mode, on) for mode, on in self.modes.items() if on != (mode in ON_BY_DEFAULT)]
        there = self.keyboard.redo(alternate=True) if self.alternate else b""
        return self.keyboard.redo(alternate=False) + b"".join(modes) + there

    # Changes ---------------------------------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> None:
        """Apply the output of the process."""
        data = self._rest + chunk
        whole = whole_part(data)
        self._rest = data[len(whole) :]
        if len(self._rest) > MAX_REST:
            whole, self._rest = data, b""
        if len(whole) >= LARGE_CHUNK:
            whole = self._without_ended(whole)
        for token in _TOKEN.finditer(whole):
            self._apply(token)

    def _without_ended(self, data: bytes) -> bytes:
        """Return the part after the last newline, if the rest does not affect it: a flood is not modelled."""
        end = data.rfind(b"\r\n")
        ended = data[: end + 2]
        if end < 0 or self.reach or self.down or self.alternate or _MOVES.search(ended):
            return data
        if 27 in ended:
            for switch in _SWITCHES.findall(ended):
                self._switch_over(*switch)
            if self.alternate:
                return data[end + 2 :]  # the rest was applied already
            self.sgr = advance(self.sgr, SGR.findall(ended))
        self.begin()
        return data[end + 2 :]

    def _apply(self, token: re.Match[bytes]) -> None:
        final = token["final"]
        if switch := _SWITCHES.fullmatch(token[0]):
            self._switch_over(*switch.groups())
        elif self.alternate:
            return
        elif token["text"]:
            self.write(token["text"].decode("utf-8", "replace"))
        elif token["control"]:
            self._controls.get(token["control"], _nothing)()
        elif final == b"m":
            self.sgr = advance(self.sgr, SGR.findall(token[0]))
        elif final in (b"h", b"l"):
            self.inserts = final == b"h" and b"4" in token["parameters"].split(b";")
        elif final and not token["between"] and token["parameters"][:1] not in (b"?", b">", b"<", b"="):
            self._finals.get(final, _ignore)(token["parameters"])
        elif len(token[0]) == 2:
            self._escapes.get(token[0][1:], _nothing)()

    def _switch_over(self, kind: bytes, numbers: bytes, final: bytes) -> None:
        if kind == b"?" and final in (b"h", b"l"):
            self._switch_modes(numbers, final == b"h")
        else:
            self.keyboard.apply(kind, numbers, final, self.alternate)

    def _switch_modes(self, numbers: bytes, on: bool) -> None:
        for mode in numbers.split(b";"):
            self.modes.pop(mode, None)  # keeps the order of the last switches
            if len(mode) <= MAX_MODE_LENGTH:
                self.modes[mode] = on
            if mode == BRACKETED_PASTE:
                self._edit(on)

    def _edit(self, on: bool) -> None:
        """Note that lines are edited from here on, or no longer."""
        self.edits = on
        if not self.down:
            self.end_rows()

    def _place(self, parameters: bytes) -> None:
        """Move to a position of the screen, which is unknown in our rows. Home on an empty grid is a new start."""
        self.placed = self.placed or parameters not in HOME or any(self.rows)
        column = number(parameters.rpartition(b";")[2]) - 1 if b";" in parameters else 0
        self.begin()
        self.to_column(column)


def _nothing() -> None:
    """Do nothing: bells and the like concern only the terminal."""


def _ignore(_parameters: bytes) -> None:
    """Do nothing: the sequence does not change the model."""


def _switch(mode: bytes, on: bool) -> bytes:
    if mode == KEYPAD:
        return b"\x1b=" if on else b"\x1b>"
    return b"\x1b[?%s%s" % (mode, b"h" if on else b"l")


def _painted(cells: list[Cell]) -> bytes:
    out: list[bytes] = []
    sgr = b""
    for cell_sgr, text in cells:
        if cell_sgr != sgr:
            out.append(RESET + cell_sgr)
            sgr = cell_sgr
        out.append(text.encode("utf-8", "replace"))
    return b"".join(out) + (RESET if sgr else b"")
