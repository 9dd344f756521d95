"""Docker Swarm: a stack, whose services are the process types, through the docker command of any manager."""

from __future__ import annotations

from procman.core.procfile.selection import matches
from procman.engines.calls import Card, Pause, now, run, run_together
from procman.engines.common_messages import not_deployed
from procman.engines.docker_cli import API_VERSION, Docker, require_new_enough
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.records import FAILED, Deployed, InstanceState, LogLine, Look
from procman.engines.swarm.swarm_files import filled, final_name, started_first
from procman.engines.swarm.swarm_names import APP, NAMESPACE, stack_name
from procman.engines.swarm.swarm_records import moment
from procman.engines.swarm.swarm_state import Restorable, SwarmState
from procman.engines.swarm.swarm_store import SwarmStore
from procman.engines.swarm.swarm_view import (
    SwarmView,
    given_up,
    service_name,
)
from procman.engines.waiting import wait_or_explain
from procman.export.application import RELEASE
from procman.export.container.containers import dns_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procman.engines.calls import Call, Steps
    from procman.engines.interface import Release, Target
    from procman.engines.records import Reason
    from procman.engines.swarm.swarm_stack import Stack

_STOP_LIMIT = 180.0  # seconds
_INTERVAL = 0.3  # seconds
_START_LIMIT = 60.0  # seconds until a command of `run` runs


