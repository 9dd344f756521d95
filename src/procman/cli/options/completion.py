"""Asks a shell to ask us: prints the script that completes procman's command lines."""

from __future__ import annotations

import sys


def completion(shell: str) -> int:
    """Print the completion script of ``shell``: "bash", "zsh" or "fish"."""
    from click.shell_completion import ShellComplete, get_completion_class

    from procman.cli.options.click_app import COMPLETE_VARIABLE, application

    kind = get_completion_class(shell)
    assert kind is not None, "click has the three shells that the table allows"
    script = kind(application(), {}, "procman", COMPLETE_VARIABLE)
    # Not `script.source()`: for bash it starts another bash, only to look at its version.
    sys.stdout.write(ShellComplete.source(script))
    return 0
