"""The hosts of a destination: calls to all of them, what each of them is, and what runs there."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import cast

from procman.engines.calls import private_folder, run, run_together
from procman.engines.common_messages import not_deployed
from procman.engines.hosts import host_scripts
from procman.engines.hosts.deployed_record import read, unit
from procman.engines.hosts.ssh import Ssh, failure, is_lost, node
from procman.engines.hosts.unit_states import parse
from procman.engines.interface import EngineError
from procman.engines.records import EXITED, FAILED, RUNNING, UNKNOWN, WAITING, InstanceState, type_of
from procman.engines.stop_order import stop_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procman.engines.calls import Call, Outcome, Steps
    from procman.engines.hosts.deployed_record import Record
    from procman.engines.hosts.unit_states import Look, UnitState
    from procman.engines.interface import Target

    Words = Mapping[str, Sequence[str]] | Sequence[str]  # the same for all hosts, or by host

STOPPED = "procman stop has stopped it"
_OTHER = 126  # exit code of a script that has not run
OLDEST = 240  # of systemd: the first with Type=exec
_SYSTEM_UNITS, _USER_UNITS = "/etc/systemd/system", "%E/systemd/user"


@dataclass(frozen=True, slots=True)
class Host:
    """What a host is: the account of the login, its home, and the application's folder."""

    name: str
    login: str
    home: str
    folder: str


