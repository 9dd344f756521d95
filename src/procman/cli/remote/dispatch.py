"""Which commands work at a destination, with ``--on`` or PROCMAN_ON, and what performs them there."""

from __future__ import annotations

import os

from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.options.option import Invocation

_VERBS = {  # as in the table of commands: the module and its function
    "deploy": "procman.cli.remote.deploy:perform",
    "ps": "procman.cli.remote.remote_commands:ps",
    "scale": "procman.cli.remote.remote_commands:scale",
    "restart": "procman.cli.remote.remote_commands:restart",
    "stop": "procman.cli.remote.remote_commands:stop",
    "start": "procman.cli.remote.remote_commands:start",
    "down": "procman.cli.remote.remote_commands:down",
    "why": "procman.cli.remote.remote_commands:why",
    "logs": "procman.cli.remote.remote_logs:logs",
    "run": "procman.cli.remote.remote_run:run",
}
# About files and this machine, or never about a session: PROCMAN_ON does not change them.
_OF_A_SESSION = ("signal", "pause", "resume", "attach", "wait", "events", "up", "test")


def is_remote(invocation: Invocation) -> bool:
    """Whether a command is about a destination: ``--on`` or PROCMAN_ON names one.

    Raises UsageError for a command that would silently be about the local session although PROCMAN_ON is set.
    """
    given = any(option.setting == "on" for option in invocation.given)
    name = os.environ.get("PROCMAN_ON", "")
    if not given and name and invocation.command in _OF_A_SESSION:
        message = f"{invocation.command} is not possible at a destination, and PROCMAN_ON is {name}"
        raise UsageError(message, f"possible are {', '.join(_VERBS)}")
    return given or (bool(name) and invocation.command in _VERBS)


def with_json(invocation: Invocation) -> Invocation:
    """Return ``start --json`` with the option of the other commands: on this machine, it is a format of lines."""
    from procman.cli.options.option import Invocation
    from procman.cli.options.table import JSON

    given = {JSON if "--json" in option.flags else option: texts for option, texts in invocation.given.items()}
    return Invocation(invocation.command, given, invocation.words, invocation.after_dashes)


def perform(invocation: Invocation) -> int:
    """Perform a command at a destination, and return its exit code."""
    module, _, name = _VERBS[invocation.command].partition(":")
    function: Callable[[Invocation], int] = getattr(__import__(module, fromlist=[name]), name)
    return function(invocation)
