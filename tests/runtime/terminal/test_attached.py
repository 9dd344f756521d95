"""The terminal of the session, lent to one instance: what it shows and gets, and every way to take it back."""

from __future__ import annotations

import os
import termios
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action
from procman.core.model.status import ExitStatus
from procman.runtime.system.poller import Poller
from procman.runtime.system.tty import LOCAL_FLAGS
from procman.runtime.terminal import attached
from procman.runtime.terminal.attached import DEFAULT_SIZE, Attached
from procman.runtime.terminal.primary import HINT_PRESSES, HINT_WINDOW
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH, CTRL_C = b"\x1d", b"\x03"


class Terminal:
    """The pseudo-terminal of the instance: a pipe that takes keys, and what was set on it."""

    def __init__(self) -> None:
        self.keys, self.master = os.pipe()
        for fd in (self.keys, self.master):
            os.set_blocking(fd, False)
        self.sizes: list[tuple[int, int] | None] = []

    def show_to(self, size: tuple[int, int] | None) -> None:
        self.sizes.append(size)

    def modes(self) -> tuple[bool, bool]:
        return False, True

    def makes_signals(self) -> bool:
        return True

    def read(self) -> bytes:
        try:
            return os.read(self.keys, 1000)
        except BlockingIOError:
            return b""


class Hub:
    """What is shown: sentences, the screen that is lent, and unfinished lines."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.taps: dict[str, Any] = {}
        self.unfinished = b""
        self.partials: list[tuple[str, str, bytes]] = []
        self.screen: list[bytes] = []
        self.begun = 0
        self.history = SimpleNamespace(unfinished=lambda _name: self.unfinished)
        self.lent: list[str] = []
        self.passthrough = SimpleNamespace(
            lent=False,
            is_painted_by_it=False,
            announce=None,
            begin=self._begin,
            lend=lambda: None,
            take_back=lambda *_: None,
            flush=lambda: None,
            show_own_rows=lambda _ours: False,
            on_output=self.screen.append,
        )

    def _begin(self) -> None:
        self.begun += 1

    def become_lender(self) -> object:
        return self.passthrough

    def announce(self, text: str) -> None:
        self.said.append(text)

    def partial(self, name: str, stream: str, tail: bytes) -> None:
        self.partials.append((name, stream, tail))

    def lend(self, name: str) -> None:
        self.lent.append(name)


class Session:
    """The keyboard, lent to web.1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.size: tuple[int, int] | None = (30, 100)
        monkeypatch.setattr(attached, "window_size", lambda _fd: self.size)
        self.master, self.slave = os.openpty()
        self.hub = Hub()
        self.terminal: Terminal | None = Terminal()
        self.supervisor = Supervisor([a_plan("web.1"), a_plan("db.1")])
        self.supervisor.start_all(0.0)
        for number, instance in enumerate(self.supervisor.instances.values(), 100):
            self.supervisor.spawned(instance, number, 0.0)
        self.web, self.db = self.supervisor.instances.values()
        self.left = 0
        hub: Any = self.hub
        status: Any = SimpleNamespace(keys=None, lead="", change=lambda: None)
        children: Any = SimpleNamespace(of=lambda _name: SimpleNamespace(pid=100, pty=self.terminal))
        requests: Any = SimpleNamespace(stop=lambda _number: pytest.fail("the session goes on"))
        self.poller = Poller()
        self.loan = Attached(
            self.slave, hub, self.supervisor, status, children, requests, "web.1", lambda _: [], self.poller, self._left
        )
        self.loan.begin()
        hub.said.clear()

    def _left(self) -> None:
        self.left += 1

    @property
    def raw(self) -> bool:
        return not termios.tcgetattr(self.slave)[LOCAL_FLAGS] & termios.ISIG

    def output(self, chunk: bytes) -> None:
        self.hub.taps["web.1"](chunk)

    def close(self) -> None:
        self.poller.close()
        fds = (
            (self.master, self.slave)
            if self.terminal is None
            else (self.master, self.slave, self.terminal.keys, self.terminal.master)
        )
        for fd in fds:
            os.close(fd)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    made = Session(monkeypatch)
    yield made
    made.close()


def sizes(session: Session) -> list[tuple[int, int] | None]:
    assert session.terminal is not None
    return session.terminal.sizes


def keys(session: Session) -> bytes:
    assert session.terminal is not None
    return session.terminal.read()


def test_the_process_gets_the_window_the_keys_and_the_screen(session: Session) -> None:
    assert session.raw
    assert sizes(session) == [(30, 100)]
    assert session.hub.begun == 1
    session.loan.on_keys(b"hello\n")
    assert keys(session) == b"hello\n"
    session.output(b"a\nb\n")
    assert session.hub.screen == [b"a\r\nb\r\n"]


