"""One attempt at a check, without waiting: connect, request a page, run a command, watch for a line, or let time pass.

A new kind of check is a class here, and its line in ATTEMPTS.
"""

from __future__ import annotations

import errno
import os
import re
import socket

from procman.core.model.checks import DELAY, EXEC, HTTP, LOG, NOTIFY, TCP, addresses, split_host, split_url
from procman.core.model.plan import speaks_of_port
from procman.core.procfile.formation import whole_number
from procman.core.text.printable import printable
from procman.output.sink import Sink
from procman.runtime.health.owners import Owners
from procman.runtime.system.poller import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from procman.core.model.checks import Check
    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus
    from procman.output.hub import Hub
    from procman.output.sinks.transforms import SearchTimeLimit
    from procman.runtime.health.notifications import Notifications
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.side_commands import SideCommands
    from procman.runtime.system.poller import Poller

    OnAnswer = Callable[[str], None]

MAX_STATUS_LINE = 4096  # bytes within which the first line of an HTTP response must end
GOOD_STATUS = range(200, 400)


class Tools:
    """What attempts work with: the loop's poller, the side commands, and a sink that watches the output."""

    def __init__(self, poller: Poller, children: Children, hub: Hub) -> None:
        self.poller = poller
        self.owners = Owners(children)
        self._children = children
        self._hub = hub
        self._log_lines: LogLines | None = None
        self._notifications: Notifications | None = None

    @property
    def notifications(self) -> Notifications:
        """What instances tell us by sd_notify(3)."""
        if self._notifications is None:
            from procman.runtime.health.notifications import Notifications

            self._notifications = Notifications(self.poller, self._children)
        return self._notifications

    @property
    def side_commands(self) -> SideCommands:
        """The side commands of the session."""
        return self._children.side_commands

    @property
    def log_lines(self) -> LogLines:
        """The sink that watches for lines; it joins the hub at its first use."""
        if self._log_lines is None:
            self._log_lines = LogLines()
            self._hub.add(self._log_lines)
        return self._log_lines

    def release_idle(self) -> None:
        """Take the sink out of the hub if no line is awaited, so that output costs nothing."""
        if self._log_lines is not None and self._log_lines.is_idle:
            self._hub.remove(self._log_lines)
            self._log_lines = None


class Attempt:
    """One attempt at a check, under way.

    A subclass takes the tools, the plan of the instance, the check, and `on_answer(trouble)`. It calls
    that once, with an empty string if all is well, unless it was dropped before.
    """

    first_pause = 0.05  # seconds before the second attempt; doubles up to the interval of the check
    is_lasting = False  # whether it begins with the life, and has no limit and no second attempt

    @staticmethod
    def delay(_target: str) -> float:
        """Return the seconds from the start of the check to the first attempt."""
        return 0.0

    def drop(self) -> None:
        """Stop, without an answer."""


