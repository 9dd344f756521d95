"""The objects of a release, as they are applied."""

from __future__ import annotations

from procman.engines.kubernetes.deployed_objects import as_json
from procman.export.application import application
from procman.export.container.kubernetes import lost_features
from procman.export.container.kubernetes_objects import Objects
from procman.export.overlay import DEPENDENCIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.interface import Release
    from procman.engines.kubernetes.pod_states import TypeNames

    Object = dict[str, Any]

_HISTORY = 2  # old templates that the cluster keeps: each look reads them, and nothing is undone to one of them
_SPARE = 30  # seconds after our own time limit, when the cluster ends a release: so that its pod can still say why


class ReleaseObjects:
    """What the export writes for a release, with what a deployment adds."""

    def __init__(self, release: Release, types: TypeNames) -> None:
        self.release = release
        self._types = types
        self._app = application(release.plan, release.options)
        self._objects = Objects(self._app, release.options, release.version)

    def warnings(self) -> list[str]:
        """Return what the user has written and Kubernetes does not do, as sentences. The deployment keeps an order."""
        found = lost_features(self._app, self.release.options, DEPENDENCIES)
        return list(dict.fromkeys(one.message for one in found))

    def environment(self) -> list[Object]:
        """Return the ConfigMaps and Secrets."""
        return [as_json(one) for one in self._objects.environment()]

    def release_job(self) -> list[Object]:
        """Return the Job of the release phase, if there is one. The cluster ends it after its time."""
        job = as_json(self._objects.release() or {})
        if job:
            job["spec"]["activeDeadlineSeconds"] = round(self.release.timeout) + _SPARE
        return [job] if job else []

    def workloads(self) -> list[Object]:
        """Return what runs and what belongs to it.

        What is scaled automatically gets the count that runs now: without one, the cluster would begin with a single
        instance again, since nothing would own the field.
        """
        found = [as_json(one) for one in self._objects.workloads()]
        for one in found:
            if one["kind"] in ("Deployment", "StatefulSet"):
                one["spec"].setdefault("replicas", self.release.counts.get(self._types.of(one), 1))
                one["spec"]["revisionHistoryLimit"] = _HISTORY
        return found

    def everything(self) -> list[Object]:
        """Return all objects."""
        return [*self.environment(), *self.release_job(), *self.workloads()]
