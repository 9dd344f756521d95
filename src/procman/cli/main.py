"""Asks: the ``procman`` command; turns every outcome into an exit code."""

from __future__ import annotations

import sys

from procman.core.settings import Settings
from procman.errors import EXIT_USAGE, ProcmanError


def main(argv: list[str] | None = None) -> int:
    """Runs one command; ``argv`` is without the program's name. Returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        return _dispatch(words)
    except ProcmanError as error:
        sys.stderr.write(f"procman: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code


def _dispatch(words: list[str]) -> int:
    command, settings = words[0] if words else "", Settings()
    if command == "start":
        from procman.cli.start import start

        return start(settings)
    if command == "run":
        from procman.cli.run import run

        return run(settings, tuple(words[1:]))
    if command == "check":
        from procman.cli.check import check

        return check(settings)
    return EXIT_USAGE
