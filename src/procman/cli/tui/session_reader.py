"""Reads a session for the screen: states, measurements and pages of output, in a thread of its own.

There is one connection with one request on it, and the next one is not sent before the screen has taken the answer. So
a screen that is slow or suspended costs the session nothing.
"""

from __future__ import annotations

import threading
import time

from procman.cli.control.connection import NoSessionError, RefusedError, SilentError
from procman.cli.control.log_query import Query
from procman.cli.control.log_source import live_output
from procman.cli.control.usage import measure, note_ports
from procman.cli.tui.log_lines import LogLine
from procman.core.procfile.formation import url_of
from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from procman.cli.control.connection import Connection, Record
    from procman.cli.control.usage import Usage


PAGE = 500  # lines
STATUS_INTERVAL = 1.0  # seconds
BUSY_INTERVAL = 0.1  # seconds between two pages that have lines
IDLE_INTERVAL = 0.4  # seconds, if there are none
RETRY_INTERVAL = 1.0  # seconds until the next look for a session
SHARE = 20  # the session has 19 times as long for other work as it takes to answer
OWN_SHARE = 5  # the same for measuring, which only takes our own time
MAX_PORTS = 4  # instances per answer of which it is found out whether they listen
PORT_INTERVAL = 10.0  # seconds until such an instance is looked at again
STRANGER = "the program at the socket is not a session that this procman understands"


class Status:
    """An answer to `ps`, with what its processes use. ``about`` describes the session."""

    def __init__(self, about: Record, rows: list[Record]) -> None:
        self.about = about
        self.rows = rows

    @property
    def session(self) -> str:
        """The id of the session."""
        return str(self.about.get("session"))


class Page:
    """Lines of output: the latest ones, or with ``older`` those before the position that was given.

    ``wanted`` is the list of names that they belong to, that which ``show`` returned. ``missing``: more has been
    published since the last page than fits into this one.
    """

    def __init__(self, wanted: Sequence[str], lines: list[LogLine], *, older: bool, missing: bool) -> None:
        self.wanted = wanted
        self.lines = lines
        self.older = older
        self.missing = missing


class Gone:
    """There is no session to read from, for this reason. ``ended``: its processes have ended with it."""

    def __init__(self, reason: str, *, ended: bool = False) -> None:
        self.reason = reason
        self.ended = ended