class TcpAttempt(Attempt):
    """A connection to HOST:PORT; for ``localhost``, either address will do."""

    def __init__(self, tools: Tools, plan: InstancePlan, check: Check, on_answer: OnAnswer) -> None:
        self._poller = tools.poller
        self._owners = None if check.anyone else tools.owners
        self._plan = plan
        self._on_answer = on_answer
        self._socket: socket.socket | None = None
        host, port = split_host(self.place(check.target))
        self._port = int(port)
        self._left = list(addresses(host))
        self._trouble = "connection refused"
        self._try_next()

    def place(self, target: str) -> str:
        """Return the HOST:PORT to connect to."""
        return target

    def drop(self) -> None:
        """Close the connection without an answer."""
        if self._socket is not None:
            self._poller.remove(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _try_next(self) -> None:
        """Try the next address; if there is none, answer with the trouble of the last one."""
        while self._left:
            address = self._left.pop(0)
            number = self._connect(address)
            if number in (0, errno.EINPROGRESS):
                return
            self._note(number)
        self._end(self._trouble)

    def _connect(self, address: str) -> int:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._socket = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            return error.errno or errno.EIO
        self._socket.setblocking(False)
        number = self._socket.connect_ex((address, self._port))
        if number in (0, errno.EINPROGRESS):
            try:
                self._poller.add(self._socket.fileno(), self._on_writable, WRITE)
            except OSError as error:  # the kernel has no memory, or no more watches
                number = error.errno or errno.EIO
        if number not in (0, errno.EINPROGRESS):
            self._socket.close()
            self._socket = None
        return number

    def _note(self, number: int) -> None:
        """Remember an error, but not of localhost's second address: most machines have only one of them."""
        if number not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ECONNREFUSED, 0):
            self._trouble = os.strerror(number).lower()

    def _on_writable(self) -> None:
        if self._socket is None:
            return
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == 0 and not _is_own(self._socket):
            stranger = self._owners.stranger(self._plan, self._socket) if self._owners else ""
            if not stranger:
                self._on_connected(self._socket)
                return
            self._trouble = _answered_by(stranger, self._port, self._plan)
        self._note(number)
        self.drop()
        self._try_next()

    def _on_connected(self, _connection: socket.socket) -> None:
        self._end("")

    def _end(self, trouble: str) -> None:
        self.drop()
        self._on_answer(trouble)


