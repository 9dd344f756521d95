"""Reads the journals of the hosts: the last lines of all together, or what is written from now on."""

from __future__ import annotations

from procman.core.procfile.selection import matches
from procman.engines.calls import Follow, Outcome, Report, Stop
from procman.engines.common_messages import removed
from procman.engines.hosts import host_scripts, journal_lines
from procman.engines.hosts.ssh import FAILED as LOST
from procman.engines.hosts.ssh import failure
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from procman.engines.calls import Call, Steps
    from procman.engines.hosts.deployed_record import Record
    from procman.engines.hosts.machines import Machines
    from procman.engines.records import LogLine

_NO_MATCH = 1  # exit code: there is no such line
_SPARE = 32  # numbers beyond those that exist: scaling does not end what is followed


def last_lines(machines: Machines, host: str, identifier: str, count: int, since: float) -> Steps[Sequence[str]]:
    """Return the last lines under an identifier of the journal since a time of the host's clock, 0 for all.

    A negative time is that many seconds ago.
    """
    words = ["--no-pager", "--quiet", "--output=cat", f"--lines={count}", f"SYSLOG_IDENTIFIER={identifier}"]
    words += [f"--since={'@' if since > 0 else ''}{since:.0f}{'' if since > 0 else 's'}"] if since else []
    outcome = yield from machines.on(host, host_scripts.LAST_LINES, *words)
    return outcome.text.splitlines() if outcome.ok else ()


def read(machines: Machines, names: Sequence[str], lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
    """Return the last lines of the types and instances in ``names``, or of all."""
    found = yield from _read(machines, names, lines, since)
    return journal_lines.merged(found.values(), lines)


def _read(
    machines: Machines, names: Sequence[str], lines: int, since: float | None
) -> Steps[dict[str, Sequence[LogLine]]]:
    """Return the last lines of each host."""
    record = machines.require_record()
    past = [f"--lines={lines}", *([f"--since=-{since:.3f}s"] if since is not None else [])]
    words = {host: [*past, *_matches(record, names)] for host in record.used_hosts if host not in machines.lost}
    outcomes = yield from machines.attempt(words, host_scripts.JOURNAL, words)
    for host, outcome in outcomes.items():
        if not outcome.ok and outcome.code != _NO_MATCH:
            yield Report(f"warning: {failure(host, outcome, 'the journal').message}")
    return {
        host: journal_lines.parse_all(outcome.out, machines.app, machines.node(host))
        for host, outcome in outcomes.items()
    }


def follow(machines: Machines, names: Sequence[str], lines: int, since: float | None) -> Steps[None]:
    """Show the last lines, and then those of all hosts as they come, until the application is removed from them."""
    past = yield from _read(machines, names, lines, since)
    yield from journal_lines.merged(past.values(), lines)
    record = machines.require_record()
    latest = {machines.node(host): found[-1].time or 0.0 for host, found in past.items() if found}
    words = {
        host: ["--follow", _from(latest.get(machines.node(host))), *_matches(record, names), *_stops(record)]
        for host in record.used_hosts
        if host not in machines.lost
    }
    calls = yield from machines.calls(words, host_scripts.JOURNAL, words, timeout=None)
    questions = yield from machines.calls(words, host_scripts.GONE)
    reader = _Reader(machines, calls, questions, latest)
    yield Follow(tuple(calls.values()), reader.read, reader.ended)
    if reader.following:
        raise EngineError("no host sends its journal any more", "is the network up?")
    yield removed(machines.target)


class _Reader:
    """Reads what the hosts send. ``following`` are those that have it deployed, as far as that is known."""

    def __init__(
        self, machines: Machines, calls: Mapping[str, Call], questions: Mapping[str, Call], latest: Mapping[str, float]
    ) -> None:
        self._machines = machines
        self._calls = calls
        self._questions = questions  # whether it is gone, by host
        self._latest = latest  # the time of the last line that has been shown, by node
        self._hosts = {call.argv: host for found in (calls, questions) for host, call in found.items()}
        self._complaints: dict[str, bytes] = {}
        self.following = set(calls)

    def read(self, call: Call, stream: str, line: bytes) -> Iterator[LogLine | Call | Stop]:
        """Return what a line means: a line of output, or the end of what was deployed."""
        host = self._hosts[call.argv]
        if stream == "stderr":
            self._complaints[host] = line
        elif call == self._questions[host]:
            if line == host_scripts.IS_GONE:
                self.following.discard(host)
                yield Stop(self._calls[host])
        elif journal_lines.is_stop(line):
            yield self._questions[host]
        else:
            node = self._machines.node(host)
            found = journal_lines.parse(line, self._machines.app, node)
            if found is not None and (found.time or 0.0) > self._latest.get(node, 0.0):
                yield found

    def ended(self, call: Call) -> Iterator[Report]:
        """Say which host is lost."""
        host = self._hosts[call.argv]
        if call == self._calls[host] and host in self.following:
            lost = failure(host, Outcome(LOST, b"", self._complaints.get(host, b"")), "the journal")
            yield Report(f"warning: {lost.message}; its output is no longer followed")


def _from(latest: float | None) -> str:
    """Return the option to begin with what follows the last line that is known."""
    return "--lines=0" if latest is None else f"--since=@{latest:.6f}"


def _stops(record: Record) -> Iterable[str]:
    """Return matches, as an alternative to those before: the end of the application's target, which `down` stops."""
    for field in journal_lines.UNITS:
        yield from ("+", f"{field}={record.app}.target", f"MESSAGE_ID={journal_lines.STOPPED}")


def _matches(record: Record, names: Sequence[str]) -> Iterable[str]:
    """Return the options of all calls, and the matches, which are alternatives: an identifier for each instance."""
    found = dict.fromkeys(journal_lines.OPTIONS)
    for type_ in (*record.room, "release"):
        count = max(record.counts.get(type_, 0), record.room.get(type_, 0)) + _SPARE if type_ != "release" else 1
        for number in range(1, count + 1):
            name = f"{type_}.{number}"
            if not names or any(matches(one, name) for one in names):
                found[f"SYSLOG_IDENTIFIER={record.app}-{name}"] = None
    return found
