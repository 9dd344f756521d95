"""``procman attach``: this terminal becomes the terminal of one process, until Ctrl-]."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
from collections import deque

from procman.cli.control.connection import connect, names_in, require_success
from procman.core.text.keybindings import split_at_switch
from procman.core.text.printable import visible
from procman.errors import EXIT_OK, UsageError
from procman.output.screen.passthrough import KEEP_TITLE, RESTORE_TITLE, TITLES, TO_BOTTOM
from procman.runtime.system.descriptors import open_standard_descriptors
from procman.runtime.system.tty import USUAL_KEYS, USUAL_MODES, is_terminal, raw, window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from procman.cli.control.connection import Connection, Record
    from procman.cli.options.option import Invocation

MAX_KEYS = 4096  # bytes per request
MAX_PENDING = 4096  # requests, of a paste that the process does not read; more keys are read, since one may be Ctrl-]
MAX_PARTING_TIME = 0.3  # seconds for the session to report what was not read
_DEFAULT_SIZE = (24, 80)  # rows, columns
_ORIGIN, _NO_ORIGIN = b"\x1b[?6h", b"\x1b[?6l"
_MAIN_SCREEN, _ALTERNATE = b"\x1b[?1049l", b"\x1b[?1049h"


def perform(invocation: Invocation) -> int:
    """Attach to the named instance."""
    wanted = names_in(invocation)
    if len(wanted) != 1:
        raise UsageError("attach needs the name of one process", "procman ps shows the names")
    open_standard_descriptors()  # otherwise, the connection could become one of them, if that is closed
    connection = connect(invocation)
    rows, columns = window_size(1) or _DEFAULT_SIZE
    connection.send({"verb": "attach", "text": wanted[0], "rows": rows, "columns": columns})
    return AttachedTerminal(connection, wanted[0]).run()


class AttachedTerminal:
    """The user's terminal while it is attached to a process."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = visible(name)
        self._saved: list[object] | None = None  # tty attributes; empty if stdin is not a terminal; None: not attached
        self._resized, self._resize_signal = os.pipe()
        self._alternate = False  # the process uses the alternate screen
        self._origin = False  # its rows count from the top margin; the end of that moves the cursor to the first row
        self._titled = False  # it has changed the window's title
        self._reading_keys = True
        self._typed = False
        self._pending: deque[Record] = deque()  # requests that the session does not take yet
        self._leave_at = float("inf")
        self._last_message = ""
        self.code: int | None = None

    def run(self) -> int:
        """Pass keys and output on until one side leaves. Return the exit code."""
        try:
            while self.code is None:
                for fd in self._wait():
                    if fd == self._connection.fileno():
                        self._on_answer()
                    elif fd == self._resized:
                        self._on_resize()
                    elif self.code is None:
                        self._on_keys()
                self._send_pending()
        finally:
            self._restore_terminal()
            sys.stderr.write(self._last_message)
        return self.code if self.code is not None else EXIT_OK

    def _wait(self) -> list[int]:
        """Wait for input and return its descriptors.

        Keys are read only once attached. If stdin is not a terminal, it may hold more than the process reads, so it is
        not read ahead.
        """
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLIN | (select.POLLOUT if self._pending else 0))
        poll.register(self._resized, select.POLLIN)
        if self._reading_keys and self._saved is not None and len(self._pending) < (MAX_PENDING if self._saved else 1):
            poll.register(0, select.POLLIN)
        left = self._leave_at - time.monotonic()
        ready = poll.poll(None if left == float("inf") else max(0, left) * 1000)
        if left <= 0 and self.code is None:
            self._last_message = f"procman: {self._name} may not have read everything that was typed\n"
            self.code = EXIT_OK
        return [fd for fd, events in ready if events != select.POLLOUT]

    def _take_terminal(self) -> None:
        """Set up the terminal when the session has accepted us: from now on every key goes to the process."""
        os.set_blocking(self._resize_signal, False)
        signal.set_wakeup_fd(self._resize_signal, warn_on_full_buffer=False)
        signal.signal(signal.SIGWINCH, _ignore)
        self._saved = []
        how_to_leave = "the end of standard input detaches\n"
        if is_terminal(0):
            self._saved = termios.tcgetattr(0)
            termios.tcsetattr(0, termios.TCSADRAIN, raw(termios.tcgetattr(0)))
            # Not before raw mode: until then, a terminal drops much of a line that has not ended yet.
            how_to_leave = "Ctrl-] detaches\r\n"
        sys.stderr.buffer.write(f"attached to {self._name}; {how_to_leave}".encode())
        sys.stderr.flush()

    def _restore_terminal(self) -> None:
        if not self._saved:
            return
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        screen = USUAL_KEYS + _MAIN_SCREEN if self._alternate else b""
        origin = b"\x1b[?6l" + TO_BOTTOM if self._origin else b""
        title = RESTORE_TITLE if self._titled else b""
        _write(screen + USUAL_KEYS + origin + USUAL_MODES + title + b"\r\n")
        termios.tcsetattr(0, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]  # as we got it

    def _on_answer(self) -> None:
        if not self._connection.receive():
            self.code = EXIT_OK
            return
        while (answer := self._connection.pop()) is not None:
            record, screen = answer
            if record.get("done"):
                require_success(record)
                self._on_last_record(record)
                self.code = EXIT_OK
                return
            if self._saved is None:
                self._take_terminal()
            if "screen" in record:
                self._on_output(screen)
            elif "say" in record:
                self._show_message(str(record["say"]))

    def _on_last_record(self, last: Record) -> None:
        if not last.get("left"):
            self._show_message(str(last.get("over", "the process is down")))
        elif last.get("unread"):
            self._last_message = f"procman: {self._name} has not read the last {last['unread']} bytes\n"

    def _on_output(self, screen: bytes) -> None:
        self._alternate = _latest(screen, _ALTERNATE, _MAIN_SCREEN, self._alternate)
        self._origin = _latest(screen, _ORIGIN, _NO_ORIGIN, self._origin)
        if not self._titled and any(title in screen for title in TITLES):
            self._titled = True
            _write(KEEP_TITLE)
        _write(screen)

    def _show_message(self, message: str) -> None:
        _write(f"\r\n[{visible(message)}]\r\n".encode())

    def _on_keys(self) -> None:
        keys = _read_keys()
        before, leaving, _ = split_at_switch(keys) if self._saved else (keys, b"", b"")
        if before:
            self._typed = True
            self._pending.append({"verb": "keys", "text": before.decode("latin-1")})
        if leaving:
            self._leave()
        elif not keys:
            self._reading_keys = False
            self._pending.append({"verb": "leave"})

    def _leave(self) -> None:
        """Leave after a short while even without an answer: the session may be suspended, or its socket full."""
        if not self._typed:
            self.code = EXIT_OK
            return
        self._reading_keys = False
        self._pending.append({"verb": "leave", "wait": False})
        self._leave_at = time.monotonic() + MAX_PARTING_TIME

    def _on_resize(self) -> None:
        os.read(self._resized, 4096)
        rows, columns = window_size(1) or _DEFAULT_SIZE
        self._pending.append({"verb": "resize", "rows": rows, "columns": columns})

    def _send_pending(self) -> None:
        """Send as many requests as the session takes without blocking."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLOUT)
        while self._pending and poll.poll(0):
            self._connection.send(self._pending.popleft())


def _latest(screen: bytes, on: bytes, off: bytes, before: bool) -> bool:
    """Return whether a mode is on, by the last sequence that switches it."""
    entered, left = screen.rfind(on), screen.rfind(off)
    return before if entered == left else entered > left


def _read_keys() -> bytes:
    try:
        return os.read(0, MAX_KEYS)
    except OSError:  # the terminal is gone: no more keys
        return b""


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: with a Python handler in place, the signal writes its number into our pipe."""
