"""The engine for Kubernetes: Deployments, StatefulSets and Jobs, through kubectl."""

from __future__ import annotations

import json

from procman.core.procfile.selection import matches
from procman.engines.calls import Pause, Report, now, run, run_together
from procman.engines.common_messages import not_deployed
from procman.engines.interface import EngineError
from procman.engines.known_names import require_known
from procman.engines.kubernetes.deployed_objects import (
    COUNT,
    ENDING,
    EVERYTHING,
    ONE_OFF,
    RUNNABLE,
    WORKLOADS,
    Workloads,
    again,
    lasting,
    names_of,
    require_own,
    stopped_count,
    template_of,
)
from procman.engines.kubernetes.deployment_notes import Notes
from procman.engines.kubernetes.kubectl import Kubectl, items_of, minor_of, name_of, parsed
from procman.engines.kubernetes.kubectl_errors import warnings_of
from procman.engines.kubernetes.leases import Lock
from procman.engines.kubernetes.pod_states import TypeNames, instance_of, numbered
from procman.engines.kubernetes.refusals import find_refusals
from procman.engines.kubernetes.rollouts import SHORTEST_START, Rollout, kinds_of
from procman.engines.kubernetes.start_order import StartOrder
from procman.engines.records import EXITED, InstanceState, LogLine
from procman.engines.waiting import growing
from procman.errors import EXIT_CANNOT_EXECUTE
from procman.export.application import RELEASE, starts_allowed
from procman.export.container.containers import dns_label
from procman.export.container.pods import SINGLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.interface import Release, Target
    from procman.engines.kubernetes.release_objects import ReleaseObjects
    from procman.engines.records import Deployed, Look, Reason

    Object = dict[str, Any]

_OLDEST_KUBECTL = 24  # 1.24 has all the options that are used here
_OLDEST_SERVER = 25  # 1.25 knows the labels that spread a new version over the nodes
_SKEW = 1  # minor versions between kubectl and the cluster that Kubernetes supports
_CRASHES = 3  # of an instance of a new version; a first deployment gets the whole budget of the process
_DOWN = 120.0  # seconds that pods may take to end, beside their own grace


