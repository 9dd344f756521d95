"""Turns signals into readable bytes, so that the loop handles them at a point of its choosing.

The C handler writes the signal's number into a pipe (`signal.set_wakeup_fd`); the Python handler is empty. A handler
that does work deadlocks sooner or later: it may interrupt any line, even one that holds what it needs.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable
    from types import FrameType
else:
    import _signal as signal  # the C half; the Python half only adds enums, a third of a bare interpreter's start

WATCHED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
)

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

# A child must not inherit these as ignored: `nohup`, `cmd &` in a shell without job control, and Python itself
# (SIGPIPE, SIGXFSZ) all pass SIG_IGN on through exec. The kernel resets handlers.
DEFAULT_IN_CHILDREN = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: with a handler, the signal neither kills us nor is ignored."""


def ignores_hang_up() -> bool:
    """Return whether we were started by `nohup`."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def block_signals() -> None:
    """Block all signals, since the run is over.

    The interpreter restores the default handlers before it exits. A signal in that moment would kill us, and replace
    the exit status that was announced.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)


def pass_on_early(writer: int) -> None:
    """Pass on the stop signals that were sent to the user's whole job before the manager was forked, as a key does.

    A fork does not inherit pending signals. The manager treats a repeated one as one.
    """
    for number in signal.sigpending():
        if number in STOPPING:
            pass_on(number, by_kernel=False, writer=writer)


def pass_on(number: int, by_kernel: bool, writer: int) -> None:
    """Write a signal to the guardian pipe, unless the kernel made it: a key of the terminal reaches the manager too.

    On Ctrl-Z, the manager stops us once it has left the terminal.
    """
    ignored = number == signal.SIGHUP and ignores_hang_up()  # blocked, it arrives here in spite of `nohup`
    if ignored or (by_kernel and number != signal.SIGHUP):
        return
    try:
        os.write(writer, bytes((number,)))
    except (BlockingIOError, BrokenPipeError):
        pass  # the manager has ended, or is stuck until the user kills it


def next_signal(numbers: Iterable[int], until: float | None = None) -> tuple[int, bool | None, int]:
    """Wait for one of these blocked signals. Return its number, whether the kernel made it, and the sender's pid.

    The kernel makes a signal for a key of the terminal, and sends it to the whole job: si_code > 0 (sigaction(2)).
    macOS has no sigwaitinfo, so the last two are None and 0 there. At the time ``until`` of the monotonic clock, the
    number is 0 (not on macOS).
    """
    if until is not None and hasattr(signal, "sigtimedwait"):
        import time

        info = signal.sigtimedwait(numbers, max(0.0, until - time.monotonic()))
        return (0, None, 0) if info is None else (info.si_signo, info.si_code > 0, info.si_pid)
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(numbers)
        return info.si_signo, info.si_code > 0, info.si_pid
    return int(signal.sigwait(numbers)), None, 0


class SignalPipe:
    """The signals that arrived since the last read, as a readable descriptor."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """Return the descriptor to poll for reading."""
        return self._reader

    def open(self) -> None:
        """Install the handlers. A hang-up that `nohup` made us ignore stays ignored."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in WATCHED:
            if number == signal.SIGHUP and ignores_hang_up():
                continue
            signal.signal(number, _nothing)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def read(self) -> bytes:
        """Return the numbers of the signals that arrived, each at most as often as it was delivered."""
        try:
            return os.read(self._reader, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Stop; the handlers stay, so that a late signal does no harm."""
        signal.set_wakeup_fd(-1)
        os.close(self._reader)
        os.close(self._writer)
