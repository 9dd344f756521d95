"""What a Ctrl-C does while a command is starting: end the process, or raise KeyboardInterrupt.

Python raises KeyboardInterrupt by default, but an exception is lost in the callback of a weak reference, and every
import runs one: ``start`` would continue as if there had been no Ctrl-C. So until ``main`` can handle
KeyboardInterrupt, SIGINT keeps its default action.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without the enums: see runtime/system/signals.py


def end_by_interrupt() -> None:
    """Let Ctrl-C end the process immediately, unless SIGINT is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class Interrupt:
    """Whether a Ctrl-C has ended the command. The process then ends itself by SIGINT, see ``end_like_a_key``."""

    seen = False


def end_like_a_key() -> None:
    """End the process by SIGINT if a Ctrl-C has ended its command on a terminal; return otherwise.

    A shell shows 130 either way. But only if SIGINT has killed the process does bash end the script around it, and
    start a new row after ``^C``.
    """
    import os

    if Interrupt.seen and any(os.isatty(fd) for fd in (0, 1, 2)):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        os.kill(os.getpid(), signal.SIGINT)


def raise_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
