"""Does: asks once, without waiting: connects, requests a page, or runs a command; says what went wrong, if anything.

Each attempt calls ``answered(words)`` once, with no words when all is well, unless it was dropped before.
"""

from __future__ import annotations

import errno
import os
import re
import socket

from procman.core.model.checks import addresses, split_host, split_url
from procman.core.procfile.ports import whole_number
from procman.core.text.printable import printable
from procman.output.sink import Sink
from procman.output.sinks.transforms import SearchTimeLimit
from procman.runtime.system.poller import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus
    from procman.runtime.processes.side_commands import SideCommands
    from procman.runtime.system.poller import Poller

    Answered = Callable[[str], None]

    class Attempt(Protocol):
        """One question under way."""

        def drop(self) -> None: ...


LONGEST_STATUS = 4096  # bytes to look for the first line of an HTTP answer in
GOOD = range(200, 400)


class Connection:
    """A connection to HOST:PORT; of ``localhost`` either address will do."""

    def __init__(self, poller: Poller, target: str, answered: Answered) -> None:
        self._poller = poller
        self._answered = answered
        self._socket: socket.socket | None = None
        host, port = split_host(target)
        self._port = int(port)
        self._left = list(addresses(host))
        self._words = "connection refused"
        self._next()

    def drop(self) -> None:
        """Stop, and tell nobody."""
        if self._socket is not None:
            self._poller.remove(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _next(self) -> None:
        """Try the next address, or say what the last one said."""
        while self._left:
            address = self._left.pop(0)
            number = self._connect(address)
            if number in (0, errno.EINPROGRESS):
                return
            self._note(number)
        self._end(self._words)

    def _connect(self, address: str) -> int:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._socket = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            return error.errno or errno.EIO
        self._socket.setblocking(False)
        number = self._socket.connect_ex((address, self._port))
        if number in (0, errno.EINPROGRESS):
            self._poller.add(self._socket.fileno(), self._settled, WRITE)
        else:
            self._socket.close()
            self._socket = None
        return number

    def _note(self, number: int) -> None:
        """What localhost's second address says is no news: most machines have but one of them."""
        if number not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ECONNREFUSED):
            self._words = os.strerror(number).lower()

    def _settled(self) -> None:
        if self._socket is None:
            return
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == 0 and not _is_own(self._socket):
            self._connected(self._socket)
            return
        self._note(number)
        self.drop()
        self._next()

    def _connected(self, _connection: socket.socket) -> None:
        self._end("")

    def _end(self, words: str) -> None:
        self.drop()
        self._answered(words)


class Request(Connection):
    """A GET request; an answer from 200 to 399 is good."""

    def __init__(self, poller: Poller, url: str, answered: Answered) -> None:
        host, port, self._path = split_url(url)
        self._host = f"{host}:{port}"
        self._answer = b""
        super().__init__(poller, self._host, answered)

    def _connected(self, connection: socket.socket) -> None:
        headers = f"Host: {self._host}\r\nUser-Agent: procman\r\nAccept: */*\r\nConnection: close\r\n"
        try:
            connection.send(f"GET {self._path} HTTP/1.1\r\n{headers}\r\n".encode())  # a fresh socket takes it whole
        except OSError as error:
            self._end(os.strerror(error.errno or 0).lower())
            return
        self._poller.remove(connection.fileno())
        self._poller.add(connection.fileno(), self._read, READ)

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            chunk = self._socket.recv(LONGEST_STATUS)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(os.strerror(error.errno or 0).lower())
            return
        self._answer += chunk
        if b"\n" in self._answer or not chunk or len(self._answer) > LONGEST_STATUS:
            self._end(_judged(self._answer))


class Run:
    """A command; 0 is good."""

    def __init__(self, side_commands: SideCommands, plan: InstancePlan, command: str, answered: Answered) -> None:
        def finished(status: ExitStatus, words: str) -> None:
            answered("" if status.ok else words or f"the check {status.words()}")

        self._side_command = side_commands.run(plan, command, finished)

    def drop(self) -> None:
        """Kill it, and tell nobody."""
        if self._side_command is not None:
            self._side_command.drop()


class LogLines(Sink):
    """What lines are waited for, by instance; it leaves the hub when there are none, so that output costs nothing."""

    __slots__ = ("_expected",)

    wants_colors = False  # they would hide the line

    def __init__(self) -> None:
        self._expected: dict[str, tuple[re.Pattern[bytes], SearchTimeLimit, Callable[[str], None]]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no line is waited for."""
        return not self._expected

    def expect(self, name: str, pattern: str, answer: Callable[[str], None]) -> None:
        """Call ``answer`` once, when a line of the instance matches the regular expression; or, with words, when it is
        not looked for any more, because it takes too long."""
        self._expected[name] = (re.compile(pattern.encode(), re.MULTILINE), SearchTimeLimit(), answer)

    def forget(self, name: str) -> None:
        """Do not wait for the instance's line any more."""
        self._expected.pop(name, None)

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Look for the line; colors do not hide it."""
        expected = self._expected.get(name)
        if expected is None:
            return
        pattern, limit, answer = expected
        words = ""
        try:
            if not limit.search(lambda: pattern.search(lines), len(lines)):
                return
        except TimeoutError:
            words = f"{pattern.pattern.decode()!r} takes too long to find"
        del self._expected[name]
        answer(words)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """A prompt counts, too."""
        self.publish(name, stream, tail)
        return False


def _is_own(connection: socket.socket) -> bool:
    """Whether it is connected to itself: TCP allows that where the port asked is one of those given out at random."""
    return bool(connection.getsockname() == connection.getpeername())


def _judged(answer: bytes) -> str:
    words = answer.split(b"\r\n", 1)[0].split(b" ", 2)
    code = whole_number(words[1].decode("ascii", "replace")) if len(words) > 1 else None
    if code is None or not words[0].startswith(b"HTTP/"):
        return "the answer is no HTTP" if answer else "it hung up without an answer"
    reason = words[2].decode("ascii", "replace").strip() if len(words) > 2 else ""
    return "" if code in GOOD else printable(f"HTTP {code} {reason}".strip())
