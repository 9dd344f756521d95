"""The keys of the console: bytes from a terminal become commands. Some keys prompt for a line first."""

from __future__ import annotations

PROMPTING = {"r": "restart", "s": "stop", "f": "focus", "m": "mute", "/": "highlight", "a": "attach"}
IMMEDIATE = {"R": "restart failed", "d": "detach", "q": "quit", "?": "help"}
WHEN_EMPTY = {  # what Enter alone means
    "restart": "all of them",
    "stop": "all of them",
    "focus": "show everything again",
    "mute": "mute nothing",
    "highlight": "nothing",
    "attach": "the only one that can",
}
HELP = """\
keys:
  r restart…   R restart failed   s stop…
  f focus…     m mute…            / highlight…
  a attach…    d detach           q quit
  ? help
after … type a name or pattern; Tab completes, Esc cancels"""

SWITCH = (
    b"\x1d",
    b"\x1b[27;5;93~",
    b"\x1b[93;5u",
)  # Ctrl-], also as xterm and kitty extend it

_ESC, _TAB = "\x1b", "\t"
_MOUSE = "\x1b[M"  # a report of a mouse that another program left on; three more characters follow
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"  # around pasted text, if bracketed paste is on
_BACKSPACE = ("\x7f", "\b")
_CLEAR = "\x15"  # Ctrl-U
_MAX_LINE = 1000  # characters of an answer; text pasted by mistake may be megabytes


class Command:
    """A command of the user: what to do, and the line that was typed for it, or None."""

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
    """The keys typed so far. Tab completes `names`. `waiting` is the instance that `a` attaches to without asking."""

    __slots__ = ("_line", "_names", "_pasting", "_prompt_verb", "_sequence", "waiting")

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self._names = names
        self.waiting = ""
        self._prompt_verb = ""
        self._line = ""
        self._pasting = False
        self._sequence = ""  # the start of the sequence of an arrow key or the like, which is ignored

    def resume(self) -> None:
        """Forget an unfinished paste or sequence: the keyboard is back, and its end went to another program."""
        self._pasting = False
        self._sequence = ""

    @property
    def prompt(self) -> str:
        """The prompt to show instead of the status line: the question and the line so far; empty without one."""
        if not self._prompt_verb:
            return ""
        return f"{self._prompt_verb}: {self._line or f'(Enter alone: {WHEN_EMPTY[self._prompt_verb]})'}"

    def prompt_within(self, columns: int) -> str:
        """Return the prompt cut to that many columns: a long line loses its beginning, anything else its end."""
        question = f"{self._prompt_verb}: "
        room = columns - len(question)
        if len(self._line) <= room or room <= 0:
            return self.prompt[:columns]
        return question + self._line[-room:]

    def feed(self, data: bytes) -> list[Command]:
        """Return the commands that these bytes complete, in order."""
        commands = []
        text = data.decode("utf-8", "ignore")
        for index, character in enumerate(text):
            if self._skips(character, text[index + 1 : index + 2]):
                continue
            if self._pasting:
                self._paste(character)
                continue
            command = self._answer(character) if self._prompt_verb else self._press(character)
            if command is not None:
                commands.append(command)
        return commands

    def _skips(self, character: str, following: str) -> bool:
        """Whether the character belongs to a control sequence, ESC [ … letter. An ESC without one is the key itself."""
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
        """Add pasted text to the line. It never acts as keys, and its line ends submit nothing."""
        if self._prompt_verb and (character.isprintable() or character.isspace()):
            self._add(character if character.isprintable() else " ")

    def _add(self, character: str) -> None:
        if len(self._line) < _MAX_LINE:
            self._line += character

    def _press(self, character: str) -> Command | None:
        if character in IMMEDIATE:
            return Command(IMMEDIATE[character])
        if character == "a" and self.waiting:
            return Command("attach", self.waiting)
        self._prompt_verb = PROMPTING.get(character, "")
        self._line = ""
        return None

    def _answer(self, character: str) -> Command | None:
        if character in ("\r", "\n"):
            command = Command(self._prompt_verb, self._line.strip())
            self._prompt_verb = ""
            return command
        if character == _ESC:
            self._prompt_verb = ""
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
        """Complete the line as far as all matching names agree."""
        found = [name for name in self._names if name.startswith(self._line)]
        if found:
            first, last = min(found), max(found)
            same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
            self._line = first[:same]


def split_at_switch(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what precedes the first Ctrl-], that key, and what follows it."""
    found = [(at, key) for key in SWITCH if (at := data.find(key)) >= 0]
    if not found:
        return data, b"", b""
    at, key = min(found)
    return data[:at], key, data[at + len(key) :]
