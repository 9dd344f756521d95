"""Asks: ``procman attach``: this terminal becomes that of one process, until Ctrl-]."""

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
from procman.runtime.guardian.saved_terminal import USUAL_KEYS, USUAL_MODES
from procman.runtime.system.descriptors import open_standard_descriptors
from procman.runtime.system.tty import is_terminal, raw, window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from procman.cli.control.connection import Connection, Record
    from procman.cli.options.option import Invocation

KEYS = 4096  # bytes a request
MOST_OWED = 4096  # requests, of a paste that nobody reads; the keyboard is read on, since Ctrl-] may come next
PARTING = 0.3  # seconds for the session to say what was not read
_MAIN_SCREEN, _ALTERNATE = b"\x1b[?1049l", b"\x1b[?1049h"


def perform(invocation: Invocation) -> int:
    """Attach to the instance that is named."""
    wanted = names_in(invocation)
    if len(wanted) != 1:
        raise UsageError("attach to which one?", "as in: procman attach web.1; procman ps shows them")
    open_standard_descriptors()  # else the connection would take the place of a closed one
    connection = connect(invocation)
    rows, columns = window_size(1) or (24, 80)
    connection.send({"verb": "attach", "text": wanted[0], "rows": rows, "columns": columns})
    return Attached(connection, wanted[0]).run()


class Attached:
    """This terminal, lent to a process."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = visible(name)
        self._saved: list[object] | None = None
        self._reader, self._writer = os.pipe()
        self._alternate = False
        self._typing = True
        self._typed = False
        self._owed: deque[Record] = deque()  # what the session takes no more of for now
        self._leave_at = float("inf")
        self._last_words = ""
        self.code: int | None = None

    def run(self) -> int:
        """Pass keys and screen on until somebody leaves."""
        try:
            while self.code is None:
                for fd in self._ready():
                    if fd == self._connection.fileno():
                        self._hear()
                    elif fd == self._reader:
                        self._resize()
                    elif self.code is None:
                        self._type()
                self._pay()
        finally:
            self._give_back()
            sys.stderr.write(self._last_words)
        return self.code if self.code is not None else EXIT_OK

    def _ready(self) -> list[int]:
        """Where there is something to read; keys only when the session has let us in. What is no terminal may have more
        than a program reads at once: it is not read ahead."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLIN | (select.POLLOUT if self._owed else 0))
        poll.register(self._reader, select.POLLIN)
        if self._typing and self._saved is not None and len(self._owed) < (MOST_OWED if self._saved else 1):
            poll.register(0, select.POLLIN)
        patience = self._leave_at - time.monotonic()
        ready = poll.poll(None if patience == float("inf") else max(0, patience) * 1000)
        if patience <= 0 and self.code is None:
            self._last_words = f"procman: {self._name} may not have read all that was typed\n"
            self.code = EXIT_OK
        return [fd for fd, events in ready if events != select.POLLOUT]

    def _take(self) -> None:
        """Take the terminal, once the session has let us in: every key belongs to the process now."""
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGWINCH, _nothing)
        self._saved = []
        leaves = "the end of standard input leaves\n"
        if is_terminal(0):
            self._saved = termios.tcgetattr(0)
            termios.tcsetattr(0, termios.TCSADRAIN, raw(termios.tcgetattr(0)))
            leaves = "Ctrl-] leaves\r\n"  # said when it is true: of a line that is not yet ended, a terminal drops much
        sys.stderr.buffer.write(f"attached to {self._name}: {leaves}".encode())
        sys.stderr.flush()

    def _give_back(self) -> None:
        if not self._saved:
            return
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        there = USUAL_KEYS + _MAIN_SCREEN if self._alternate else b""
        _show(there + USUAL_KEYS + USUAL_MODES + b"\r\n")
        termios.tcsetattr(0, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]  # as we got it

    def _hear(self) -> None:
        if not self._connection.receive():
            self.code = EXIT_OK
            return
        while (answer := self._connection.pop()) is not None:
            record, screen = answer
            if record.get("done"):
                require_success(record)
                self._part(record)
                self.code = EXIT_OK
                return
            if self._saved is None:
                self._take()
            if "screen" in record:
                self._show_screen(screen)
            elif "say" in record:
                self._say(str(record["say"]))

    def _part(self, last: Record) -> None:
        if not last.get("left"):
            self._say(str(last.get("over", "the process is down")))
        elif last.get("unread"):
            self._last_words = f"procman: {self._name} has not read the last {last['unread']} bytes\n"

    def _show_screen(self, screen: bytes) -> None:
        entered, left = screen.rfind(_ALTERNATE), screen.rfind(_MAIN_SCREEN)
        if entered != left:
            self._alternate = entered > left
        _show(screen)

    def _say(self, words: str) -> None:
        _show(f"\r\n[{visible(words)}]\r\n".encode())

    def _type(self) -> None:
        keys = _read_keys()
        before, leaving, _ = split_at_switch(keys) if self._saved else (keys, b"", b"")
        if before:
            self._typed = True
            self._owed.append({"verb": "keys", "text": before.decode("latin-1")})
        if leaving:
            self._leave()
        elif not keys:
            self._typing = False
            self._owed.append({"verb": "leave"})

    def _leave(self) -> None:
        """At once, if need be without a word of the session: it may be suspended, or take no more for now."""
        if not self._typed:
            self.code = EXIT_OK
            return
        self._typing = False
        self._owed.append({"verb": "leave", "wait": False})
        self._leave_at = time.monotonic() + PARTING

    def _resize(self) -> None:
        os.read(self._reader, 4096)
        rows, columns = window_size(1) or (24, 80)
        self._owed.append({"verb": "resize", "rows": rows, "columns": columns})

    def _pay(self) -> None:
        """Send what the session takes without being waited for."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLOUT)
        while self._owed and poll.poll(0):
            self._connection.send(self._owed.popleft())


def _read_keys() -> bytes:
    try:
        return os.read(0, KEYS)
    except OSError:  # a terminal that is gone: nobody will type any more
        return b""


def _show(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Exist, so that the signal writes its number into our pipe."""
