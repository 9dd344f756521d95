"""Decides whether a line is one simple command (POSIX.1-2017 XCU 2.9.1) of a program: no list, no pipe, no builtin.

Then a shell has only to expand its words, and may be replaced by the program: many a shell would stay and wait for it.
"""

from __future__ import annotations

from procman.core.procfile.command import needs_shell


def is_simple(command: str) -> bool:
    """Whether this is one simple command of a program, so that ``exec`` may stand before it."""
    return program_at(command.removeprefix("exec ")) is not None


def direct(command: str) -> str:
    """Return the command with ``exec`` where it changes nothing but to spare the waiting shell; else as it is."""
    at = program_at(command)
    return command if at is None else f"{command[:at]}exec {command[at:]}"


def program_at(command: str) -> int | None:
    """Return where the program's name begins, behind assignments; None unless it is one simple command."""
    words = _words(command)
    if words is None:
        return None
    for start, word in words:
        if not _is_assignment(word):
            return None if _is_special(word) else start
    return None


def _is_special(word: str) -> bool:
    """Whether the first word is a builtin, a reserved word, or something whose meaning only the shell will know."""
    return needs_shell(word.replace('"', "").replace("'", "").replace("~", "")) or word.startswith("~")


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier() and name.isascii()


def _words(command: str) -> list[tuple[int, str]] | None:
    """Split at unquoted blanks, quotes kept; None when there is any operator, substitution or open quote."""
    words: list[tuple[int, str]] = []
    start, quote, at = -1, "", 0
    while at < len(command):
        character = command[at]
        if quote != "'" and (character == "`" or command.startswith("$(", at)):
            return None
        if not quote and _is_operator(command, at):
            return None
        if not quote and character == "#" and start < 0:
            break
        if character in " \t" and not quote:
            if start >= 0:
                words.append((start, command[start:at]))
            start = -1
        else:
            start = at if start < 0 else start
            if character == "\\" and quote != "'":
                at += 1
            elif character in "'\"" and quote in ("", character):
                quote = "" if quote else character
        at += 1
    if quote or at > len(command):
        return None
    return [*words, (start, command[start:])] if start >= 0 else words


def _is_operator(command: str, at: int) -> bool:
    if command[at] == "&":  # 2>&1 and <&3 are redirections
        return at == 0 or command[at - 1] not in "<>"
    return command[at] in ";|()\n" or command.startswith("<<", at)
