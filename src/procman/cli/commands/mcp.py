"""``procman mcp``: a server of the Model Context Protocol on stdin and stdout, for coding agents."""

from __future__ import annotations

import sys

from procman.cli.options.option import Invocation
from procman.cli.options.precedence import settle
from procman.errors import UsageError
from procman.runtime.system.descriptors import open_standard_descriptors
from procman.runtime.system.tty import is_terminal

READ_ONLY = "read_only"  # the setting of this command alone


def perform(invocation: Invocation) -> int:
    """Serve a client until it closes stdin. Return the exit code."""
    if invocation.words:
        raise UsageError("mcp takes no names", "its tools do")
    given = {option: texts for option, texts in invocation.given.items() if option.setting != READ_ONLY}
    files = Invocation(invocation.command, given, ())
    settle(files)  # so that a wrong flag or file is reported here
    _require_sdk()
    open_standard_descriptors()  # a closed stdin has no requests
    if is_terminal(0):
        sys.stderr.write("procman: this waits for requests of a client; procman agents shows how to configure one\n")
    from procman.cli.commands.detached_start import command_prefix
    from procman.cli.control.redaction import redaction_for
    from procman.cli.mcp.own_commands import OwnCommands
    from procman.cli.mcp.server import serve
    from procman.cli.mcp.tools import Tools

    prefix = command_prefix()
    session = OwnCommands(prefix, _flags(invocation, "procfile", "root", "socket"))
    check = OwnCommands(prefix, _flags(invocation, "procfile", "root"))
    read_only = len(given) < len(invocation.given)
    tools = Tools(session, check, can_start=not read_only)
    return serve(tools, read_only, lambda: redaction_for(settle(files)))


def _flags(invocation: Invocation, *settings: str) -> list[str]:
    """Return the flags of these settings, in the form that each of our commands takes."""
    chosen = [(option, texts) for option, texts in invocation.given.items() if option.setting in settings]
    return [f"{option.long_flags[0]}={text}" for option, texts in chosen for text in texts]


def _require_sdk() -> None:
    """Raise UsageError with the command that installs the SDK, unless it is here."""
    try:
        from mcp.server import MCPServer  # noqa: F401 (version 1 does not have it)
    except ImportError:
        from procman.config.extras import installation

        command = installation("'mcp>=2'")
        raise UsageError(f"procman mcp needs the MCP SDK, which is not installed; `{command}` installs it") from None
