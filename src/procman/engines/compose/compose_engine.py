"""Docker Compose as an engine: one machine, here or behind a context of Docker."""

from __future__ import annotations

from procman.engines.calls import Call, Card, Pause, Report, now, run, run_together
from procman.engines.common_messages import not_deployed
from procman.engines.compose.compose_choice import beside, first_half, in_order_of_stop, in_the_way, named, surplus
from procman.engines.compose.compose_commands import Commands
from procman.engines.compose.compose_logs import following, merged
from procman.engines.compose.compose_records import containers, reason_of
from procman.engines.compose.compose_store import Store
from procman.engines.compose.compose_versions import begun, come_up, deployed, not_noted
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.known_names import require_known_types
from procman.engines.records import EXITED, FAILED, RUNNING, STARTING, InstanceState, Look
from procman.engines.waiting import NotReadyError, cards, growing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procman.engines.calls import Steps
    from procman.engines.compose.compose_project import Project
    from procman.engines.compose.compose_records import Container
    from procman.engines.interface import Release, Target
    from procman.engines.records import Deployed, LogLine, Reason

_UP = 60.0  # seconds that Compose may take to create containers, beside what these wait for
_STABLE = 1.0  # seconds that an instance without a check has to be up
_ROLLING_TIME = 120.0  # seconds that one instance may take in a rolling restart
_RELEASE = "release.1"
_RELEASE_LINES = 20


