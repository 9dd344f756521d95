"""The order of starts and stops that dependencies ask for."""

from __future__ import annotations

from procman.core.lifecycle.instance import NOT_STARTED
from procman.core.lifecycle.transitions import ALIVE, DOWN, Event, State
from procman.core.model.dependency import COMPLETED, READY, STARTED, SUCCEEDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.dependency import Edges


class Hindrance:
    """Why an instance cannot start yet, as a clause (`words`).

    `final` means that waiting longer cannot help. `held` means that only the user can help, having stopped what it
    needs.
    """

    __slots__ = ("final", "held", "words")

    def __init__(self, words: str, final: bool, held: bool = False) -> None:
        self.words = words
        self.final = final
        self.held = held

    def __repr__(self) -> str:
        return f"Hindrance({self.words!r}, {self.final})"


class Order:
    """The dependencies among the instances of a run. `instances` is the supervisor's own mapping, by name."""

    def __init__(self, instances: Mapping[str, Instance]) -> None:
        self._instances = instances
        self.needed_types: set[str] = set()  # the types that some instance depends on

    # Starting -----------------------------------------------------------------------------------------------------

    def hindrances(self, instance: Instance) -> list[Hindrance]:
        """Return what keeps `instance` from starting; an empty list if nothing does."""
        found = []
        for dependency in instance.plan.depends_on:
            for needed in self._of_type(dependency.type):
                hindrance = _hindrance(needed, dependency.condition)
                if hindrance is not None:
                    found.append(hindrance)
        return found

    def is_held_up(self, instance: Instance) -> bool:
        """Whether `instance` waits, directly or not, for something that the user stopped by name."""
        return any(hindrance.held for hindrance in self.hindrances(instance))

    def waiting_for(self, changed: Set[Instance]) -> list[Instance]:
        """Return the waiting instances that depend on the type of a changed one, and the changed ones that wait."""
        types = self.needed_types.intersection([one.plan.type for one in changed])
        waiting = (one for one in self._instances.values() if one.state == State.WAITING)
        return [one for one in waiting if one in changed or any(need.type in types for need in one.plan.depends_on)]

    def verdict(self, waiting: Instance) -> tuple[str, str] | None:
        """Return the event that ends its wait, and the reason: START, or TIMEOUT if a dependency failed; else None."""
        hindrances = self.hindrances(waiting)
        final = [one.words for one in hindrances if one.final]
        if waiting.state != State.WAITING or (hindrances and not final):
            return None
        return (Event.TIMEOUT, f"{NOT_STARTED}{'; '.join(dict.fromkeys(final))}") if final else (Event.START, "")

    def needed_by(self, chosen: Iterable[Instance], held_too: bool = True) -> list[Instance]:
        """Return the instances that are down and that `chosen` need in order to start, in an order that works.

        Those that the user stopped by name are included only if `held_too`.
        """
        ahead = list(chosen)
        names = {instance.name for instance in ahead}
        needed: dict[str, Instance] = {}
        while ahead:
            for other in self._missing_for(ahead.pop()):
                if other.name not in names and other.name not in needed and (held_too or not other.held):
                    needed[other.name] = other
                    ahead.append(other)
        return self.sorted(needed.values())

    def sorted(self, instances: Iterable[Instance]) -> list[Instance]:
        """Return `instances` with dependencies first; otherwise the order is kept."""
        levels = self._levels()
        return sorted(instances, key=lambda instance: levels.get(instance.plan.type, 0))

    def ends_as_planned(self, type_name: str) -> bool:
        """Whether another type waits for this one to complete, so that its end is expected."""
        return any(
            dependency.type == type_name and dependency.condition in (COMPLETED, SUCCEEDED)
            for instance in self._instances.values()
            for dependency in instance.plan.depends_on
        )

    # Stopping -----------------------------------------------------------------------------------------------------

    def in_use(self, instance: Instance) -> bool:
        """Whether an instance that depends on the type of `instance` is alive."""
        return any(one.state in ALIVE and _needs(one, instance.plan.type) for one in self._instances.values())

    def postponed(self, now: float) -> tuple[float, dict[str, float]]:
        """Return the time when a shutdown kills what is left, and by when each instance in use must be told to stop.

        The end is the longest grace from now. The levels of the dependency tree share that time evenly, so that every
        instance gets its stop signal before it is killed.
        """
        graces = [one.plan.stop.grace for one in self._instances.values() if one.pid is not None]
        until = now + max(graces, default=0.0)
        alive = [instance for instance in self._instances.values() if instance.state in ALIVE]
        used = [instance for instance in alive if instance.pid is not None and self.in_use(instance)]
        heights = longest_paths(_reversed(self._edges({instance.plan.type for instance in alive})))
        shares = max(heights.values(), default=0) + 1
        turns = [one for one in used if one.state != State.STOPPING]
        return until, {one.name: now + (until - now) * heights[one.plan.type] / shares for one in turns}

    # Internals ---------------------------------------------------------------------------------------------------

    def _of_type(self, type_name: str) -> list[Instance]:
        return [instance for instance in self._instances.values() if instance.plan.type == type_name]

    def _missing_for(self, instance: Instance) -> list[Instance]:
        return [
            needed
            for dependency in instance.plan.depends_on
            for needed in self._of_type(dependency.type)
            if needed.state in DOWN and _hindrance(needed, dependency.condition) is not None
        ]

    def _edges(self, types: set[str]) -> Edges:
        plans = {one.plan.type: one.plan for one in self._instances.values() if one.plan.type in types}
        return {
            name: tuple(dependency.type for dependency in plan.depends_on if dependency.type in types)
            for name, plan in plans.items()
        }

    def _levels(self) -> dict[str, int]:
        return longest_paths(self._edges({instance.plan.type for instance in self._instances.values()}))


