"""Applies what others depend on before them, and waits for it, unless it is up already."""

from __future__ import annotations

from dataclasses import replace

from procman.core.model.dependency import COMPLETED, STARTED, SUCCEEDED
from procman.engines.calls import Pause, Report
from procman.engines.kubernetes.kubectl import name_of
from procman.engines.kubernetes.rollouts import SHORTEST_START
from procman.engines.records import EXITED
from procman.export.application import LASTING, RELEASE, application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.interface import Release
    from procman.engines.kubernetes.kubectl import Kubectl
    from procman.engines.kubernetes.pod_states import TypeNames
    from procman.engines.kubernetes.rollouts import Rollout
    from procman.engines.records import Look
    from procman.export.application import Application, Service

    Object = dict[str, Any]

_SOON = 0.01  # seconds: what has come up is reported first


class StartOrder:
    """Applies the workloads of a release in groups. ``rollout`` looks at those that are applied."""

    def __init__(self, kubectl: Kubectl, types: TypeNames, rollout: Rollout) -> None:
        self._kubectl = kubectl
        self._types = types
        self._rollout = rollout
        self._later: list[list[Object]] = []
        self._is_due = False
        self._ending: set[str] = set()  # types that others wait for until they have ended

    def begin(
        self, release: Release, workloads: Sequence[Object], values: Sequence[Object], before: Iterable[Object]
    ) -> Steps[None]:
        """Apply the values and the first group. ``before`` is what the cluster has."""
        app = application(release.plan, release.options)
        up = {self._types.of(one) for one in before if one.get("status", {}).get("availableReplicas")}
        levels = levels_of(app, release.counts, up)
        groups: dict[int, list[Object]] = {}
        for one in workloads:
            groups.setdefault(levels.get(self._types.of(one), 0), []).append(one)
        first, *self._later = [groups[level] for level in sorted(groups)] or [[]]
        needed = [needed for service in app.services for needed in service.first.depends_on]
        self._ending = {one.type for one in needed if one.condition in (COMPLETED, SUCCEEDED)}
        self._rollout.applied = self._named(first)
        yield from self._apply([*values, *first])

    def proceed(self) -> Steps[None]:
        """Apply the next group if its turn has come."""
        if not self._is_due:
            return
        self._is_due = False
        group = self._later.pop(0)
        self._rollout.applied = {**self._rollout.applied, **self._named(group)}
        names = dict.fromkeys(self._types.of(one) for one in group)
        yield Report(f"what they depend on is up: {', '.join(names)} can start")
        yield from self._apply(group)

    def judged(self, look: Look) -> Look:
        """Return a look at what is applied as one at the whole. The next group's turn is when all of it is up."""
        if not self._later:
            return look
        is_over = all(one.state == EXITED for one in look.instances if one.type in self._ending)
        self._is_due = look.is_done and is_over
        return replace(look, is_done=False, groups=len(self._later), pause=_SOON if self._is_due else 0.0)

    def forget(self) -> None:
        """Apply nothing more."""
        self._later, self._is_due = [], False

    def _named(self, objects: Iterable[Object]) -> dict[str, str]:
        return {name_of(one): self._types.of(one) for one in objects}

    def _apply(self, objects: Iterable[Object]) -> Steps[None]:
        yield from self._kubectl.apply(objects)
        yield Pause(SHORTEST_START)


def levels_of(app: Application, counts: Mapping[str, int], up: Collection[str]) -> dict[str, int]:
    """Return after how many others each type has to be applied.

    What is up already is not waited for: it is replaced while it serves. What ends by itself runs again for each
    version, and is. Dependencies form no circle.
    """
    known = {one.name: one for one in app.services if one.kind != RELEASE}
    levels: dict[str, int] = {}

    def level(service: Service) -> int:
        if service.name not in levels:
            needed = (
                known[one.type] for one in service.first.depends_on if one.condition != STARTED and one.type in known
            )
            levels[service.name] = max((1 + level(one) for one in needed if _is_awaited(one, counts, up)), default=0)
        return levels[service.name]

    return {name: level(service) for name, service in known.items()}


def _is_awaited(service: Service, counts: Mapping[str, int], up: Collection[str]) -> bool:
    if not counts.get(service.name) or service.first.schedule is not None:
        return False  # nothing will come up, or not now
    return service.kind != LASTING or service.name not in up
