"""Stdin and stdout for the protocol. Nothing else in this process reads or writes them."""

from __future__ import annotations

import os
from io import TextIOWrapper

import anyio
from anyio import to_thread
from mcp_types import JSONRPCError

from procman.cli.mcp.invalid_requests import answer_to, answer_to_long
from procman.runtime.system.descriptors import open_null

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from io import BufferedReader

MAX_REQUEST = 1 << 20  # bytes; a longer line is refused
ANSWER_LIMIT = 1.0  # seconds that running calls have after the end of stdin; clients wait for two seconds
_MAX_END = 4096  # bytes of an id
_CHECK_INTERVAL = 0.02  # seconds


class Calls:
    """How many calls are running."""

    def __init__(self) -> None:
        self.running = 0

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *_: object) -> None:
        self.running -= 1


def claim() -> tuple[int, int]:
    """Return descriptors of stdin and stdout for the protocol alone: 0 becomes empty, and 1 leads to stderr.

    They stay open until the process ends: a thread may still wait for the next line then.
    """
    wire = os.dup(0), os.dup(1)
    os.dup2(open_null(), 0)
    os.dup2(2, 1)
    return wire


def writer(fd: int) -> anyio.AsyncFile[str]:
    """Return stdout for the SDK."""
    file = TextIOWrapper(os.fdopen(fd, "wb", closefd=False), encoding="utf-8", errors="backslashreplace")
    return anyio.wrap_file(file)


class RequestLines:
    """The lines of stdin. Its end is reported when the calls before it have their answers, or after a second.

    What is not a message is answered here, by ``answer``, since the SDK ignores it and the client would wait.
    """

    def __init__(self, fd: int, calls: Calls) -> None:
        self._file: BufferedReader = os.fdopen(fd, "rb", closefd=False)
        self._calls = calls
        self.answer: Callable[[JSONRPCError], Awaitable[None]] | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await to_thread.run_sync(self._read, abandon_on_cancel=True)) is not None:
            refusal = line if isinstance(line, JSONRPCError) else answer_to(line)
            if refusal is not None:
                assert self.answer is not None
                await self.answer(refusal)
            else:
                assert isinstance(line, str)
                yield line
        await self._finish()

    def _read(self) -> str | JSONRPCError | None:
        """Return the next line, or the answer to one that is too long; None at the end."""
        line = self._file.readline(MAX_REQUEST)
        if len(line) < MAX_REQUEST or line[-1:] == b"\n":
            return line.decode("utf-8", "replace") if line else None
        start, end = line, line
        while (line := self._file.readline(MAX_REQUEST)) and line[-1:] != b"\n":
            end = line
        return answer_to_long(start, end[-_MAX_END:] + line, MAX_REQUEST)

    async def _finish(self) -> None:
        """Wait until no call is running any more. The latest request may not have become a call yet."""
        quiet = 0
        with anyio.move_on_after(ANSWER_LIMIT):
            while quiet < 3:
                await anyio.sleep(_CHECK_INTERVAL)
                quiet = 0 if self._calls.running else quiet + 1
