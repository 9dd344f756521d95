"""The requests of the session commands, and the errors that they find before they send any."""

from __future__ import annotations

import pytest

from procman.cli.control import session_commands
from procman.cli.options.reader import read
from procman.cli.options.session_table import COMMANDS
from procman.core.text.protocol import read_request
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.cli.options.option import Invocation


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests that the commands send, without a session."""
    records: list[dict[str, Any]] = []

    def send(_invocation: Invocation, record: dict[str, Any], _within: float = 0.0) -> int:
        records.append(record)
        return 0

    monkeypatch.setattr(session_commands, "run_request", send)
    monkeypatch.delenv("PROCMAN_WAIT_TIMEOUT", raising=False)
    return records


def perform(*words: str) -> int:
    invocation = read(words)
    assert invocation is not None
    return COMMANDS[words[0]].perform(invocation)


@pytest.mark.parametrize(
    ("words", "record"),
    [
        (["stop"], {"verb": "stop", "names": [], "wait": True}),
        (["stop", "web,worker", "clock"], {"verb": "stop", "names": ["web", "worker", "clock"], "wait": True}),
        (["stop", "web", "--no-wait"], {"verb": "stop", "names": ["web"], "wait": False}),
        (["restart", "web"], {"verb": "restart", "names": ["web"], "wait": True, "rolling": False}),
        (["restart", "--rolling"], {"verb": "restart", "names": [], "wait": True, "rolling": True}),
        (["scale", "web=3", "worker+1"], {"verb": "scale", "names": ["web=3", "worker+1"], "wait": True}),
        (["signal", "USR1", "web", "db"], {"verb": "signal", "text": "USR1", "names": ["web", "db"]}),
        (["pause", "web"], {"verb": "pause", "names": ["web"]}),
        (["resume"], {"verb": "resume", "names": []}),
        (["wait", "web"], {"verb": "wait", "names": ["web"], "timeout": 60.0}),
        (["wait", "-t", "1.5"], {"verb": "wait", "names": [], "timeout": 1.5}),
    ],
    ids=str,
)
def test_a_command_sends_one_request_that_the_session_understands(
    sent: list[dict[str, Any]], words: list[str], record: dict[str, Any]
) -> None:
    assert perform(*words) == 0
    assert sent == [record]
    assert read_request(dict(record)).verb == record["verb"]


def test_wait_takes_its_timeout_from_the_environment_too(
    sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCMAN_WAIT_TIMEOUT", "7")
    perform("wait")
    assert sent[0]["timeout"] == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scale"], "missing process type and count"),
        (["signal"], "missing signal and process"),
        (["signal", "USR1"], "missing signal and process"),
    ],
    ids=str,
)
def test_a_request_that_lacks_something_is_not_sent(sent: list[dict[str, Any]], words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        perform(*words)
    assert sent == []
