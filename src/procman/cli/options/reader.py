"""A parser for the usual forms of a command line. It saves the import of click, which takes 30 ms.

It must never read a command line differently from click. If it is not sure, it returns None, and click takes over.
"""

from __future__ import annotations

from procman.cli.options.table import PROJECT_COMMANDS, Invocation, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.cli.options.table import Command


def read(argv: Sequence[str]) -> Invocation | None:
    """Parse a command with its options in the usual forms. Return None for everything else."""
    command = find_command(argv[0]) if argv else None
    if command is None or isinstance(command.words, tuple):
        return None
    return _read_command(command, argv)


def find_command(name: str) -> Command | None:
    """Return the command called ``name``, or None if there is none."""
    if name in PROJECT_COMMANDS:
        return PROJECT_COMMANDS[name]
    from procman.cli.options.session_table import SESSION_COMMANDS

    return SESSION_COMMANDS.get(name)


def with_command_first(words: Sequence[str]) -> list[str]:
    """Return the words with the options before the command moved after it: ``-f FILE start``.

    They get their long form, since a short one may mean something else there: ``logs -f`` follows. Words in which one
    of them is unknown, or no command follows, stay as they are.
    """
    flags = leading_flags()
    moved: list[str] = []
    at = 0
    while at < len(words) and words[at][:1] == "-":
        found = _read_option(flags, words[at], words[at + 1] if at + 1 < len(words) else None)
        if found is None:
            break
        option, text, used = found
        flag = option.long_flags[0]
        moved.append(flag if option.kind == "switch" and not text else f"{flag}={text}")
        at += used
    return [words[at], *moved, *words[at + 1 :]] if words[at:] and words[at][:1] != "-" else list(words)


def leading_flags() -> dict[str, Option]:
    """Return each flag that may stand before the command, with its option. Those of `start`, the first, win.

    ``--version`` there is procman's own.
    """
    from procman.cli.options.session_table import COMMANDS

    tables = [table.options for table in reversed(COMMANDS.values())]
    usual = [option for options in tables for option in options if option.kind != "optional"]
    return {flag: option for option in usual for flag in option.flags if flag != "--version"}


def _read_command(command: Command, argv: Sequence[str]) -> Invocation | None:
    # An option whose value may be left out needs click, which has its own rules for what follows.
    flags = {flag: option for option in command.options if option.kind != "optional" for flag in option.flags}
    given: dict[Option, list[str]] = {}
    words: list[str] = []
    after_dashes = False
    at, end = 1, len(argv)
    while at < end:
        word = argv[at]
        if word == "--":
            after_dashes = not words
            words.extend(argv[at + 1 :])
            break
        if word[:1] != "-" or word == "-":
            if command.words == "COMMAND":
                words.extend(argv[at:])
                break
            words.append(word)
            at += 1
            continue
        found = _read_option(flags, word, argv[at + 1] if at + 1 < end else None)
        if found is None:
            return None
        option, text, used = found
        given.setdefault(option, []).append(text)
        at += used
    if command.words == "COMMAND" and not words:
        return None
    return Invocation(command.name, given, tuple(words), after_dashes)


def _read_option(flags: dict[str, Option], word: str, following: str | None) -> tuple[Option, str, int] | None:
    """Return the option, its string and the number of words that they take, or None if click has to decide."""
    option = flags.get(word)
    if option is not None:
        if option.kind == "switch":
            return option, "", 1
        if following is None or (following[:1] == "-" and following != "-"):
            return None
        return option, following, 2
    if word[:2] == "--":
        flag, equals, text = word.partition("=")
    else:
        flag, equals, text = word[:2], "attached", word[2:]
    option = flags.get(flag)
    if option is not None and option.kind == "switch":
        return (option, text, 1) if text in option.choices and equals == "=" else None
    if option is None or not equals or text[:1] in ("", "="):
        return None
    return option, text, 1
