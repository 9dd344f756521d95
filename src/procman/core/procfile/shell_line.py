"""A line of the Procfile as a shell sees it: simple commands, their words without quotes, and the program of each.

It understands the usual forms, not the whole grammar: anything else becomes a word that no rule matches.
"""

from __future__ import annotations

_BLANKS = " \t"
_SPECIAL = frozenset(" \t#<>&|;()'\"\\$`")
_OPERATORS = ("&&", "||", ";;", "|&", "&>", "|", "&", ";", "(", ")")  # the longer first
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_RESERVED = frozenset(("!", "{", "if", "then", "elif", "else", "while", "until", "do"))  # a command follows
_ENDS = frozenset(("}", "fi", "done", "esac"))
_TRIVIAL = frozenset(("echo", "printf", "true", ":", "exit"))  # what follows a daemon and ends, too
_SAME_PIPELINE = frozenset(("|", "|&", "||"))

# Programs that run the program after them; with a value, only after that subcommand.
_LAUNCHERS = {
    **dict.fromkeys(
        (  # noqa: SIM905 (a list would be a screen long)
            "bunx catchsegv chronic command dotenv dumb-init env exec ionice nice nohup npx setsid stdbuf sudo tini "
            "time unbuffer xvfb-run"
        ).split(),
        "",
    ),
    **dict.fromkeys(("bundle", "rbenv", "pyenv", "asdf", "mise", "pnpm", "npm", "nvm"), "exec"),
    **dict.fromkeys(("poetry", "pipenv", "uv", "pdm", "hatch", "rye", "doppler", "foreman", "honcho"), "run"),
    **dict.fromkeys(("timeout", "gosu", "su-exec"), " "),  # one operand comes first
}
_INTERPRETERS = frozenset(("python", "ruby", "node", "perl", "php", "pypy"))
_VALUED = frozenset(
    (  # noqa: SIM905
        "-u -g -n -C -k -s -S -a -f -o -e -p -c -W -X -I --user --group --signal --kill-after --env-file --with "
        "--extra --python --project --directory --package --name --config --chdir --unset"
    ).split()
)


class Word:
    """A word of a command: its offset, its text without quotes, whether quotes made it, and its unquoted oddities.

    ``odd`` has the offsets of the characters outside quotes that are not ASCII.
    """

    __slots__ = ("odd", "offset", "quoted", "text")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.text = ""
        self.quoted = False
        self.odd: list[int] = []


class SimpleCommand:
    """One simple command: its words, and the operators before and after it."""

    __slots__ = ("after", "before", "words")

    def __init__(self, before: str) -> None:
        self.words: list[Word] = []
        self.before = before
        self.after = ""

    def program_at(self) -> int:
        """Return the index of the program's word, after assignments and launchers such as ``bundle exec``.

        It is the number of words if there is no program.
        """
        at, words = 0, self.words
        while at < len(words):
            text = words[at].text
            if text in _RESERVED or is_assignment(text):
                at += 1
                continue
            follows = _behind_launcher(words, at)
            if follows is None:
                return at if text not in _ENDS else len(words)
            at = follows
        return at

    def program(self) -> list[str]:
        """Return the text of the program's word, without folder and version, and of the words after it."""
        texts = [word.text for word in self.words[self.program_at() :]]
        return [base_name(texts[0]), *texts[1:]] if texts else []


def base_name(text: str) -> str:
    """Return a program's name without its folder and version: ``/usr/sbin/php-fpm8.2`` is ``php-fpm``."""
    name = text.rpartition("/")[2]
    return name.rstrip("0123456789.").rstrip("-") or name


def is_assignment(text: str) -> bool:
    """Whether a word at the start of a command sets a variable."""
    name, equals, _ = text.partition("=")
    return bool(equals and name) and _NAME.issuperset(name)


def _behind_launcher(words: list[Word], at: int) -> int | None:
    """Return where the program of the launcher at ``at`` begins, or None if that word is the program itself."""
    name = base_name(words[at].text)
    if name in _INTERPRETERS:
        return _script(words, at)
    wanted = _LAUNCHERS.get(name)
    if wanted is None:
        return None
    at += 1
    if wanted.strip():
        at = _behind_options(words, at)
        if at == len(words) or words[at].text != wanted:
            return None
        at += 1
    at = _behind_options(words, at)
    return at + 1 if wanted == " " else at


def _script(words: list[Word], at: int) -> int | None:
    """Return where the script of an interpreter is, or the module of ``python -m``; None if there is none."""
    behind = at + 1
    while behind < len(words) and words[behind].text.startswith("-"):
        if words[behind].text == "-m":
            return behind + 1 if behind + 1 < len(words) else None
        if words[behind].text in ("-c", "-S", "-e", "-"):
            return None
        behind += 2 if words[behind].text in ("-d", "-W", "-X", "-I", "-r") else 1
    return behind if behind < len(words) else None


def _behind_options(words: list[Word], at: int) -> int:
    while at < len(words) and words[at].text.startswith("-"):
        if words[at].text == "--":
            return at + 1
        at += 2 if words[at].text in _VALUED else 1
    return min(at, len(words))


