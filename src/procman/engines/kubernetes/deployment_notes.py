"""What a deployment notes in the cluster, in a ConfigMap: what it was to start, and the latest version that came up."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from procman.engines.calls import now, run_together
from procman.engines.kubernetes.deployed_objects import RUNNABLE, Workloads, again
from procman.engines.kubernetes.kubectl import name_of, parsed
from procman.engines.kubernetes.rollouts import kinds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.interface import Release
    from procman.engines.kubernetes.kubectl import Kubectl
    from procman.engines.kubernetes.pod_states import TypeNames
    from procman.engines.kubernetes.rollouts import Rollout
    from procman.engines.records import Deployed

    Object = dict[str, Any]

NOTES = "procman/notes"  # the label of the ConfigMap
_MAX_NOTE_SIZE = 900_000  # bytes: a ConfigMap holds 1 MiB
_APPLIED, _CAME_UP = "applied", "came-up"


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it was applied: ``number`` tells deployments apart, ``objects`` are what a rollout changes."""

    number: float
    version: str
    counts: Mapping[str, int]
    objects: Sequence[Object] = ()


class Notes:
    """The notes of one application. ``labels`` are those of its objects."""

    def __init__(
        self, kubectl: Kubectl, types: TypeNames, rollout: Rollout, label: str, labels: Mapping[str, str]
    ) -> None:
        self._kubectl = kubectl
        self._labels = {**labels, NOTES: "true"}
        self._types = types
        self._rollout = rollout
        self.name = f"{label}-deploy"
        self._applied: Version | None = None
        self._came_up: Version | None = None

    def read(self, selector: str, pods: str) -> Steps[tuple[Sequence[Object], Deployed | None]]:
        """Return the workloads that are there, and what is deployed according to them and the notes."""
        yield from self._kubectl.settle()
        objects, noted = yield from run_together(
            [
                self._kubectl.listing(RUNNABLE, selector),
                self._kubectl.call("get", f"configmap/{self.name}", "--ignore-not-found", "-o", "json"),
            ]
        )
        found = self._kubectl.own(objects)
        if self._kubectl.checked(noted).out.strip():
            data = parsed(noted).get("data") or {}
            self._applied, self._came_up = (_version(data.get(key, "")) for key in (_APPLIED, _CAME_UP))
        return found, (yield from self._deployed(found, pods))

    def _deployed(self, found: Sequence[Object], pods: str) -> Steps[Deployed | None]:
        """Return the latest version that has come up, as far as there is one, and what runs of a later one.

        A version came up if a deployment has noted so, or if all of it is up now.
        """
        live = Workloads(found, self._types)
        if not live.by_type:
            return None
        applied, came_up = self._applied, self._came_up
        deployed = live.deployed(found)
        if applied and came_up and applied.number == came_up.number:
            return deployed
        if (yield from self._is_up(live, applied, pods)) if applied else live.has_run():  # without notes: by hand
            number = applied.number if applied else 0.0
            self._came_up = Version(number, deployed.version, deployed.counts, [again(one) for one in found])
            return deployed
        if applied is not None:
            asked = {name: count for name, count in applied.counts.items() if name not in deployed.counts}
            deployed = replace(deployed, version=applied.version, asked=asked)
        if came_up is None or not came_up.objects:
            return replace(deployed, has_run=False)
        objects = tuple(_counted(one, deployed.counts.get(self._types.of(one))) for one in came_up.objects)
        return deployed.back_to(came_up.version, objects, Workloads(objects, self._types).by_type)

    def _is_up(self, live: Workloads, applied: Version, pods: str) -> Steps[bool]:
        """Whether all that a deployment applied is up by now, although none waited for that to the end."""
        counts = live.counts()
        if not any(counts.values()) or [*live.versions()] != [applied.version] or set(applied.counts) - set(counts):
            return False
        names = [name_of(one) for one in live.by_type.values()]
        objects = yield from self._kubectl.listed(kinds_of(names), pods)
        return self._rollout.look(objects, counts, (yield from now()), {}).is_done

    # What is noted ----------------------------------------------------------------------------------------------------

    def begun(self, release: Release, workloads: Sequence[Object]) -> Steps[Object]:
        """Return the notes of a version that is about to be applied. They come before the first workload."""
        types = {self._types.of(one) for one in workloads}
        counts = {name: count for name, count in release.counts.items() if name in types}
        objects = [again(one) for one in workloads]
        self._applied = Version((yield from now()), release.version, counts, objects)
        return self._written()

    def come_up(self) -> Object:
        """Return the notes when all that was applied is up."""
        self._came_up = self._applied
        return self._written()

    def restored(self) -> Object:
        """Return the notes when the latest version that came up is applied again."""
        self._applied = self._came_up
        return self._written()

    def _written(self) -> Object:
        applied = replace(self._applied, objects=()) if self._applied else None
        data = {
            key: text
            for key, version in ((_APPLIED, applied), (_CAME_UP, self._came_up))
            if version and len(text := json.dumps(asdict(version))) < _MAX_NOTE_SIZE
        }
        metadata = {"name": self.name, "labels": self._labels}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _version(text: str) -> Version | None:
    """Return the version in a note; None if there is none, or if another version of procman wrote it."""
    try:
        return Version(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _counted(found: Object, count: int | None) -> Object:
    """Return an object with the count that runs now."""
    is_counted = count is not None and "replicas" in found["spec"]
    return {**found, "spec": {**found["spec"], "replicas": count}} if is_counted else found
