"""``procman up``, or ``start --detach``: ensure that a session runs in the background, and wait until it is ready.

If there is none, this command runs ``start`` again in a session of its own, and is then a client like any other. So a
session that nothing watches is not a special kind of session.
"""

from __future__ import annotations

import os
import sys
import time

from procman.cli.colors import painted, palette_for, state_color, with_word, write
from procman.cli.columns import aligned
from procman.cli.commands.detached import NEEDS_SOCKET
from procman.cli.commands.detached_start import LISTENING, RUNNING, DetachedStart
from procman.cli.commands.socket_claim import report_unused
from procman.cli.control.connection import (
    Connection,
    NoSessionError,
    RefusedError,
    own_options,
    print_json,
    require_success,
)
from procman.cli.control.usage import note_ports
from procman.cli.options.option import Invocation
from procman.cli.options.precedence import settle
from procman.cli.options.table import OPTIONS
from procman.core.procfile.formation import flatten
from procman.core.text.values import format_duration
from procman.errors import EXIT_OK, ProcmanError, UsageError
from procman.runtime.control.endpoint import EndpointError, find, socket_paths
from procman.runtime.control.tasks import EXIT_TIMED_OUT
from procman.runtime.system.descriptors import close_inherited_on_exec, open_standard_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from procman.cli.control.connection import Record
    from procman.core.model.settings import Settings
else:
    import _signal as signal  # without the enums: see signals.py

READY_TIMEOUT = 60.0  # seconds
OWN = ("ready_timeout", "as_json", "detach")  # settings of this command, which `start` does not have
TITLES = ("NAME", "STATE", "PORT", "URL")
IN_JSON = ("session", "pid", "procfile", "root", "since", "ready")
_GOOD = ("running", "exited")  # states


def perform(invocation: Invocation) -> int:
    """Perform ``procman up``."""
    open_standard_descriptors()
    close_inherited_on_exec()
    own = own_options(invocation)
    given = {option: texts for option, texts in invocation.given.items() if option.setting not in OWN}
    inner = Invocation("start", given, invocation.words)
    settings = settle(inner)
    _require_possible(settings)
    _require_counts(settings)
    timeout = own.get("ready_timeout", READY_TIMEOUT)
    assert isinstance(timeout, (int, float))
    return Up(settings, inner, timeout, bool(own.get("as_json"))).run()


def begin(invocation: Invocation) -> None:
    """Ensure that a session is up, as ``start`` with these options would run it, but do not wait until it is ready."""
    no_wait = next(option for option in OPTIONS if option.setting == "wait")
    inner = Invocation("start", {**invocation.given, no_wait: [""]}, ())
    settings = settle(inner)
    _require_possible(settings)
    require_success(Up(settings, inner, READY_TIMEOUT, False).ensure())


def _require_possible(settings: Settings) -> None:
    if not settings.control:
        raise UsageError("a session in the background needs its control socket", "leave out --no-control")
    if os.getpid() == 1:
        raise UsageError(
            "as PID 1, this command would end the session with it",
            "procman start stays in the foreground, as a container needs",
        )


def _require_counts(settings: Settings) -> None:
    """Raise UsageError for ``web=0``: this command never stops anything, and a session may have web.1."""
    for word in flatten(settings.names):
        name, _, count = word.partition("=")
        if count.strip() == "0":
            hint = f"procman stop {name} stops it in a running session, -x {name} leaves it out of a new one"
            raise UsageError(f'up starts processes, so "{word}" has no effect', hint)