class Swarm:
    """The engine."""

    refuses: Mapping[str, str] = {
        "instances": "Swarm treats all instances of a process type alike",
        "terminal": "Swarm cannot attach to a task on another machine",
    }

    def __init__(self, target: Target) -> None:
        self._target = target
        self._name = stack_name(target.app)
        self._docker = Docker(target.destination)
        self._store = SwarmStore(self._docker, self._name, target)
        self._view = SwarmView(self._docker, self._name, target)
        self._state = SwarmState(self._docker, self._store, self._view, target)
        self._file = ""  # the name of the file that is applied

    # A deployment -----------------------------------------------------------------------------------------------------

    def check(self) -> Steps[None]:
        """Raise EngineError unless docker reaches a manager that is new enough."""
        asked = [self._docker(*API_VERSION), self._docker("node", "ls", "--quiet")]
        version, swarm = yield from run_together(asked)
        require_new_enough(self._docker.require(version, "docker does not answer").text)
        self._docker.require(swarm, "the swarm does not answer")

    def lock(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock, a config object."""
        return self._store.lock.take(owner, valid)

    def unlock(self, owner: str) -> Steps[None]:
        """Release the lock."""
        if not owner:
            yield from self.check()
        yield from self._store.lock.release(owner)

    def deployed(self) -> Steps[Deployed | None]:
        """Return the version and the counts."""
        return (yield from self._state.deployed())

    @staticmethod
    def warnings(release: Release) -> Sequence[str]:
        """Return what Swarm does not do."""
        from procman.engines.swarm.swarm_stack import warnings_of

        return warnings_of(release)

    def diff(self, release: Release, before: Deployed | None) -> Steps[str]:
        """Return the difference of the two files. Secrets are only named in them."""
        import difflib

        yield from ()
        stack = self._stack(release, before)
        kept = before.restorable if before else None
        old = filled(kept.kept.template, _by_label(before.counts)) if before and isinstance(kept, Restorable) else ""
        new = filled(stack.template(), _by_label(release.counts))
        names = (before.version if before else "", release.version)
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
        return "".join(f"{line}\n" for line in lines)

    def ship(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Create the secrets that are new, and what the release phase needs: the network, and what it depends on."""
        stack = self._stack(release, before)
        label = f"--label={APP}={self._name}"
        calls = {
            f"the secret {one.name}": self._docker("secret", "create", label, one.name, "-", stdin=one.content)
            for one in stack.secrets.values()
        }
        if stack.phase and before is None:
            words = ("network", "create", "--driver=overlay", "--scope=swarm", f"--label={NAMESPACE}={self._name}")
            calls["the network"] = self._docker(*words, self._network)
        for what, outcome in zip(calls, (yield from run_together(calls.values())), strict=True):
            if b"already exists" not in outcome.err:
                self._docker.require(outcome, f"{what} cannot be created")
        yield from self._start_needed(stack, release, before)

    def _start_needed(self, stack: Stack, release: Release, before: Deployed | None) -> Steps[None]:
        """Start what the release phase depends on, as far as it is new, and wait for it."""
        missing = {name: release.counts[name] for name in stack.needed if not before or name not in before.counts}
        if missing:
            if before is None:  # or nothing would know the counts of the rest, if the release phase fails
                self._file = yield from self._store.write(release, stack.template(), "", None)
            text = filled(stack.only(missing).template(), _by_label(missing), file=self._file)
            yield from self._deploy_stack(text, "--resolve-image=always")
            yield from wait_or_explain(self, missing, release.timeout)

    def release(self, release: Release) -> Steps[None]:
        """Run the release phase as a job."""
        from procman.engines.swarm.swarm_jobs import Job, perform_job

        stack = self._stack(release, None)
        if not stack.phase:
            return
        job = Job(f"{RELEASE}.1", stack.phase, release.timeout)
        ended = yield from perform_job(self._docker, self._name, self._network, job)
        if ended.code:
            what = f"exited with code {ended.code}" if ended.task.code else ended.task.failure
            yield Card(InstanceState(job.instance, FAILED, version=release.version, reason=what), ended.lines)
            raise EngineError(f"the release phase failed: {what}")

    def apply(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Deploy the stack. Services that it no longer has stay until ``prune``."""
        stack = self._stack(release, before)
        restorable = before.restorable if before else None
        latest, images = "", None
        if before is not None and isinstance(restorable, Restorable):
            latest = restorable.latest
            if before.has_run:
                images = restorable.images
                yield from self._store.settle(restorable.kept)
        if before is not None or not self._file:
            self._file = yield from self._store.write(release, stack.template(), latest, images)
        text = filled(stack.template(), _by_label(release.counts), file=self._file)
        yield from self._deploy_stack(text, "--resolve-image=always")
        if before is not None:  # Swarm does not touch what has failed and has not changed
            failed = [slots.service.name for slots in (yield from self._view.observed()) if given_up(slots)]
            yield from self._update([("service", "update", "--detach", "--force", name) for name in failed])

    def _deploy_stack(self, text: str, *more: str) -> Steps[None]:
        words = ("stack", "deploy", "--with-registry-auth", *more, "--compose-file=-")
        outcome = yield from run(self._docker(*words, self._name, stdin=text.encode(), timeout=300.0))
        self._docker.require(outcome, "the stack cannot be deployed")

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        """Look at all services."""
        return self._view.look(wanted)

    def last_lines(self, instance: InstanceState, count: int) -> Steps[Sequence[str]]:
        """Return the last lines of a task."""
        if not instance.id:
            return []
        words = ("service", "logs", "--raw", "--timestamps", "--tail", str(count), instance.id)
        outcome = yield from run(self._docker(*words))
        lines = sorted((outcome.out + outcome.err).split(b"\n"))
        found = [line.partition(b" ") for line in lines if moment(line.partition(b" ")[0].decode("ascii", "replace"))]
        return [text.decode("utf-8", "replace") for _, _, text in found][-count:]

    def restore(self, before: Deployed, release: Release) -> Steps[None]:
        """Deploy the file of what ran before, with the same images; without a file, roll each service back."""
        restorable = before.restorable
        if isinstance(restorable, Restorable):
            kept = restorable.kept
            text = filled(kept.template, _by_label(before.counts), restorable.images, file=kept.name)
            yield from self._deploy_stack(text, "--resolve-image=never", "--prune")
            names = yield from self._store.names()
            yield from self._store.remove(*(name for name in names if name > kept.name))
            return
        for name in before.counts:
            yield from run(self._docker("service", "rollback", "--detach", service_name(self._name, name)))

    def prune(self, release: Release) -> Steps[None]:
        """Remove services, secrets and files that the new version does not have, and note that it has come up.

        A secret that a task still uses is left for the next deployment.
        """
        stack = self._stack(release, None)
        settling = self._store.settling(release, stack.template(), self._file)
        listed, secrets, configs, settled = yield from run_together(
            [
                self._docker("stack", "services", "--format", "{{.Name}}", self._name),
                self._listing("secret"),
                self._store.listing(),
                settling,
            ]
        )
        self._docker.require(settled, "the file of the stack cannot be kept")
        wanted = {service_name(self._name, name) for name in release.counts}
        gone = {
            "service": [name for name in listed.text.split() if name not in wanted],
            "secret": [name for name in secrets.text.split() if name not in stack.secrets],
            "config": [name for name in self._store.names_in(configs) if name != final_name(self._file)],
        }
        yield from run_together(self._docker(kind, "rm", *names) for kind, names in gone.items() if names)

    # What runs --------------------------------------------------------------------------------------------------------

    def instances(self) -> Steps[Sequence[InstanceState]]:
        """Return all instances."""
        return [one for slots in (yield from self._view.observed()) for one in slots.instances()]

    def scale(self, counts: Mapping[str, int]) -> Steps[None]:
        """Change counts; Swarm stops the highest numbers first."""
        words = [f"{service_name(self._name, name)}={count}" for name, count in counts.items()]
        outcome = yield from run(self._docker("service", "scale", "--detach", *words))
        self._docker.require(outcome, "Swarm does not scale")

    def restart(self, names: Sequence[str], *, rolling: bool) -> Steps[None]:
        """Replace all tasks: all at the same time, or with ``rolling`` one after the other.

        Where a new one starts before the old one stops, several are replaced at a time, since all stay up.
        """
        calls = []
        for one in (yield from self._state.chosen(names)):
            at_a_time = (started_first(one.replicas) if one.starts_first else 1) if rolling else 0
            words = ("service", "update", "--detach", "--force", "--update-parallelism", str(at_a_time), one.name)
            calls += [words] if one.replicas else []
        yield from self._update(calls)

    def stop(self, names: Sequence[str]) -> Steps[None]:
        """Scale to 0, and keep the count in a label."""
        chosen = [one for one in (yield from self._state.chosen(names)) if one.replicas]
        words = ("service", "update", "--detach", "--replicas", "0", "--label-add")
        yield from self._update([(*words, f"procman.stopped={one.replicas}", one.name) for one in chosen])
        end = (yield from now()) + _STOP_LIMIT
        stopped = {one.name for one in chosen}
        while any(slots.service.name in stopped and slots.leaving() for slots in (yield from self._view.observed())):
            yield from self._pause(end, "not all have stopped")

    def start(self, names: Sequence[str]) -> Steps[None]:
        """Scale to the counts that `stop` has kept. What is named and has none gets one instance."""
        chosen = [one for one in (yield from self._state.chosen(names)) if not one.replicas and (one.stopped or names)]
        words = ("service", "update", "--detach", "--label-rm", "procman.stopped", "--replicas")
        yield from self._update([(*words, str(one.stopped or 1), one.name) for one in chosen])

    def down(self) -> Steps[None]:
        """Remove all that belongs to the application.

        The network goes last. If it went while tasks still stop, as with `stack rm`, a node could keep a useless copy,
        and no stack of this name would start again.
        """
        yield from self._store.lock.require_free()
        present = [one.name for one in (yield from self._state.services())]
        names = list(dict.fromkeys((*present, *(yield from self._listed("service")))))  # jobs, too
        networks = ("network", "ls", "--quiet", "--filter", f"label={NAMESPACE}={self._name}")
        if not names and not (yield from run(self._docker(*networks))).text.split():
            raise not_deployed(self._target)
        if names:
            self._docker.require((yield from run(self._docker("service", "rm", *names))), "Swarm does not stop it")
        end = (yield from now()) + _STOP_LIMIT
        while (yield from self._view.stopping()):
            yield from self._pause(end, "its instances still stop")
        while left := (yield from run(self._docker(*networks))).text.split():
            if b"not found" in (yield from run(self._docker("network", "rm", *left))).err:
                break  # what this node has kept is not of the swarm
            yield from self._pause(end, "its network is still there")
        for kind in ("secret", "config"):
            if left := (yield from self._listed(kind)):
                yield from run(self._docker(kind, "rm", *left))

    @staticmethod
    def _pause(end: float, sentence: str) -> Steps[None]:
        """Pause between two looks. Raises EngineError after the end."""
        if (yield from now()) >= end:
            raise EngineError(f"{sentence} after {_STOP_LIMIT:g} s", "try again later", EXIT_TIMEOUT)
        yield Pause(_INTERVAL)

    # Output -----------------------------------------------------------------------------------------------------------

    def logs(self, names: Sequence[str], *, follow: bool, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """Return the last lines of all services, or follow them."""
        from procman.engines.swarm.swarm_logs import ServiceLogs

        logs = ServiceLogs(self._docker, self._target, (yield from self._state.chosen([])), names)
        if not follow:
            return (yield from logs.last(lines, since))
        yield from logs.follow(lines, since)
        return []

    def run(self, command: str, *, terminal: bool, process: str = "") -> Steps[int]:
        """Run a job with the image of what is deployed, and with the variables of a type, or those that all share."""
        from procman.engines.swarm.swarm_jobs import Job, one_off, perform_job

        found, file = yield from self._state.services_and_file()
        job = Job("run.1", one_off(found, file, command, process), _START_LIMIT)
        ended = yield from perform_job(self._docker, self._name, self._network, job)
        if ended.task.state == "rejected":
            raise EngineError(f"Swarm cannot run it: {ended.task.failure}")
        return ended.code

    def why(self, names: Sequence[str]) -> Steps[Sequence[Reason]]:
        """Explain each instance, and each type that has none."""
        from procman.engines.swarm.swarm_reasons import reasons

        every = yield from self._view.observed()
        time = yield from now()
        return [one for one in reasons(every, time) if not names or any(matches(name, one.name) for name in names)]

    # Parts ------------------------------------------------------------------------------------------------------------

    @property
    def _network(self) -> str:
        return f"{self._name}_default"

    @staticmethod
    def _stack(release: Release, before: Deployed | None) -> Stack:
        from procman.engines.swarm.swarm_stack import make_stack  # with all of the export, which only deploy needs

        return make_stack(release, before.stopped if before else {})

    def _listing(self, kind: str) -> Call:
        return self._docker(kind, "ls", "--filter", f"label={APP}={self._name}", "--format", "{{.Name}}")

    def _listed(self, kind: str) -> Steps[list[str]]:
        outcome = self._docker.require((yield from run(self._listing(kind))), f"Swarm does not list its {kind}s")
        return outcome.text.split()

    def _update(self, calls: Iterable[tuple[str, ...]]) -> Steps[None]:
        for outcome in (yield from run_together(self._docker(*words) for words in calls)):
            self._docker.require(outcome, "Swarm does not update the service")


def _by_label(counts: Mapping[str, int]) -> dict[str, int]:
    return {dns_label(name): count for name, count in counts.items()}
