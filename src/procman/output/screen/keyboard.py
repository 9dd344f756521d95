"""Keyboard modes that a process has switched on: kitty's protocol and xterm's modifyOtherKeys.

With either of them keys send other sequences, which a shell takes for garbage. A program that crashes with a mode left
on breaks the terminal, so the modes are reset and restored here. See
https://sw.kovidgoyal.net/kitty/keyboard-protocol/ and xterm's ctlseqs, "key modifier options".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 16  # flags kept on a stack; terminals keep as many or fewer
OTHER_KEYS = 4  # xterm's resource modifyOtherKeys


class Keyboard:
    """The keyboard modes. Each of the terminal's two screens has its own stack of kitty's flags."""

    __slots__ = ("_flags", "_other_keys")

    def __init__(self) -> None:
        self._flags: dict[bool, list[int]] = {False: [0], True: [0]}
        self._other_keys = 0

    def apply(self, kind: bytes, numbers: bytes, final: bytes, alternate: bool) -> None:
        """Apply one control sequence: ``CSI kind numbers final``."""
        first, second = _numbers(numbers)
        flags = self._flags[alternate]
        if kind + final == b">u":
            flags.append(first)
            del flags[1:-MAX_DEPTH]
        elif kind + final == b"<u":
            del flags[-max(1, first) :]
            if not flags:
                flags.append(0)  # popping more entries than were pushed restores the default mode
        elif kind + final == b"=u":
            flags[-1] = _CHANGES.get(second, _replaced)(flags[-1], first)
        elif kind + final in (b">m", b">n") and first in (0, OTHER_KEYS):
            self._other_keys = second if final == b"m" else 0

    def undo(self, alternate: bool) -> bytes:
        """Return bytes that reset the keyboard on that screen; empty if it is in its default mode."""
        base, *pushed = self._flags[alternate]
        popped = b"\x1b[<%du" % len(pushed) if pushed else b""
        other_keys = b"\x1b[>%dm" % OTHER_KEYS if self._other_keys and not alternate else b""
        return popped + (b"\x1b[=0u" if base else b"") + other_keys

    def redo(self, alternate: bool) -> bytes:
        """Return bytes that switch on the modes the process has set."""
        base, *pushed = self._flags[alternate]
        other_keys = b"\x1b[>%d;%dm" % (OTHER_KEYS, self._other_keys) if self._other_keys and not alternate else b""
        return (b"\x1b[=%du" % base if base else b"") + b"".join([b"\x1b[>%du" % one for one in pushed]) + other_keys


def _numbers(text: bytes) -> tuple[int, int]:
    """Return the first two numbers of a sequence, 0 for anything that is not a number."""
    numbers = [int(part) if part.isdigit() and len(part) < 4 else 0 for part in text.split(b";")]
    return numbers[0], numbers[1] if len(numbers) > 1 else 0


def _replaced(_old: int, new: int) -> int:
    return new


_CHANGES: dict[int, Callable[[int, int], int]] = {2: lambda old, new: old | new, 3: lambda old, new: old & ~new}
