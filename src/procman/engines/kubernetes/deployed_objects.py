"""What is deployed: workloads by process type, their counts, and what is needed to bring them back."""

from __future__ import annotations

from procman.engines.common_messages import name_taken
from procman.engines.kubernetes.kubectl import name_of
from procman.engines.kubernetes.pod_states import version_of
from procman.engines.records import Deployed
from procman.export.application import RELEASE
from procman.export.container.manifests import CONTENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from procman.engines.interface import Target
    from procman.engines.kubernetes.pod_states import TypeNames

    Object = dict[str, Any]

WORKLOADS = ("deployments", "statefulsets", "jobs", "cronjobs")
# What a rollout changes.
RUNNABLE = (*WORKLOADS, "services", "poddisruptionbudgets", "horizontalpodautoscalers.autoscaling")
EVERYTHING = (*RUNNABLE, "configmaps", "secrets")
ONE_OFF = "procman/run"  # the label of the pods of `run`
COUNT = "procman/count"  # the annotation of a stopped workload: how many it had


ENDING = ("Job", "CronJob")  # kinds of workloads whose pods end by themselves


class Workloads:
    """The workloads of an application by process type."""

    def __init__(self, objects: Iterable[Object], types: TypeNames) -> None:
        self.by_type: dict[str, Object] = {}
        kinds = ("Deployment", "StatefulSet", *ENDING)
        for one in sorted(objects, key=lambda one: str(one["metadata"].get("creationTimestamp", ""))):
            if one["kind"] in kinds and types.of(one) != RELEASE:
                self.by_type[types.of(one)] = one  # of several Jobs, the latest one

    def deployed(self, objects: Sequence[Object]) -> Deployed:
        """Return what runs now."""
        stopped = {name: count for name, one in self.by_type.items() if (count := stopped_count(one))}
        return Deployed(next(filter(None, self.versions()), ""), self.counts(), stopped, tuple(objects))

    def counts(self) -> dict[str, int]:
        """Return how many instances of each type are wanted."""
        return {name: count_of(one) for name, one in self.by_type.items()}

    def versions(self) -> dict[str, None]:
        """Return the versions of the types, in their order."""
        return dict.fromkeys(version_of(template_of(one)["metadata"]) for one in self.by_type.values())

    def has_run(self) -> bool:
        """Whether all of it has once been up, as far as its own status says."""
        is_mixed = len(self.versions()) > 1  # a rollout was cut off, and part of it is of the version before
        return is_mixed or all(_has_run(one) for one in self.by_type.values() if count_of(one))


def count_of(workload: Object) -> int:
    """Return how many instances a workload wants."""
    if workload["kind"] in ENDING:
        return 0 if workload["spec"].get("suspend") else 1
    return int(workload["spec"].get("replicas", 1))


def _has_run(workload: Object) -> bool:
    """Whether pods of a workload have ever come up."""
    status = workload.get("status", {})
    if workload["kind"] in ENDING or status.get("availableReplicas"):
        return True
    if workload["kind"] == "StatefulSet":  # it does not say; one that has changed has perhaps run
        return bool(workload["metadata"].get("generation", 1) > 1)
    return any(one.get("reason") == "NewReplicaSetAvailable" for one in status.get("conditions") or ())


def template_of(workload: Object) -> Object:
    """Return the template of its pods."""
    spec: Object = workload["spec"]
    found: Object = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    return found


def stopped_count(workload: Object) -> int:
    """Return how many instances a stopped workload had; 0 if it is not stopped."""
    if workload["kind"] in ENDING:
        return 1 - count_of(workload)
    return int(workload["metadata"].get("annotations", {}).get(COUNT, "0"))


def again(found: Object) -> Object:
    """Return an object so that it can be applied again, without what the cluster has added to its metadata."""
    metadata = found["metadata"]
    kept = {key: metadata[key] for key in ("name", "labels") if key in metadata}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": kept, "spec": found["spec"]}


def as_json(manifest: Mapping[str, Any]) -> Object:
    """Return a manifest of the export without its comments."""
    return {key: _value(value) for key, value in manifest.items() if value is not None}


def _value(value: object) -> object:
    if isinstance(value, dict):
        return as_json(value)
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    return str(value) if isinstance(value, str) else value


def names_of(objects: Iterable[Object]) -> set[str]:
    """Return the names of objects as commands know them."""
    return {name_of(one) for one in objects}


def require_own(target: Target, objects: Iterable[Object], owners: Mapping[str, str]) -> None:
    """Raise EngineError if something else has the name of one of the objects, which would be taken over.

    ``owners`` says who manages what is in the cluster, and what it is of.
    """
    for one in objects:
        if owners.get(name_of(one), f"procman={target.app}") != f"procman={target.app}":
            manager, _, app = owners[name_of(one)].partition("=")
            whose = f"of {app}" if manager == "procman" else "that procman has not made"
            raise name_taken(target, f"there is a {one['kind']} {one['metadata']['name']} {whose}")


def lasting(objects: Iterable[Object]) -> list[Object]:
    """Return what is not named by its content: it belongs to a process type."""
    return [one for one in objects if CONTENT not in one["metadata"].get("labels", {})]
