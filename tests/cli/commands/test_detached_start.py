"""A ``start`` in the background, from both sides of its pipe; nothing is spawned."""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from procman.cli.commands import detached, detached_start, socket_claim
from procman.cli.commands.detached_start import ENDED, TIMED_OUT, DetachedStart
from procman.cli.commands.socket_claim import AlreadyRunningError, SocketClaim
from procman.cli.options.option import Invocation
from procman.cli.options.reader import read
from procman.core.model.settings import Settings
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PID = 4_000_000_001  # no real process has such a number
FOREVER = float("inf")


class Spawned:
    """What was spawned, and its end of the pipe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statuses: list[int | type[BaseException]] = []
        self.killed: list[tuple[int, int]] = []
        self.words: list[str] = []
        self.environ: dict[str, str] = {}
        self.mask: set[int] = set()
        self.writer = -1
        monkeypatch.setattr(detached_start, "spawn_process", self.spawn)
        monkeypatch.setattr(os, "waitpid", self.waitpid)
        monkeypatch.setattr(os, "kill", lambda pid, number: self.killed.append((pid, number)))

    def spawn(
        self,
        _path: str,
        words: list[str],
        environ: dict[str, str],
        _defaults: object,
        actions: Sequence[Any],
        own: bool,
    ) -> int:
        self.words, self.environ = words, environ
        self.mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        targets = {target: source for _, source, target in actions}
        assert own
        assert os.fstat(targets[0]).st_rdev == os.fstat(targets[1]).st_rdev == os.stat(os.devnull).st_rdev
        self.writer = os.dup(targets[2])
        return PID

    def waitpid(self, pid: int, flags: int) -> tuple[int, int]:
        assert (pid, flags) == (PID, 0)
        status = self.statuses.pop(0)
        if not isinstance(status, int):
            raise status
        return pid, status

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def close(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spawned]:
    spawned = Spawned(monkeypatch)
    yield spawned
    spawned.close()


@pytest.fixture
def start(spawned: Spawned) -> Iterator[DetachedStart]:
    start = DetachedStart(Invocation("start", {}, ()), Settings())
    yield start
    os.close(start._pipe)


# The caller -------------------------------------------------------------------------------------------------------


def test_no_interrupt_comes_between_the_spawn_and_the_note_of_its_pid(spawned: Spawned, start: DetachedStart) -> None:
    assert signal.SIGINT in spawned.mask
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert start.pid == PID
    assert spawned.environ["_PROCMAN_DETACHED"] == "1"


@pytest.mark.parametrize("report", [b"\0", b"\1"])
def test_text_is_passed_on_until_the_report(
    report: bytes, spawned: Spawned, start: DetachedStart, capsys: pytest.CaptureFixture[str]
) -> None:
    spawned.write(b"procman: a port has moved\n" + report)
    assert start.wait(FOREVER) == report
    assert capsys.readouterr().err == "procman: a port has moved\n"


def test_a_refusal_is_read_to_its_end(spawned: Spawned, start: DetachedStart) -> None:
    spawned.write(b'\2{"error": "no Procfile", "hint": ')
    spawned.write(b'"write one", "code": 2}')
    spawned.close()
    spawned.statuses = [2 << 8]
    how = start.wait(time.monotonic() + 60)
    error = start.failure(how, 1.0)
    assert (how, error.message, error.hint, error.exit_code) == (b"\2", "no Procfile", "write one", 2)


def test_a_refusal_may_come_in_parts(
    spawned: Spawned, start: DetachedStart, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read_at_most = os.read
    monkeypatch.setattr(os, "read", lambda fd, _count: read_at_most(fd, 9))
    spawned.write(b'\xff said\n\2{"error": "a mistake", "hint": "", "code": 2}')
    spawned.close()
    spawned.statuses = [2 << 8]
    assert start.failure(start.wait(FOREVER), 1.0).message == "a mistake"
    assert capsys.readouterr().err == "\ufffd said\n"


def test_a_start_that_ends_without_a_report_has_ended(spawned: Spawned, start: DetachedStart) -> None:
    spawned.close()
    assert start.wait(FOREVER) == ENDED


def test_a_start_without_a_report_in_time_is_ended(spawned: Spawned, start: DetachedStart) -> None:
    assert start.wait(time.monotonic() - 1) == TIMED_OUT
    spawned.statuses = [signal.SIGTERM]
    error = start.failure(TIMED_OUT, 2.5)
    assert spawned.killed == [(PID, signal.SIGTERM)]
    assert (error.message, error.exit_code) == ("the session has not started after 2.5 s", 124)


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (0, "the session has ended already (exit status 0)", 1),
        (3 << 8, "the session has ended already (exit status 3)", 3),
        (128 << 8, "the session has ended already (exit status 128)", 128),
        (9, "the session was killed already (exit status 137)", 137),
    ],
)
def test_an_end_says_how(spawned: Spawned, start: DetachedStart, status: int, message: str, code: int) -> None:
    spawned.close()
    spawned.statuses = [status]
    error = start.end()
    assert (error.message, error.exit_code) == (message, code)
    assert start.join() == start.join()  # it is waited for once


def test_what_was_listening_may_still_refuse(spawned: Spawned, start: DetachedStart) -> None:
    spawned.write(b'\2{"error": "a mistake", "hint": "", "code": 2}')
    spawned.close()
    spawned.statuses = [2 << 8]
    assert start.end().message == "a mistake"


def test_each_further_interrupt_is_passed_on(spawned: Spawned, start: DetachedStart) -> None:
    spawned.statuses = [KeyboardInterrupt, KeyboardInterrupt, 130 << 8]
    start.stop(signal.SIGTERM)
    assert spawned.killed == [(PID, signal.SIGTERM), (PID, signal.SIGINT), (PID, signal.SIGINT)]
    start.stop()
    assert len(spawned.killed) == 3  # its pid may be that of another process


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["start", "--pty", "--exit=never"]),
        (["--no-pty", "--exit", "all"], ["start", "--no-pty", "--exit=all"]),
        (["-x", "css", "-x", "db", "web"], ["start", "--exclude=css", "--exclude=db", "--pty", "--exit=never", "web"]),
        (
            ["-m", "web=2", "--color", "--color=never"],
            ["start", "--concurrency=web=2", "--color", "--color=never", "--pty", "--exit=never"],
        ),
        (["--no-wait", "web", "job=2"], ["start", "--pty", "--exit=never", "web", "job=2"]),
    ],
)
def test_the_session_gets_the_words_of_the_caller(words: list[str], expected: list[str]) -> None:
    invocation = read(["up", *words])
    assert invocation is not None
    origin = {option.setting: "a flag" for option in invocation.given}
    assert detached_start._command_line(invocation, Settings(origin)) == expected


@pytest.mark.parametrize(("place", "named"), [("a folder above", True), ("PROCMAN_PROCFILE", False)])
def test_a_project_that_was_found_above_is_not_looked_for_again(place: str, named: bool) -> None:
    settings = Settings({"procfile": place}, procfile="../Procfile")
    words = detached_start._command_line(Invocation("start", {}, ("web",)), settings)
    assert words == ["start", "--pty", "--exit=never", *(["--procfile=../Procfile"] if named else []), "web"]


@pytest.mark.parametrize(
    ("own", "given"),
    [(["python", "-m", "procman"], ["up", "web"]), (["/usr/bin/procman"], []), (["python", "x"], ["up"])],
)
def test_it_is_the_same_procman(own: list[str], given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", [*own, *given])
    monkeypatch.setattr(sys, "argv", [own[-1], *given])
    assert detached_start.command_prefix() == own


@pytest.mark.parametrize(
    ("chunk", "parts"),
    [
        (b"", (b"", b"", b"")),
        (b"text", (b"text", b"", b"")),
        (b"\0", (b"", b"\0", b"")),
        (b"text\n\1", (b"text\n", b"\1", b"")),
        (b'a\2{"\0"', (b"a", b"\2", b'{"\0"')),
    ],
)
def test_a_chunk_has_text_a_report_and_a_rest(chunk: bytes, parts: tuple[bytes, ...]) -> None:
    assert detached_start._split(chunk) == parts


# The session ------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """``perform`` replaces stderr by the pipe."""
    monkeypatch.setattr(sys, "stderr", sys.stderr)


@pytest.mark.usefixtures("own_stderr")
@pytest.mark.parametrize(
    ("outcome", "report", "code"),
    [
        (7, b"", 7),
        (AlreadyRunningError("it runs"), b"\1", 0),
        (ConfigError("a mistake", "correct it"), b'\2{"error": "a mistake", "hint": "correct it", "code": 2}', 2),
    ],
)
def test_a_start_reports_how_it_went(
    outcome: int | Exception,
    report: bytes,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    def start(_settings: Settings, *_hooks: object) -> int:
        if isinstance(outcome, int):
            return outcome
        raise outcome

    monkeypatch.setattr("procman.cli.commands.start.start", start)
    assert detached.perform(Invocation("start", {}, ())) == code
    assert capfdbinary.readouterr().err == report


@pytest.mark.usefixtures("own_stderr")
def test_what_a_start_says_goes_to_the_caller_at_once(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    seen: list[bytes] = []

    def start(_settings: Settings, *_hooks: object) -> int:
        sys.stderr.write("warning: cannot read \udcff\n")
        seen.append(capfdbinary.readouterr().err)
        return 0

    monkeypatch.setattr("procman.cli.commands.start.start", start)
    detached.perform(Invocation("start", {}, ()))
    assert seen == [b"warning: cannot read \\udcff\n"]


def test_a_caller_that_is_gone_does_not_matter() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = io.TextIOWrapper(io.BufferedWriter(detached._CallerPipe(writer, "w")), "utf-8", line_buffering=True)
    stream.write("text\n")
    stream.close()


def test_a_report_to_a_caller_that_is_gone_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, _data: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", fail)
    detached._report(b"\0")


def test_a_session_that_nothing_could_reach_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    plan: Any = None
    monkeypatch.setattr(socket_claim, "enter", lambda _settings, _plan: SocketClaim(warning="no folder"))
    with pytest.raises(UsageError, match="no folder"):
        detached._claim(Settings(), plan)
    assert capfdbinary.readouterr().err == b""


def test_nothing_starts_before_the_caller_has_connected(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    plan: Any = None
    entered: list[Settings] = []
    ours, callers = socket.socketpair()
    endpoint: Any = SimpleNamespace(socket=ours)
    claim = SocketClaim(endpoint)
    limits: list[int] = []

    class Poll:
        """A poll that notes what it waits for."""

        registered: dict[int, int]

        def __init__(self) -> None:
            self.registered = {}

        def register(self, fd: int, events: int) -> None:
            self.registered[fd] = events

        def poll(self, limit: int) -> None:
            assert capfdbinary.readouterr().err == b"\0"  # or the caller would not connect
            assert self.registered == {2: 0, ours.fileno(): select.POLLIN}
            limits.append(limit)

    def enter(settings: Settings, _plan: object) -> SocketClaim:
        entered.append(settings)
        return claim

    monkeypatch.setattr(socket_claim, "enter", enter)
    monkeypatch.setattr(select, "poll", Poll)
    assert detached._claim(Settings(names=("web",)), plan) is claim
    assert limits == [2000]
    assert entered[0].names == ()  # names mean: join the session, if there is one
    ours.close()
    callers.close()