class Kubernetes:
    """One application in one namespace."""

    refuses: Mapping[str, str] = {}

    def __init__(self, target: Target) -> None:
        self._target = target
        self._kubectl = Kubectl(target.destination.context, target.destination.namespace)
        self._label = dns_label(target.app)
        self._types = TypeNames({name: dns_label(name) for name in target.types})
        self._labels = {"app.kubernetes.io/name": target.app, "app.kubernetes.io/managed-by": "procman"}
        self._selector = ",".join(f"{key}={value}" for key, value in self._labels.items())
        self._pods = f"{self._selector},!{ONE_OFF}"
        self._lock = Lock(self._kubectl, target, self._label)
        self._budgets: dict[str, int] = {}  # how many crashes of a new instance are too many, by type
        self._rollout = Rollout(self._types, lambda name: self._budgets.get(name, _CRASHES))
        self._order = StartOrder(self._kubectl, self._types, self._rollout)
        self._notes = Notes(self._kubectl, self._types, self._rollout, self._label, self._labels)
        self._found_before: Sequence[Object] = ()  # what `deployed` has found
        self._deployed_names: set[str] = set()
        self._names_before: set[str] = set()  # of all objects, before anything is applied
        self._objects: ReleaseObjects | None = None  # of the latest release
        self._values: list[Object] = []  # ConfigMaps and Secrets that are still to be applied

    # A deployment -----------------------------------------------------------------------------------------------------

    def check(self) -> Steps[None]:
        """Raise EngineError unless kubectl is there and new enough, and the cluster answers."""
        outcome = yield from self._kubectl.ask("version", "-o", "json")
        versions = parsed(outcome)
        client, server = (minor_of(versions.get(f"{which}Version", {})) for which in ("client", "server"))
        if client < _OLDEST_KUBECTL:
            raise EngineError(f"kubectl 1.{client} is too old", f"procman needs 1.{_OLDEST_KUBECTL}")
        if server < _OLDEST_SERVER:
            raise EngineError(f"Kubernetes 1.{server} is too old", f"procman needs 1.{_OLDEST_SERVER}")
        if abs(client - server) > _SKEW:
            yield Report(f"kubectl 1.{client} is not made for Kubernetes 1.{server}")

    def warnings(self, release: Release) -> Sequence[str]:
        """Return what the cluster does not do, as sentences."""
        return self._wanted(release).warnings()

    def lock(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock of deployments. Creates the namespace if there is none."""
        return (yield from self._lock.take(owner, valid))

    def unlock(self, owner: str) -> Steps[None]:
        """Release the lock if it is the owner's."""
        return (yield from self._lock.release(owner))

    def deployed(self) -> Steps[Deployed | None]:
        """Return what runs now; None if there is nothing."""
        self._found_before, deployed = yield from self._notes.read(self._selector, self._pods)
        self._deployed_names = names_of(self._found_before)
        return deployed

    def diff(self, release: Release, before: Deployed | None) -> Steps[str]:
        """Return what would change, as the cluster says in a trial. Values of Secrets are masked."""
        from procman.engines.kubernetes.differences import difference

        wanted = self._wanted(release).everything()
        if before is None:  # perhaps there is no namespace yet, which a trial needs
            return difference((), wanted, ())
        outcome = yield from self._kubectl.apply(wanted, "--dry-run=server", "-o", "json")
        found = parsed(outcome)
        live = yield from self._kubectl.listed(EVERYTHING, self._selector)
        return difference(live, wanted, found["items"] if found["kind"] == "List" else [found])

    def ship(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Let the cluster try everything, so that it refuses before anything changes. See what is there meanwhile.

        The values follow together with what needs them first.
        """
        yield from self._kubectl.settle()
        trial, names, owners = yield from run_together(
            [
                self._kubectl.applying(self._wanted(release).everything(), "--dry-run=server"),
                self._kubectl.naming(EVERYTHING, self._selector),
                self._kubectl.owning(RUNNABLE),
            ]
        )
        require_own(self._target, self._wanted(release).workloads(), self._kubectl.owners(owners))
        outcome = self._kubectl.checked(trial)
        self._names_before = self._kubectl.named(names)
        self._values = self._wanted(release).environment()
        for warning in dict.fromkeys(warnings_of(outcome)):
            hint = f'; user = "1000" in [on.{release.destination}] may help' if "PodSecurity" in warning else ""
            yield Report(f"the cluster warns: {warning}{hint}")
        if before is not None and release.version.endswith("-dirty") and before.version == release.version:
            yield Report(f"{release.version} is deployed already, and a node does not pull the same image twice")

    def release(self, release: Release) -> Steps[None]:
        """Run the release phase of the Procfile, if it has one."""
        from procman.engines.kubernetes.release_jobs import run_release

        for job in self._wanted(release).release_job():
            found = next((one for one in self._found_before if name_of(one) == name_of(job)), None)
            yield from run_release(self._kubectl, job, found, self._values, release.timeout)
            self._values = []

    def apply(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Start the switch to the new version."""
        for instance in release.plan.instances:
            budget = starts_allowed(instance.restart)
            self._budgets[instance.type] = budget if before is None else min(_CRASHES, budget)
        workloads = self._wanted(release).workloads()
        notes = yield from self._notes.begun(release, workloads)
        yield from self._order.begin(release, workloads, [*self._values, notes], self._found_before)

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        """Look once whether all these types are up. Continues with what depends on others."""
        yield from self._order.proceed()
        objects = yield from self._kubectl.listed(kinds_of(self._rollout.applied or self._deployed_names), self._pods)
        ours = (one for one in objects if self._types.of(one) in wanted)
        refusals = yield from find_refusals(self._kubectl, ours)
        return self._order.judged(self._rollout.look(objects, wanted, (yield from now()), refusals))

    def last_lines(self, instance: InstanceState, count: int) -> Steps[Sequence[str]]:
        """Return the last lines that an instance wrote: of its former life if it has just begun another one."""
        lives = ((), ("--previous",)) if instance.restarts else ((),)
        for life in lives:
            outcome = yield from run(self._kubectl.call("logs", f"pod/{instance.id}", f"--tail={count}", *life))
            if outcome.ok and outcome.out.strip():
                return outcome.text.splitlines()
        return []

    def restore(self, before: Deployed, release: Release) -> Steps[None]:
        """Apply what ran before. `rollout undo` would make kubectl own the fields, so that no later version could
        remove them."""
        del release
        self._order.forget()
        self._budgets.clear()
        assert isinstance(before.restorable, tuple)
        objects: Sequence[Object] = before.restorable
        self._rollout.applied = {name_of(one): self._types.of(one) for one in objects}
        applied = [again(one) for one in objects if one["kind"] != "Job"]
        yield from self._kubectl.apply([*applied, self._notes.restored()])
        there = yield from self._kubectl.listed(RUNNABLE, self._selector)
        yield from self._kubectl.delete(sorted(names_of(lasting(there)) - names_of(objects)))

    def prune(self, release: Release) -> Steps[None]:
        """Note that the new version is up, and remove what it no longer has: types, and older values and Jobs."""
        notes = self._notes.come_up()
        gone = sorted(self._names_before - names_of([*self._wanted(release).everything(), notes]))
        calls = [self._kubectl.applying([notes]), *([self._kubectl.deleting(gone)] if gone else [])]
        for outcome in (yield from run_together(calls)):
            self._kubectl.checked(outcome)

    # What runs --------------------------------------------------------------------------------------------------------

    def instances(self) -> Steps[Sequence[InstanceState]]:
        """Return all instances. Raises EngineError if nothing is deployed."""
        workloads, pods = yield from self._found()
        stopped = [
            InstanceState(f"{name}.{number}", EXITED, restarts=None, reason="stopped")
            for name, one in workloads.items()
            for number in range(1, stopped_count(one) + 1)
        ]
        ended = {name for name, _ in pods}
        return [*(instance_of(name, pod) for name, pod in pods), *(one for one in stopped if one.name not in ended)]

    def scale(self, counts: Mapping[str, int]) -> Steps[None]:
        """Start to change the counts of some types."""
        workloads = yield from self._current()
        for name, count in counts.items():
            if name not in workloads or workloads[name]["kind"] in ENDING:
                raise self._refusal(f"{name} is a Job, which runs alone", "procman run runs its command again")
            if name == SINGLE and count > 1:
                raise self._refusal(f"{name} runs once only: two would do everything twice")
        yield from self._set_counts([(workloads[name], count) for name, count in counts.items()])

    def _set_counts(self, counts: Sequence[tuple[Object, int]]) -> Steps[None]:
        yield from self._kubectl.ask_together(("scale", name_of(one), f"--replicas={count}") for one, count in counts)
        stopped = [name_of(one) for one, _ in counts if stopped_count(one)]
        if stopped:
            yield from self._kubectl.ask("annotate", *stopped, f"{COUNT}-")

    def restart(self, names: Sequence[str], *, rolling: bool) -> Steps[None]:
        """Start to restart. Kubernetes restarts a whole type one after the other, whether or not it is ``rolling``."""
        del rolling
        workloads = yield from self._current()
        single = [name for name in names if name not in workloads]
        if single:
            _, pods = yield from self._found()
            of_names = {name: pod for name, pod in pods if name in single}
            if missing := [name for name in single if name not in of_names]:
                raise EngineError(f"{missing[0]} does not run", "procman ps shows what runs")
            yield from self._kubectl.delete([f"pod/{pod['metadata']['name']}" for pod in of_names.values()])
        chosen = [one for name, one in workloads.items() if name in names or not names]
        again = [name_of(one) for one in chosen if one["kind"] not in ENDING and one["spec"].get("replicas", 1)]
        if again:
            yield from self._kubectl.ask("rollout", "restart", *again)
            yield Pause(SHORTEST_START)
        elif not single:
            raise self._refusal("there is nothing to restart: a Job runs once, and stopped types have no instances")

    def stop(self, names: Sequence[str]) -> Steps[None]:
        """Stop whole types, and wait until their pods are gone. An annotation keeps their counts."""
        counts: dict[str, int] = {}
        for _, workload in (yield from self._chosen(names)):
            if workload["kind"] in ENDING:
                yield from self._suspend(workload, suspend=True)
            elif count := workload["spec"].get("replicas", 1):
                counts[name_of(workload)] = count
        yield from self._kubectl.ask_together(
            ("annotate", name, f"{COUNT}={count}", "--overwrite") for name, count in counts.items()
        )
        if counts:
            yield from self._kubectl.ask("scale", *counts, "--replicas=0")
        yield from self._wait_for_end(names)

    def start(self, names: Sequence[str]) -> Steps[None]:
        """Start what ``stop`` has stopped."""
        counts = []
        for _, workload in (yield from self._chosen(names)):
            if workload["kind"] in ENDING:
                yield from self._suspend(workload, suspend=False)
            elif count := stopped_count(workload):
                counts.append((workload, count))
        yield from self._set_counts(counts)

    def down(self) -> Steps[None]:
        """Remove everything but the namespace, and wait until the pods are gone."""
        yield from self._lock.require_free()
        names = yield from self._kubectl.names((*EVERYTHING, "pods"), self._selector)
        if not names:
            yield Report(f"{not_deployed(self._target).message}, so there is nothing to remove")
            return
        ours = (name for name in names if not name.startswith("pod/") or "-run-" in name)
        yield from self._kubectl.delete(sorted(ours))
        yield from self._wait_for_end(())

    def logs(self, names: Sequence[str], *, follow: bool, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """Return the last lines of all together, or follow them."""
        workloads, pods = yield from self._found()
        require_known(names, [*workloads, RELEASE, *(name for name, _ in pods)], self._target)
        from procman.engines.kubernetes.pod_logs import PodLogs

        reader = PodLogs(self._target, self._kubectl, self._pods, self._types, self._notes.name)
        if not follow:
            return (yield from reader.last(names, lines, since))
        yield from reader.follow(names, lines, since)
        return []

    def run(self, command: str, *, terminal: bool, process: str = "") -> Steps[int]:
        """Run a shell command once in the environment of what is deployed, and return its exit code."""
        from procman.engines.kubernetes.one_offs import run_once

        workloads = yield from self._current()
        template = template_of(next(iter(workloads.values())))
        return (yield from run_once(self._kubectl, self._label, self._labels, template, command, terminal=terminal))

    def why(self, names: Sequence[str]) -> Steps[Sequence[Reason]]:
        """Explain the state of instances, with what the cluster has reported about them."""
        from procman.engines.kubernetes.explanations import explained

        _, pods = yield from self._found()
        chosen = [(name, pod) for name, pod in pods if not names or any(matches(one, name) for one in names)]
        words = ("get", "events", "--field-selector", "type=Warning", "-o", "json")
        outcome = yield from run(self._kubectl.call(*words))
        events = items_of(outcome) if outcome.ok else ()  # not everyone may read them
        moment = yield from now()
        return [explained(instance_of(name, pod), events, moment) for name, pod in chosen]

    # Parts ------------------------------------------------------------------------------------------------------------

    def _wanted(self, release: Release) -> ReleaseObjects:
        from procman.engines.kubernetes.release_objects import ReleaseObjects

        if self._objects is None or self._objects.release is not release:
            self._objects = ReleaseObjects(release, self._types)
        return self._objects

    def _current(self) -> Steps[Mapping[str, Object]]:
        """Return the workloads by type, as ``deployed`` has just found them. Raises EngineError if there are none."""
        if not self._found_before:
            yield from self.deployed()
        workloads = Workloads(self._found_before, self._types).by_type
        self._found_before = ()  # they are about to change
        if not workloads:
            raise not_deployed(self._target)
        return workloads

    def _found(self) -> Steps[tuple[dict[str, Object], list[tuple[str, Object]]]]:
        """Return the workloads by type, and the pods with their names. Raises EngineError if nothing is deployed."""
        objects = yield from self._kubectl.listed((*WORKLOADS, "pods"), self._pods)
        workloads = Workloads(objects, self._types).by_type
        if not workloads:
            raise not_deployed(self._target)
        pods = (one for one in objects if one["kind"] == "Pod" and self._types.of(one) != RELEASE)
        return workloads, list(numbered(pods, self._types))

    def _chosen(self, names: Sequence[str]) -> Steps[list[tuple[str, Object]]]:
        """Return the workloads of whole types."""
        workloads = yield from self._current()
        if single := [name for name in names if name not in workloads]:
            raise self._refusal(f"Kubernetes would start {single[0]} again", "stop its type, or scale it")
        return [(name, one) for name, one in workloads.items() if not names or name in names]

    def _suspend(self, job: Object, *, suspend: bool) -> Steps[None]:
        """Let a Job run or not. The pods of a suspended Job end; those of a CronJob belong to Jobs of their own."""
        if bool(job["spec"].get("suspend")) != suspend and not job.get("status", {}).get("completionTime"):
            patch = json.dumps({"spec": {"suspend": suspend}})
            yield from self._kubectl.ask("patch", name_of(job), "--type=merge", "-p", patch)
        if suspend and job["kind"] == "CronJob":
            _, pods = yield from self._found()
            ours = (pod for _, pod in pods if self._types.of(pod) == self._types.of(job))
            running = {pod["metadata"]["labels"]["job-name"] for pod in ours if not _has_ended(pod)}
            yield from self._kubectl.delete([f"job.batch/{name}" for name in sorted(running)])

    def _wait_for_end(self, names: Iterable[str]) -> Steps[None]:
        """Wait until the types have no pods that run."""
        end = (yield from now()) + _DOWN
        types, pauses = set(names), growing()
        while True:
            pods = yield from self._kubectl.listed(["pods"], self._pods)
            left = [pod for pod in pods if not types or self._types.of(pod) in types]
            left = [pod for pod in left if not _has_ended(pod)]
            if not left:
                return
            if (yield from now()) >= end:
                name = next(name for name, _ in numbered(left, self._types))
                raise EngineError(f"{name} has not ended within {_DOWN:g} s", "is its node lost?", 124)
            yield Pause(next(pauses))

    @staticmethod
    def _refusal(message: str, hint: str = "") -> EngineError:
        return EngineError(message, hint, EXIT_CANNOT_EXECUTE)


def _has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