def _needs(instance: Instance, type_name: str) -> bool:
    return any(dependency.type == type_name for dependency in instance.plan.depends_on)


def _hindrance(needed: Instance, condition: str) -> Hindrance | None:
    """Return what keeps `needed` from meeting `condition`, or None."""
    if needed.state == State.FAILED and not (condition == COMPLETED and needed.status is not None):
        root = needed.failure.removeprefix(NOT_STARTED)  # the cause is named once, however long the chain is
        is_root = root == needed.failure
        return Hindrance(f"{needed.name} failed{_because(needed)}" if is_root else root, final=True)
    if _meets(needed, condition):
        return None
    if needed.held and needed.state == State.EXITED:
        return Hindrance(f"{needed.name} is stopped; `procman start {needed.plan.type}` starts it", False, held=True)
    if needed.state == State.EXITED:
        return Hindrance(f"{needed.name} {_at_rest(needed)}{_other_condition(needed, condition)}", final=True)
    return Hindrance(f"{needed.name} {_not_yet(needed, condition)}", False, held=_is_held(needed, condition))


def _meets(needed: Instance, condition: str) -> bool:
    if condition == STARTED:
        return needed.pid is not None or needed.status is not None
    if condition == READY:
        return needed.state == State.RUNNING
    if needed.state not in DOWN or needed.status is None:
        return False
    return condition == COMPLETED or needed.plan.restart.is_success(needed.status.shell_code)


def _is_held(needed: Instance, condition: str) -> bool:
    """Return whether it is up to the user when `needed`, which is not at rest, can meet `condition`."""
    if needed.state == State.WAITING:
        return needed.held_up
    return needed.held and needed.state == State.STOPPING and condition != COMPLETED


def _because(needed: Instance) -> str:
    words = needed.failure or (needed.status.words(needed.asked) if needed.status else "")
    return f": {words}" if words else ""


def _at_rest(needed: Instance) -> str:
    return "is not running" if needed.status is None else f"is not running: {needed.status.words(asked=True)}"


def _other_condition(needed: Instance, condition: str) -> str:
    """Suggest the other condition, for a process that completes but is waited for as if it kept running."""
    status = needed.status
    if condition != READY or status is None or not needed.plan.restart.is_success(status.shell_code):
        return ""
    return f' (to wait until it completes, use {needed.plan.type} = "{SUCCEEDED}")'


def _not_yet(needed: Instance, condition: str) -> str:
    if needed.state == State.WAITING:
        return "is itself waiting"
    if needed.state == State.BACKOFF:
        return f"is about to be restarted{_because(needed)}"
    if condition in (COMPLETED, SUCCEEDED):
        return "has not completed"
    if needed.state == State.STOPPING:
        return "is stopping"
    return f"is not ready{f': {needed.trouble}' if needed.trouble else ''}"


def longest_paths(edges: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return the length of the longest path from each node; nodes of a cycle get 0."""
    lengths = dict.fromkeys(edges, 0)
    behind = _reversed(edges)
    left = {node: len(set(others) & edges.keys()) for node, others in edges.items()}
    free = [node for node, count in left.items() if count == 0]
    while free:
        node = free.pop()
        for other in behind[node]:
            lengths[other] = max(lengths[other], lengths[node] + 1)
            left[other] -= 1
            if left[other] == 0:
                free.append(other)
    return lengths


def _reversed(edges: Mapping[str, Iterable[str]]) -> Edges:
    reverse: dict[str, list[str]] = {node: [] for node in edges}
    for node, others in edges.items():
        for other in dict.fromkeys(others):
            if other in reverse:
                reverse[other].append(node)
    return {node: tuple(others) for node, others in reverse.items()}