class HttpAttempt(TcpAttempt):
    """A GET request; a status from 200 to 399 is good, unless the check lists others."""

    def __init__(self, tools: Tools, plan: InstancePlan, check: Check, on_answer: OnAnswer) -> None:
        self._path = ""
        self._check = check
        self._response = b""
        super().__init__(tools, plan, check, on_answer)

    def place(self, target: str) -> str:
        """See TcpAttempt.place."""
        host, port, self._path = split_url(target)
        return f"{host}:{port}"

    def _on_connected(self, connection: socket.socket) -> None:
        usual = {"user-agent": "procman", "accept": "*/*", "connection": "close"}
        own = {name.lower(): value for name, value in self._check.other_headers}
        lines = {"host": self._check.host_header, **usual, **own}
        headers = "".join(f"{name.title()}: {value}\r\n" for name, value in lines.items())
        try:
            connection.send(f"GET {self._path} HTTP/1.1\r\n{headers}\r\n".encode())  # a fresh socket takes it whole
            self._poller.remove(connection.fileno())
            self._poller.add(connection.fileno(), self._on_readable, READ)
        except OSError as error:
            self._end(os.strerror(error.errno or 0).lower())

    def _on_readable(self) -> None:
        if self._socket is None:
            return
        try:
            chunk = self._socket.recv(MAX_STATUS_LINE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(os.strerror(error.errno or 0).lower())
            return
        self._response += chunk
        if b"\n" in self._response or not chunk or len(self._response) > MAX_STATUS_LINE:
            self._end(_http_trouble(self._response, self._check.status or GOOD_STATUS))


class ExecAttempt(Attempt):
    """A command; exit code 0 is good.

    If it mentions the port of the instance, it has probably connected to it, so the same holds as for a connection.
    """

    first_pause = 0.25  # each attempt is a process, so there are fewer

    def __init__(self, tools: Tools, plan: InstancePlan, check: Check, on_answer: OnAnswer) -> None:
        def finished(status: ExitStatus, last_line: str) -> None:
            if not status.ok:
                on_answer(last_line or f"the check {status.words()}")
                return
            connects = not check.anyone and speaks_of_port(check.target, plan.port, plan.type)
            stranger = tools.owners.stranger_at_port(plan) if connects else ""
            on_answer(_answered_by(stranger, plan.port, plan) if stranger else "")

        self._side_command = tools.side_commands.run(plan, check.target, finished)

    def drop(self) -> None:
        """Kill the command, without an answer."""
        if self._side_command is not None:
            self._side_command.drop()


class LogAttempt(Attempt):
    """A line of output that matches a regular expression."""

    is_lasting = True

    def __init__(self, tools: Tools, plan: InstancePlan, check: Check, on_answer: OnAnswer) -> None:
        self._name = plan.name
        self._lines = tools.log_lines
        self._lines.expect(plan.name, check.target, on_answer)

    def drop(self) -> None:
        """Stop watching for the line."""
        self._lines.forget(self._name)


class DelayAttempt(Attempt):
    """Success once a number of seconds has passed."""

    @staticmethod
    def delay(target: str) -> float:
        """See Attempt.delay."""
        return float(target)

    def __init__(self, tools: Tools, plan: InstancePlan, check: Check, on_answer: OnAnswer) -> None:
        on_answer("")


class NotifyAttempt(Attempt):
    """READY=1 from the instance; for its health, WATCHDOG=1 since the last attempt."""

    is_lasting = True

    def __init__(self, tools: Tools, plan: InstancePlan, check: Check, on_answer: OnAnswer) -> None:
        self._name = plan.name
        self._notifications = tools.notifications
        if check is plan.health:
            alive = self._notifications.was_alive(plan.name)
            on_answer("" if alive else f"no WATCHDOG=1 within {check.interval:g} s")
        else:
            self._notifications.await_ready(plan.name, on_answer)

    def drop(self) -> None:
        """Stop waiting for the notification."""
        self._notifications.forget(self._name)


ATTEMPTS: dict[str, type[TcpAttempt | ExecAttempt | LogAttempt | DelayAttempt | NotifyAttempt]] = {
    TCP: TcpAttempt,
    HTTP: HttpAttempt,
    EXEC: ExecAttempt,
    LOG: LogAttempt,
    DELAY: DelayAttempt,
    NOTIFY: NotifyAttempt,
}


class LogLines(Sink):
    """Watches the output for lines by which programs report that they are ready."""

    __slots__ = ("_expected",)

    wants_colors = False  # they would hide the line

    def __init__(self) -> None:
        self._expected: dict[str, tuple[re.Pattern[bytes], SearchTimeLimit, OnAnswer]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no line is awaited."""
        return not self._expected

    def expect(self, name: str, pattern: str, on_answer: OnAnswer) -> None:
        """Call ``on_answer("")`` once a line of the instance matches the pattern.

        If the pattern is too slow, it is given up, and ``on_answer`` is called with a message.
        """
        from procman.output.sinks.transforms import SearchTimeLimit

        self._expected[name] = (re.compile(pattern.encode(), re.MULTILINE), SearchTimeLimit(), on_answer)

    def forget(self, name: str) -> None:
        """Stop waiting for the instance's line."""
        self._expected.pop(name, None)

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Look for the line."""
        expected = self._expected.get(name)
        if expected is None:
            return
        pattern, limit, on_answer = expected
        trouble = ""
        try:
            if not limit.search(lambda: pattern.search(lines), len(lines)):
                return
        except TimeoutError:
            trouble = f"the pattern {pattern.pattern.decode()!r} is too slow"
        del self._expected[name]
        on_answer(trouble)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Look at an unfinished line, too: it may be a prompt."""
        self.publish(name, stream, tail)
        return False


def _answered_by(stranger: str, port: int | None, plan: InstancePlan) -> str:
    return f"port {port} is answered by {stranger}, not by {plan.name}"


def _is_own(connection: socket.socket) -> bool:
    """Return whether a socket is connected to itself, which TCP allows if its random port is the one it asks for."""
    return bool(connection.getsockname() == connection.getpeername())


def _http_trouble(response: bytes, good: Container[int]) -> str:
    """Return what is wrong with an HTTP response, or an empty string if its status is a ``good`` one."""
    words = response.split(b"\r\n", 1)[0].split(b" ", 2)
    code = whole_number(words[1].decode("ascii", "replace")) if len(words) > 1 else None
    if code is None or not words[0].startswith(b"HTTP/"):
        return "the answer is not HTTP" if response else "the server closed the connection without an answer"
    reason = words[2].decode("ascii", "replace").strip() if len(words) > 2 else ""
    return "" if code in good else printable(f"HTTP {code} {reason}".strip())
