"""Commands: whether one needs a shell, and whether it is one simple command of a program.

A command of plain words is executed directly: that halves the spawn time, saves a process, and signals reach the
program. The test is an allowlist, so that an unexpected character goes to the shell, which knows what it means.
"""

from __future__ import annotations

SHELL = "/bin/sh"

# No quote, glob, `~`, `$`, `#`, brace or operator. ASCII only: the shell does not split at U+00A0, `str.split` does.
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@%=")
_PLAIN = _WORD | frozenset(" \t")

# Reserved words and builtins of POSIX sh, dash, and bash as sh: programs of the same name may differ, or not exist.
_SHELL_WORDS = frozenset(
    (  # noqa: SIM905 (a list would be a screen long)
        "! [ [[ { } : . alias bg bind break builtin caller case cd chdir command compgen complete continue coproc "
        "declare dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function "
        "getopts hash help history if in jobs kill let local logout mapfile newgrp popd printf pushd pwd read "
        "readarray readonly return select set shift shopt source suspend test then time times trap true type typeset "
        "ulimit umask unalias unset until wait while"
    ).split()
)

_CONTAINER_CLIENTS = frozenset({"docker", "docker-compose", "podman", "podman-compose", "nerdctl", "finch", "lima"})


def needs_shell(command: str) -> bool:
    """Whether only a shell can run this command, because of its characters, an assignment, or a builtin."""
    if not _PLAIN.issuperset(command):
        return True
    first, *_ = command.split(maxsplit=1) or [""]
    return not first or "=" in first or is_shell_word(first)


def is_shell_word(word: str) -> bool:
    """Whether a shell treats this word, at the start of a command, as a builtin or a reserved word."""
    return word in _SHELL_WORDS


def argv(command: str) -> list[str]:
    """Return the argument vector that runs this command, provided that a plain first word is a program on PATH."""
    return through_shell(command) if needs_shell(command) else command.split()


def through_shell(command: str) -> list[str]:
    """Return the argument vector that lets the shell run this command."""
    return [SHELL, "-c", command]


def with_arguments(command: str, arguments: tuple[str, ...]) -> str:
    """Append arguments to a command, quoted so that a shell passes each of them on unchanged."""
    return " ".join((command, *map(quoted, arguments)))


def quoted(word: str) -> str:
    """Quote a word so that a shell reads it back unchanged: `shlex.quote` without its import."""
    if word and _WORD.issuperset(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


# One simple command (POSIX.1-2017 XCU 2.9.1) of a program: no list, no pipe, no builtin. A shell would only expand its
# words, so the program may replace it; many shells would stay and wait.


def is_simple(command: str) -> bool:
    """Whether this is one simple command of a program, so that ``exec`` can precede it."""
    return program_at(command.removeprefix("exec ")) is not None


def direct(command: str) -> str:
    """Return the command with ``exec`` if that only saves the waiting shell; otherwise unchanged."""
    at = program_at(command)
    return command if at is None else f"{command[:at]}exec {command[at:]}"


def program_at(command: str) -> int | None:
    """Return the offset of the program's name, after assignments; None unless it is one simple command."""
    words = _split_words(command)
    if words is None:
        return None
    for start, word in words:
        if not _is_assignment(word):
            return None if _is_special(word) else start
    return None


def _is_special(word: str) -> bool:
    """Whether the first word is a builtin, a reserved word, or something only the shell can interpret."""
    return needs_shell(word.replace('"', "").replace("'", "").replace("~", "")) or word.startswith("~")


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier() and name.isascii()


def _split_words(command: str) -> list[tuple[int, str]] | None:
    """Split at unquoted whitespace and keep quotes; None if there is an operator, a substitution or an open quote."""
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


def is_container_client(command: str) -> bool:
    """Whether this is a client of a container engine, which publishes a port from a process not below the client."""
    words = [word for word in command.split() if word != "exec" and "=" not in word]
    return bool(words) and words[0].rpartition("/")[2] in _CONTAINER_CLIENTS
