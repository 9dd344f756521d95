"""A terminal that a test can look at: an emulator is fed what is written to it, and the test sees what a user would."""

from __future__ import annotations

import re
import sys
import termios
import time
from typing import Any

import pyte

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ROWS, COLUMNS = 24, 80  # what the harness begins with
OURS = (7, 2026)  # private modes
BRACKETED_PASTE = 2004  # the same; ours while the keys are
JOINERS = dict.fromkeys(map(ord, "\u200d\ufe0f"))  # pyte draws nothing after one of these
PYTHON = f"{sys.executable} -I -S"


class Emulator(pyte.Screen):
    """A terminal with a scrollback, made smaller as terminals do: rows leave at the top, as few as possible."""

    def __init__(self, columns: int, lines: int) -> None:
        self.scrollback: list[str] = []
        self.damage: list[str] = []  # what only users may do to their terminals
        self.pastes: list[str] = []  # how often bracketed paste was set and reset
        super().__init__(columns, lines)
        self.damage.clear()

    def row(self, number: int) -> str:
        """One row as text."""
        return "".join(self.buffer[number][column].data for column in range(self.columns)).rstrip()

    def index(self) -> None:
        """Scroll at the bottom; the row that leaves is remembered."""
        if self.cursor.y == self.lines - 1:
            self.scrollback.append(self.row(0))
        super().index()

    def draw(self, data: str) -> None:
        """Write text."""
        super().draw(data.translate(JOINERS))

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Keep the row of the cursor on the screen."""
        lines, damage = lines or self.lines, list(self.damage)
        above = max(0, self.cursor.y - lines + 1)
        self.scrollback += [self.row(number) for number in range(above)]
        kept = {number: self.buffer[number + above] for number in range(lines)}
        self.buffer.clear()
        self.buffer.update(kept)
        self.cursor.y -= above
        super().resize(self.lines, columns)
        self.lines, self.damage = lines, damage

    def reset(self) -> None:
        """Note a reset."""
        self.damage.append("reset")
        super().reset()

    def set_margins(self, top: int | None = None, bottom: int | None = None) -> None:
        """Note that only a part of the screen scrolls."""
        self.damage.append(f"margins {top} {bottom}")
        super().set_margins(top, bottom)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        """Note that earlier rows were erased."""
        self.damage += [f"erase {how}"] if how else []
        super().erase_in_display(how, *args, **kwargs)

    def set_title(self, param: str) -> None:
        """Note a change of the title."""
        self.damage.append(f"title {param!r}")
        super().set_title(param)

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        """Note every mode but those that we use ourselves: the wrapping of long lines, and "show all of it at once"."""
        self._note_modes("set", modes, kwargs)
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        """See set_mode."""
        self._note_modes("reset", modes, kwargs)
        super().reset_mode(*modes, **kwargs)

    def color(self, text: str) -> str:
        """The color of the first place where this text stands on the screen, "default" for none."""
        for number in range(self.lines):
            column = self.row(number).find(text)
            if column >= 0:
                return self.buffer[number][column].fg
        raise AssertionError(f"{text!r} is not on the screen")

    def _note_modes(self, verb: str, modes: tuple[int, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("private"):
            self.pastes += [verb] * modes.count(BRACKETED_PASTE)
            modes = tuple(mode for mode in modes if mode not in (*OURS, BRACKETED_PASTE))
        self.damage += [f"{verb} mode {mode}" for mode in modes]


class Terminal(harness.Session):
    """A command on a terminal of 24 × 80, and its screen."""

    def __init__(
        self, *words: str, cwd: Path, env: Mapping[str, str | None] | None = None, program: str = harness.PROCMAN
    ) -> None:
        self.emulator = Emulator(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.emulator)
        self._painted = 0
        super().__init__(*words, cwd=cwd, env=env, pty=True, program=program)

    @property
    def rows(self) -> list[str]:
        """What can be seen, without the spaces on the right and the empty rows below."""
        self._paint()
        return [self.emulator.row(number) for number in range(self.emulator.lines)]

    @property
    def log(self) -> list[str]:
        """All that was ever left on the terminal: what has scrolled off, and what can be seen."""
        return [*self._scrollback(), *self.rows]

    @property
    def status(self) -> str:
        """The lowest row that is not empty: where the status line is, if there is one."""
        return next((row for row in reversed(self.rows) if row), "")

    def said(self, name: str) -> list[str]:
        """The lines of one instance, or of system, that are in the log, without their prefixes."""
        mark = re.compile(rf"\d\d:\d\d:\d\d {re.escape(name)} *\| ?(.*)")
        return [found[1] for row in self.log if (found := mark.fullmatch(row))]

    def see(self, true: Callable[[], object], what: str, limit: float = harness.LIMIT) -> None:
        """Read until the screen is as described; otherwise fail, and show the screen."""
        end = time.monotonic() + limit
        while not true():
            if time.monotonic() > end or not self._selector.get_map():
                raise AssertionError(f"never seen: {what}\n{self.picture}")
            self._read(0.05)

    def insist(self, keys: bytes, true: Callable[[], object], what: str) -> None:
        """Press these keys, again each second or so, until the screen is as described.

        For keys that may get lost: readline forgets a Ctrl-C that comes between the writing of its prompt and its wait
        for keys (CPython's readline_until_enter_or_signal waits with select, not pselect); without procman, a Ctrl-C
        right after the prompt of pdb was lost in 9 to 17 of 100 tries on a busy machine.
        """
        end = time.monotonic() + harness.LIMIT
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"never seen: {what}\n{self.picture}")
            self.type(keys)
            again = time.monotonic() + 1
            while not true() and time.monotonic() < again:
                self._read(0.05)

    def see_status(self, pattern: str) -> str:
        """Wait for a status line that holds this."""
        self.see(lambda: re.search(pattern, self.status), f"a status line with {pattern!r}")
        return self.status

    def see_line(self, name: str, pattern: str) -> None:
        """Wait for a line of an instance that is exactly this."""
        self.see(lambda: any(re.fullmatch(pattern, line) for line in self.said(name)), f"{pattern!r} said by {name}")

    def resize(self, rows: int, columns: int) -> None:
        """Drag the corner of the window."""
        self._paint()
        self.emulator.resize(rows, columns)
        super().resize(rows, columns)

    @property
    def settings(self) -> list[Any]:
        """The terminal's settings, as tcgetattr has them (of a pseudo-terminal either side tells)."""
        return termios.tcgetattr(self.terminal)

    @property
    def picture(self) -> str:
        """Everything, for a message."""
        return (
            "\n".join(self.log).rstrip() + f"\n--- cursor {self.emulator.cursor.y}, {self.emulator.cursor.x}\n{self!r}"
        )

    def _scrollback(self) -> list[str]:
        self._paint()
        return self.emulator.scrollback

    def _paint(self) -> None:
        fresh, self._painted = self.out[self._painted :], len(self.out)
        if fresh:
            self._stream.feed(fresh)


def on_terminal(
    place: harness.Place, *words: str, env: Mapping[str, str | None] | None = None, program: str = harness.PROCMAN
) -> Terminal:
    """Run a command of the place on a terminal; it ends with the test at the latest."""
    terminal = Terminal(*words, cwd=place.folder, env=env, program=program)
    place.sessions.append(terminal)
    return terminal
