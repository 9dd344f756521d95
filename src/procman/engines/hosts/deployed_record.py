"""The record of what is deployed. Each host has a copy beside the environment files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from procman.engines.hosts.placement import Placement
from procman.engines.records import Deployed, type_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE = "deployed.json"


@dataclass(frozen=True)
class Record:
    """What is deployed: the version, and the name of its folder on the hosts.

    ``room`` says how many instances of each type have files, so that it can be scaled to. ``ports`` are those of the
    first instances, ``folders`` the working directories of types that do not run in the application's own. ``stopped``
    are instances that `stop` has stopped. What is of a type in ``once`` ends, and is done then; systemd knows when
    those in ``checked`` answer, and timers start those in ``timed``. ``needs`` are the types that a type depends on.
    ``serial`` counts the changes. ``types``, ``hosts`` and ``given`` place the instances. ``has_come_up`` is true if a
    failed deployment has restored it. ``before`` is the record of the latest version that had come up before this one,
    as JSON has it, if there is one.
    """

    app: str
    version: str
    release: str
    counts: Mapping[str, int]
    room: Mapping[str, int]
    hosts: tuple[str, ...]
    types: tuple[str, ...]
    given: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    timed: tuple[str, ...] = ()
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    serial: int = 1
    has_come_up: bool = False
    before: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def placement(self) -> Placement:
        """The rule that places the instances."""
        return Placement(self.hosts, self.types, self.given)

    @cached_property
    def instances(self) -> dict[str, str]:
        """The host of each instance, by name."""
        return self.placement.instances(self.counts)

    @cached_property
    def used_hosts(self) -> list[str]:
        """The hosts that have files of the application."""
        used = set(self.placement.instances(self.room).values())
        return [host for host in self.hosts if host in used]

    def on(self, host: str) -> list[str]:
        """Return the names of the instances on a host."""
        return [name for name, other in self.instances.items() if other == host]

    def links(self, host: str) -> list[str]:
        """Return the names of the instances that start with the host."""
        return [name for name in self.on(host) if name not in self.stopped]

    def trigger(self, name: str) -> str:
        """Return the unit that is started for an instance: its service, or the timer that starts that."""
        service = unit(self.app, name)
        return service.replace(".service", ".timer") if type_of(name) in self.timed else service

    def port(self, name: str) -> int | None:
        """Return the port of an instance."""
        type_, _, number = name.rpartition(".")
        return self.ports[type_] + int(number) - 1 if type_ in self.ports else None

    def scaled(self, counts: Mapping[str, int]) -> Record:
        """Return the record with other counts of some types, whose instances all run then."""
        stopped = tuple(name for name in self.stopped if type_of(name) not in counts)
        return replace(self, counts={**self.counts, **counts}, stopped=stopped, serial=self.serial + 1)

    def with_stopped(self, names: Iterable[str]) -> Record:
        """Return the record with other stopped instances."""
        return replace(self, stopped=tuple(names), serial=self.serial + 1)

    def after(self, before: Record | None) -> Record:
        """Return the record as one that is about to replace one that has come up, if there is one."""
        return replace(self, before=asdict(replace(before, before={})) if before is not None else {})

    def deployed(self, *, has_run: bool) -> Deployed:
        """Return what is deployed, as a deployment sees it: the latest version that has come up is restored."""
        types = {type_: sum(type_of(name) == type_ for name in self.stopped) for type_ in self.counts}
        counts = {name: 0 if types[name] == count else count for name, count in self.counts.items()}
        stopped = {name: count for name, count in types.items() if count and not counts[name]}
        latest = Deployed(self.version, counts, stopped, self, has_run)
        old = None if has_run or not self.before else read(json.dumps(self.before))
        return latest if old is None else latest.back_to(old.version, self._kept_in(old), old.counts)

    def _kept_in(self, old: Record) -> Record:
        """Return an older record with the counts of this one, as far as it has files for them."""
        counts = {
            name: min(self.counts.get(name, count), old.room.get(name, count)) for name, count in old.counts.items()
        }
        kept = replace(old, counts=counts)
        return replace(kept, stopped=tuple(name for name in self.stopped if name in kept.instances))

    def json(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def unit(app: str, name: str) -> str:
    """Return the unit of an instance: ``shop-web@1.service``."""
    type_, _, number = name.rpartition(".")
    return f"{app}-{type_}@{number}.service"


def read(data: str) -> Record | None:
    """Return the record in a file; None if there is none, or if another version of procman has written it."""
    try:
        found = json.loads(data)
        record = Record(**found)
        hosts, types = tuple(record.hosts), tuple(record.types)
        record = replace(
            record,
            hosts=hosts,
            types=types,
            stopped=tuple(record.stopped),
            once=tuple(record.once),
            checked=tuple(record.checked),
            timed=tuple(record.timed),
        )
        record.instances  # noqa: B018 (raises if something is missing)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None
    return record
