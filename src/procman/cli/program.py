"""Asks: the installed command: what comes before ``main``, and behind it.

Python's own way with a Ctrl-C, an exception, is lost where none can go on: in the callback of a weak reference, as each
import has one. A start would go on as if nothing had been said. So the signal itself ends us until somebody is there to
whom the exception means something.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # without the enums: see runtime/system/signals.py


def program() -> NoReturn:
    """The installed command: ``main``, and the end of the process.

    What was said is flushed, and what we hold the system takes back. The interpreter's own tidying would cost 2 ms: a
    seventh of ``--version``, and a quarter of what a session takes to stop.
    """
    end_by_interrupt()
    from procman.cli.main import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody can be told any more
    os._exit(code)


def end_by_interrupt() -> None:
    """Let Ctrl-C end us at once, if it is not ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_interrupts() -> None:
    """Let Ctrl-C be a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