class Machines:
    """The hosts. ``record`` is what is deployed, as far as that is known."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.app = target.app
        self.hosts = target.destination.hosts
        self.as_user = target.destination.user_units
        self.known: dict[str, Host] = {}
        self.record: Record | None = None
        self.lost: dict[str, EngineError] = {}
        self.looks: dict[str, Look] = {}  # the last one at each host that was reached
        self._ssh: Ssh | None = None

    @property
    def folder(self) -> str:
        """The application's folder, absolute except for units of a user, where it starts from the home.

        A slash at its end would put the releases into it.
        """
        given = self.target.destination.folder or (self.app if self.as_user else f"/srv/{self.app}")
        return posixpath.normpath(given.removeprefix("~/") if self.as_user else given)

    @property
    def units(self) -> str:
        """The folder of the units, as the exporter knows it."""
        return _USER_UNITS if self.as_user else _SYSTEM_UNITS

    def account(self, host: str) -> str:
        """Return the account that the processes of a host run as; empty for that of the service manager."""
        if self.as_user:
            return ""
        login = self.known[host].login
        return self.target.destination.user or ("" if login == "root" else login)

    def node(self, host: str) -> str:
        """Return the short name of a host, if that is not ambiguous."""
        short = node(host)
        hosts = (*self.hosts, *(self.record.hosts if self.record else ()))
        return short if [node(other) for other in dict.fromkeys(hosts)].count(short) < 2 else host

    # Calls ------------------------------------------------------------------------------------------------------------

    def ssh(self) -> Steps[Ssh]:
        """Return what makes the calls."""
        if self._ssh is None:
            folder = yield from private_folder()
            self._ssh = Ssh(folder, config=self.target.destination.ssh_config, as_user=self.as_user)
        return self._ssh

    def _call(self, ssh: Ssh, host: str, body: str, words: Sequence[str], stdin: bytes, timeout: float | None) -> Call:
        script = host_scripts.script(body, as_user=self.as_user)
        return ssh.call(host, script, self.app, self.folder, *words, stdin=stdin, timeout=timeout)

    def calls(
        self,
        hosts: Iterable[str],
        body: str,
        words: Words = (),
        stdin: Mapping[str, bytes] | bytes = b"",
        timeout: float | None = 60.0,
    ) -> Steps[dict[str, Call]]:
        """Return the call of a script for each host. Words and input may differ between them."""
        ssh = yield from self.ssh()
        return {
            host: self._call(
                ssh,
                host,
                body,
                words[host] if isinstance(words, dict) else cast("Sequence[str]", words),
                stdin[host] if isinstance(stdin, dict) else cast("bytes", stdin),
                timeout,
            )
            for host in hosts
        }

    def attempt(
        self,
        hosts: Iterable[str],
        body: str,
        words: Words = (),
        stdin: Mapping[str, bytes] | bytes = b"",
        timeout: float | None = 60.0,
    ) -> Steps[dict[str, Outcome]]:
        """Run a script on all hosts at the same time."""
        calls = yield from self.calls(hosts, body, words, stdin, timeout)
        outcomes = yield from run_together(calls.values())
        return {host: _unmarked(outcome) for host, outcome in zip(calls, outcomes, strict=True)}

    def each(
        self,
        what: str,
        hosts: Iterable[str],
        body: str,
        words: Words = (),
        stdin: Mapping[str, bytes] | bytes = b"",
        timeout: float | None = 60.0,
    ) -> Steps[dict[str, Outcome]]:
        """Run a script on all hosts, which must succeed. ``what`` names it in the error."""
        outcomes = yield from self.attempt(hosts, body, words, stdin, timeout)
        for host, outcome in outcomes.items():
            if not outcome.ok:
                raise failure(host, outcome, what)
        return outcomes

    def on(self, host: str, body: str, *words: str, timeout: float | None = 60.0) -> Steps[Outcome]:
        """Run a script on one host."""
        ssh = yield from self.ssh()
        return _unmarked((yield from run(self._call(ssh, host, body, words, b"", timeout))))

    def terminal(self, host: str, body: str, words: Sequence[str], terminal: bool) -> Steps[Call]:
        """Return the call of a script that has our terminal, or our own standard streams."""
        ssh = yield from self.ssh()
        script = host_scripts.script(body, as_user=self.as_user, marked=False)
        return ssh.terminal(host, script, self.app, self.folder, *words, terminal=terminal)

    # What the hosts are -----------------------------------------------------------------------------------------------

    def require_hosts(self) -> None:
        """Raise EngineError if the destination has none, or has one twice."""
        destination = self.target.destination
        if not self.hosts:
            raise EngineError(f"{destination.location}: [on.{destination.name}] has no hosts", 'hosts = ["deploy@a"]')
        twice = next((host for host in self.hosts if self.hosts.count(host) > 1), None)
        if twice:
            raise EngineError(f"{destination.location}: hosts names {twice} twice", "each host has its own instances")
        unknown = [host for host in destination.host_formations if host not in self.hosts]
        if unknown:
            known = ", ".join(self.hosts)
            raise EngineError(f"{destination.location}: formation names {unknown[0]}, which is not in hosts", known)

    def reached(self, hosts: Iterable[str]) -> list[str]:
        """Return the hosts that the last look has reached."""
        return [host for host in hosts if host not in self.lost]

    def probe(self, hosts: Iterable[str]) -> Steps[None]:
        """Learn what the hosts are. Raises EngineError if one of them cannot be used."""
        account = "" if self.as_user else self.target.destination.user
        outcomes = yield from self.each("the check", hosts, host_scripts.PROBE, (account,))
        for host, outcome in outcomes.items():
            values = dict(line.split("=", 1) for line in outcome.text.splitlines() if "=" in line)
            self._require(host, values)
            home = values.get("home", "")
            folder = self.folder if self.folder.startswith("/") else f"{home}/{self.folder}"
            self.known[host] = Host(host, values.get("login", ""), home, folder)

    def _require(self, host: str, values: Mapping[str, str]) -> None:
        version = values.get("systemd", "")
        if "systemd" not in values:
            raise EngineError(f"{host} does not run systemd", "the engine systemd needs it as PID 1")
        if not version.isdecimal() or int(version) < OLDEST:
            raise EngineError(f"systemd {version or '?'} on {host} is too old", f"it has to be {OLDEST} or later")
        if "tar" not in values:
            raise EngineError(f"{host} has no tar", "install it there")
        if values.get("account") == "missing":
            user = self.target.destination.user
            raise EngineError(f'{host} has no account "{user}"', f"create it there: useradd --system {user}")
        if values.get("folder") in ("full", "file"):
            raise EngineError(
                f"{self.folder} on {host} exists, and procman has not made it",
                "move it away, or choose another folder: procman puts a link there",
            )
        if self.as_user and values.get("linger") != "yes":
            login = values.get("login", "")
            message = f"the processes of {login} on {host} would end with its last session"
            raise EngineError(message, f"let them stay, on {node(host)}: sudo loginctl enable-linger {login}")

    # What runs --------------------------------------------------------------------------------------------------------

    def look(self, *, tolerant: bool = False) -> Steps[dict[str, Look]]:
        """Look at all hosts once, and learn the newest record.

        With ``tolerant``, a host that is not reached is left out, and ``lost`` says why.
        """
        self.require_hosts()
        hosts = list(dict.fromkeys((*self.hosts, *(self.record.hosts if self.record else ()))))
        outcomes = yield from self.attempt(hosts, host_scripts.SHOW)
        looks: dict[str, Look] = {}
        self.lost = {}
        for host, outcome in outcomes.items():
            if outcome.ok:
                looks[host] = parse(outcome.out, self.node(host))
            elif tolerant and is_lost(outcome):
                self.lost[host] = failure(host, outcome, "the look")
            else:
                raise failure(host, outcome, "the look")
        if not looks and self.lost:
            raise next(iter(self.lost.values()))
        records = [record for look in looks.values() if (record := read(look.record)) and record.app == self.app]
        records += [self.record] if self.record else []  # what is just being installed is not on all hosts yet
        self.record = max(records, key=lambda record: record.serial, default=None)
        self.looks = looks
        return looks

    def require_record(self) -> Record:
        """Return what is deployed. Raises EngineError if nothing is."""
        if self.record is None:
            raise not_deployed(self.target)
        return self.record

    def state(self, name: str, looks: Mapping[str, Look]) -> tuple[InstanceState, UnitState | None]:
        """Return the state of an instance of the record, and what systemd says about it."""
        record = self.require_record()
        host = record.instances[name]
        node_name = self.node(host)
        if host not in looks:
            reason = self.lost[host].message if host in self.lost else f"{host} is no longer in hosts"
            return InstanceState(name, UNKNOWN, node_name, port=record.port(name), reason=reason), None
        found = looks[host].units.get(unit(self.app, name))
        if record.trigger(name) != unit(self.app, name) and (found is None or found.state.state in (EXITED, FAILED)):
            found = _between_runs(found, looks[host].units.get(record.trigger(name)))
        stopped = STOPPED if name in record.stopped else ""
        if found is None:
            return InstanceState(name, EXITED, node_name, port=record.port(name), reason=stopped), None
        state = replace(
            found.state,
            name=name,
            version=_version(found.release, record),
            port=record.port(name),
            reason=(stopped if found.state.state == EXITED else "") or found.state.reason,
        )
        return state, found

    def stop(self, gone: Mapping[str, str], left: Mapping[str, str]) -> Steps[None]:
        """Stop instances and wait until they are down: what depends on another one first, on whichever host that is.

        Both mappings hold hosts by instance.
        """
        for group in stop_order((type_of(name) for name in gone), self.record.needs if self.record else {}):
            units = stop_units(self.app, {name: host for name, host in gone.items() if type_of(name) in group}, left)
            yield from self.each("stopping", units, host_scripts.STOP, units, timeout=None)

    def strays(self, record: Record) -> dict[str, str]:
        """Return the hosts of instances that were seen up and that ``record`` does not have there.

        They are what a lost connection or a change that was cut off has left.
        """
        found = {}
        for host, look in self.looks.items():
            for name, seen in look.units.items():
                instance = seen.state.name.removeprefix(f"{self.app}-")
                known = (
                    name.endswith(".service") and name.startswith(f"{self.app}-") and type_of(instance) in record.types
                )
                if known and seen.state.state not in (EXITED, FAILED) and record.instances.get(instance) != host:
                    found[instance] = host
        return found

    def placed(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the units of instances by host."""
        record = self.require_record()
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(record.instances[name], []).append(record.trigger(name))
        return found


