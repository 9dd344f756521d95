"""Installs units on the hosts, and changes which of them start with a host."""

from __future__ import annotations

from procman.engines.calls import Report
from procman.engines.hosts import host_scripts
from procman.engines.hosts.deployed_record import unit
from procman.engines.hosts.ssh import failure
from procman.engines.records import type_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.engines.calls import Steps
    from procman.engines.hosts.deployed_record import Record
    from procman.engines.hosts.machines import Machines


def install(machines: Machines, record: Record, before: Record | None, hosts: Iterable[str]) -> Steps[None]:
    """Stop what is not in ``record``, install its units on ``hosts``, and make it the one that is deployed.

    Hosts of ``before`` that have nothing any more are emptied.
    """
    chosen = list(hosts)
    strays = {name: host for name, host in machines.strays(record).items() if host in chosen}
    yield from machines.stop(strays, before.instances if before is not None else {})
    if before is not None:
        gone = {name: host for name, host in before.instances.items() if record.instances.get(name) != host}
        left = {name: host for name, host in before.instances.items() if name not in gone}
        stops = {name: host for name, host in gone.items() if host in chosen and name not in strays}
        yield from machines.stop(stops, left)
        yield from _leave(machines, before, [host for host in machines.reached(before.hosts) if host not in chosen])
    words = {host: (record.release, *_links(record, host)) for host in chosen}
    machines.record = record
    yield from machines.each("the installation", chosen, host_scripts.INSTALL, words, record.json())


def _leave(machines: Machines, before: Record, hosts: list[str]) -> Steps[None]:
    """Remove everything from hosts that are no longer used. They may be gone already."""
    units = {host: [unit(machines.app, name) for name in before.on(host)] for host in hosts}
    outcomes = yield from machines.attempt(hosts, host_scripts.REMOVE, units, timeout=None)
    for host, outcome in outcomes.items():
        if not outcome.ok:
            yield Report(f"warning: {failure(host, outcome, 'the removal').message}; what is deployed there stays")


def _links(record: Record, host: str) -> list[str]:
    return [record.trigger(name).removeprefix(f"{record.app}-") for name in record.links(host)]


def link(machines: Machines, record: Record) -> Steps[None]:
    """Let the instances of ``record`` start with their hosts, and make it the one that is deployed."""
    words = {host: _links(record, host) for host in record.used_hosts}
    machines.record = record
    yield from machines.each("the change", record.used_hosts, host_scripts.LINK, words, record.json())


def halves(names: Iterable[str]) -> list[list[str]]:
    """Return the first half of the instances of each type, and the rest: half of them always serve."""
    types: dict[str, list[str]] = {}
    for name in names:
        types.setdefault(type_of(name), []).append(name)
    first = [name for found in types.values() for name in found[: (len(found) + 1) // 2]]
    second = [name for found in types.values() for name in found[(len(found) + 1) // 2 :]]
    return [half for half in (first, second) if half]
