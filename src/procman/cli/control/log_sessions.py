"""Which sessions ``logs`` reads: the one that is running, the last one that was recorded, or those since a cursor."""

from __future__ import annotations

from procman.cli.control.connection import NoSessionError, connect, names_in, session_settings
from procman.cli.control.log_query import Query, read_cursor
from procman.cli.control.log_source import live_output, of_previous_life
from procman.cli.control.recorded import Recording, all_records, records_of
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Connection
    from procman.cli.control.log_query import Output, Record
    from procman.cli.control.recorded import Ending
    from procman.cli.options.option import Invocation

LAST = "last"  # the session that ended last
LIST_HINT = "procman sessions lists what is recorded"


class LogSessions:
    """The sessions of one command line. ``connection`` leads to the running one, ``recordings`` come before it."""

    def __init__(self, invocation: Invocation, given: Record) -> None:
        """Choose them. Raises NoSessionError if there is none, UsageError for names and cursors that are unknown."""
        self.names = names_in(invocation)
        self._settings = session_settings(invocation)
        self.connection: Connection | None = None
        self.recordings: list[Recording] = []
        self._current = ""  # the session that is running
        self._position = 0  # in the first of them
        self._is_lost = False  # the session of the cursor is not there any more
        until = str(given.get("until", ""))
        last = read_cursor(until, "--until")[0] if ":" in until else ""
        if "session" in given:
            self._choose(invocation, str(given["session"]), "mask" in given)
        elif last and "after" not in given:
            self._choose(invocation, last, "mask" in given)
        else:
            self._find(invocation, bool(given.get("follow")) and "after" not in given)
        if "after" in given:
            self._begin_after(*read_cursor(str(given["after"]), "--after"))
        if last:
            self._end_with(last)

    def _find(self, invocation: Invocation, follows: bool) -> None:
        """Take the session that is running, else the last one that is recorded."""
        try:
            self._connect(invocation)
        except NoSessionError as error:
            self.recordings = records_of(self._settings)[-1:]
            if not self.recordings:
                raise
            if follows:
                error.hint = "procman logs, without --follow, shows the record of the last one"
                raise

    def _connect(self, invocation: Invocation) -> None:
        self.connection = connect(invocation)
        self._current = str(self.connection.request({"verb": "hello"}).get("session"))

    def _choose(self, invocation: Invocation, session: str, masks: bool) -> None:
        try:
            self._connect(invocation)
        except NoSessionError:
            pass  # most often, that is why a recorded one is wanted
        if session == self._current:
            return
        self.connection = None
        found = [one for one in records_of(self._settings) if session in (LAST, one.session)]
        found = [one for one in found if one.session != self._current]
        if not found:
            found = [Recording(files) for files in all_records() if files.session == session]
            if found and masks:
                message = f"--mask knows the secrets of this Procfile, and session {session} is of another one"
                raise UsageError(message, "choose that with --procfile and --root")
        if not found:
            words = "no ended session of this Procfile" if session == LAST else f'no session "{session}"'
            raise NoSessionError(f"{words} is recorded", LIST_HINT)
        self.recordings = found[-1:]

    def _begin_after(self, session: str, position: int) -> None:
        """Begin after a cursor: in its session, which those that came later follow."""
        self._position = position
        if session == self._current:
            return
        known = records_of(self._settings)
        first = next((at for at, one in enumerate(known) if one.session == session), None)
        self._is_lost = first is None
        if first is None:
            self._position = 0
        else:
            self.recordings = [one for one in known[first:] if one.session != self._current]

    def _end_with(self, session: str) -> None:
        """Leave out the sessions after this one."""
        at = next((at for at, one in enumerate(self.recordings) if one.session == session), None)
        if at is not None:
            self.recordings, self.connection = self.recordings[: at + 1], None
        elif self.connection is None or session != self._current:
            raise UsageError("--until must be a cursor of the session that is shown, or of a later one", LIST_HINT)

    @property
    def rows(self) -> list[Record]:
        """The instances, as far as they are known, with their types and the numbers of those."""
        if self.connection is not None:
            rows = self.connection.request({"verb": "ps"})["instances"]
            assert isinstance(rows, list)
            return rows
        names = [name for one in self.recordings for name in one.names]
        types = list(dict.fromkeys(name.partition(".")[0] for name in names))
        return [{"name": name, "type": kind, "index": types.index(kind)} for name, kind in _typed(names)]

    def output(self, query: Query) -> Output:
        """Yield their output, one after the other; first a record with ``skipped`` if a whole session is missing.

        The named processes need not have been in each of them, but in the last one.
        """
        if self._is_lost:
            yield {"skipped": None, "unit": "bytes", "cursor": None}, b""
        position = self._position if query.after is not None else None
        for recording in self.recordings:
            query.after = position
            try:
                query.names = recording.require_names(self.names)
            except UsageError:
                if self.connection is None and recording is self.recordings[-1]:
                    raise
            else:
                yield from _recorded_output(recording, query)
            position = None if position is None else 0
        if self.connection is not None:
            query.after, query.names = position, self.names
            yield from live_output(self.connection, query, self._recording_of)

    def _recording_of(self, session: str) -> Recording | None:
        return next((one for one in records_of(self._settings) if one.session == session), None)

    def ending(self) -> Record | None:
        """Return how the last one has ended, with a sentence; None if it is the one that is running."""
        if self.connection is not None or not self.recordings:
            return None
        last = self.recordings[-1]
        ending = last.ending()
        record: Record = {"session": last.session, "state": ending.state, "time": ending.utc, "code": ending.code}
        return {**record, "reason": ending.reason or None, "words": _sentence(last.session, ending)}


def _recorded_output(recording: Recording, query: Query) -> Output:
    if query.previous:
        return of_previous_life(recording.output(query), recording.lives(query))
    return recording.output(query) if query.lines is None else recording.tail(query, query.lines)


def _sentence(session: str, ending: Ending) -> str:
    if ending.is_running:
        return f"session {session} is still running, but not reachable here"
    at = ending.local_time
    if ending.code is None:
        return f"session {session} was killed: its record ends on {at} without an end of the session"
    reason = f" ({ending.reason})" if ending.reason else ""
    return f"session {session} ended on {at} with exit status {ending.code}{reason}"


def _typed(names: list[str]) -> list[tuple[str, str]]:
    return [(name, name.partition(".")[0]) for name in dict.fromkeys(names)]


def until_position(output: Output, session: str, position: int) -> Output:
    """Yield the output up to a position of a session."""
    for record, lines in output:
        at = record.get("at")
        if record.get("session") == session and isinstance(at, int) and at + len(lines) > position:
            kept = lines[: max(0, position - at)]
            kept = kept[: kept.rfind(b"\n") + 1]
            if kept:
                yield record, kept
            return
        yield record, lines
