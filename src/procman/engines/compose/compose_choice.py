"""Which containers a command is about, and which have to go before and after a switch."""

from __future__ import annotations

from procman.core.procfile.selection import matches
from procman.engines.records import type_of
from procman.engines.stop_order import stop_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from procman.engines.compose.compose_project import Project
    from procman.engines.compose.compose_records import Container


def named(found: Iterable[Container], names: Sequence[str]) -> list[Container]:
    """Return the containers of the named types and instances; all without names."""
    return [one for one in found if not names or any(matches(name, one.state.name) for name in names)]


def surplus(project: Project, found: Iterable[Container]) -> list[Container]:
    """Return the containers that the project does not have: of other types, and with too high a number."""
    return [one for one in found if one.state.number > project.counts.get(one.state.type, 0)]


def in_the_way(project: Project, found: Iterable[Container]) -> list[Container]:
    """Return what has to go before the switch: too high a number, or a port that something else is to have."""
    ports = project.published()
    return [
        one
        for one in found
        if (one.state.type in project.counts and one.state.number > project.counts[one.state.type])
        or any(ports.get(port, one.state.name) != one.state.name for port in one.published)
    ]


def in_order_of_stop(project: Project | None, found: Iterable[Container]) -> list[list[Container]]:
    """Return the containers in groups that stop one after the other: what depends on another type stops before it."""
    every = list(found)
    groups = stop_order((one.state.type for one in every), project.needs if project else {})
    return [[one for one in every if one.state.type in group] for group in groups]


def first_half(project: Project, found: Iterable[Container]) -> list[str]:
    """Return the instances to replace first: half of each type that serves a port, if more than one is there."""
    ready = [one.state for one in found if one.is_ready]
    names: list[str] = []
    for type_ in project.ports:
        half = project.counts.get(type_, 0) // 2
        present = {one.number for one in ready if one.type == type_}
        if set(range(1, half + 1)) < present:
            names += [f"{type_}.{number}" for number in range(1, half + 1)]
    return names


def beside(project: Project, first: Sequence[str]) -> list[str]:
    """Return the instances that can be replaced together with the first ones: of types that do not depend on theirs."""
    later = {type_of(name) for name in first}
    while more := {type_ for type_, needs in project.needs.items() if type_ not in later and later & needs.keys()}:
        later |= more
    return [
        f"{type_}.{number}"
        for type_, count in project.counts.items()
        if type_ not in later
        for number in range(1, count + 1)
    ]
