"""A rollout over the hosts: bring a release there, switch to it in two halves, and go back if it fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

from procman.engines.calls import Card, Report, now
from procman.engines.hosts import host_scripts
from procman.engines.hosts.deployed_record import Record
from procman.engines.hosts.host_files import (
    RELEASE_ENV,
    RUN_ENV,
    below,
    checked,
    first_ports,
    folders,
    lasting_application,
    needs,
    once,
    options_for,
    release_instance,
    render_host,
    room,
    timed,
)
from procman.engines.hosts.installation import install
from procman.engines.hosts.journal import last_lines
from procman.engines.hosts.machines import release_id
from procman.engines.hosts.packing import pack
from procman.engines.hosts.placement import Placement
from procman.engines.hosts.ssh import failure, is_late, is_lost
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.records import FAILED, InstanceState, type_of
from procman.engines.waiting import CARD_LINES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.engines.calls import Outcome, Steps
    from procman.engines.hosts.host_files import HostFiles
    from procman.engines.hosts.machines import Machines
    from procman.engines.interface import Release
    from procman.export.options import ExportOptions

_SPARE = 30.0  # seconds after our own time limit, when a host ends a command
_SLACK = 2.0  # seconds that a command may have begun earlier than its time limit says
_STAMP = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class HostCommand:
    """A command that runs on hosts before a switch: what messages call it, its unit, and its name on a card."""

    title: str
    unit: str
    name: str
    command: str
    folder: str = ""

    def words(self, timeout: float) -> tuple[str, str]:
        """Return its last arguments. Its host ends it, too, in case that this procman is killed."""
        return f"{timeout + _SPARE:.0f}", self.command


class Rollout:
    """One rollout of a release. ``id`` is the name of its folder on the hosts, once it is shipped."""

    def __init__(self, machines: Machines, release: Release) -> None:
        self.machines = machines
        self.release = release
        destination = machines.target.destination
        self.placement = Placement(destination.hosts, machines.target.types, release.hosts)
        self.id = ""

    @cached_property
    def files(self) -> dict[str, HostFiles]:
        """The files of each host that has any."""
        names: dict[str, list[str]] = {}
        for name, host in self.placement.instances(room(self.release)).items():
            names.setdefault(host, []).append(name)
        found = {host: render_host(self.release, names[host], self._options(host), host) for host in names}
        return {host: files for host, files in found.items() if files.files}

    def _options(self, host: str) -> ExportOptions:
        machines = self.machines
        return options_for(
            self.release,
            account=machines.account(host),
            as_user=machines.as_user,
            folder=machines.known[host].folder,
            units=machines.units,
        )

    # Ship -------------------------------------------------------------------------------------------------------------

    def ship(self) -> Steps[None]:
        """Bring code and units to the hosts, beside those that run."""
        stamp = time.strftime(_STAMP, time.gmtime((yield from now())))
        self.id = release_id(stamp, self.release.version)
        files = self.files
        for warning in dict.fromkeys(warning for one in files.values() for warning in one.warnings):
            yield Report(f"warning: {warning}")
        machines = self.machines
        code = yield from pack(machines.target.folder, self.release.secret_files, machines.hosts)
        words = {host: (self.id, machines.account(host) or machines.known[host].login) for host in files}
        yield from machines.each("copying the code", files, host_scripts.UNPACK_CODE, words, code, timeout=None)
        tars = {host: one.tar() for host, one in files.items()}
        yield from machines.each("copying the units", files, host_scripts.UNPACK_UNITS, (self.id,), tars)
        yield from self._set_up(files)

    def _set_up(self, hosts: Iterable[str]) -> Steps[None]:
        command = self.machines.target.destination.setup
        if not command:
            return
        yield Report(f"setup: {command}")
        work = HostCommand("setup", f"{self.machines.app}-setup", "setup", command)
        outcomes = yield from self._execute(work, RUN_ENV, hosts)
        for host, outcome in outcomes.items():
            if not outcome.ok:
                yield from self._card(work, host, outcome)
                raise EngineError(f"setup failed on {host} with exit code {outcome.code}", command)

    def run_release(self) -> Steps[None]:
        """Run the release phase on the first host, in the new code and the new environment."""
        first = release_instance(self.release)
        if first is None:
            return
        yield Report(f"release: {first.command}")
        host, folder = self.machines.hosts[0], below(self.release, first)
        work = HostCommand("the release phase", f"{self.machines.app}-{first.name}", first.name, first.command, folder)
        outcome = (yield from self._execute(work, RELEASE_ENV, [host]))[host]
        if not outcome.ok:
            yield from self._card(work, host, outcome)
            raise EngineError(f"release failed with exit code {outcome.code}")

    def _execute(self, work: HostCommand, env: str, hosts: Iterable[str]) -> Steps[dict[str, Outcome]]:
        """Run a command in the new release. Ctrl-C and the time limit end it; EngineError is raised for the latter."""
        machines, timeout = self.machines, self.release.timeout
        words = {
            host: (self.id, env, "", work.unit, machines.account(host), work.folder, "--quiet", *work.words(timeout))
            for host in hosts
        }
        try:
            outcomes = yield from machines.attempt(words, host_scripts.EXECUTE, words, timeout=timeout)
        except KeyboardInterrupt:
            yield from machines.attempt(words, host_scripts.END, (f"{work.unit}.service",))
            raise
        late = [host for host, outcome in outcomes.items() if is_late(outcome)]
        yield from machines.attempt(late, host_scripts.END, (f"{work.unit}.service",))
        for host in late:
            lines = yield from last_lines(machines, host, work.unit, CARD_LINES, -timeout - _SLACK)
            state = InstanceState(work.name, FAILED, machines.node(host), reason=f"it took more than {timeout:g} s")
            yield Card(state, tuple(lines))
        if late:
            hint = f"allow it more with -t, or timeout in [on.{self.release.destination}]"
            raise EngineError(f"{work.title} did not end within {timeout:g} s on {late[0]}", hint, EXIT_TIMEOUT)
        for host, outcome in outcomes.items():
            if is_lost(outcome):
                raise failure(host, outcome, work.title)
        return outcomes

    def _card(self, work: HostCommand, host: str, outcome: Outcome) -> Steps[None]:
        yield Card(InstanceState(work.name, FAILED, self.machines.node(host), exit=str(outcome.code)), _lines(outcome))

    # Switch -----------------------------------------------------------------------------------------------------------

    def new_record(self, before: Record | None) -> Record:
        """Return the record of this release. What was stopped stays so."""
        counts = {name: count for name, count in self.release.counts.items() if name in room(self.release)}
        stopped: list[str] = []
        if before is not None:
            for type_, count in list(counts.items()):
                names = [name for name in before.stopped if type_of(name) == type_]
                if count == 0 and len(names) == before.counts.get(type_):
                    counts[type_] = len(names)
                stopped += [name for name in names if int(name.rpartition(".")[2]) <= counts[type_]]
        app = lasting_application(self.release)
        return Record(
            app=self.machines.app,
            version=self.release.version,
            release=self.id,
            counts=counts,
            room=room(self.release),
            hosts=self.placement.hosts,
            types=self.placement.types,
            given=self.placement.given,
            ports=first_ports(self.release),
            stopped=tuple(stopped),
            once=once(app),
            checked=checked(app),
            timed=timed(self.release),
            needs=needs(app),
            folders=folders(self.release),
            serial=before.serial + 1 if before is not None else 1,
        )

    def switch(self, before: Record | None, restorable: Record | None) -> Steps[None]:
        """Install the new units on all hosts. What goes is stopped first; the rest still runs what it ran."""
        new = self.new_record(before).after(restorable)
        yield from install(self.machines, new, before, list(self.files))

    def make_way(self, before: Record | None) -> Steps[list[str]]:
        """Stop what has a port that another one is to have on its host, and return the names of these instances.

        They cannot wait until the others are up, which would wait for the port.
        """
        if before is None:
            return []
        new = self.machines.require_record()
        serving = {service.name for service in lasting_application(self.release).services if service.serves}
        takers = {(host, new.port(name)): name for name, host in new.instances.items() if type_of(name) in serving}
        gone = {
            name: host
            for name, host in before.instances.items()
            if type_of(name) in serving and takers.get((host, before.port(name)), name) != name
        }
        yield from self.machines.stop(gone, {name: host for name, host in new.instances.items() if name not in gone})
        return list(gone)


def _lines(outcome: Outcome) -> tuple[str, ...]:
    """Return the last lines of a command that failed, or what systemd-run says if it could not run it."""
    return tuple(outcome.text.splitlines()) or tuple(outcome.err.decode("utf-8", "replace").splitlines()[-1:])
