"""The server on stdin and stdout: which tools it offers, and how their errors are told."""

from __future__ import annotations

import functools
from typing import cast

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from procman import __version__
from procman.cli.mcp.stdio import Calls, RequestLines, claim, writer
from procman.errors import EXIT_OK, EXIT_OUTPUT_CLOSED, ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from procman.cli.control.redaction import Redaction
    from procman.cli.mcp.tools import Tools

    Work = Callable[..., Awaitable[BaseModel]]

INSTRUCTIONS = (
    "procman runs the processes of this project's Procfile. Call up first; never start a server in a shell."
    " After a change to code, .env or the Procfile call restart. Read output with logs; why explains a process"
    " that is not up. Call stop without names when you are done."
)
READING = ToolAnnotations(read_only_hint=True, open_world_hint=False)
STARTING = ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False)
STOPPING = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)
RESTARTING = ToolAnnotations(destructive_hint=True, idempotent_hint=False, open_world_hint=False)


def offered(tools: Tools, read_only: bool) -> list[tuple[Work, ToolAnnotations]]:
    """Return the tools with their annotations; if ``read_only``, only those that change nothing."""
    table: list[tuple[Work, ToolAnnotations]] = [
        (tools.status, READING),
        (tools.up, STARTING),
        (tools.stop, STOPPING),
        (tools.restart, RESTARTING),
        (tools.logs, READING),
        (tools.wait, READING),
        (tools.why, READING),
        (tools.check, READING),
    ]
    return [row for row in table if row[1] is READING or not read_only]


def serve(tools: Tools, read_only: bool, redaction: Callable[[], Redaction]) -> int:
    """Answer requests until stdin ends. Return the exit code."""
    calls = Calls()
    server = MCPServer("procman", version=__version__, instructions=INSTRUCTIONS, log_level="CRITICAL")
    for work, kind in offered(tools, read_only):
        server.add_tool(_guarded(work, calls, redaction), annotations=kind, structured_output=True)
    try:
        anyio.run(_serve, server, calls)
    except BaseExceptionGroup as group:
        if group.split(BrokenPipeError)[1] is not None:
            raise
        return EXIT_OUTPUT_CLOSED
    return EXIT_OK


async def _serve(server: MCPServer, calls: Calls) -> None:
    stdin, stdout = claim()
    lines = RequestLines(stdin, calls)
    file = cast("anyio.AsyncFile[str]", lines)  # the SDK only iterates over it
    async with stdio_server(file, writer(stdout)) as (requests, answers):
        lines.answer = lambda refusal: answers.send(SessionMessage(refusal))
        low = server._lowlevel_server  # the public way serves the streams of the SDK only
        await low.run(requests, answers, low.create_initialization_options())


def _guarded(work: Work, calls: Calls, redaction: Callable[[], Redaction]) -> Work:
    """Return the tool with errors as results, which an agent reads, and without secrets."""

    @functools.wraps(work)
    async def call(**arguments: object) -> BaseModel:
        with calls:
            try:
                result = await work(**arguments)
            except ProcmanError as error:
                hint = f"\nhint: {error.hint}" if error.hint else ""
                text = redaction().text(f"{error.message}{hint}")
                return _refusal(text)
            except OSError as error:  # an argument is too long, or there is no room for another process
                return _refusal(f"the command cannot be run: {(error.strerror or str(error)).lower()}")
            return type(result).model_validate(redaction().value(result.model_dump()))

    return call


def _refusal(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
