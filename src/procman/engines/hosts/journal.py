"""Reads the journals of the hosts: the last lines of all together, or what is written from now on."""

from __future__ import annotations

from procman.engines.calls import Follow, Report
from procman.engines.hosts import host_scripts, journal_lines
from procman.engines.hosts.ssh import failure
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
    outcome = yield from machines.on(host, host_scripts.JOURNAL, *words)
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
    """Show the last lines, and then those of all hosts as they come."""
    past = yield from _read(machines, names, lines, since)
    yield from journal_lines.merged(past.values(), lines)
    record = machines.require_record()
    latest = {machines.node(host): found[-1].time or 0.0 for host, found in past.items() if found}
    words = {
        host: ["--follow", _from(latest.get(machines.node(host))), *_matches(record, names)]
        for host in record.used_hosts
        if host not in machines.lost
    }
    calls = yield from machines.calls(words, host_scripts.JOURNAL, words, timeout=None)
    nodes = {call.argv: machines.node(host) for host, call in calls.items()}

    def take(call: Call, stream: str, line: bytes) -> Iterator[LogLine]:
        found = journal_lines.parse(line, machines.app, nodes[call.argv]) if stream == "stdout" else None
        if found is not None and (found.time or 0.0) > latest.get(found.node, 0.0):
            yield found

    yield Follow(tuple(calls.values()), take)
    raise EngineError("the hosts no longer send their journals", "is the network up?")


def _from(latest: float | None) -> str:
    """Return the option to begin with what follows the last line that is known."""
    return "--lines=0" if latest is None else f"--since=@{latest:.6f}"


def _matches(record: Record, names: Sequence[str]) -> Iterable[str]:
    """Return the options of all calls, and the matches, which are alternatives: an identifier for each instance."""
    found = dict.fromkeys(journal_lines.OPTIONS)
    for type_ in (*record.room, "release"):
        count = max(record.counts.get(type_, 0), record.room.get(type_, 0)) + _SPARE if type_ != "release" else 1
        for number in range(1, count + 1):
            name = f"{type_}.{number}"
            if not names or type_ in names or name in names:
                found[f"SYSLOG_IDENTIFIER={record.app}-{name}"] = None
    return found
