"""Shows children without letting them damage the screen: the line discipline of one stream.

Colors (SGR) pass, and are kept per line: reset where the line ends, opened again where the next one begins. Of a line
that was written over (``a\\rb\\rc``) the last state is shown. Everything else that moves, clears, switches or asks a
terminal is dropped; what has no business in honest output (an escape that is none, C1, ENQ, a clipboard write) is made
visible. NUL and the other controls that no terminal acts upon, and bytes that are no UTF-8, pass as they are.
"""

from __future__ import annotations

from procman.core.text.lines import MANY_BLANKS, STAYS

BEL, BS, VT, FF, CR, SO, SI, ESC, ENQ = 7, 8, 11, 12, 13, 14, 15, 27, 5

MOST_BLANKS = 500  # lines: no terminal has more rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.output.sanitize.escapes import EscapeFilter


class Sanitizer:
    """Makes whole lines of one stream harmless.

    Many blank lines at once are held back until it is known what comes next: vite and others push the last screen out
    of sight with as many of them as the terminal has rows, and then go to its top. That is a cleared screen. Rows that
    are painted over are held back until nothing more is: ``holds`` says so.
    """

    __slots__ = ("_blanks", "_unruly", "holds")

    def __init__(self) -> None:
        self.holds = False
        self._unruly: EscapeFilter | None = None  # what is known of a stream that has ever needed a closer look
        self._blanks = b""

    def clean(self, lines: bytes) -> bytes:
        """Harmless whole lines for whole lines. What holds no control character is not looked at again."""
        overwritten = CR in lines
        if overwritten:
            lines = lines.replace(b"\r\n", b"\n")
            overwritten = CR in lines
        if self._blanks or lines.endswith(MANY_BLANKS):
            lines = self._hold_back(lines)
            if not lines:
                return b""
        if overwritten or not self._settled or _suspicious(lines):
            unruly = self._looked_at()
            lines = unruly.clean(lines)
            self.holds = unruly.holds
        return lines

    def look_ahead(self, tail: bytes) -> None:
        """Know what comes behind the lines that are about to be cleaned, as far as it is there: the cursor goes up."""
        self._looked_at().look_ahead(tail)

    def last(self, rest: bytes) -> bytes:
        """Harmless lines for what a stream ends with, its last line end missing. No line for what only shows the
        cursor again, or switches colors off: on a terminal nothing is to be seen of it.
        """
        if not rest.strip(b"\r"):
            return b""
        end = b"\n"
        if ESC in rest:
            from procman.output.sanitize.escapes import visible

            end = end if visible(rest) else STAYS
        return self.clean(rest + end)

    def is_plain(self, before: bytes, chunk: bytes) -> bool:
        """Whether ``clean`` would give both as they are, wherever they are cut. Never said of what is not ASCII."""
        holds_back = self._blanks or chunk.endswith(MANY_BLANKS)
        return self._settled and not holds_back and _is_plain(chunk) and _is_plain(before)

    def blank_lines(self) -> bytes:
        """The blank lines that are held back, now that nothing comes that clears the screen."""
        blanks, self._blanks = self._blanks, b""
        return self._looked_at().clean(blanks) if blanks and not self._settled else blanks

    def rest(self) -> bytes:
        """All that is held back, now that nothing more comes."""
        blanks = self.blank_lines()
        if self._unruly is None:
            return blanks
        self.holds = False
        return blanks + self._unruly.rows()

    def preview(self, tail: bytes) -> bytes:
        """What an unfinished line shows so far. Changes nothing: the line will come again, whole."""
        tail = whole_part(tail)
        if CR in tail or not self._settled or _suspicious(tail):
            return self._looked_at().preview(tail)
        return tail

    def _hold_back(self, lines: bytes) -> bytes:
        """Keep the blank lines at the end, if there are many and not more than a terminal may have rows."""
        lines = self._blanks + lines
        self._blanks = b""
        spoken = len(lines.rstrip(b"\n"))
        spoken += spoken > 0  # and the end of that line
        if len(MANY_BLANKS) <= len(lines) - spoken <= MOST_BLANKS:
            self._blanks = lines[spoken:]
            return lines[:spoken]
        return lines

    @property
    def _settled(self) -> bool:
        """Whether nothing that came before concerns the lines to come."""
        return self._unruly is None or self._unruly.settled

    def _looked_at(self) -> EscapeFilter:
        if self._unruly is None:
            from procman.output.sanitize.escapes import EscapeFilter

            self._unruly = EscapeFilter()
        return self._unruly


def _suspicious(lines: bytes) -> bool:
    """Whether a byte that terminals act upon is there, carriage returns aside. Eight searches by memchr(3), each at
    some 80 GB/s, cost a sixth of one translate() and a thirtieth of a regular expression."""
    return _holds_c0(lines) or (not lines.isascii() and _holds_c1(lines))


def _is_plain(lines: bytes) -> bool:
    return lines.isascii() and CR not in lines and not _holds_c0(lines)


def _holds_c0(lines: bytes) -> bool:
    return (
        ESC in lines
        or BS in lines
        or BEL in lines
        or SO in lines
        or SI in lines
        or VT in lines
        or FF in lines
        or ENQ in lines
    )


def _holds_c1(lines: bytes) -> bool:
    """Whether a control of U+0080-U+009F is there, encoded, or as a byte that belongs to no UTF-8 character."""
    try:
        lines.decode()
    except UnicodeDecodeError:
        return True
    if 0xC2 not in lines:
        return False
    from procman.output.sanitize.escapes import ENCODED_C1

    return ENCODED_C1.search(lines) is not None


def whole_part(data: bytes) -> bytes:
    """Leave out the character or escape sequence at the end that has not come whole yet."""
    return _without_half_character(_without_half_escape(data))


def _without_half_escape(tail: bytes) -> bytes:
    """Leave out an escape sequence at the end that has not come whole yet."""
    at = tail.rfind(b"\x1b")
    if at < 0:
        return tail
    from procman.output.sanitize.escapes import SEQUENCE

    whole = SEQUENCE.match(tail, at)
    return tail if whole is not None and len(whole[0]) > 1 else tail[:at]


def _without_half_character(tail: bytes) -> bytes:
    """Leave out a UTF-8 character at the end that has not come whole yet."""
    for back in range(1, min(4, len(tail) + 1)):
        byte = tail[-back]
        if byte & 0xC0 != 0x80:  # the first byte of a character, which says how many follow
            wanted = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC2 else 1
            return tail[:-back] if wanted > back else tail
    return tail