class SessionReader:
    """Reads from the session that ``find`` connects to, and gives each update to ``deliver``, which waits."""

    def __init__(self, find: Callable[[], Connection], deliver: Callable[[Status | Page | Gone], None]) -> None:
        self._find = find
        self._deliver = deliver
        self._changed = threading.Condition()
        self._closed = False
        self._names: list[str] = []
        self._following = True
        self._before: int | None = None  # older lines than this position are wanted
        self._position: int | None = None  # of the next page; None for the latest lines
        self._session = ""
        self._usages: Mapping[int, Usage] = {}
        self._ports: dict[object, float] = {}  # pid: when to look again whether it listens
        self._status_due = self._page_due = 0.0
        self._thread = threading.Thread(target=self._run, name="session-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, but not for an answer that does not come."""
        self._thread.join(timeout)

    def show(self, names: Sequence[str]) -> Sequence[str]:
        """Read the output of these instances from now on, the latest page first; without names, of all.

        Returns the list that marks their pages.
        """
        with self._changed:
            self._names, self._position, self._before = list(names), None, None
            self._page_due = 0.0
            self._following = True
            self._changed.notify()
            return self._names

    def follow(self, following: bool) -> None:
        """Read new output, or leave it to the session until later."""
        with self._changed:
            if following and not self._following:
                self._page_due = 0.0
            self._following = following
            self._changed.notify()

    def read_older(self, before: int) -> None:
        """Read a page that ends before this position."""
        with self._changed:
            self._before = before
            self._changed.notify()

    def refresh(self) -> None:
        """Read the states now, since something has changed them."""
        with self._changed:
            self._status_due = 0.0
            self._changed.notify()

    # The thread -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closed:
            try:
                self._watch()
            except ProcmanError as error:
                reason = f"{error.message}; {error.hint}" if error.hint else error.message
                ended = isinstance(error, NoSessionError) and not isinstance(error, SilentError)
                self._deliver(Gone(reason, ended=ended))
            except OSError as error:
                self._deliver(Gone(f"the session cannot be read: {error}"))
            except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
                self._deliver(Gone(STRANGER))
            with self._changed:
                self._changed.wait_for(lambda: self._closed, RETRY_INTERVAL)

    def _watch(self) -> None:
        connection = self._find()
        self._status_due = self._page_due = 0.0
        try:
            while (step := self._next_step()) is not None:
                step(connection)
        finally:
            connection.close()

    def _next_step(self) -> Callable[[Connection], None] | None:
        """Wait until something is to be read; return how, or None at the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                if now >= self._status_due:
                    return self._read_status
                if self._before is not None:
                    return self._read_older
                page_due = self._page_due if self._following else float("inf")
                if now >= page_due:
                    return self._read_page
                self._changed.wait(min(self._status_due, page_due) - now)
        return None

    def _read_status(self, connection: Connection) -> None:
        self._status_due = float("inf")  # until a request of the screen makes it due again
        began = time.monotonic()
        answer = connection.request({"verb": "ps"})
        answered = time.monotonic()
        rows = answer["instances"]
        assert isinstance(rows, list)
        self._begin_session(str(answer["session"]))
        usages = measure({row["pid"]: row["uptime"] for row in rows if row["pid"] is not None}, self._usages)
        for row in rows:
            usage = usages.get(row["pid"])
            row["cpu_percent"] = round(usage.percent, 1) if usage else None
            row["memory_bytes"] = usage.memory if usage else None
        self._usages = usages
        self._note_ports(rows)
        now = time.monotonic()
        due = now + max(STATUS_INTERVAL, SHARE * (answered - began), OWN_SHARE * (now - began))
        with self._changed:
            self._status_due = min(self._status_due, due)
        self._deliver(Status({key: value for key, value in answer.items() if key != "instances"}, rows))

    def _begin_session(self, session: str) -> None:
        with self._changed:
            if session != self._session:
                self._session, self._position, self._before = session, None, None

    def _note_ports(self, rows: list[Record]) -> None:
        """Note which instances listen, a few at a time: each takes a look at all sockets of the machine."""
        now = time.monotonic()
        known: dict[object, float] = {}
        looked = 0
        for row in rows:
            pid = row["pid"]
            due = self._ports.get(pid, 0.0)
            if pid is not None and not row.get("has_port"):
                if due == float("inf"):
                    row["has_port"], row["url"] = True, url_of(row["port"])
                elif now >= due and looked < MAX_PORTS:
                    looked += 1
                    note_ports([row])
                    due = float("inf") if row.get("has_port") else now + PORT_INTERVAL
                known[pid] = due
        self._ports = known

    def _read_page(self, connection: Connection) -> None:
        with self._changed:
            names, position = self._names, self._position
        query = Query(list(names))
        query.lines, query.after = PAGE + 1, position  # one more line shows that there are more
        began = time.monotonic()
        lines, skipped = self._lines(connection, query)
        now = time.monotonic()
        with self._changed:
            if names is not self._names:
                return  # the screen shows something else by now
            self._position = lines[-1].end if lines else position or 0
            self._page_due = now + max(BUSY_INTERVAL if lines else IDLE_INTERVAL, SHARE * (now - began))
        if lines or position is None:
            missing = position is not None and (skipped or len(lines) > PAGE)
            self._deliver(Page(names, lines[-PAGE:], older=False, missing=missing))

    def _read_older(self, connection: Connection) -> None:
        with self._changed:
            names, before = self._names, self._before
            self._before = None
        query = Query(list(names))
        query.lines, query.before = PAGE, before
        try:
            lines, _ = self._lines(connection, query)
        except RefusedError:  # an older session does not know the field
            lines = []
        if names is self._names:
            self._deliver(Page(names, lines[-PAGE:], older=True, missing=False))

    def _lines(self, connection: Connection, query: Query) -> tuple[list[LogLine], bool]:
        """Return the lines of a query, and whether the session has dropped any of them."""
        found: list[LogLine] = []
        skipped = False
        for record, lines in live_output(connection, query):
            if "skipped" in record:
                skipped = True
                continue
            at, moment = record["at"], record["time"]
            assert isinstance(at, int)
            assert isinstance(moment, (int, float))
            for raw in lines[:-1].split(b"\n"):
                found.append(LogLine(at, str(record["log"]), moment, raw))
                at += len(raw) + 1
        return found, skipped
