"""What ``up`` requests and how it prints the answer; no session and no process."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from procman.cli.commands import up
from procman.cli.commands.detached_start import ENDED, LISTENING, RUNNING
from procman.cli.commands.up import Up
from procman.cli.control.connection import NoSessionError, RefusedError
from procman.cli.options.option import Invocation
from procman.cli.options.reader import read
from procman.core.model.settings import Settings
from procman.errors import ProcmanError, UsageError
from procman.runtime.control.endpoint import EndpointError
from procman.runtime.control.tasks import EXIT_TIMED_OUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1000.0
WEB = {"name": "web.1", "state": "running", "port": 5000, "has_port": True, "url": "http://localhost:5000"}
SOON = {"name": "db.1", "state": "waiting", "port": None, "has_port": True, "url": None}
JOB = {"name": "job.1", "state": "failed", "port": 5100, "has_port": False, "url": None}
ABOUT = {"session": "tag", "pid": 4711, "procfile": "/app/Procfile", "root": "/app", "since": NOW - 125, "over": False}
TABLE = "NAME   STATE    PORT  URL\nweb.1  running  5000  http://localhost:5000\njob.1  failed   -     -\n"
GOOD = {**ABOUT, "done": True, "code": 0, "ready": True, "instances": [WEB, JOB]}
BAD = {**GOOD, "code": 3, "ready": False, "error": "job.1 exited with code 3", "hint": "look at it", "cards": []}
LATE = {**BAD, "code": EXIT_TIMED_OUT, "error": "not ready after 59.99 s: job.1"}


class Start:
    """A session that was started in the background, or could not be."""

    def __init__(self, how: bytes = LISTENING) -> None:
        self.how = how
        self.calls: list[tuple[object, ...]] = []

    def wait(self, until: float) -> bytes:
        self.calls.append(("wait", until))
        return self.how

    def stop(self, number: int = signal.SIGINT) -> None:
        self.calls.append(("stop", number))

    def join(self) -> int:
        self.calls.append(("join",))
        return 0

    def end(self) -> ProcmanError:
        return ProcmanError("it has ended")

    def failure(self, how: bytes, timeout: float) -> ProcmanError:
        return ProcmanError(f"it has failed: {how!r} {timeout}")


class Connection:
    """A connection to a session with prepared answers."""

    def __init__(self, *answers: dict[str, Any] | ProcmanError) -> None:
        self.prepared = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.closed = self.unlimited = False

    def send(self, record: dict[str, Any]) -> None:
        self.requests.append(record)

    def request(self, record: dict[str, Any], unlimited: bool = False) -> dict[str, Any]:
        self.requests.append({**record, "unlimited": True} if unlimited else record)
        answer = self.prepared.pop(0)
        if isinstance(answer, ProcmanError):
            raise answer
        return answer

    def wait_without_limit(self) -> None:
        self.unlimited = True

    def answers(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        for answer in self.prepared:
            if isinstance(answer, ProcmanError):
                raise answer
            yield answer, b""

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both clocks stand still, and nothing is in color."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(time, "monotonic", lambda: NOW)
    monkeypatch.setenv("NO_COLOR", "1")


def an_up(*, as_json: bool = False, begun: Start | None = None, **given: object) -> Any:
    """Return a call of ``up`` whose session is `begun` by it, or was there before."""
    call: Any = Up(Settings({}, **given), Invocation("start", {}, ()), 60.0, as_json)
    call._begun = begun
    return call


def connect_to(monkeypatch: pytest.MonkeyPatch, *found: object) -> None:
    """Let each look for a session find the next one of these connections, or None."""
    left = list(found)

    def find(_paths: list[str], _given: bool) -> object:
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(up, "find", find)
    monkeypatch.setattr(up, "Connection", lambda connection: connection)


# The answer -------------------------------------------------------------------------------------------------------


def test_what_is_up_is_a_table_on_stdout_and_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert an_up()._print(GOOD) == 0
    assert capsys.readouterr() == (TABLE, "procman: already running for 2 min 5 s (pid 4711)\n")


def test_a_session_that_this_call_has_started_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    an_up(begun=Start())._print(GOOD)
    expected = "procman: running in the background (pid 4711); procman logs shows its output, procman down ends it\n"
    assert capsys.readouterr() == (TABLE, expected)


@pytest.mark.parametrize(("since", "age"), [(None, "some time"), (NOW + 3600, "0.0 s")])
def test_a_clock_that_was_set_back_or_an_old_session_is_no_error(
    since: float | None, age: str, capsys: pytest.CaptureFixture[str]
) -> None:
    an_up()._print({**GOOD, "since": since})
    assert capsys.readouterr().err == f"procman: already running for {age} (pid 4711)\n"


def test_a_session_that_is_over_is_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert an_up()._print({**GOOD, "over": True}) == 0
    assert capsys.readouterr() == (TABLE, "")


def test_a_name_cannot_damage_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    an_up()._print({**GOOD, "instances": [{**WEB, "url": "\x1b[2J"}]})
    assert "\x1b" not in capsys.readouterr().out


def test_a_port_that_is_not_chosen_yet_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    an_up()._print({**GOOD, "instances": [SOON]})
    assert capsys.readouterr().out == "NAME  STATE    PORT  URL\ndb.1  waiting  -     -\n"


@pytest.mark.parametrize(
    ("state", "color"), [("running", "32"), ("exited", "32"), ("failed", "31"), ("starting", "33")]
)
def test_a_state_has_its_color(state: str, color: str, capsys: pytest.CaptureFixture[str]) -> None:
    an_up(color=True)._print({**GOOD, "instances": [{**WEB, "state": state}]})
    row = capsys.readouterr().out.splitlines()[1]
    before, _, _ = row.partition(state)
    assert before.startswith("web.1  \x1b[")
    assert color in before


@pytest.mark.parametrize("begun", [None, Start()])
def test_in_json_the_answer_is_one_object(begun: Start | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert an_up(as_json=True, begun=begun)._print(GOOD) == 0
    out, err = capsys.readouterr()
    about = {key: GOOD[key] for key in ("session", "pid", "procfile", "root", "since", "ready")}
    rows = [{key: row[key] for key in ("name", "port", "url", "state")} for row in (WEB, JOB)]
    assert json.loads(out) == {"ok": True, **about, "begun": begun is not None, "instances": rows}
    assert err == ""


def test_in_json_a_failure_is_part_of_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert an_up(as_json=True)._print(BAD) == 3
    record = json.loads(capsys.readouterr().out)
    assert {key: record[key] for key in ("ok", "ready", "error", "hint", "code")} == {
        "ok": False,
        "ready": False,
        "error": "job.1 exited with code 3",
        "hint": "look at it",
        "code": 3,
    }


def test_a_failure_is_explained_by_its_lines_without_their_colors(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        an_up()._print({**BAD, "cards": [["\x1b[31mjob.1 failed\x1b[0m", "    boom"], ["more"]]})
    error = caught.value
    assert (error.message, error.hint, error.exit_code) == ("job.1 exited with code 3", "look at it", 3)
    out, err = capsys.readouterr()
    assert out == TABLE
    assert err.startswith("job.1 failed\n    boom\nmore\nprocman: already running")


def test_what_is_late_is_explained_by_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"name": "web.1", "state": "running", "why": "it runs"},
        {"name": "api.1", "state": "exited", "why": "it is done"},
        {"name": "job.1", "state": "waiting", "why": "db.1 is not ready"},
    ]
    session = Connection({"stopping": False}, {"instances": rows})
    connect_to(monkeypatch, session)
    with pytest.raises(RefusedError) as caught:
        an_up()._print(LATE)
    assert (caught.value.message, caught.value.exit_code) == ("not ready after 60 s: job.1", EXIT_TIMED_OUT)
    assert capsys.readouterr().err.startswith("job.1: db.1 is not ready\nprocman: already running")
    assert session.requests[-1] == {"verb": "why"}


@pytest.mark.parametrize("session", [None, Connection({"stopping": False}, NoSessionError("gone"))])
def test_a_session_that_ends_meanwhile_explains_nothing(
    session: Connection | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect_to(monkeypatch, session)
    with pytest.raises(RefusedError, match="not ready after 60 s"):
        an_up()._print(LATE)
    assert capsys.readouterr().err.startswith("procman: already running")


@pytest.mark.parametrize("begun", [None, Start()])
def test_after_an_unknown_name_the_session_of_this_call_is_stopped(
    begun: Start | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RefusedError, match="unknown"):
        an_up(begun=begun)._print({"done": True, "code": 2, "error": "unknown process type 'wbe'", "hint": ""})
    assert begun is None or begun.calls == [("stop", signal.SIGTERM)]
    assert capsys.readouterr() == ("", "")


# The request ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("begun", "names"), [(None, ["web", "job", "db"]), (Start(), [])])
def test_a_session_that_was_there_gets_the_names(
    begun: Start | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Connection({"stopping": False}, {"say": "hello"}, GOOD)
    call = an_up(names=("web,job", "db"), wait=False)
    unused: list[Settings] = []
    monkeypatch.setattr(up, "report_unused", unused.append)
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(call, "_last_record", lambda _connection, request: sent.append(request))
    monkeypatch.setattr(call, "_find", lambda: None if begun else session)

    def begin() -> Connection:
        call._begun = begun
        return session

    monkeypatch.setattr(call, "_begin", begin)
    call.ensure()
    fresh = begun is not None
    assert sent == [{"verb": "ensure", "names": names, "wait": False, "fresh": fresh, "timeout": 60.0}]
    assert unused == ([] if begun else [call._settings])


def test_replace_looks_for_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    call, session = an_up(replace=True), Connection(GOOD)
    connect_to(monkeypatch)  # a look would fail
    attempts = [None, session]
    monkeypatch.setattr(up, "report_unused", lambda _settings: None)
    monkeypatch.setattr(call, "_begin", lambda: attempts.pop(0))
    assert call.ensure() == GOOD
    assert attempts == []


@pytest.mark.parametrize(("over", "left"), [(61.0, 0.0), (0.12345, 59.877)])
def test_the_time_that_is_over_is_not_given_again(over: float, left: float, monkeypatch: pytest.MonkeyPatch) -> None:
    call, session = an_up(), Connection({"stopping": False}, GOOD)
    connect_to(monkeypatch, session)
    monkeypatch.setattr(up, "report_unused", lambda _settings: None)
    monkeypatch.setattr(time, "monotonic", lambda: NOW + over)
    call.ensure()
    assert session.requests[-1]["timeout"] == left


def test_messages_are_shown_until_the_answer_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    session = Connection({"say": "web.1 is waiting"}, {"other": 1}, BAD, {"say": "too late"})
    assert an_up()._last_record(session, {"verb": "ensure"}) == BAD
    assert session.unlimited
    assert session.requests == [{"verb": "ensure"}]
    assert capsys.readouterr() == ("", "procman: web.1 is waiting\n")


@pytest.mark.parametrize(("begun", "message"), [(None, "the session has ended"), (Start(), "it has ended")])
@pytest.mark.parametrize("answers", [[], [NoSessionError("gone")]])
def test_a_session_that_hangs_up_has_ended(begun: Start | None, message: str, answers: list[ProcmanError]) -> None:
    with pytest.raises(ProcmanError) as caught:
        an_up(begun=begun)._last_record(Connection(*answers), {})
    assert caught.value.message == message


# The session ------------------------------------------------------------------------------------------------------


def test_a_session_that_is_stopping_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Connection({"stopping": "asked", "pid": 7}, NoSessionError("gone"))
    new = Connection({"stopping": None})
    connect_to(monkeypatch, old, new)
    assert an_up()._find() is new
    assert old.requests == [{"verb": "hello"}, {"verb": "stop", "unlimited": True}]
    assert (old.closed, new.closed) == (True, False)
    assert capsys.readouterr().err == "procman: waiting for the end of the session with pid 7\n"


def test_without_a_place_for_a_socket_there_is_no_session_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to(monkeypatch, EndpointError("no folder"))
    with pytest.raises(UsageError, match="no folder"):
        an_up()._find()


@pytest.mark.parametrize(
    ("how", "found", "message"),
    [(LISTENING, None, "it has ended"), (ENDED, None, "it has failed: b'' 60.0")],
)
def test_what_has_not_begun_is_an_error(
    how: bytes, found: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "DetachedStart", lambda _invocation, _settings: Start(how))
    connect_to(monkeypatch, found)
    with pytest.raises(ProcmanError) as caught:
        an_up()._begin()
    assert caught.value.message == message


def test_what_has_begun_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, session, call = Start(), Connection(), an_up()
    monkeypatch.setattr(up, "DetachedStart", lambda _invocation, _settings: begun)
    connect_to(monkeypatch, session)
    assert call._begin() is session
    assert call._begun is begun
    assert begun.calls == [("wait", NOW + 60.0)]


def test_if_another_call_was_faster_its_session_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, session, call = Start(RUNNING), Connection({"stopping": None}), an_up()
    monkeypatch.setattr(up, "DetachedStart", lambda _invocation, _settings: begun)
    connect_to(monkeypatch, session)
    assert call._begin() is session
    assert call._begun is None
    assert begun.calls[-1] == ("join",)


@pytest.mark.parametrize("begun", [None, Start()])
def test_an_interrupt_stops_only_what_this_call_has_started(
    begun: Start | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    call = an_up(begun=begun)
    monkeypatch.setattr(call, "ensure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        call.run()
    assert begun is None or begun.calls == [("stop", signal.SIGINT)]
    said = "procman: interrupted: stopping the session that this command has started\n"
    assert capsys.readouterr().err == (said if begun else "")


# The command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls that ``up`` makes, without being run."""
    calls: list[Any] = []

    def run(call: Any) -> int:
        calls.append(call)
        return 0

    monkeypatch.setattr(Up, "run", run)
    monkeypatch.setattr(up, "open_standard_descriptors", lambda: None)
    monkeypatch.setattr(up, "close_inherited_on_exec", lambda: None)
    return calls


def perform(*words: str) -> int:
    invocation = read(words)
    assert invocation is not None
    return up.perform(invocation)


def test_its_own_options_are_not_for_the_session(made: list[Any]) -> None:
    assert perform("up", "--json", "-D", "-t", "7", "-x", "css", "web") == 0
    (call,) = made
    assert (call._timeout, call._until, call._as_json) == (7.0, NOW + 7.0, True)
    assert [option.setting for option in call._inner.given] == ["exclude"]
    assert (call._inner.command, tuple(call._inner.words)) == ("start", ("web",))


def test_without_a_limit_it_waits_a_minute(made: list[Any]) -> None:
    perform("up")
    assert (made[0]._timeout, made[0]._as_json) == (60.0, False)


def test_what_no_command_could_end_is_refused(made: list[Any]) -> None:
    with pytest.raises(UsageError, match="needs its control socket"):
        perform("up", "--no-control")
    assert made == []


def test_as_pid_1_it_would_end_what_it_has_started(made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(UsageError, match="as PID 1"):
        perform("up")
    assert made == []
