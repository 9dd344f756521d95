"""The tools. Their docstrings and the descriptions of their parameters are what a coding agent reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from procman.cli.control.logs import EXIT_NO_MATCH
from procman.cli.mcp.line_budget import LineBudget
from procman.cli.mcp.own_commands import Finished, OwnCommands, ToolFailedError
from procman.cli.mcp.results import (
    Address,
    Change,
    Checked,
    Finding,
    Lines,
    Process,
    Readiness,
    Reason,
    Reasons,
    Status,
    Up,
)
from procman.runtime.control.tasks import EXIT_TIMED_OUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 55.0  # seconds of one call; clients give up after a minute
QUICK_LIMIT = 20.0  # seconds for a command that does not wait for anything

Names = Annotated[list[str], Field(description="process types or instances, such as web or web.1; none means all")]
Timeout = Annotated[float, Field(ge=0, le=LIMIT, description="seconds")]


class Tools:
    """The tools for one session. ``can_start``: the client is offered ``up``."""

    def __init__(self, session: OwnCommands, project: OwnCommands, can_start: bool) -> None:
        self._session = session
        self._project = project
        self._hint = "call the tool up, which starts it" if can_start else "procman up starts it"

    async def status(self, names: Names = []) -> Status:  # noqa: B006 (pydantic copies it, and the schema shows it)
        """Show what is running: states, ports, URLs, restarts, and the latest exit of each process."""
        done = await self._quick("ps", names)
        rows = _rows(done.record.get("instances"))
        return Status.model_validate({**done.record, "processes": list(map(_process, rows))})

    async def up(self, names: Names = [], timeout: Timeout = 50.0) -> Up:  # noqa: B006 (see status)
        """Start whatever is missing, and return when everything is ready. Call it as often as you like.

        web=2 starts two instances. After a failure the error has the last lines of the process.
        """
        done = await self._session.run("up", ("--json", f"--timeout={timeout}"), names, timeout + 5)
        if done is None or not done.record:
            raise done.failure() if done else _too_long(timeout)
        if "error" in done.record:
            raise ToolFailedError("\n".join([str(done.record["error"]), *done.messages]), str(done.record["hint"]))
        rows = [Address.model_validate(row) for row in _rows(done.record.get("instances"))]
        return Up.model_validate({**done.record, "processes": rows, "messages": done.messages})

    async def stop(self, names: Names = []) -> Change:  # noqa: B006 (see status)
        """Stop processes. Without names, end the whole session."""
        return await self._change("stop", names, ends=not names)

    async def restart(self, names: Names = []) -> Change:  # noqa: B006 (see status)
        """Restart processes after a change to code, .env or the Procfile; return when they are ready."""
        return await self._change("restart", names, ends=False)

    async def logs(
        self,
        names: Names = [],  # noqa: B006 (see status)
        after: Annotated[str | None, Field(description="the cursor of an earlier result: only later lines")] = None,
        grep: Annotated[str | None, Field(description="a regular expression: only lines that match")] = None,
        lines: Annotated[int, Field(ge=1, le=200)] = 50,
    ) -> Lines:
        """Read output. Without after, the latest lines; with it, the lines that follow the cursor, the oldest first."""
        flags = ["--json", "--mask", f"--lines={lines + 1}"]  # one more, to see whether there are more
        flags += [f"--after={after}"] if after is not None else []
        flags += [f"--grep={grep}"] if grep is not None else []
        budget = LineBudget(lines, keep_first=after is not None)
        code = await self._session.read("logs", flags, names, QUICK_LIMIT, budget.take)
        if budget.error:
            raise self._explained(ToolFailedError(str(budget.error["error"]), str(budget.error.get("hint") or "")))
        if code is None and budget.is_empty:
            raise ToolFailedError(
                f"no answer after {QUICK_LIMIT:g} s", "a simpler pattern for grep, or after, is faster"
            )
        if code not in (0, EXIT_NO_MATCH, None):
            raise ToolFailedError(f"procman logs has failed with exit status {code}")
        return budget.result(after, is_cut=code is None)

    async def wait(self, names: Names = [], timeout: Timeout = 30.0) -> Readiness:  # noqa: B006 (see status)
        """Wait until processes are ready. If they are not in time, or cannot be, return the reasons."""
        await self._quick("ps", names)  # which refuses unknown names, and does not wait for a session to appear
        done = await self._session.run("wait", ("--json", f"--timeout={timeout}"), names, timeout + 5)
        if done is None:
            raise _too_long(timeout)
        if "error" not in done.record:
            return Readiness(ready=True, message="ready", processes=[])
        if done.code not in (1, EXIT_TIMED_OUT):
            raise self._explained(done.failure())
        reasons = await self.why(names)
        missing = [reason for reason in reasons.processes if reason.state != "running"]
        return Readiness(ready=False, message=str(done.record["error"]), processes=missing)

    async def why(self, names: Names = []) -> Reasons:  # noqa: B006 (see status)
        """Explain the state of processes: what they wait for, how they failed, when they are restarted."""
        done = await self._quick("why", names)
        return Reasons(processes=[Reason.model_validate(row) for row in done.rows])

    async def check(self) -> Checked:
        """Check the Procfile and the configuration files without starting anything."""
        done = await self._project.run("check", ("--json",), None, QUICK_LIMIT)
        if done is None or "ok" not in done.record:
            raise done.failure() if done else _too_long(QUICK_LIMIT)
        record = done.record
        procfile = str(record["procfile"])
        return Checked(
            ok=bool(record["ok"]),
            process_types=[str(row["name"]) for row in _rows(record["process_types"])],
            instances=[str(row["name"]) for row in _rows(record["instances"])],
            problems=[Finding.model_validate({"file": procfile, **row}) for row in _rows(record["problems"])],
            messages=done.messages,
        )

    async def _change(self, command: str, names: Sequence[str], ends: bool) -> Change:
        done = await self._session.run(command, ("--json",), names, LIMIT - 5)
        if done is None:
            return Change(done=False, messages=[f"not done after {LIMIT - 5:g} s"], session_ended=False)
        said = done.record.get("said")
        messages = [str(line) for line in said] if isinstance(said, list) else []
        if "error" in done.record or not done.record:
            failure = self._explained(done.failure())
            raise ToolFailedError("\n".join([failure.message, *messages]), failure.hint)
        return Change(done=True, messages=messages, session_ended=ends)

    async def _quick(self, command: str, names: Sequence[str]) -> Finished:
        """Run a command that answers immediately. Raises ToolFailedError if it fails."""
        done = await self._session.run(command, ("--json",), names, QUICK_LIMIT)
        if done is None:
            raise _too_long(QUICK_LIMIT)
        if done.code != 0:
            raise self._explained(done.failure())
        return done

    def _explained(self, error: ToolFailedError) -> ToolFailedError:
        """Return the error; one about a missing session with the hint that fits a tool."""
        if not error.message.startswith("no session"):
            return error
        others = f"; {error.hint}" if error.hint.startswith("running sessions") else ""
        return ToolFailedError(error.message, self._hint + others)


def _too_long(limit: float) -> ToolFailedError:
    return ToolFailedError(f"no answer after {limit:g} s", "the tool why shows what processes wait for")


def _rows(rows: object) -> list[dict[str, object]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _process(row: dict[str, object]) -> Process:
    port = row["port"] if row.get("has_port") else None
    return Process.model_validate({**row, "port": port, "uptime_seconds": row["uptime"], "last_exit": row["exit"]})