class Compose:
    """The verbs at a Docker daemon, by `docker` and `docker compose`."""

    refuses: Mapping[str, str] = {}

    def __init__(self, target: Target) -> None:
        self._target = target
        self._commands = Commands(target.app, target.destination)
        self._store = Store(target, self._commands.docker, self._commands.error)
        self._project: Project | None = None  # the one that is applied, or being applied
        self._is_first = False  # whether nothing was deployed before
        self._ids: list[str] = []  # the containers of the last look
        # by ID: the start of a life, and when it was first seen
        self._alive: dict[str, tuple[float | None, float]] = {}

    # Before and around a deployment

    def check(self) -> Steps[None]:
        """See Engine.check."""
        yield from self._commands.check()

    def lock(self, owner: str, valid: float) -> Steps[None]:
        """See Engine.lock. What was read before it may have changed meanwhile."""
        yield from self._store.lock.take(owner, valid)
        self._project = None

    def unlock(self, owner: str) -> Steps[None]:
        """See Engine.unlock."""
        if not owner:
            yield from self._commands.require_docker()
        yield from self._store.lock.release(owner)

    def deployed(self) -> Steps[Deployed | None]:
        """See Engine.deployed."""
        project = self._project = self._project or (yield from self._store.read())
        if project is None:
            return not_noted((yield from self._containers()))
        if not project.has_been_up and (yield from self._is_up(project.counts)):
            project = self._project = come_up(project)
        return deployed(project)

    def _is_up(self, counts: Mapping[str, int]) -> Steps[bool]:
        """Whether all of what was applied is up by now, although no deployment waited for that to the end."""
        look = yield from self.look(counts)
        if not look.is_done and not look.failed and all(one.state == RUNNING for one in look.instances):
            yield Pause(_STABLE)
            look = yield from self.look(counts)
        return look.is_done and any(counts.values())

    @staticmethod
    def warnings(release: Release) -> Sequence[str]:
        """Return what Compose does not do."""
        from procman.engines.compose.compose_project import warnings_of

        return warnings_of(release)

    def diff(self, release: Release, before: Deployed | None) -> Steps[str]:
        """See Engine.diff."""
        from difflib import unified_diff

        from procman.engines.compose.compose_project import described, make_project

        yield from ()
        old = before.restorable if before else None
        project = make_project(release, release.image, before.stopped if before else {})
        lines = unified_diff(described(old), described(project, old), "deployed", "new", n=0, lineterm="")  # type: ignore[arg-type]
        return "".join(f"{line}\n" for line in lines if not line.startswith("@@"))

    def ship(self, release: Release, before: Deployed | None) -> Steps[None]:
        """See Engine.ship: the image is there."""
        from procman.engines.compose.compose_project import make_project  # with all of the export

        if not release.image:
            raise EngineError(
                "Compose needs an image", 'write image = "shop:{version}" in the table of the destination'
            )
        destination = self._target.destination
        is_built_there = bool(destination.build) and not destination.push
        clean_up = [self._commands.docker("rm", "--force", f"{self._commands.project}-release")]  # if one was killed
        image_id = yield from self._commands.image_id(release.image, clean_up, is_built_there=is_built_there)
        self._project = begun(make_project(release, image_id, before.stopped if before else {}), before)
        self._is_first = before is None

    def release(self, release: Release) -> Steps[None]:
        """See Engine.release."""
        project = self._applied()
        if not project.has_release:
            return
        yield Report("release: it runs before the new version")
        if self._is_first and project.needs.get("release"):  # what it depends on is started with it
            yield from self._store.write(project)
        call = yield from self._commands.compose(
            *("run", "--rm", "--no-TTY", f"--name={project.name}-release"),
            *(() if project.needs.get("release") else ("--no-deps",)),
            "release",
            config=project.config(),
            timeout=release.timeout,
        )
        outcome = yield from run(call)
        if not outcome.ok:
            yield from run(self._commands.docker("rm", "--force", f"{project.name}-release"))
            lines = (outcome.out + outcome.err).decode("utf-8", "replace").splitlines()[-_RELEASE_LINES:]
            yield Card(InstanceState(_RELEASE, FAILED, version=project.version, exit=str(outcome.code)), tuple(lines))
            raise EngineError(f"the release failed with exit code {outcome.code}", exit_code=1)
        yield from merged([(InstanceState(_RELEASE, EXITED), outcome)])

    # The switch

    def apply(self, release: Release, before: Deployed | None) -> Steps[None]:
        """See Engine.apply.

        What serves a port and has several instances is replaced in two halves, so that one half always serves. The rest
        goes with the first half, so that the time in which it has to stay up begins early.
        """
        project = self._applied()
        yield from self._store.write(project)
        found = yield from self._whole_containers()
        yield from self._remove(in_the_way(project, found))
        first = first_half(project, found)
        if first:
            yield from self._up((*first, *beside(project, first)), release.timeout)
            if not (yield from self._come_up(first, release.timeout)):
                return  # the wait that follows says what failed
        yield from self._up((), release.timeout)

    def restore(self, before: Deployed, release: Release) -> Steps[None]:
        """See Engine.restore."""
        self._project = come_up(before.restorable)  # type: ignore[arg-type]
        yield from self._store.write(self._project)
        yield from self._remove(surplus(self._applied(), (yield from self._whole_containers())))
        yield from self._up((), release.timeout)

    def prune(self, release: Release) -> Steps[None]:
        """See Engine.prune. Only now is the new project the one that is restored."""
        project = self._applied()
        yield from self._remove(surplus(project, (yield from self._containers())))
        self._project = come_up(project)
        yield from self._store.write(self._project)

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        """See Engine.look."""
        project = yield from self._noted()
        found = [one for one in (yield from self._containers()) if one.state.type in wanted]
        time = yield from now()
        current = [one for one in found if one.hash == project.hash_of(one.state.type)]
        expected = {f"{name}.{number}" for name, count in wanted.items() for number in range(1, count + 1)}
        ready = {one.state.name for one in current if one.is_ready and self._is_settled(one, time)}
        failed = tuple(one.state for one in current if one.has_failed and one.state.name in expected)
        there = {one.state.name for one in found if one.state.state != EXITED or one.state.name in expected}
        is_done = ready == expected == there  # what is stopped does not count
        return Look(tuple(one.state for one in found), is_done, failed)

    def _is_settled(self, one: Container, time: float) -> bool:
        """Whether it is ready by its check, or without one, has been up for a while."""
        began, seen = self._alive.get(one.id, (None, time))
        seen = seen if began == one.state.since else time
        self._alive[one.id] = one.state.since, seen
        return one.is_checked or time - seen >= _STABLE

    def last_lines(self, instance: InstanceState, count: int) -> Steps[Sequence[str]]:
        """See Engine.last_lines."""
        if not instance.id:
            return []
        outcome = yield from run(self._commands.docker("logs", "--timestamps", f"--tail={count}", instance.id))
        return [line.line.decode("utf-8", "replace") for line in merged([(instance, outcome)])[-count:]]

    # What the other commands do

    def instances(self) -> Steps[Sequence[InstanceState]]:
        """See Engine.instances."""
        found = yield from self._containers()
        if not found:
            yield from self._noted()
        return [one.state for one in found]

    def scale(self, counts: Mapping[str, int]) -> Steps[None]:
        """See Engine.scale."""
        project = yield from self._noted()
        stopped = {name: count for name, count in project.stopped.items() if not counts.get(name)}
        self._project = project = project.with_counts({**project.counts, **counts}, stopped)
        found = [one for one in (yield from self._containers()) if one.state.type in counts]
        yield from self._remove(surplus(project, found))
        yield from self._start([name for name in counts if counts[name]])
        yield from self._store.write(project)

    def restart(self, names: Sequence[str], *, rolling: bool) -> Steps[None]:
        """See Engine.restart. What is stopped stays so, and what runs once runs again only if it is named."""
        project = yield from self._noted()
        found = [one for one in (yield from self._containers()) if project.counts.get(one.state.type)]
        chosen = [one for one in named(found, names) if names or one.lasts]
        if names and not chosen:
            raise EngineError(f"{', '.join(names)} is stopped", "procman start starts it")
        calls = [self._commands.docker("restart", one.id, timeout=None) for one in chosen]
        if not rolling:
            for one, outcome in zip(chosen, (yield from run_together(calls)), strict=True):
                self._commands.require(outcome, f"{one.state.name} cannot be restarted")
            return
        limit = _ROLLING_TIME if self._target.destination.timeout is None else self._target.destination.timeout
        for one, call in zip(chosen, calls, strict=True):
            outcome = yield from run(call)
            self._commands.require(outcome, f"{one.state.name} cannot be restarted")
            if not (yield from self._come_up([one.state.name], limit)):
                error = NotReadyError(
                    f"{one.state.name} did not come up again; the rest has not been restarted", [one.state]
                )
                yield from cards(self, error)
                raise error

    def stop(self, names: Sequence[str]) -> Steps[None]:
        """See Engine.stop."""
        project = yield from self._noted()
        yield from self._stop(named((yield from self._containers()), names))
        whole = [name for name, count in project.counts.items() if count and (not names or name in names)]
        stopped = {**project.stopped, **{name: project.counts[name] for name in whole}}
        self._project = project.with_counts({**project.counts, **dict.fromkeys(whole, 0)}, stopped)
        yield from self._store.write(self._project)

    def start(self, names: Sequence[str]) -> Steps[None]:
        """See Engine.start."""
        project = yield from self._noted()
        back = {name: count for name, count in project.stopped.items() if not names or name in names}
        stopped = {name: count for name, count in project.stopped.items() if name not in back}
        self._project = project = project.with_counts({**project.counts, **back}, stopped)
        yield from self._store.write(project)
        types = {name.partition(".")[0] for name in names} | set(back)
        lasting = [name for name in project.counts if project.lasts(name)]
        yield from self._start([name for name in project.counts if name in types or (not names and name in lasting)])

    def down(self) -> Steps[None]:
        """See Engine.down. Another project of Compose may have the same name, so only what is ours is removed."""
        self._project = yield from self._store.read()  # raises EngineError if it is another application's
        yield from self._store.lock.require_free()
        yield from self._remove((yield from self._every_container()))
        name = self._commands.project
        yield from run(self._commands.docker("rm", "--force", f"{name}-release"))
        yield from run(self._commands.docker("network", "rm", f"{name}_default"))  # it stays if others use it
        yield from self._store.remove()

    def logs(self, names: Sequence[str], *, follow: bool, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """See Engine.logs."""
        found = yield from self._containers()
        require_known_types(names, [one.state.name for one in found], self._target)
        chosen = [one.state for one in named(found, names)]
        if follow:
            yield from following(self._commands, self._target, names, chosen, lines, since)
            return []
        calls = [self._commands.logs(one.id, lines, since) for one in chosen]
        outcomes = yield from run_together(calls)
        shown = merged(zip(chosen, outcomes, strict=True))
        return shown[len(shown) - lines :] if len(shown) > lines else shown

    def run(self, command: str, *, terminal: bool, process: str = "") -> Steps[int]:
        """See Engine.run."""
        project = yield from self._noted()
        return (yield from self._commands.one_off(project.one_off_of(process), command, terminal=terminal))

    def why(self, names: Sequence[str]) -> Steps[Sequence[Reason]]:
        """See Engine.why."""
        return [reason_of(one) for one in named((yield from self._containers()), names)]

    # Parts

    def _applied(self) -> Project:
        assert self._project is not None
        return self._project

    def _noted(self) -> Steps[Project]:
        """Return the project that is applied, or was. Raises EngineError if there is none."""
        if self._project is None:
            self._project = yield from self._store.read()
        if self._project is None:
            raise not_deployed(self._target)
        return self._project

    def _containers(self) -> Steps[list[Container]]:
        """Return the containers of all instances."""
        return [one for one in (yield from self._every_container()) if one.is_whole]

    def _whole_containers(self) -> Steps[list[Container]]:
        """Remove what an interrupted Compose has left, which would be in its way, and return the containers."""
        found = yield from self._every_container()
        yield from self._remove(one for one in found if not one.is_whole)
        return [one for one in found if one.is_whole]

    def _every_container(self) -> Steps[list[Container]]:
        """Return all containers. Most looks find those of the last one, and need no second call after the list."""
        again = [self._commands.inspecting(self._ids)] if self._ids else []
        found, *early = yield from run_together([self._commands.instance_ids(), *again])
        self._commands.require_answer(found)
        present, self._ids = self._ids, found.text.split()
        if not self._ids:
            return []
        if not set(self._ids) <= set(present):
            early = [(yield from run(self._commands.inspecting(self._ids)))]
        every = containers(self._commands.inspected(*early), self._commands.node)
        gone = {one[:12] for one in set(present) - set(self._ids)}
        return [one for one in every if one.id not in gone]

    def _up(self, names: Iterable[str], timeout: float) -> Steps[None]:
        """Create or replace the named instances, or all, and start them. Yields cards and raises EngineError."""
        project = self._applied()
        services = [project.service_of(name) for name in names]
        if not services and not any(project.counts.values()):
            return
        yield from self._compose_up(*services, timeout=timeout)

    def _start(self, types: Iterable[str]) -> Steps[None]:
        """Start what is missing of these types, and leave everything else alone."""
        project = self._applied()
        services = [project.service(name, one) for name in types for one in range(1, project.counts[name] + 1)]
        if services:
            yield from self._compose_up("--no-recreate", "--no-deps", *services, timeout=_ROLLING_TIME)

    def _compose_up(self, *words: str, timeout: float) -> Steps[None]:
        call = yield from self._commands.compose(
            *("up", "--detach", "--no-build", *words), config=self._applied().config(), timeout=timeout + _UP
        )
        outcome = yield from run(call)
        if not outcome.ok:
            found = yield from self._containers()
            failed = [one.state for one in found if one.has_failed]
            yield from cards(self, NotReadyError(outcome.complaint, failed))
            raise self._commands.error(outcome, "Compose does not start it")

    def _come_up(self, names: Iterable[str], timeout: float) -> Steps[bool]:
        """Wait until the named instances are ready. Return False if one fails, or not in time."""
        wanted, hanging = set(names), set[str]()
        end = (yield from now()) + timeout
        for pause in growing():
            found = [one for one in (yield from self._containers()) if one.state.name in wanted]
            if any(one.has_failed for one in found) or (yield from now()) >= end:
                break
            early = yield from self._passed([one for one in found if one.check and one.id not in hanging], hanging)
            if {one.state.name for one in found if one.is_ready or one.id in early} == wanted:
                return True
            yield Pause(pause)
        return False

    def _passed(self, found: Sequence[Container], hanging: set[str]) -> Steps[set[str]]:
        """Return those that pass their check although Docker, which waits for a whole interval, has not made it yet.

        What does not answer in time is added to ``hanging``.
        """
        waiting = [one for one in found if one.state.state == STARTING]
        outcomes = yield from run_together(self._commands.checking(one) for one in waiting)
        results = {one.id: outcome for one, outcome in zip(waiting, outcomes, strict=True)}
        hanging.update(number for number, outcome in results.items() if outcome.code == EXIT_TIMEOUT)
        return {number for number, outcome in results.items() if outcome.ok}

    def _remove(self, found: Iterable[Container]) -> Steps[None]:
        """Stop containers, and remove them."""
        chosen = list(found)
        yield from self._stop(chosen)
        if ids := [one.id for one in chosen]:
            yield from self._succeed(self._commands.docker("rm", "--force", *ids), "not everything could be removed")

    def _stop(self, found: Iterable[Container]) -> Steps[None]:
        for group in in_order_of_stop(self._project, found):
            ids = [one.id for one in group]
            yield from self._succeed(
                self._commands.docker("stop", *ids, timeout=None), "not everything could be stopped"
            )

    def _succeed(self, call: Call, what: str) -> Steps[None]:
        self._commands.require((yield from run(call)), what)