def _between_runs(service: UnitState | None, timer: UnitState | None) -> UnitState | None:
    """Return the state of an instance that a timer starts, while it does not run. Its last end stays to be seen."""
    if timer is None or timer.state.state != RUNNING:
        return service
    ended = service.state.exit if service else ""
    waiting = replace(timer.state, state=WAITING, exit=ended, restarts=None, reason="it runs by the clock")
    return replace(timer, state=waiting)


def _unmarked(outcome: Outcome) -> Outcome:
    if outcome.ok and not host_scripts.is_marked(outcome.out):
        return replace(outcome, code=_OTHER, out=b"", err=b"it does not run what ssh is given: a forced command?\n")
    return replace(outcome, out=host_scripts.after_mark(outcome.out))


def stop_units(app: str, gone: Mapping[str, str], left: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the units to stop on each host: those of instances, and what would start them again.

    ``gone`` and ``left`` hold hosts by instance. Sockets that instances share stay open for those that are left.
    """
    used = {(host, type_of(name)) for name, host in left.items()}
    found: dict[str, dict[str, None]] = {}
    for name, host in gone.items():
        type_, _, number = name.rpartition(".")
        sockets = f"{app}-{type_}.*@{number}.socket" if (host, type_) in used else f"{app}-{type_}.*.socket"
        timer = f"{app}-{type_}@{number}.time[r]"  # a pattern, since most have none
        found.setdefault(host, {}).update(dict.fromkeys((unit(app, name), sockets, timer)))
    return {host: list(units) for host, units in found.items()}


def is_of(record: Record, state: InstanceState, seen: UnitState | None) -> bool:
    """Whether a process of the record's release runs, or is done: what ends by itself is not repeated."""
    if seen is None:
        return False
    if seen.succeeded:
        return state.type in record.once
    return state.state == RUNNING and f"/{record.release}/" in seen.release


def release_id(stamp: str, version: str) -> str:
    """Return the name of a release's folder."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in version)
    return f"{stamp}-{safe}" if safe else stamp


def _version(folder: str, record: Record) -> str:
    """Return the version of a process by its folder: ``/srv/shop.releases/20260102T030405-v1/app``."""
    name = folder.partition(".releases/")[2].partition("/")[0]
    return record.version if name in ("", record.release) else name.partition("-")[2]
