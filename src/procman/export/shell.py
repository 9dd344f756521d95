"""Decides how a target's shell is started so that stopping works as under `procman start`: the whole group is asked.

A supervisor that signals one process reaches the shell alone, and a shell that dies leaves its command behind. So a
command that is one simple command is executed in the shell's place; for any other the shell is taught to wait.
"""

from __future__ import annotations

from signal import Signals

from procman.core.command import needs_shell

# What must reach the child but would hurt the script on its way: read-only or special in dash, bash or busybox, or
# changing which tools the script finds (PATH). They are handed over by env(1) at the very end.
LATE = frozenset(
    (  # noqa: SIM905 (a list would be a screen long)
        "PATH IFS UID EUID PPID PWD OLDPWD SHLVL OPTIND OPTARG LINENO RANDOM SRANDOM SECONDS GROUPS _ "
        "BASHOPTS BASHPID BASH_ARGV BASH_VERSINFO BASH_ENV BASH_COMPAT BASH_XTRACEFD DIRSTACK FUNCNAME FUNCNEST "
        "SHELLOPTS POSIXLY_CORRECT HISTCMD EPOCHSECONDS EPOCHREALTIME LD_PRELOAD LD_LIBRARY_PATH"
    ).split()
)

_AS_PID_ONE = (
    """trap "trap '' {name}; kill -{name} 0" {asked}; /bin/sh -c "$0" & p=$!; wait $p; c=$?; """
    """while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c"""
)


def signal_name(number: int) -> str:
    """Return the name without SIG: ``TERM`` for 15; the number as text for a real-time signal."""
    try:
        return Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def is_simple(command: str) -> bool:
    """Whether this is one simple command of a program, so that ``exec`` may stand before it."""
    return _program_at(command.removeprefix("exec ")) is not None


def direct(command: str) -> str:
    """Return the command with ``exec`` where it changes nothing but to spare the waiting shell; else as it is."""
    at = _program_at(command)
    return command if at is None else f"{command[:at]}exec {command[at:]}"


def patient(command: str, signal_number: int) -> str:
    """Return the command for a target that signals the group and looks at the shell alone: it ends last."""
    if is_simple(command):
        return direct(command)
    return f"trap 'exit {128 + signal_number}' {signal_name(signal_number)}; {command}"


def container_argv(command: str, stop_signal: int, asked_by: int | None = None) -> list[str]:
    """Return the argument vector for a container: PID 1 passes the stop signal on and waits for its command.

    ``asked_by`` is the signal that the engine sends, if it cannot be told to send ``stop_signal``.
    """
    asked_by = asked_by or stop_signal
    if is_simple(command) and asked_by == stop_signal:
        return ["/bin/sh", "-c", direct(command)]
    wrapper = _AS_PID_ONE.format(name=signal_name(stop_signal), asked=signal_name(asked_by))
    return ["/bin/sh", "-c", wrapper, patient(command, stop_signal)]


def _program_at(command: str) -> int | None:
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
