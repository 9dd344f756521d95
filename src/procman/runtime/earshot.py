"""Does: obeys what the guardian passes on while there is no engine yet to hear it.

Reading a file can take for ever: an `.env` that is a named pipe without a writer, a dead network disk. What was sent to
the guardian lies in the lifeline by then, as bytes that nobody reads. So the kernel shall tell of them, by SIGIO
(fcntl(2), O_ASYNC). Nothing was started yet, so to obey is to be gone.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # without the enums: see signals.py

CODES: dict[int, int] = {signal.SIGTERM: 0, signal.SIGINT: 130, signal.SIGQUIT: 131, signal.SIGHUP: 129}
GUARDIAN_LOST = 143


def obey_alone(lifeline: int) -> None:
    """From now on end at once when the lifeline says so, or ends itself."""
    import fcntl

    def obey(_number: int, _frame: FrameType | None) -> None:
        try:
            numbers = os.read(lifeline, 4096)
        except BlockingIOError:
            return
        codes = [CODES[number] for number in numbers if number in CODES]
        if codes or not numbers:
            os._exit(codes[0] if codes else GUARDIAN_LOST)

    os.set_blocking(lifeline, False)
    signal.signal(signal.SIGIO, obey)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGIO,))
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    obey(0, None)  # what had come before the kernel was asked to tell


def hand_over(lifeline: int) -> None:
    """The engine reads the lifeline itself from now on."""
    import fcntl

    signal.signal(signal.SIGIO, _nothing)  # not the default, which ends us: one may be on its way
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) & ~os.O_ASYNC)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Exist, so that a late SIGIO does no harm."""
