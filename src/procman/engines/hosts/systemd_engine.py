"""The engine systemd: units on machines that ssh reaches. A machine that is lost stays lost."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from procman.core.procfile.selection import matches
from procman.engines.calls import Pause, Report, interact, now
from procman.engines.common_messages import not_deployed
from procman.engines.hosts import host_scripts
from procman.engines.hosts.deployed_record import unit
from procman.engines.hosts.host_clock import parse_clock
from procman.engines.hosts.host_lock import HostLock
from procman.engines.hosts.installation import halves, install, link
from procman.engines.hosts.machines import Machines, is_of
from procman.engines.hosts.reasons import reason_for
from procman.engines.hosts.unit_states import Ages
from procman.engines.interface import EngineError
from procman.engines.known_names import require_known
from procman.engines.records import EXITED, FAILED, RUNNING, STARTING, WAITING, Look, type_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procman.engines.calls import Outcome, Steps
    from procman.engines.hosts.deployed_record import Record
    from procman.engines.hosts.rollout import Rollout
    from procman.engines.hosts.unit_states import UnitState
    from procman.engines.interface import Release, Target
    from procman.engines.records import Deployed, InstanceState, LogLine, Reason

_SETTLED = 1.0  # seconds that a process without a readiness check has to run before it counts as up
_STOP = 0.15  # seconds that a restart takes until the new life begins, as a rule
_MIN_PAUSE = 0.1  # seconds between two looks
_SETTLED_AGAIN = 10.0  # the same after a restart by systemd
_INTERRUPTED = (130, 143, 255)  # exit codes after which the command may still run
_SPARES = 16


class Systemd:
    """The engine. Its verbs are those of the interface."""

    refuses: Mapping[str, str] = {"image": "it runs the code of this folder, and no image"}
    has_timers = True

    def __init__(self, target: Target) -> None:
        self._machines = Machines(target)
        self._lock = HostLock(self._machines)
        self._rollout: Rollout | None = None
        self._before: Record | None = None  # the record that a deployment found
        self._restorable: Record | None = None  # the record that it would restore
        # By instance: when its host started it, in seconds of systemd's clock (0 if unknown), and since the epoch.
        self._started: dict[str, tuple[float, float]] = {}
        self._waves: list[list[str]] = []  # what is still to be restarted, group by group
        self._has_looked = False
        self._ages = Ages()

    @staticmethod
    def room(count: int) -> int:
        """Return how many instances get files, so that it can be scaled without the project's files."""
        return max(2 * count, _SPARES)

    # Deployment -------------------------------------------------------------------------------------------------------

    def check(self) -> Steps[None]:
        """Raise EngineError unless all hosts are reached, run systemd, and may be changed."""
        machines = self._machines
        destination = machines.target.destination
        machines.require_hosts()
        if destination.image:
            raise EngineError(f"{destination.location}: [on.{destination.name}] has an image", "systemd runs code")
        if not machines.folder.startswith("/") and not machines.as_user:
            raise EngineError(f"{destination.location}: folder must be absolute", 'folder = "/srv/shop"')
        yield from machines.probe(destination.hosts)

    def lock(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock: a folder on the first host. What was seen before it may have changed meanwhile."""
        yield from self._lock.take(owner, valid)
        self._has_looked = False

    def unlock(self, owner: str) -> Steps[None]:
        """Release the lock if it is the owner's, or anyone's for an empty name."""
        yield from self._lock.release(owner)

    def deployed(self) -> Steps[Deployed | None]:
        """Return what runs now."""
        looks = yield from self._machines.look()
        self._has_looked = True
        record = self._machines.record
        if record is None:
            return None
        noted = record.has_come_up or any(look.has_come_up for look in looks.values())
        wanted = self._wanted()
        is_up = all(self._time_left(name, *self._machines.state(name, looks)) == 0 for name in wanted)
        return record.deployed(has_run=noted or (is_up and bool(wanted)))

    def diff(self, release: Release, before: Deployed | None) -> Steps[str]:
        """Return what would change: the version, the placement of instances, and the units."""
        from procman.engines.hosts.rollout import Rollout
        from procman.engines.hosts.unit_differences import differences

        rollout = Rollout(self._machines, release)
        old = self._machines.record
        new = rollout.new_record(old)
        return (yield from differences(self._machines, rollout.files, old, new))

    def ship(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Bring code and units to the hosts."""
        from procman.engines.hosts.rollout import Rollout

        self._before = self._machines.record
        self._restorable = _record(before) if before is not None and before.has_run else None
        self._rollout = Rollout(self._machines, release)
        yield from self._rollout.ship()

    def release(self, release: Release) -> Steps[None]:
        """Run the release phase on the first host."""
        assert self._rollout is not None
        yield from self._rollout.run_release()

    def apply(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Install the new units, start what is new, and restart the first half of the rest. ``look`` continues."""
        assert self._rollout is not None
        yield from self._rollout.switch(self._before, self._restorable)
        record = self._machines.require_record()
        old = self._before.instances if self._before is not None else {}
        gone = yield from self._rollout.make_way(self._before)
        stay = [name for name in self._wanted() if old.get(name) == record.instances[name] and name not in gone]
        first, *self._waves = halves(stay) or [[]]
        yield from self._start_targets([name for name in self._wanted() if name not in stay], first)

    def restore(self, before: Deployed, release: Release) -> Steps[None]:
        """Install the old units again, and restart what does not run the old version any more."""
        record = _record(before)
        assert record is not None
        failed, self._waves, self._started = self._machines.record, [], {}
        looks = yield from self._machines.look(tolerant=True)  # a host that is lost keeps the others from nothing
        for error in self._machines.lost.values():
            yield Report(f"warning: {error.message}; it keeps what it has")
        newest = failed.serial if failed else record.serial
        record = replace(record, serial=newest + 1, has_come_up=True)
        yield from install(self._machines, record, failed, self._machines.reached(record.used_hosts))
        yield from self._start_targets([])
        states = {name: self._machines.state(name, looks) for name in self._wanted()}
        yield from self._launch("restart", [name for name in states if not is_of(record, *states[name])])

    def prune(self, release: Release) -> Steps[None]:
        """Remove all releases but the deployed one and the one before it that had come up."""
        before = self._restorable or self._before
        kept = [record.release for record in (self._machines.record, before) if record is not None]
        yield from self._machines.each("removing old releases", self._machines.hosts, host_scripts.PRUNE, kept)

    # Looking ----------------------------------------------------------------------------------------------------------

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        """Look once at all instances of some types, and restart the next group of a rollout when one is up."""
        looks = yield from self._machines.look()
        self._ages.now = yield from now()
        record = self._machines.require_record()
        states, failed, late = [], [], {}
        for name in record.instances:
            if type_of(name) not in wanted:
                continue
            state, seen = self._machines.state(name, looks)
            ahead = any(name in wave for wave in self._waves)
            states.append(replace(state, state=WAITING) if ahead and state.state == EXITED else state)
            if name in record.stopped or ahead:
                continue
            if self._has_failed(name, state, seen):
                failed.append(state if state.reason else replace(state, reason=reason_for(state, seen).why))
            elif (left := self._time_left(name, state, seen)) > 0:
                late[name] = left
        if not late and not failed and self._waves:
            group = self._waves.pop(0)
            yield from self._send("restart", group)
            late = {"the next group": self._settling(group) or _MIN_PAUSE}
        longest = max(late.values(), default=0.0)
        pause = 0.0 if longest == inf else max(_MIN_PAUSE, min(longest, _SETTLED + _STOP))
        return Look(tuple(states), not late and not failed, tuple(failed), len(self._waves), pause)

    def _time_left(self, name: str, state: InstanceState, seen: UnitState | None) -> float:
        """Return after how many seconds an instance may be up: 0 if it is, ``inf`` if that is unknown."""
        record = self._machines.require_record()
        if seen is not None and state.type in record.timed:
            return 0.0 if state.state in (WAITING, RUNNING, STARTING) and not seen.pending else inf
        if seen is None or self._is_old(name, seen):
            return inf
        if seen.succeeded:
            return 0.0 if state.type in record.once else inf
        settled = 0.0 if state.type in record.checked else _SETTLED_AGAIN if state.restarts else _SETTLED
        return max(0.0, settled - self._ages.of(name, seen)) if state.state == RUNNING else inf

    def _has_failed(self, name: str, state: InstanceState, seen: UnitState | None) -> bool:
        if seen is None or self._is_old(name, seen) or state.type in self._machines.require_record().timed:
            return False
        lasts = state.type not in self._machines.require_record().once
        return state.state == FAILED or (seen.succeeded and lasts)

    def _is_old(self, name: str, seen: UnitState) -> bool:
        """Whether it is still the life before a restart."""
        return seen.pending or seen.started < self._started.get(name, (0.0, 0.0))[0]

    def last_lines(self, instance: InstanceState, count: int) -> Steps[Sequence[str]]:
        """Return the last lines that an instance wrote."""
        from procman.engines.hosts import journal

        machines = self._machines
        host = machines.require_record().instances.get(instance.name, machines.hosts[0])
        since = self._started.get(instance.name, (0.0, 0.0))[1]
        return (yield from journal.last_lines(machines, host, f"{machines.app}-{instance.name}", count, since))

    def instances(self) -> Steps[Sequence[InstanceState]]:
        """Return all instances. Those of a host that is not reached are unknown."""
        looks = yield from self._machines.look(tolerant=True)
        record = self._machines.require_record()
        for error in self._machines.lost.values():
            yield Report(f"warning: {error.message}")
        return [self._machines.state(name, looks)[0] for name in record.instances]

    def why(self, names: Sequence[str]) -> Steps[Sequence[Reason]]:
        """Explain the state of instances."""
        looks = yield from self._machines.look(tolerant=True)
        chosen = self._chosen(names, exact=False)
        return [reason_for(*self._machines.state(name, looks)) for name in chosen]

    # Changing what runs -----------------------------------------------------------------------------------------------

    def scale(self, counts: Mapping[str, int]) -> Steps[None]:
        """Change counts with the files that are on the hosts: the highest numbers go, or the next ones come."""
        machines = self._machines
        record = yield from self._record()
        for type_, count in counts.items():
            if count > record.room.get(type_, 0):
                most = f"{type_} has files for {record.room.get(type_, 0)} instances"
                raise EngineError(most, f"deploy with the formation {type_}={count}")
        new = record.scaled(counts)
        gone = {name: host for name, host in record.instances.items() if name not in new.instances}
        yield from machines.stop(gone, new.instances)
        yield from link(machines, new)
        chosen = [name for name in new.instances if type_of(name) in counts]
        up = [name for name in record.instances if name not in record.stopped]
        yield from self._launch("start", chosen, [name for name in chosen if name not in up])

    def restart(self, names: Sequence[str], *, rolling: bool) -> Steps[None]:
        """Restart: all together, or one after the other. ``look`` restarts the next one."""
        yield from self._record()
        chosen = [name for name in self._chosen(names) if name in self._wanted()]
        yield from self._restart_in([[name] for name in chosen] if rolling else [chosen])

    def stop(self, names: Sequence[str]) -> Steps[None]:
        """Stop, and do not start with the hosts, until ``start``."""
        record = yield from self._record()
        chosen = self._chosen(names)
        gone = {name: host for name, host in record.instances.items() if name in chosen}
        left = {name: host for name, host in record.instances.items() if name not in (*record.stopped, *chosen)}
        yield from self._machines.stop(gone, left)
        stopped = [name for name in record.instances if name in record.stopped or name in chosen]
        yield from link(self._machines, record.with_stopped(stopped))

    def start(self, names: Sequence[str]) -> Steps[None]:
        """Start what ``stop`` has stopped."""
        record = yield from self._record()
        chosen = self._chosen(names)
        stopped = [name for name in record.stopped if name not in chosen]
        yield from link(self._machines, record.with_stopped(stopped))
        yield from self._launch("start", chosen)
        yield from self._start_targets([])

    def down(self) -> Steps[None]:
        """Remove the application from all hosts. One that is not reached keeps what it has, and that is an error."""
        machines = self._machines
        yield from machines.look(tolerant=True)
        yield from self._lock.require_free()
        record = machines.record
        if record is None:  # there may still be files of a deployment that was cut off
            yield Report(f"{not_deployed(machines.target).message}, so there is nothing to stop")
        hosts = dict.fromkeys((*machines.hosts, *(record.hosts if record else ())))
        units = {
            host: [unit(machines.app, name) for name in (record.on(host) if record else ())]
            for host in machines.reached(hosts)
        }
        if record is not None and record.needs:
            yield from machines.stop({name: host for name, host in record.instances.items() if host in units}, {})
        yield from machines.each("the removal", units, host_scripts.REMOVE, units, timeout=None)
        for error in machines.lost.values():
            raise EngineError(f"{error.message}; what is deployed there stays, the other hosts are empty", error.hint)

    # Output and commands ----------------------------------------------------------------------------------------------

    def logs(self, names: Sequence[str], *, follow: bool, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """Return the last lines of all hosts by time, or show those that come."""
        from procman.engines.hosts import journal

        yield from self._machines.look(tolerant=True)
        for error in self._machines.lost.values():
            yield Report(f"warning: {error.message}")
        self._require_known(names, "release.1")
        if not follow:
            return (yield from journal.read(self._machines, names, lines, since))
        yield from journal.follow(self._machines, names, lines, since)
        return ()

    def run(self, command: str, *, terminal: bool, process: str = "") -> Steps[int]:
        """Run a shell command in the code and the environment of what is deployed: on the first host of its type."""
        from procman.engines.hosts.host_files import RUN_ENV

        machines = self._machines
        record = yield from self._record()
        host = record.placement.host(process, 1) if process in record.room else machines.hosts[0]
        yield from machines.probe([host])
        name = f"{machines.app}-run-{(yield from now()) * 1000:.0f}"
        how, folder = "--pty" if terminal else "--pipe", record.folders.get(process, "")
        words = ("", RUN_ENV, process, name, machines.account(host), folder, how, "", command)
        call = yield from machines.terminal(host, host_scripts.EXECUTE, words, terminal)
        try:
            code = yield from interact(call)
        except KeyboardInterrupt:
            yield from machines.on(host, host_scripts.END, f"{name}.service")
            raise
        if code in _INTERRUPTED:
            yield from machines.on(host, host_scripts.END, f"{name}.service")
        return code

    # Parts ------------------------------------------------------------------------------------------------------------

    def _record(self) -> Steps[Record]:
        """Return the record. ``deployed`` has perhaps just looked."""
        if not self._has_looked:
            yield from self._machines.look()
        self._has_looked = False
        return self._machines.require_record()

    def _wanted(self) -> list[str]:
        """Return the instances that are to run."""
        record = self._machines.require_record()
        return [name for name in record.instances if name not in record.stopped]

    def _chosen(self, names: Sequence[str], *, exact: bool = True) -> list[str]:
        """Return the instances of the types and instances in ``names``, or all. Raises UsageError for unknown ones."""
        if exact:
            self._require_known(names)
        every = self._machines.require_record().instances
        return [one for one in every if not names or any(matches(name, one) for name in names)]

    def _require_known(self, names: Sequence[str], *more: str) -> None:
        record = self._machines.require_record()
        require_known(names, (*record.instances, *record.room, *more), self._machines.target)

    def _restart_in(self, waves: list[list[str]]) -> Steps[None]:
        """Restart the first group. ``look`` continues with the others."""
        if waves:
            first, *self._waves = waves
            yield from self._launch("restart", first)

    def _launch(self, verb: str, names: Sequence[str], new: Sequence[str] | None = None) -> Steps[None]:
        yield from self._send(verb, names)
        yield from self._let_settle(names if new is None else new)

    def _send(self, verb: str, names: Sequence[str]) -> Steps[None]:
        units = self._machines.placed(names)
        words = {host: [verb, *units[host]] for host in self._machines.reached(units)}
        outcomes = yield from self._machines.each(f"the {verb}", words, host_scripts.LAUNCH, words)
        if verb == "restart":
            self._note_start(names, outcomes)

    def _let_settle(self, names: Iterable[str]) -> Steps[None]:
        if seconds := self._settling(names):
            yield Pause(seconds)

    def _settling(self, names: Iterable[str]) -> float:
        """Return how long an instance without a check has to run: earlier looks would be in vain. 0 with checks."""
        lasting = {*self._machines.require_record().checked, *self._machines.require_record().timed}
        return _SETTLED + _STOP if any(type_of(name) not in lasting for name in names) else 0.0

    def _start_targets(self, new: Sequence[str], again: Sequence[str] = ()) -> Steps[None]:
        """Start the targets and what is new, and restart what is in ``again``.

        Stopping a target affects all of its instances only if it is active.
        """
        units, others = self._machines.placed(new), self._machines.placed(again)
        hosts = self._machines.reached(self._machines.require_record().used_hosts)
        words = {host: [" ".join(others.get(host, ())), *units.get(host, ())] for host in hosts}
        outcomes = yield from self._machines.each("the start", words, host_scripts.TARGETS, words)
        self._note_start([*new, *again], outcomes)
        yield from self._let_settle([*new, *again])

    def _note_start(self, names: Iterable[str], outcomes: Mapping[str, Outcome]) -> None:
        """Note the hosts' clocks: what was started before is the life that ends."""
        record = self._machines.require_record()
        for name in names:
            if record.instances[name] in outcomes:
                clock = parse_clock(outcomes[record.instances[name]].text)
                self._started[name] = clock.uptime if clock.is_exact else 0.0, clock.now


def _record(before: Deployed | None) -> Record | None:
    return before.restorable if before is not None else None  # type: ignore[return-value]  # the engine's own
