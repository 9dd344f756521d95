"""Does: obeys what the guardian passes on while there is no engine yet to hear it.

Reading a file can take for ever: an `.env` that is a named pipe without a writer, a dead network disk. What was sent to
the guardian lies in the lifeline by then, as bytes that nobody reads. So we look, ten times a second, for as long as
that lasts; most starts are over before the first look. Nothing was started yet, so to obey is to be gone.

A signal at each byte (fcntl(2), O_ASYNC) would be quicker, but one that comes just before a system call blocks is noted
by the interpreter and not acted on before that call returns. A timer comes again.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # without the enums: see signals.py

LOOK = 0.1  # seconds
CODES: dict[int, int] = {signal.SIGTERM: 0, signal.SIGINT: 130, signal.SIGQUIT: 131, signal.SIGHUP: 129}
GUARDIAN_LOST = 143


def obey_alone(lifeline: int) -> None:
    """From now on end when the lifeline says so, or ends itself."""

    def look(_number: int, _frame: FrameType | None) -> None:
        try:
            numbers = os.read(lifeline, 4096)
        except BlockingIOError:
            return
        codes = [CODES[number] for number in numbers if number in CODES]
        if codes or not numbers:
            os._exit(codes[0] if codes else GUARDIAN_LOST)

    os.set_blocking(lifeline, False)
    signal.signal(signal.SIGALRM, look)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
    signal.setitimer(signal.ITIMER_REAL, LOOK, LOOK)


def hand_over() -> None:
    """What comes from now on is for the engine to read, be it still on its way itself: somebody is about to be started,
    and has a grace."""
    signal.signal(signal.SIGALRM, _nothing)  # not the default, which ends us: one may be on its way
    signal.setitimer(signal.ITIMER_REAL, 0)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Exist, so that a late alarm does no harm."""
