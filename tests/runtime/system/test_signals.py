"""Signals as readable bytes, and what is passed on to the manager."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from procman.runtime.system import signals
from procman.runtime.system.signals import WATCHED, SignalPipe, ignores_hang_up, pass_on, pass_on_early
from runtime.fakes import open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def restored() -> Iterator[None]:
    """Handlers, mask and wake-up descriptor as they were."""
    handlers = {number: signal.getsignal(number) for number in (*WATCHED, signal.SIGPIPE)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # first: what waits is for the test's handlers
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(-1)


@pytest.fixture
def pipe(restored: None) -> SignalPipe:
    pipe = SignalPipe()
    pipe.open()
    return pipe


def test_signals_arrive_as_their_numbers_and_do_nothing_else(pipe: SignalPipe) -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.raise_signal(number)
    assert pipe.read() == bytes((signal.SIGTERM, signal.SIGUSR1))
    assert pipe.read() == b""
    pipe.close()


def test_a_signal_after_the_end_does_no_harm(pipe: SignalPipe) -> None:
    reader = pipe.fileno()
    pipe.close()
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    assert signal.set_wakeup_fd(-1) == -1


def test_a_broken_pipe_is_an_error_and_no_end(pipe: SignalPipe) -> None:
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    pipe.close()


def test_blocked_signals_are_let_through(restored: None) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    pipe = SignalPipe()
    pipe.open()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    pipe.close()


def test_under_nohup_a_hang_up_stays_ignored(restored: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ignores_hang_up()
    pipe = SignalPipe()
    pipe.open()
    signal.raise_signal(signal.SIGHUP)
    assert pipe.read() == b""
    assert ignores_hang_up()
    pipe.close()


def test_children_get_every_signal_back_that_can_be(restored: None) -> None:
    assert signal.SIGPIPE in signals.DEFAULT_IN_CHILDREN
    assert not {signal.SIGKILL, signal.SIGSTOP} & set(signals.DEFAULT_IN_CHILDREN)


# Passing on ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    yield reader, writer
    os.close(writer)


def passed(line: tuple[int, int]) -> bytes:
    try:
        return os.read(line[0], 100)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(
    ("number", "by_kernel", "heard"),
    [
        (signal.SIGTERM, False, True),
        (signal.SIGINT, False, True),
        (signal.SIGINT, True, False),
        (signal.SIGTSTP, True, False),
        (signal.SIGHUP, True, True),
        (signal.SIGHUP, False, True),
    ],
)
def test_a_key_has_reached_the_manager_already_but_a_hang_up_may_not(
    line: tuple[int, int], number: int, by_kernel: bool, heard: bool
) -> None:
    pass_on(number, by_kernel, line[1])
    assert passed(line) == (bytes((number,)) if heard else b"")
    os.close(line[0])


def test_under_nohup_a_hang_up_is_not_passed_on(line: tuple[int, int], restored: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    pass_on(signal.SIGHUP, by_kernel=False, writer=line[1])
    assert passed(line) == b""
    pass_on(signal.SIGTERM, by_kernel=False, writer=line[1])
    assert passed(line) == bytes((signal.SIGTERM,))
    os.close(line[0])


def test_a_manager_that_is_gone_or_stuck_needs_no_signal(line: tuple[int, int], restored: None) -> None:
    try:
        while os.write(line[1], b"x" * 4096):
            pass
    except BlockingIOError:
        pass
    pass_on(signal.SIGTERM, by_kernel=False, writer=line[1])
    os.close(line[0])
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    pass_on(signal.SIGTERM, by_kernel=False, writer=line[1])


def test_stop_signals_that_wait_are_passed_on(line: tuple[int, int], restored: None) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGUSR1))
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGUSR1)
    pass_on_early(line[1])
    assert passed(line) == bytes((signal.SIGTERM,))
    os.close(line[0])


# Waiting ------------------------------------------------------------------------------------------------------------

INFO = SimpleNamespace(si_signo=signal.SIGTERM, si_code=0, si_pid=77)


@pytest.mark.parametrize(("code", "by_kernel"), [(-6, False), (0, False), (1, True), (0x80, True)])
@pytest.mark.parametrize("until", [None, 1005.0, 999.0])
def test_a_signal_tells_its_sender(
    monkeypatch: pytest.MonkeyPatch, code: int, by_kernel: bool, until: float | None
) -> None:
    waits: list[float | None] = []
    info = SimpleNamespace(si_signo=signal.SIGTERM, si_code=code, si_pid=77)

    def wait(numbers: object, limit: float | None = None) -> object:
        assert numbers == (signal.SIGTERM,)
        waits.append(limit)
        return info

    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    monkeypatch.setattr("_signal.sigwaitinfo", wait)
    monkeypatch.setattr("_signal.sigtimedwait", wait)
    assert signals.next_signal((signal.SIGTERM,), until) == (signal.SIGTERM, by_kernel, 77)
    assert waits == [{None: None, 1005.0: 5.0, 999.0: 0.0}[until]]


def test_no_signal_in_time_is_number_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_signal.sigtimedwait", lambda _numbers, _limit: None)
    assert signals.next_signal((signal.SIGTERM,), 0.0) == (0, None, 0)


@pytest.mark.parametrize("until", [None, 5.0])
def test_where_the_system_does_not_tell_the_sender_it_is_unknown(
    monkeypatch: pytest.MonkeyPatch, until: float | None
) -> None:
    for name in ("sigwaitinfo", "sigtimedwait"):
        monkeypatch.delattr(f"_signal.{name}")
    monkeypatch.setattr("_signal.sigwait", lambda numbers: signal.Signals(numbers[0]))
    assert signals.next_signal((signal.SIGTERM,), until) == (signal.SIGTERM, None, 0)


def test_after_the_run_no_signal_can_change_its_status(restored: None) -> None:
    signals.block_signals()
    assert set(WATCHED) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_broken_pipe_is_no_end_whatever_it_was_before(restored: None) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    pipe = SignalPipe()
    pipe.open()
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    pipe.close()


def test_under_nohup_all_other_signals_have_their_handlers(restored: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    pipe = SignalPipe()
    pipe.open()
    for number in set(WATCHED) - {signal.SIGHUP}:
        assert callable(signal.getsignal(number))
    pipe.close()


def test_a_pipe_that_is_full_is_no_warning_and_closing_it_leaves_nothing_open(
    restored: None, capfd: pytest.CaptureFixture[str]
) -> None:
    before = open_descriptors()
    pipe = SignalPipe()
    pipe.open()
    try:
        while os.write(pipe._writer, b"x" * 4096):
            pass
    except BlockingIOError:
        pass
    signal.raise_signal(signal.SIGUSR1)
    pipe.close()
    assert open_descriptors() == before
    assert capfd.readouterr().err == ""
