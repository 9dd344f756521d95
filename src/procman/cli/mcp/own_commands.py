"""Runs our own commands for the tools: in processes of their own, with words that are fixed except for names.

So a tool does exactly what its command does. It cannot write to the stdout that the protocol uses, and a call that is
cancelled ends with its process.
"""

from __future__ import annotations

import json
import subprocess

import anyio

from procman.cli.control.redaction import CUT
from procman.errors import ProcmanError
from procman.output.sanitize.escapes import without_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Record = dict[str, object]

MAX_MESSAGES = 60  # lines of stderr in a result
MAX_MESSAGE = 500  # characters


class ToolFailedError(ProcmanError):
    """A tool cannot do what it is for."""


class Finished:
    """How a command has ended: its exit code, the JSON objects that it has printed, and its messages."""

    def __init__(self, code: int, out: str, err: bytes) -> None:
        self.code = code
        self.messages = _messages(err)
        self.records = [record for record in map(parsed, out.splitlines()) if record]
        if not self.records and (whole := parsed(out)):  # on several lines
            self.records = [whole]
        self.rows = _rows(out)

    @property
    def record(self) -> Record:
        """The last object; an empty one if there is none."""
        return self.records[-1] if self.records else {}

    def failure(self) -> ToolFailedError:
        """Return why it has failed."""
        record = self.record
        if "error" not in record:
            return ToolFailedError("; ".join(self.messages) or f"the command has ended with code {self.code}")
        return ToolFailedError(str(record["error"]), str(record.get("hint") or ""))


def parsed(text: str) -> Record:
    """Return a JSON object; an empty one if the text is something else."""
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _rows(out: str) -> list[Record]:
    """Return the objects of a JSON list."""
    try:
        rows = json.loads(out)
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _messages(err: bytes) -> list[str]:
    text = without_color(err + b"\n").decode("utf-8", "replace")
    lines = [line.removeprefix("procman: ") for line in text.splitlines() if line.strip()]
    return [line if len(line) <= MAX_MESSAGE else line[:MAX_MESSAGE] + CUT for line in lines[-MAX_MESSAGES:]]


class OwnCommands:
    """Runs commands of this procman. ``prefix`` is how it was started; ``where`` are the flags for the session."""

    def __init__(self, prefix: Sequence[str], where: Sequence[str]) -> None:
        self._prefix = tuple(prefix)
        self._where = tuple(where)

    async def run(
        self, command: str, flags: Sequence[str], names: Sequence[str] | None, limit: float
    ) -> Finished | None:
        """Run a command for ``limit`` seconds at most. Return None if it takes longer.

        It is killed then. That does not undo what it has requested from the session.
        """
        words = self._words(command, flags, names)
        with anyio.move_on_after(limit):
            done = await anyio.run_process(words, stdin=subprocess.DEVNULL, check=False)
            return Finished(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr)
        return None

    async def read(
        self, command: str, flags: Sequence[str], names: Sequence[str], limit: float, take: Callable[[Record], bool]
    ) -> int | None:
        """Run a command and pass each object that it prints to ``take``, until that returns False.

        Return its exit code, 0 if it was ended early, and None if it takes longer than ``limit`` seconds.
        """
        words = self._words(command, flags, names)
        with anyio.move_on_after(limit):
            async with await anyio.open_process(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                assert process.stdout is not None
                rest = b""
                async for chunk in process.stdout:
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        if not take(parsed(line.decode("utf-8", "replace"))):
                            process.kill()
                            return 0
                return await process.wait()
        return None

    def _words(self, command: str, flags: Sequence[str], names: Sequence[str] | None) -> list[str]:
        """Return the words of a command; without ``names`` it takes none. A name cannot become an option."""
        for name in names or ():
            if not name or name[0] == "-" or not name.isprintable():
                raise ToolFailedError(f"invalid name {name!r}", "the tool status lists the names")
        if any("\0" in flag for flag in flags):
            raise ToolFailedError(f"the tool {command} takes no NUL characters")
        words = [*self._prefix, command, *self._where, *flags]
        return words if names is None else [*words, "--", *names]
