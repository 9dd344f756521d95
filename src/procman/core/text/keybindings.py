"""Decides what keys mean: bytes from a terminal in, commands out. Some keys ask for a line first."""

from __future__ import annotations

ASKING = {"r": "restart", "s": "stop", "f": "focus", "m": "mute", "/": "highlight"}
AT_ONCE = {"R": "restart failed", "q": "quit", "?": "help"}
ALONE = {  # what Enter means, with nothing typed before it
    "restart": "all of them",
    "stop": "all of them",
    "focus": "show everything again",
    "mute": "mute nobody",
    "highlight": "nothing",
}
HELP = """\
keys:
  r restart…   R restart failed   s stop…
  f focus…     m mute…            / highlight…
  q quit       ? help
after … type a name or pattern; Tab completes, Esc leaves"""

SWITCH = (b"\x1d", b"\x1b[27;5;93~", b"\x1b[93;5u")  # Ctrl-], also as xterm and kitty tell it to who asks for more

_ESC, _TAB = "\x1b", "\t"
_MOUSE = "\x1b[M"  # of a mouse that another program left on: three more characters tell what it did
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"  # around what is pasted, where the terminal was asked to say so
_BACKSPACE = ("\x7f", "\b")
_CLEAR = "\x15"  # Ctrl-U
_LONGEST = 1000  # characters of an answer: what is pasted by mistake may be megabytes


class Command:
    """One decision of the user's: what to do, and the line that was typed for it, or None."""

    __slots__ = ("line", "verb")

    def __init__(self, verb: str, line: str | None = None) -> None:
        self.verb = verb
        self.line = line

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Command) and (self.verb, self.line) == (other.verb, other.line)

    def __hash__(self) -> int:
        return hash((self.verb, self.line))

    def __repr__(self) -> str:
        return f"Command({self.verb!r}, {self.line!r})"


class Keys:
    """The keys typed so far; `names` are what Tab completes."""

    __slots__ = ("_asking", "_line", "_names", "_pasting", "_sequence")

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self._names = names
        self._asking = ""
        self._line = ""
        self._pasting = False
        self._sequence = ""  # of an arrow key or the like, so far: it means nothing here

    def resume(self) -> None:
        """The keyboard is ours again: the end of what was being pasted, or of a sequence, went to somebody else."""
        self._pasting = False
        self._sequence = ""

    @property
    def prompt(self) -> str:
        """What to show in place of the status line: the question and its answer so far; empty without a question."""
        if not self._asking:
            return ""
        return f"{self._asking}: {self._line or f'(Enter alone: {ALONE[self._asking]})'}"

    def prompt_within(self, columns: int) -> str:
        """The same in so many columns: what is too long is cut at its end, an answer at its beginning."""
        question = f"{self._asking}: "
        room = columns - len(question)
        if len(self._line) <= room or room <= 0:
            return self.prompt[:columns]
        return question + self._line[-room:]

    def feed(self, data: bytes) -> list[Command]:
        """The commands that these bytes complete, in order."""
        commands = []
        text = data.decode("utf-8", "ignore")
        for index, character in enumerate(text):
            if self._skips(character, text[index + 1 : index + 2]):
                continue
            if self._pasting:
                self._paste(character)
                continue
            command = self._answer(character) if self._asking else self._press(character)
            if command is not None:
                commands.append(command)
        return commands

    def _skips(self, character: str, following: str) -> bool:
        """Swallow a control sequence, ESC [ … letter; an ESC with nothing like that behind it is the key itself."""
        if character == _ESC and (self._sequence or self._pasting or (following and following in "[O")):
            self._sequence = character
            return True
        if not self._sequence:
            return False
        self._sequence += character
        mouse = self._sequence.startswith(_MOUSE)
        if len(self._sequence) == len(_MOUSE) + 3 if mouse else character.isalpha() or character == "~":
            self._pasting = self._sequence == _PASTE or (self._pasting and self._sequence != _PASTED)
            self._sequence = ""
        return True

    def _paste(self, character: str) -> None:
        """Take what is pasted as a part of the answer, never for keys: its line ends send nothing."""
        if self._asking and (character.isprintable() or character.isspace()):
            self._add(character if character.isprintable() else " ")

    def _add(self, character: str) -> None:
        if len(self._line) < _LONGEST:
            self._line += character

    def _press(self, character: str) -> Command | None:
        if character in AT_ONCE:
            return Command(AT_ONCE[character])
        self._asking = ASKING.get(character, "")
        self._line = ""
        return None

    def _answer(self, character: str) -> Command | None:
        if character in ("\r", "\n"):
            command = Command(self._asking, self._line.strip())
            self._asking = ""
            return command
        if character == _ESC:
            self._asking = ""
        elif character in _BACKSPACE:
            self._line = self._line[:-1]
        elif character == _CLEAR:
            self._line = ""
        elif character == _TAB:
            self._complete()
        elif character.isprintable():
            self._add(character)
        return None

    def _complete(self) -> None:
        """Fill in as much of a name as is certain."""
        found = [name for name in self._names if name.startswith(self._line)]
        if found:
            first, last = min(found), max(found)
            same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
            self._line = first[:same]


def split_at_switch(data: bytes) -> tuple[bytes, bytes, bytes]:
    """What is before the first Ctrl-], that key, and what is behind it."""
    found = [(at, key) for key in SWITCH if (at := data.find(key)) >= 0]
    if not found:
        return data, b"", b""
    at, key = min(found)
    return data[:at], key, data[at + len(key) :]