@pytest.mark.parametrize("prompt", [b"", b"name: "])
def test_its_prompt_is_shown_at_the_beginning_and_is_a_line_again_at_the_end(session: Session, prompt: bytes) -> None:
    session.hub.unfinished = prompt
    session.loan.begin()
    assert session.hub.said == ["attached to web.1; Ctrl-] gives the keyboard back"]
    assert session.hub.screen == ([prompt] if prompt else [])
    session.loan.leave()
    assert session.hub.partials == ([("web.1", "stdout", prompt)] if prompt else [])


def test_the_switch_gives_all_back(session: Session) -> None:
    session.loan.on_keys(b"last" + SWITCH + b"q")
    assert keys(session) == b"last"
    assert not session.raw
    assert (session.hub.taps, sizes(session)[-1], session.left) == ({}, None, 1)
    assert session.hub.said == ["detached from web.1; procman has the keyboard again"]


def test_what_has_no_terminal_any_more_is_left_without_setting_it(session: Session) -> None:
    terminal, session.terminal = session.terminal, None
    session.loan.leave("web.1 is down")
    assert session.hub.said == ["web.1 is down; procman has the keyboard again"]
    session.terminal = terminal
    assert sizes(session) == [(30, 100)]


def test_it_lasts_through_the_lives_of_the_process(session: Session) -> None:
    session.supervisor.exited(session.web, ExitStatus(code=1), 1.0)
    session.loan.on_event(Action.ANNOUNCE_EXITED, session.web, 1.0)
    assert session.left == 0
    session.loan.on_keys(b"lost")
    session.loan.on_event(Action.ANNOUNCE_STARTED, session.web, 2.0)
    assert sizes(session) == [(30, 100)] * 2
    session.loan.on_keys(b"new")
    assert keys(session) == b"new"
    assert session.hub.begun == 2
    assert session.hub.said == []  # it is introduced once


def test_it_ends_when_the_process_is_down(session: Session) -> None:
    session.supervisor.hold([session.web], 1.0)
    session.loan.on_event(Action.ANNOUNCE_STOPPING, session.web, 1.0)
    assert session.left == 0
    session.supervisor.exited(session.web, ExitStatus(signal=15), 1.0)
    session.loan.on_event(Action.ANNOUNCE_STOPPED, session.web, 1.0)
    assert session.left == 1
    assert session.hub.said == ["web.1 is down; procman has the keyboard again"]


def test_other_processes_do_not_matter(session: Session) -> None:
    session.supervisor.hold([session.db], 1.0)
    session.supervisor.exited(session.db, ExitStatus(signal=15), 1.0)
    session.loan.on_event(Action.ANNOUNCE_STOPPED, session.db, 1.0)
    session.loan.on_event(Action.ANNOUNCE_STARTED, session.db, 1.0)
    assert (session.left, session.hub.begun, sizes(session)) == (0, 1, [(30, 100)])


def test_an_end_by_ctrl_c_does_not_end_the_session(session: Session) -> None:
    session.loan.on_keys(CTRL_C)
    session.supervisor.exited(session.web, ExitStatus(signal=2), 1.0)
    session.loan.on_event(Action.ANNOUNCE_EXITED, session.web, 1.0)  # else `stop` would fail this test
    assert session.left == 0


def test_it_ends_when_everything_is_stopped(session: Session) -> None:
    session.loan.tick(1.0)
    assert session.left == 0
    session.supervisor.stop_all(ASKED, 1.0)
    session.loan.tick(1.0)
    assert session.left == 1
    assert session.hub.said == ["detached from web.1; procman has the keyboard again"]


def test_another_client_may_take_it_over(session: Session) -> None:
    session.hub.taps["web.1"] = tap = lambda _chunk: None
    session.loan.tick(1.0)
    assert session.left == 1
    assert session.hub.said == ["another client has attached to web.1; procman has the keyboard again"]
    assert session.hub.taps == {"web.1": tap}
    assert sizes(session) == [(30, 100)]


def test_the_size_of_the_window_is_followed(session: Session) -> None:
    session.loan.tick(1.0)
    session.size = (40, 120)
    session.loan.tick(1.0)
    session.loan.tick(1.0)
    session.size = None
    session.loan.tick(1.0)
    assert sizes(session) == [(30, 100), (40, 120)]


def test_without_a_size_a_usual_one_is_taken(session: Session) -> None:
    session.size = None
    session.loan.on_event(Action.ANNOUNCE_STARTED, session.web, 1.0)
    assert sizes(session)[-1] == DEFAULT_SIZE


def test_pressing_ctrl_c_again_and_again_is_answered_by_how_to_get_out(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("procman.runtime.terminal.primary.time", SimpleNamespace(monotonic=lambda: now[0]))
    for _ in range(HINT_PRESSES - 1):
        session.loan.on_keys(CTRL_C)
    now[0] += HINT_WINDOW + 0.1
    for _ in range(HINT_PRESSES - 1):
        session.loan.on_keys(CTRL_C)
    assert session.hub.said == []
    session.loan.on_keys(CTRL_C)
    session.loan.on_keys(CTRL_C)
    assert session.hub.said == ["web.1 received Ctrl-C; Ctrl-] gives the keyboard back"]