class Up:
    """One call of ``up``. ``inner`` is the command line of the ``start`` that it may run."""

    def __init__(self, settings: Settings, inner: Invocation, timeout: float, as_json: bool) -> None:
        self._settings = settings
        self._inner = inner
        self._until = time.monotonic() + timeout
        self._timeout = timeout
        self._as_json = as_json
        self._paths = socket_paths(settings.procfile, settings.root, settings.socket, os.environ)
        self._begun: DetachedStart | None = None  # the session that this call has started

    def run(self) -> int:
        """Ensure that the session is up; print its table. Returns the exit code."""
        try:
            return self._print(self.ensure())
        except KeyboardInterrupt:
            if self._begun is not None:
                sys.stderr.write("procman: interrupted: stopping the session that this command has started\n")
                self._begun.stop()
            raise

    def ensure(self) -> Record:
        """Ensure that the session is up; return the last record of its answer."""
        connection = None if self._settings.replace else self._find()
        while connection is None:
            connection = self._begin()
        if self._begun is None:
            report_unused(self._settings)
        names = [] if self._begun is not None else flatten(self._settings.names)
        left = max(0.0, self._until - time.monotonic())
        request = {"verb": "ensure", "names": names, "wait": self._settings.wait, "fresh": self._begun is not None}
        return self._last_record(connection, {**request, "timeout": round(left, 3)})

    def _find(self) -> Connection | None:
        """Connect to the session, or return None. Wait for one that is stopping, since another one may then start."""
        while True:
            try:
                found = find(self._paths, self._settings.socket is not None)
            except EndpointError as error:
                raise UsageError(error.message, NEEDS_SOCKET) from None
            if found is None:
                return None
            connection = Connection(found)
            try:
                about = connection.request({"verb": "hello"})
                if not about.get("stopping"):
                    return connection
                sys.stderr.write(f"procman: waiting for the end of the session with pid {about['pid']}\n")
                connection.request({"verb": "stop"}, unlimited=True)
            except NoSessionError:
                pass  # it has ended
            connection.close()

    def _begin(self) -> Connection | None:
        """Start a session and connect to it. Return None if another one is there, or was a moment ago."""
        self._begun = begun = DetachedStart(self._inner, self._settings)
        how = begun.wait(self._until)
        if how == LISTENING:
            found = find(self._paths, self._settings.socket is not None)
            if found is None:
                raise begun.end()
            return Connection(found)
        self._begun = None
        if how == RUNNING:
            begun.join()
            return self._find()
        raise begun.failure(how, self._timeout)

    def _last_record(self, connection: Connection, request: Record) -> Record:
        """Show the messages of the session on stderr until its answer is complete."""
        try:
            connection.send(request)
            connection.wait_without_limit()
            for answer, _ in connection.answers():
                if answer.get("done"):
                    return answer
                if "say" in answer:
                    sys.stderr.write(f"procman: {answer['say']}\n")
                    sys.stderr.flush()
        except NoSessionError:
            pass
        raise NoSessionError("the session has ended") if self._begun is None else self._begun.end()

    # The answer -----------------------------------------------------------------------------------------------------

    def _print(self, answer: Record) -> int:
        code = answer.get("code", EXIT_OK)
        assert isinstance(code, int)
        rows = answer.get("instances")
        rows = rows if isinstance(rows, list) else []
        note_ports(rows)
        if "error" not in answer:
            self._print_session(answer, rows)
            return code
        error = RefusedError(self._message(answer, code), str(answer.get("hint", "")), code)
        if not rows:  # an unknown name: nothing was waited for
            if self._begun is not None:  # it has no descriptor for an answer, so no command could end it later
                self._begun.stop(signal.SIGTERM)
            raise error
        self._explain(answer, code)
        self._print_hints(rows)
        self._print_session({**answer, "error": error.message}, rows)
        if not self._as_json:
            raise error
        return code

    def _message(self, answer: Record, code: int) -> str:
        """Return the error with the time that this command has waited, part of which the session does not know."""
        message = str(answer["error"])
        if code != EXIT_TIMED_OUT:
            return message
        return f"not ready after {self._timeout:g} s: {message.partition(': ')[2]}"

    def _explain(self, answer: Record, code: int) -> None:
        """Show why it is not up: the lines about what failed, or what the rest waits for."""
        cards = answer.get("cards")
        for card in cards if isinstance(cards, list) else []:
            sys.stderr.write("".join(f"{_plain(line)}\n" for line in card))
        if code != EXIT_TIMED_OUT:
            return
        try:
            connection = self._find()
            rows = connection.request({"verb": "why"})["instances"] if connection is not None else []
        except ProcmanError:
            return
        assert isinstance(rows, list)
        for row in rows:
            if row["state"] not in _GOOD:
                sys.stderr.write(f"{row['name']}: {row['why']}\n")

    def _print_hints(self, rows: list[Record]) -> None:
        """Print what to do about commands that could not be run, as the session does in its own output."""
        from procman.cli.commands.launch_hints import launch_hints

        hints = launch_hints((row for row in rows if row["state"] == "failed"), self._settings)
        for hint in dict.fromkeys(hints.values()):
            sys.stderr.write(f"hint: {hint}\n")

    def _print_session(self, answer: Record, rows: list[Record]) -> None:
        if self._as_json:
            shown = [{key: row.get(key) for key in ("name", "port", "url", "state")} for row in rows]
            error = {key: answer[key] for key in ("error", "hint", "code") if "error" in answer}
            session = {key: answer.get(key) for key in IN_JSON}
            print_json({"ok": not error, **session, "begun": self._begun is not None, "instances": shown, **error})
            return
        if not answer.get("over"):
            sys.stderr.write(f"procman: {self._whereabouts(answer)}\n")
            sys.stderr.flush()
        _print_table(rows, self._settings)

    def _whereabouts(self, answer: Record) -> str:
        pid, since = answer.get("pid"), answer.get("since")
        if self._begun is not None:
            return f"running in the background (pid {pid}); procman logs shows its output, procman down ends it"
        age = format_duration(max(0.0, time.time() - since)) if isinstance(since, (int, float)) else "some time"
        return f"already running for {age} (pid {pid})"


def _plain(line: object) -> str:
    from procman.output.sanitize.escapes import without_color

    return without_color(str(line).encode("utf-8", "surrogateescape") + b"\n")[:-1].decode("utf-8", "replace")


def _print_table(rows: list[Record], settings: Settings) -> None:
    palette = palette_for(sys.stdout, settings.color)
    cells = ((str(row["name"]), str(row["state"]), _port(row), str(row.get("url") or "-")) for row in rows)
    title, *lines = aligned([TITLES, *cells])
    shown = []
    for line, row in zip(lines, rows, strict=True):
        state = str(row["state"])
        color = palette.good if state in _GOOD else state_color(state, palette)
        shown.append(with_word(line, state, color, palette))
    write(sys.stdout, "".join(f"{line}\n" for line in (painted(title, palette.bold, palette), *shown)))


def _port(row: Record) -> str:
    return str(row["port"]) if row.get("has_port") and row.get("port") is not None else "-"
