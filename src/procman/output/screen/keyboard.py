"""Shows what a process has asked of the keyboard: kitty's protocol and xterm's modifyOtherKeys, off and on again.

With either of them a key comes as another sequence, which a shell takes for garbage: who crashed with it left on has
broken the terminal. See https://sw.kovidgoyal.net/kitty/keyboard-protocol/ and xterm's ctlseqs, "key modifier options".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST = 16  # flags that are kept on a stack; terminals have room for as many or fewer
OTHER_KEYS = 4  # the resource modifyOtherKeys of xterm


class Keyboard:
    """The modes of the keyboard. Each of a terminal's two screens has a stack of kitty's flags, and its own first."""

    __slots__ = ("_flags", "_other_keys")

    def __init__(self) -> None:
        self._flags: dict[bool, list[int]] = {False: [0], True: [0]}
        self._other_keys = 0

    def hear(self, kind: bytes, numbers: bytes, final: bytes, alternate: bool) -> None:
        """Follow one control sequence: ``CSI kind numbers final``."""
        first, second = _numbers(numbers)
        flags = self._flags[alternate]
        if kind + final == b">u":
            flags.append(first)
            del flags[1:-DEEPEST]
        elif kind + final == b"<u":
            del flags[-max(1, first) :]
            if not flags:
                flags.append(0)  # who takes back more than he gave has the usual keyboard
        elif kind + final == b"=u":
            flags[-1] = _CHANGES.get(second, _replaced)(flags[-1], first)
        elif kind + final in (b">m", b">n") and first in (0, OTHER_KEYS):
            self._other_keys = second if final == b"m" else 0

    def undo(self, alternate: bool) -> bytes:
        """What brings the usual keyboard back, on that screen; nothing where it was never another one."""
        base, *pushed = self._flags[alternate]
        popped = b"\x1b[<%du" % len(pushed) if pushed else b""
        other_keys = b"\x1b[>%dm" % OTHER_KEYS if self._other_keys and not alternate else b""
        return popped + (b"\x1b[=0u" if base else b"") + other_keys

    def redo(self, alternate: bool) -> bytes:
        """What gives the process the keyboard that it has asked for."""
        base, *pushed = self._flags[alternate]
        other_keys = b"\x1b[>%d;%dm" % (OTHER_KEYS, self._other_keys) if self._other_keys and not alternate else b""
        return (b"\x1b[=%du" % base if base else b"") + b"".join([b"\x1b[>%du" % one for one in pushed]) + other_keys


def _numbers(text: bytes) -> tuple[int, int]:
    """The first two numbers of a sequence, 0 for what is none."""
    numbers = [int(part) if part.isdigit() and len(part) < 4 else 0 for part in text.split(b";")]
    return numbers[0], numbers[1] if len(numbers) > 1 else 0


def _replaced(_old: int, new: int) -> int:
    return new


_CHANGES: dict[int, Callable[[int, int], int]] = {2: lambda old, new: old | new, 3: lambda old, new: old & ~new}
