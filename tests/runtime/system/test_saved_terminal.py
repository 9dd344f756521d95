"""Putting the terminal back when the manager could not."""

from __future__ import annotations

import os
import signal
import termios

import pyte
import pytest

from procman.runtime.system import tty
from procman.runtime.system.tty import (
    LOCAL_FLAGS,
    RESTORE_ALL,
    RESTORE_OURS,
    USUAL_KEYS,
    SavedTerminal,
    key_by_key,
    raw,
    saved_terminal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Session:
    """A terminal, and what was kept of it before the manager set it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self.found = termios.tcgetattr(self.slave)
        self.saved = SavedTerminal(self.slave, self.found)
        self.set(key_by_key(self.found))

    def set(self, attributes: list[object]) -> None:
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)  # type: ignore[arg-type]

    @property
    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self.slave))

    @property
    def shown(self) -> bytes:
        try:
            return os.read(self.master, 1000)
        except BlockingIOError:
            return b""


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    os.close(session.master)
    os.close(session.slave)


def test_what_the_manager_had_set_is_put_back_and_its_line_erased(session: Session) -> None:
    session.saved.restore()
    assert session.settings == session.found
    assert session.shown == RESTORE_OURS


def test_what_a_shell_has_set_since_is_left_to_it(session: Session) -> None:
    of_the_shell = key_by_key(session.found)
    of_the_shell[LOCAL_FLAGS] &= ~termios.IEXTEN
    session.set(of_the_shell)
    session.saved.restore()
    assert session.settings == of_the_shell
    assert session.shown == b""


def test_from_the_background_it_is_not_touched(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tty, "in_foreground", lambda _fd: False)
    before = session.settings
    session.saved.restore()
    assert session.settings == before
    assert session.shown == b""


@pytest.mark.parametrize("said", [RESTORE_OURS, RESTORE_ALL], ids=["ours", "lent"])
@pytest.mark.parametrize(
    "half",
    [
        b"a line\r\nhal",
        b"\x1b[31mred",
        b"\x1b",
        b"\x1b[",
        b"\x1b[1;3",
        b"\x1b[?20",
        b"\x1b]0;a tit",
        b"\x1b(",
        b"\x1bPq",
        b"\xe2\x82",
        b"\x1b[?2026h\x1b[?7lhalf a status line",
    ],
)
def test_whatever_was_cut_short_the_next_line_is_a_line_of_the_shells(half: bytes, said: bytes) -> None:
    screen = pyte.Screen(40, 5)
    stream = pyte.ByteStream(screen)
    stream.feed(half + said + b"$ next")
    row = next(row for row in screen.display if "next" in row)
    assert row.rstrip() == "$ next"
    assert {cell.fg for cell in screen.buffer[screen.cursor.y].values()} == {"default"}
    assert pyte.modes.DECAWM in screen.mode
    assert 2026 << 5 not in screen.mode


def test_what_is_forgotten_is_closed_once_and_not_restored(session: Session) -> None:
    own = os.dup(session.slave)
    saved = SavedTerminal(own, session.found)
    saved.forget()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(own)
    before = session.settings
    assert os.dup(session.slave) == own  # another file may get the number
    saved.forget()
    saved.restore()
    os.close(own)
    assert session.settings == before
    assert session.shown == b""


def test_without_a_terminal_there_is_nothing_to_forget() -> None:
    saved = SavedTerminal()
    saved.forget()
    saved.forget()


def test_without_a_terminal_nothing_is_done() -> None:
    SavedTerminal().restore()
    reader, writer = os.pipe()
    SavedTerminal(writer, []).restore()
    SavedTerminal(writer).restore()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("signals", [False, True])
def test_after_a_process_that_had_the_terminal_all_its_modes_are_reset(session: Session, signals: bool) -> None:
    session.set(raw(session.found, signals=signals))
    session.saved.restore()
    assert session.settings == session.found
    assert session.shown.replace(b"\r\r\n", b"\r\n") == RESTORE_ALL
    before, after = RESTORE_ALL.split(b"\x1b[?1047l")
    assert USUAL_KEYS in before  # the alternate screen has a keyboard of its own
    assert USUAL_KEYS in after


def test_alone_it_is_restored_from_the_background_without_being_stopped(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tty, "in_foreground", lambda _fd: False)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        session.saved.restore(alone=True)
        assert signal.SIGTTOU in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert session.settings == session.found
    assert session.shown == RESTORE_OURS


@pytest.mark.parametrize(("terminals", "is_saved"), [((0, 1), True), ((0,), False), ((1,), False)])
def test_only_a_terminal_on_stdin_and_stdout_is_saved(
    session: Session, monkeypatch: pytest.MonkeyPatch, terminals: tuple[int, ...], is_saved: bool
) -> None:
    monkeypatch.setattr("os.isatty", lambda fd: fd in terminals)
    monkeypatch.setattr("os.dup", lambda fd: session.slave if fd == 0 else -1)
    monkeypatch.setattr("termios.tcgetattr", lambda fd: session.found if fd == 0 else [])
    saved = saved_terminal()
    assert (saved._fd, saved._attributes) == ((session.slave, session.found) if is_saved else (None, None))


def test_a_terminal_that_tells_nothing_is_no_reason_not_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int) -> list[object]:
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    monkeypatch.setattr(termios, "tcgetattr", refuse)
    saved_terminal().restore()
