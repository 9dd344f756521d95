"""Stop signals that arrive before the engine exists end the start, and no others do."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from procman.runtime.guardian import guardian

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class ExitedError(Exception):
    """Raised instead of ending the process."""


class Start:
    """A start whose timer is set off by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reader, self.writer = os.pipe()
        self.timers: list[tuple[float, ...]] = []
        self.unblocked: list[object] = []
        self.handlers: dict[int, Callable[[int, None], None]] = {}

        def leave(code: int) -> None:
            raise ExitedError(code)

        monkeypatch.setattr(os, "_exit", leave)
        monkeypatch.setattr("_signal.signal", self.handlers.__setitem__)
        monkeypatch.setattr("_signal.setitimer", lambda _which, *times: self.timers.append(times))
        monkeypatch.setattr("_signal.pthread_sigmask", lambda *what: self.unblocked.append(what))
        guardian.obey_early_signals(self.reader)

    def look(self) -> int | None:
        """Return the code that the process exits with, or None."""
        try:
            self.handlers[signal.SIGALRM](signal.SIGALRM, None)
        except ExitedError as error:
            return int(error.args[0])
        return None


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    return Start(monkeypatch)


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ((signal.SIGTERM,), 0),
        ((signal.SIGINT,), 130),
        ((signal.SIGQUIT,), 131),
        ((signal.SIGHUP,), 129),
        ((signal.SIGUSR1,), None),
        ((signal.SIGUSR1, signal.SIGINT, signal.SIGTERM), 130),
        ((), None),
    ],
)
def test_the_first_stop_signal_gives_the_code(start: Start, numbers: tuple[int, ...], code: int | None) -> None:
    os.write(start.writer, bytes(numbers))
    assert start.look() == code


def test_the_end_of_the_guardian_ends_the_start(start: Start) -> None:
    os.close(start.writer)
    assert start.look() == 143


def test_the_pipe_is_looked_at_ten_times_a_second_until_the_engine_takes_over(start: Start) -> None:
    assert start.timers == [(0.1, 0.1)]
    assert start.unblocked == [(signal.SIG_UNBLOCK, (signal.SIGALRM,))]
    guardian.leave_to_engine()
    assert start.timers[-1] == (0,)
    os.write(start.writer, bytes([signal.SIGTERM]))
    assert start.look() is None
    assert os.read(start.reader, 10) == bytes([signal.SIGTERM])
    with pytest.raises(BlockingIOError) as caught:
        os.read(start.reader, 10)
    assert caught.value.errno == errno.EAGAIN
