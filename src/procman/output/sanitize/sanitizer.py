"""Keeps the output of one stream from damaging the screen.

Colors (SGR) pass, and are kept per line: switched off where a line ends, and on again where the next one starts. Of an
overwritten line (``a\\rb\\rc``) the last state is shown. Everything else that moves, clears, switches or queries a
terminal is dropped. What honest output does not contain (a broken escape, ENQ, a clipboard write) is made visible. NUL
and the other controls that terminals ignore, and bytes that are not UTF-8, pass unchanged. Bytes from 0x80 to 0x9f are
controls (C1) to some terminals and letters in many encodings: only what a terminal shows goes through `guarded`.
"""

from __future__ import annotations

from procman.core.text.lines import MANY_BLANKS, STAYS

BEL, BS, VT, FF, CR, SO, SI, ESC, ENQ = 7, 8, 11, 12, 13, 14, 15, 27, 5

MAX_BLANKS = 500  # lines: no terminal has more rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.output.sanitize.escapes import EscapeFilter


class Sanitizer:
    """Makes whole lines of one stream harmless.

    Many blank lines at once are held back until the next output arrives. Vite and other programs write as many as the
    terminal has rows and then move to its top, which amounts to a cleared screen. Rows that are being overwritten are
    held back until that stops; ``holds`` is True meanwhile.
    """

    __slots__ = ("_blanks", "_filter", "holds")

    def __init__(self) -> None:
        self.holds = False
        self._filter: EscapeFilter | None = None  # made when the stream first needs one
        self._blanks = b""

    def clean(self, lines: bytes) -> bytes:
        """Return whole lines made harmless. Lines without control characters pass unchanged."""
        overwritten = CR in lines
        if overwritten:
            lines = lines.replace(b"\r\n", b"\n")
            overwritten = CR in lines
        if self._blanks or lines.endswith(MANY_BLANKS):
            lines = self._hold_back(lines)
            if not lines:
                return b""
        if overwritten or not self._settled or _holds_controls(lines):
            escapes = self._escape_filter()
            lines = escapes.clean(lines)
            self.holds = escapes.holds
        return lines

    def look_ahead(self, tail: bytes) -> None:
        """Give the unfinished line that follows the lines cleaned next, because its cursor moves up."""
        self._escape_filter().look_ahead(tail)

    def last(self, rest: bytes) -> bytes:
        """Return the end of a stream, whose last newline is missing, as harmless lines.

        Bytes that only show the cursor again or switch colors off make no line: a terminal shows nothing of them.
        """
        if not rest.strip(b"\r"):
            return b""
        end = b"\n"
        if ESC in rest:
            from procman.output.sanitize.escapes import visible

            end = end if visible(rest) else STAYS
        return self.clean(rest + end)

    def is_plain(self, before: bytes, chunk: bytes) -> bool:
        """Whether ``clean`` would return both unchanged, wherever they are cut. False for anything but ASCII."""
        holds_back = self._blanks or chunk.endswith(MANY_BLANKS)
        return self._settled and not holds_back and _is_plain(chunk) and _is_plain(before)

    def blank_lines(self) -> bytes:
        """Return the blank lines held back, now that no cleared screen follows."""
        blanks, self._blanks = self._blanks, b""
        return self._escape_filter().clean(blanks) if blanks and not self._settled else blanks

    def rest(self) -> bytes:
        """Return everything held back, now that no more output follows."""
        blanks = self.blank_lines()
        if self._filter is None:
            return blanks
        self.holds = False
        return blanks + self._filter.rows()

    def preview(self, tail: bytes) -> bytes:
        """Return what an unfinished line shows so far. This changes no state: the complete line still follows."""
        tail = whole_part(tail)
        if CR in tail or not self._settled or _holds_controls(tail):
            return self._escape_filter().preview(tail)
        return tail

    def _hold_back(self, lines: bytes) -> bytes:
        """Keep the blank lines at the end, if there are many but no more than a terminal may have rows."""
        lines = self._blanks + lines
        self._blanks = b""
        shown = len(lines.rstrip(b"\n"))
        shown += shown > 0  # the newline of the last shown line
        if len(MANY_BLANKS) <= len(lines) - shown <= MAX_BLANKS:
            self._blanks = lines[shown:]
            return lines[:shown]
        return lines

    @property
    def _settled(self) -> bool:
        """Whether earlier output does not affect the next lines."""
        return self._filter is None or self._filter.settled

    def _escape_filter(self) -> EscapeFilter:
        if self._filter is None:
            from procman.output.sanitize.escapes import EscapeFilter

            self._filter = EscapeFilter()
        return self._filter


def _holds_controls(lines: bytes) -> bool:
    """Whether there is a byte that terminals act upon, apart from carriage returns.

    Eight searches by memchr(3), at about 80 GB/s each, cost a sixth of one translate() and a thirtieth of a regular
    expression.
    """
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


def guarded(lines: bytes) -> bytes:
    """Return clean lines for a terminal, with C1 controls made visible."""
    if lines.isascii() or not _holds_c1(lines):
        return lines
    from procman.output.sanitize.escapes import without_c1

    return without_c1(lines)


def _is_plain(lines: bytes) -> bool:
    return lines.isascii() and CR not in lines and not _holds_controls(lines)


def _holds_c1(lines: bytes) -> bool:
    """Whether there is a control of U+0080-U+009F, encoded, or as a byte outside of any UTF-8 character."""
    try:
        lines.decode()
    except UnicodeDecodeError:
        return True
    if 0xC2 not in lines:
        return False
    from procman.output.sanitize.escapes import ENCODED_C1

    return ENCODED_C1.search(lines) is not None


def whole_part(data: bytes) -> bytes:
    """Return ``data`` without an incomplete character or escape sequence at its end."""
    return _without_half_character(_without_half_escape(data))


def _without_half_escape(tail: bytes) -> bytes:
    """Return ``tail`` without an incomplete escape sequence at its end."""
    at = tail.rfind(b"\x1b")
    if at < 0:
        return tail
    from procman.output.sanitize.escapes import SEQUENCE

    whole = SEQUENCE.match(tail, at)
    return tail if whole is not None and len(whole[0]) > 1 else tail[:at]


def _without_half_character(tail: bytes) -> bytes:
    """Return ``tail`` without an incomplete UTF-8 character at its end."""
    for back in range(1, min(4, len(tail) + 1)):
        byte = tail[-back]
        if byte & 0xC0 != 0x80:  # the first byte of a character, which says how many follow
            wanted = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC2 else 1
            return tail[:-back] if wanted > back else tail
    return tail
