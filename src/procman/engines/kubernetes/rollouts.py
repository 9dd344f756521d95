"""One look at a rollout: which pods are of the version that is applied, and whether they are all up."""

from __future__ import annotations

from procman.engines.kubernetes.kubectl import name_of
from procman.engines.kubernetes.pod_states import ending_of, instance_of, numbered, state_of
from procman.engines.records import BACKOFF, EXITED, FAILED, RUNNING, WAITING, InstanceState, Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from procman.engines.kubernetes.pod_states import TypeNames

    Object = dict[str, Any]

_BELOW = {  # what has to be looked at for each kind of workload
    "deployment": ("deployments", "replicasets"),
    "statefulset": ("statefulsets",),
    "job": ("jobs",),
    "cronjob": ("cronjobs", "jobs"),
}
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
STUCK_TIMEOUT = 10.0  # seconds that a container may be impossible to create, or a pod refused: such errors can pass
SHORTEST_START = 0.4  # seconds: before that no container is up, and a look would be in vain
_REVISION = "deployment.kubernetes.io/revision"


def kinds_of(names: Iterable[str]) -> list[str]:
    """Return the kinds of objects to look at for workloads, called ``KIND.GROUP/NAME``; all kinds if there are none."""
    kinds = dict.fromkeys(name.partition("/")[0].partition(".")[0] for name in names) or _BELOW
    return [*dict.fromkeys(below for kind in kinds for below in _BELOW.get(kind, ())), "pods"]


class Rollout:
    """Looks at objects again and again. It remembers since when a pod has been stuck.

    ``crashes`` says how often a new instance of a type may crash before the rollout has failed. ``applied`` maps
    the names of what was applied to their types. It is empty if nothing was. Other workloads are about to be removed,
    and do not count; nor does a type that the cluster cannot hold.
    """

    def __init__(self, types: TypeNames, crashes: Callable[[str], int]) -> None:
        self._types = types
        self._crashes = crashes
        self._stuck_since: dict[str, float] = {}
        self.applied: Mapping[str, str] = {}

    def look(
        self, objects: Sequence[Object], wanted: Mapping[str, int], now: float, refusals: Mapping[str, str]
    ) -> Look:
        """Return the instances of the new version of all types in ``wanted``.

        ``refusals`` says by the names of workloads why the cluster creates no pods for them.
        """
        instances: list[InstanceState] = []
        failed: list[InstanceState] = []
        done = True
        for name in [name for name in wanted if not self.applied or name in self.applied.values()]:
            ours = [one for one in objects if self._types.of(one) == name and self._counts(one)]
            new = dict(numbered(_new_pods(ours), self._types))
            found = [instance_of(key, pod) for key, pod in new.items()]
            found += self._refused(name, ours, found, refusals)
            instances += found
            tries = any(one["kind"] == "Job" and not ending_of(one) for one in ours)  # it starts another pod
            failed += [one for one in found if self._has_failed(one, new.get(one.name), now, tries=tries)]
            done = done and _is_done(ours, list(new.values()))
        return Look(tuple(instances), done and not failed, tuple(failed))

    def _counts(self, found: Object) -> bool:
        return found["kind"] not in WORKLOADS or not self.applied or name_of(found) in self.applied

    def _has_failed(self, instance: InstanceState, pod: Object | None, now: float, *, tries: bool) -> bool:
        if pod is None:  # it has been refused
            return self._is_stuck(instance.name, now)
        state = state_of(pod)
        if state.word == FAILED and tries:
            return False
        if state.word == BACKOFF and (instance.restarts or 0) + 1 >= self._crashes(instance.type):
            return True
        if not state.stuck:
            self._stuck_since.pop(instance.id, None)
        return state.final or (state.stuck and self._is_stuck(instance.id, now))

    def _is_stuck(self, key: str, now: float) -> bool:
        return now - self._stuck_since.setdefault(key, now) >= STUCK_TIMEOUT

    @staticmethod
    def _refused(
        name: str, objects: Iterable[Object], found: Sequence[InstanceState], refusals: Mapping[str, str]
    ) -> list[InstanceState]:
        """Return an instance for a workload whose pods the cluster does not take."""
        reasons = (refusals[one["metadata"]["name"]] for one in objects if one["metadata"]["name"] in refusals)
        number = max((instance.number for instance in found), default=0) + 1
        return [InstanceState(f"{name}.{number}", WAITING, reason=reason) for reason in reasons][:1]


def _new_pods(objects: Sequence[Object]) -> list[Object]:
    """Return the pods of the version that is applied, without those that are about to end."""
    newest = {(one["metadata"]["name"], _revision(one)) for one in objects if one["kind"] == "Deployment"}
    labels: set[tuple[str, str]] = set()
    for one in objects:
        if one["kind"] == "ReplicaSet":
            template = one["metadata"]["labels"]["pod-template-hash"]
            if (one["metadata"]["name"].removesuffix(f"-{template}"), _revision(one)) in newest:
                labels.add(("pod-template-hash", template))
        elif one["kind"] == "StatefulSet":
            labels.add(("controller-revision-hash", one.get("status", {}).get("updateRevision", "")))
        elif one["kind"] == "Job" and not one["spec"].get("suspend"):
            labels.add(("job-name", one["metadata"]["name"]))
    pods = (one for one in objects if one["kind"] == "Pod" and "deletionTimestamp" not in one["metadata"])
    return [pod for pod in pods if labels & set(pod["metadata"]["labels"].items())]


def _revision(found: Object) -> str:
    return str(found["metadata"].get("annotations", {}).get(_REVISION, ""))


def _is_done(objects: Sequence[Object], pods: Sequence[Object]) -> bool:
    """Whether a type is as its workload says. Pods count, too: what has just been deleted is still in the status."""
    words = [state_of(pod).word for pod in pods]
    for one in objects:
        status, count = one.get("status", {}), one["spec"].get("replicas", 1)
        if one["kind"] in ("Deployment", "StatefulSet"):
            ready = words.count(RUNNING) == count == status.get("replicas", 0) == status.get("updatedReplicas", 0)
            if status.get("observedGeneration", 0) < one["metadata"]["generation"] or not ready:
                return False
            if status.get("availableReplicas", 0) != count:
                return False
        elif one["kind"] == "Job" and not one["spec"].get("suspend") and not {RUNNING, EXITED} & set(words):
            return False
    return any(one["kind"] in WORKLOADS for one in objects)
