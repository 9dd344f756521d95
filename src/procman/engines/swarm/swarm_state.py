"""What is deployed to a swarm: the services with their counts, and the files that they come from."""

from __future__ import annotations

from dataclasses import dataclass

from procman.core.procfile.selection import matches
from procman.engines.calls import Pause, run, run_together
from procman.engines.common_messages import not_deployed
from procman.engines.records import Deployed
from procman.engines.swarm.swarm_files import Kept, kept_names
from procman.engines.swarm.swarm_names import FILE, NAMESPACE, stack_name
from procman.engines.swarm.swarm_view import STABLE, SwarmView, own_services
from procman.export.container.containers import dns_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.engines.calls import Call, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Target
    from procman.engines.swarm.swarm_records import Service
    from procman.engines.swarm.swarm_store import SwarmStore


@dataclass(frozen=True, slots=True)
class Restorable:
    """What a deployment needs to restore: the file, and the images by label, which Swarm has pinned.

    ``latest`` is the name of the latest file, which may be that of a version that has not come up.
    """

    kept: Kept
    images: Mapping[str, str]
    latest: str


class SwarmState:
    """Reads what is deployed of one application."""

    def __init__(self, docker: Docker, store: SwarmStore, view: SwarmView, target: Target) -> None:
        self._docker = docker
        self._store = store
        self._view = view
        self._target = target
        self._ids: list[str] = []  # of the services that were there at the last reading

    def deployed(self) -> Steps[Deployed | None]:
        """Return the version and the counts: of the latest version that has come up, as far as there is one."""
        found, files, latest = yield from self._read()
        if not found:
            return None
        counts = {one.type: one.replicas for one in found}
        stopped = {one.type: one.stopped for one in found if one.stopped and not one.replicas}
        if not files:
            return Deployed(found[0].version, counts, stopped)
        images = {dns_label(one.type): str(one.spec["ContainerSpec"]["Image"]) for one in found}
        last = files[-1]
        has_run = not last.is_pending or (yield from self._has_come_up(last, found))
        asked = {name: count for name, count in last.counts.items() if name not in counts}
        deployed = Deployed(last.version, counts, stopped, Restorable(last, images, latest), has_run, asked=asked)
        if has_run or len(files) == 1:
            return deployed
        old = files[0]
        types = [name for name in counts if dns_label(name) in old.labels]
        return deployed.back_to(old.version, Restorable(old, dict(last.images or {}), latest), types)

    def _has_come_up(self, file: Kept, found: Sequence[Service]) -> Steps[bool]:
        """Whether all that was deployed from a file runs by now, although no deployment waited for that to the end."""
        counts = {one.type: one.replicas for one in found}
        applied = {label: one.labels.get(FILE) for one in found if (label := dns_label(one.type)) in file.labels}
        if applied != dict.fromkeys(file.labels, file.label) or not any(counts.values()):
            return False
        look = yield from self._view.look(counts)
        if not look.is_done and not look.failed:
            yield Pause(STABLE)
            look = yield from self._view.look(counts)
        return look.is_done

    def services_and_file(self) -> Steps[tuple[list[Service], Kept | None]]:
        """Return the services, and the latest file, if there is one. Raises EngineError if there is no service."""
        found, files, _ = yield from self._read()
        if not found:
            raise not_deployed(self._target)
        return found, files[-1] if files else None

    def _read(self) -> Steps[tuple[list[Service], list[Kept], str]]:
        """Return the services, the files (of what has come up, and the latest), and the name of the latest."""
        listed, configs = yield from run_together([self._listing(), self._store.listing()])
        self._docker.require(listed, "Swarm does not list its services")
        if not (ids := listed.text.split()):
            return [], [], ""
        self._ids = ids
        names = self._store.names_in(configs)
        read = kept_names(names)
        calls = [self._docker("service", "inspect", *ids), *(self._store.reading(name) for name in read)]
        inspected, *outcomes = yield from run_together(calls)
        files = [file for name, one in zip(read, outcomes, strict=True) if (file := self._store.kept(name, one))]
        return own_services(inspected.text, self._target), files, names[-1] if names else ""

    def services(self) -> Steps[list[Service]]:
        """Return all services. Mostly they are those of the last reading, and need no second call after the list."""
        known = self._ids
        again = [self._docker("service", "inspect", *known)] if known else []
        listed, *early = yield from run_together([self._listing(), *again])
        self._docker.require(listed, "Swarm does not list its services")
        self._ids = listed.text.split()
        if not self._ids:
            return []
        if sorted(self._ids) != sorted(known):
            early = [(yield from run(self._docker("service", "inspect", *self._ids)))]
        return own_services(early[0].text, self._target)

    def chosen(self, names: Sequence[str]) -> Steps[list[Service]]:
        """Return the services of these types; all of them without names. Raises EngineError if there is none."""
        found = yield from self.services()
        if not found:
            raise not_deployed(self._target)
        return [one for one in found if not names or any(matches(name, one.type) for name in names)]

    def _listing(self) -> Call:
        filters = ("--filter", f"label={NAMESPACE}={stack_name(self._target.app)}")
        return self._docker("service", "ls", "--quiet", *filters)
