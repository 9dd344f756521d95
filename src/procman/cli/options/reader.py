"""Asks the plain forms of a command line, without click, which costs 30 ms: what is unusual is left to click.

It must never understand a line otherwise than click would; where it is not sure, it says None.
"""

from __future__ import annotations

from procman.cli.options.table import COMMANDS, Invocation, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.cli.options.table import Command


def read(argv: Sequence[str]) -> Invocation | None:
    """Read ``start``, ``run`` or ``check`` with its options in the usual forms; None for everything else."""
    command = COMMANDS.get(argv[0]) if argv else None
    if command is None or isinstance(command.words, tuple):
        return None
    return _read_command(command, argv)


def _read_command(command: Command, argv: Sequence[str]) -> Invocation | None:
    # A value that may be left out is for click to see: it has rules of its own for what follows.
    flags = {flag: option for option in command.options if option.kind != "optional" for flag in option.flags}
    given: dict[Option, list[str]] = {}
    words: list[str] = []
    at, end = 1, len(argv)
    while at < end:
        word = argv[at]
        if word == "--":
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
    return Invocation(command.name, given, tuple(words))


def _read_option(flags: dict[str, Option], word: str, following: str | None) -> tuple[Option, str, int] | None:
    """The option, its text and how many words they take."""
    option = flags.get(word)
    if option is not None:
        if option.kind == "switch":
            return option, "", 1
        if following is None or following[:1] == "-":
            return None
        return option, following, 2
    if word[:2] == "--":
        flag, equals, text = word.partition("=")
    else:
        flag, equals, text = word[:2], "attached", word[2:]
    option = flags.get(flag)
    if option is None or option.kind == "switch" or not equals or text[:1] in ("", "="):
        return None
    return option, text, 1
