"""Obeys the signals that the guardian passes on while the engine does not exist yet.

Reading a file can block for ever: an `.env` that is a named pipe without a writer, a dead network disk. Signals sent to
the guardian wait in its pipe meanwhile, as bytes that nothing reads. So a timer looks at the pipe ten times a second
until the engine takes over; most starts are over before the first look. No child has been started by then, so obeying
means exiting.

A signal per byte (fcntl(2), O_ASYNC) would be quicker. But the interpreter only notes a signal that arrives just before
a system call blocks, and acts on it after that call returns. A timer fires again.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # without the enums: see signals.py

LOOK_INTERVAL = 0.1  # seconds
EXIT_CODES: dict[int, int] = {signal.SIGTERM: 0, signal.SIGINT: 130, signal.SIGQUIT: 131, signal.SIGHUP: 129}
EXIT_GUARDIAN_LOST = 143


def obey_early_signals(guardian_pipe: int) -> None:
    """Exit as soon as a stop signal, or the guardian's end, shows in the pipe; until `leave_to_engine` is called."""

    def look(_number: int, _frame: FrameType | None) -> None:
        try:
            numbers = os.read(guardian_pipe, 4096)
        except BlockingIOError:
            return
        codes = [EXIT_CODES[number] for number in numbers if number in EXIT_CODES]
        if codes or not numbers:
            os._exit(codes[0] if codes else EXIT_GUARDIAN_LOST)

    os.set_blocking(guardian_pipe, False)
    signal.signal(signal.SIGALRM, look)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
    signal.setitimer(signal.ITIMER_REAL, LOOK_INTERVAL, LOOK_INTERVAL)


def leave_to_engine() -> None:
    """Leave all further signals to the engine, even if it is not loaded yet.

    Children are about to start, and are owed their grace.
    """
    signal.signal(signal.SIGALRM, _ignore)  # the default action would end us if an alarm is on its way
    signal.setitimer(signal.ITIMER_REAL, 0)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing, so that a late alarm does no harm."""
