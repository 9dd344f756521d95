"""The tool ``logs``, if the command does not end in time."""

from __future__ import annotations

import pytest

anyio = pytest.importorskip("anyio", reason="the extra mcp is not installed")
pytest.importorskip("pydantic", reason="the extra mcp is not installed")

from procman.cli.mcp import tools  # noqa: E402 (it needs the extra)
from procman.cli.mcp.own_commands import OwnCommands, ToolFailedError  # noqa: E402 (see above)
from procman.cli.mcp.results import Lines  # noqa: E402 (see above)

LINE = '{"instance": "web.1", "time": "now", "line": "hello", "cursor": "1-a:6"}'


def read(script: str, monkeypatch: pytest.MonkeyPatch, after: str | None) -> Lines:
    monkeypatch.setattr(tools, "QUICK_LIMIT", 0.5)
    command = OwnCommands(["/bin/sh", "-c", script], [])
    result = anyio.run(tools.Tools(command, command, can_start=True).logs, [], after)
    assert isinstance(result, Lines)
    return result


def test_a_search_that_takes_too_long_does_not_look_like_one_without_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolFailedError, match=r"no answer after 0\.5 s"):
        read("exec sleep 1000", monkeypatch, None)


def test_lines_that_have_arrived_in_time_are_returned_as_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    result = read(f"echo '{LINE}'; exec sleep 1000", monkeypatch, "1-a:0")
    assert ([line.text for line in result.lines], result.cursor, result.truncated) == (["hello"], "1-a:6", True)


def test_no_match_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("exit 1", monkeypatch, None).lines == []