class ShellLine:
    """The simple commands of a line; the offset of an open quote, or None; and its bash syntax.

    `last` is the operator that the line ends with, apart from closing parentheses; empty if it ends with a word.
    """

    __slots__ = ("_operator", "_redirected", "_text", "_word", "bash", "commands", "last", "note", "open_quote")

    def __init__(self, text: str) -> None:
        self.commands: list[SimpleCommand] = []
        self.open_quote: int | None = None
        self.bash: list[tuple[int, str]] = []
        self.note = len(text)  # where a comment begins
        self.last = ""
        self._text = text
        self._operator = ""
        self._word: Word | None = None
        self._redirected = False  # the next word is a file
        self._read()
        self._end_word()

    def foreground(self) -> list[SimpleCommand]:
        """Return the commands of the last pipeline, which the shell waits for at the end; empty if that is unclear."""
        last = len(self.commands)
        while last > 1 and self.commands[last - 1].words[0].text in _TRIVIAL:
            last -= 1
        first = last - 1
        while first > 0 and self.commands[first].before in _SAME_PIPELINE:
            first -= 1
        found = self.commands[max(first, 0) : last]
        return [] if any(command.words[0].text in _ENDS for command in found) else found

    def _read(self) -> None:
        at, text = 0, self._text
        while at < len(text):
            char = text[at]
            if char in _BLANKS:
                self._end_word()
                at += 1
            elif char == "#" and self._word is None:
                self.note = at
                return
            elif char in "<>" or text.startswith("&>", at):
                at = self._redirect(at)
            elif char in "&|;()":
                at = self._operate(at)
            else:
                at = self._take(at)

    def _take(self, at: int) -> int:
        """Add what begins at ``at`` to the word; return where it ends."""
        text, word = self._text, self._word
        if word is None:
            word = self._word = Word(at)
        char = text[at]
        if char == "'":
            return self._quoted(word, at, text.find("'", at + 1))
        if char == '"':
            return self._quoted(word, at, _end_of_quote(text, at + 1))
        if char == "\\":
            word.text += text[at + 1 : at + 2]
            return at + 2
        end = _end_of_expansion(text, at) if char in "$`" else _end_of_plain(text, at)
        part = text[at:end]
        word.text += part
        if not part.isascii() and char not in "$`":
            word.odd += [at + i for i, one in enumerate(part) if one > "\x7f"]
        return end

    def _quoted(self, word: Word, at: int, end: int) -> int:
        word.quoted = True
        if end < 0:
            self.open_quote = at
            end = len(self._text)
        word.text += self._text[at + 1 : end]
        return end + 1

    def _redirect(self, at: int) -> int:
        """Skip a redirection; its file is not a word of the command."""
        text = self._text
        end = at + 1
        while end < len(text) and text[end] in "<>&|" and end < at + 3:
            end += 1
        operator = text[at:end]
        if operator in ("&>", "&>>", "<<<"):
            self.bash.append((at, operator))
        elif text.startswith("(", end) and operator in "<>":
            self.bash.append((at, operator + "("))
            return _end_of_parenthesis(text, end)
        if self._word is not None and self._word.text.isdigit() and not self._word.quoted:
            self._word = None  # the number of a descriptor
        self._end_word()
        self._redirected = True
        return end

    def _operate(self, at: int) -> int:
        text, word = self._text, self._word
        if text[at] == "(" and word is not None and word.text.endswith("=") and is_assignment(word.text):
            self.bash.append((word.offset, word.text + "("))
        elif text.startswith("((", at) and word is None:
            self.bash.append((at, "(("))
        operator = next(one for one in _OPERATORS if text.startswith(one, at))
        if operator == "|&":
            self.bash.append((at, operator))
        self._end_word()
        if self.commands and not self._operator:
            self.commands[-1].after = operator
        self._operator = operator
        self._redirected = False
        if operator != ")":
            self.last = operator
        return at + len(operator)

    def _end_word(self) -> None:
        word, self._word = self._word, None
        if word is None:
            return
        self.last = ""
        if self._redirected:
            self._redirected = False
            return
        if self._operator or not self.commands:
            self.commands.append(SimpleCommand(self._operator))
            self._operator = ""
        self.commands[-1].words.append(word)


def _end_of_plain(text: str, at: int) -> int:
    """Return the end of the characters that mean nothing to the shell. The first one always counts."""
    at += 1
    while at < len(text) and text[at] not in _SPECIAL:
        at += 1
    return at


def _end_of_quote(text: str, at: int) -> int:
    """Return the end of the double quote that is open at ``at``, or -1."""
    while at < len(text):
        if text[at] == '"':
            return at
        if text[at] == "\\":
            at += 2
        else:
            at = _end_of_expansion(text, at)
    return -1


def _end_of_expansion(text: str, at: int) -> int:
    """Return the end of ``$(…)``, ``${…}`` or a command in backquotes at ``at``, or of a single character."""
    if text.startswith("$(", at):
        return _end_of_parenthesis(text, at + 1)
    closing = "`" if text[at] == "`" else "}" if text.startswith("${", at) else ""
    if not closing:
        return at + 1
    end = text.find(closing, at + 1)
    return len(text) if end < 0 else end + 1


def _end_of_parenthesis(text: str, at: int) -> int:
    """Return the end of the parenthesis that opens at ``at``; quotes hide what is in them."""
    depth, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 2 if char == "\\" else 1
    return len(text)
