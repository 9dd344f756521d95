"""The ``procman`` command: read the command line, perform one command, return the exit code."""

from __future__ import annotations

import gc
import os
import sys

from procman import __version__
from procman.cli.failures import safely
from procman.cli.interrupts import end_by_interrupt, raise_interrupts
from procman.cli.options.reader import find_command, read, with_command_first
from procman.cli.options.table import ALIASES, PROJECT_COMMANDS
from procman.errors import EXIT_OK, ProcmanError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation

DETACHED = "_PROCMAN_DETACHED"  # set by `up` for the `start` that it runs: stderr is a pipe to it, see detached.py
_NAMED = ("NAMES", "CHANGES", "SIGNAL")  # what the words of a command are
_OF_ALL = ("start", "stop", "restart", "pause", "resume")
WITHOUT_SESSIONS = ("agents", "check", "completion", "export", "help", "init", "run")  # what Windows can do
GC_THRESHOLD = 10_000  # objects; with the default of 700 the collector runs a dozen times, a tenth of the start


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code. ``argv`` does not contain the program's name."""
    gc.set_threshold(GC_THRESHOLD)
    words = sys.argv[1:] if argv is None else argv
    return safely(lambda: _main(words))


def _main(words: list[str]) -> int:
    if words in (["--version"], ["version"], ["-v"], ["-V"]):
        print(f"procman {__version__}")
        return EXIT_OK
    if "_PROCMAN_COMPLETE" in os.environ:
        from procman.cli.options.click_app import print_completions

        return print_completions()
    words = with_command_first(words) if words and words[0][:1] == "-" else words
    words = [ALIASES.get(words[0], words[0]), *words[1:]] if words else words
    invocation = read(words)
    if invocation is None:
        from procman.cli.options.click_app import parse

        invocation = parse(words)
    if invocation is None:
        return EXIT_OK
    if sys.platform == "win32" and invocation.command not in WITHOUT_SESSIONS:
        raise UsageError(
            f"procman {invocation.command} needs Linux or macOS; on Windows, use procman inside WSL",
            f"these work here: {', '.join(WITHOUT_SESSIONS)}",
        )
    if (
        invocation.command == "start"
        and not _is_remote(invocation)
        and any(option.setting == "detach" for option in invocation.given)
    ):
        return _main(["up", *words[1:]])  # word for word the same
    return _perform(invocation)


def _perform(invocation: Invocation) -> int:
    """Perform the command. With ``--json`` a session command reports its errors as an object on stdout."""
    if invocation.command == "start" and not _is_remote(invocation):
        _require_names(invocation)
        end_by_interrupt()
        _require_folder()
        return _start(invocation)
    if invocation.command == "start":
        from procman.cli.remote.dispatch import with_json

        invocation = with_json(invocation)
    raise_interrupts()
    _require_folder()
    try:
        return _answered(invocation)
    except ProcmanError as error:
        if all(option.setting != "as_json" for option in invocation.given):
            raise
        from procman.cli.control.connection import print_json

        print_json({"ok": False, "error": error.message, "hint": error.hint, "code": error.exit_code})
        return error.exit_code


def _is_remote(invocation: Invocation) -> bool:
    """Whether the command is about a destination and not about this machine."""
    if "PROCMAN_ON" not in os.environ and all(option.setting != "on" for option in invocation.given):
        return False
    from procman.cli.remote.dispatch import is_remote

    return is_remote(invocation)


def _answered(invocation: Invocation) -> int:
    """Perform the command. An answer of another version, which lacks what the command needs, is not a bug."""
    _require_names(invocation)
    command = find_command(invocation.command)
    assert command is not None
    if _is_remote(invocation):
        from procman.cli.remote.dispatch import perform

        return perform(invocation)
    try:
        return command.perform(invocation)
    except (AssertionError, AttributeError, KeyError, TypeError):
        if command.name in PROJECT_COMMANDS or "PROCMAN_DEBUG" in os.environ:
            raise
        from procman.cli.control.connection import StrangerError

        raise StrangerError from None


def _require_names(invocation: Invocation) -> None:
    """Raise UsageError for an empty name: without it, ``stop "$NAME"`` would mean everything if NAME is empty."""
    command = find_command(invocation.command)
    if command and command.words in _NAMED and not all(word.strip(" ,") for word in invocation.words):
        hint = f"leave it out to {invocation.command} everything" if invocation.command in _OF_ALL else ""
        raise UsageError("an empty string is not the name of a process", hint)


def _require_folder() -> None:
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the current folder no longer exists", "change to one that does") from None


def _start(invocation: Invocation) -> int:
    """Fork the guardian, then perform ``start`` in its child.

    The guardian forks before config files, environment and Procfile are read. It does not need them and stays small.
    """
    from procman.cli.options.precedence import wants_guardian
    from procman.runtime.guardian.guardian import guarded

    return guarded(lambda: safely(lambda: _start_guarded(invocation)), wants_guardian(invocation))


def _start_guarded(invocation: Invocation) -> int:
    from procman.runtime.guardian import guardian

    if guardian.guardian_pipe is not None:
        guardian.obey_early_signals(guardian.guardian_pipe)
    if os.environ.pop(DETACHED, ""):
        from procman.cli.commands.detached import perform

        return perform(invocation)
    return PROJECT_COMMANDS["start"].perform(invocation)
