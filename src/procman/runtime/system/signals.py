"""Does: turns signals into readable bytes, so that the loop meets them at a place of its choosing.

The C handler writes the signal's number into a pipe (`signal.set_wakeup_fd`); the Python handler is empty. Work in a
handler deadlocks sooner or later: it may interrupt any line, also one that holds what it wants.
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

HEARD = (
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

# What a child must not inherit as ignored: `nohup`, `cmd &` of a shell without job control, and Python itself
# (SIGPIPE, SIGXFSZ) all hand down SIG_IGN through exec. Handlers are reset by the kernel.
DEFAULT_IN_CHILDREN = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Exist, so that the signal neither kills us nor is ignored."""


def ignores_hang_up() -> bool:
    """Whether we were started by `nohup`."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def deafen() -> None:
    """Hear nothing more: all is over and told. The interpreter gives handlers back before it ends, and a signal in that
    moment would be our end by that signal, in place of the exit status that was told."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)


def pass_on_early(writer: int) -> None:
    """Pass on what was sent to all of the user's job before the manager was there to hear it: a key of the terminal.
    A fork does not inherit it. Who hears it twice takes it for once."""
    for number in signal.sigpending():
        if number in STOPPING:
            pass_on(number, by_kernel=False, writer=writer)


def pass_on(number: int, by_kernel: bool, writer: int) -> None:
    """A key of the terminal has reached the manager as well. Ctrl-Z: it stops us when it has left the terminal."""
    ignored = number == signal.SIGHUP and ignores_hang_up()  # blocked, it arrives here in spite of `nohup`
    if ignored or (by_kernel and number != signal.SIGHUP):
        return
    try:
        os.write(writer, bytes((number,)))
    except (BlockingIOError, BrokenPipeError):
        pass  # a manager that has ended needs no signal; one that is stuck is killed by the next step of the user


def next_signal(numbers: Iterable[int]) -> tuple[int, bool | None, int]:
    """Wait for one of these blocked signals. Return its number, whether the kernel made it, and the sender's pid.

    The kernel makes a signal for a key of the terminal, and sends it to the whole job: si_code > 0 (sigaction(2)).
    macOS has no sigwaitinfo and tells neither: None and 0.
    """
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(numbers)
        return info.si_signo, info.si_code > 0, info.si_pid
    return int(signal.sigwait(numbers)), None, 0


class SignalPipe:
    """The signals that arrived since the last look, as a readable descriptor."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._reader

    def open(self) -> None:
        """Begin to listen. A hang-up that `nohup` told us to ignore stays ignored."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in HEARD:
            if number == signal.SIGHUP and ignores_hang_up():
                continue
            signal.signal(number, _nothing)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def read(self) -> bytes:
        """The numbers of the signals that arrived, each at most as often as it was delivered."""
        try:
            return os.read(self._reader, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Stop listening; the handlers stay, so that a late signal does no harm."""
        signal.set_wakeup_fd(-1)
        os.close(self._reader)
        os.close(self._writer)
