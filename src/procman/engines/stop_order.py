"""The order in which process types stop: as at the end of a session, each before what it depends on."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


def stop_order(types: Iterable[str], needs: Mapping[str, Collection[str]]) -> list[set[str]]:
    """Return groups of process types that stop one after the other. ``needs`` are the types that a type depends on."""
    left, groups = set(types), []
    while left:
        needed = {other for type_ in left for other in _all_needs(type_, needs)}
        groups.append(left - needed or left)
        left = left - groups[-1]
    return groups


def _all_needs(type_: str, needs: Mapping[str, Collection[str]]) -> set[str]:
    """Return what a type depends on, however indirectly: also through a type that has no instances."""
    found: set[str] = set()
    ahead = {*needs.get(type_, ())}
    while ahead:
        found |= ahead
        ahead = {other for one in ahead for other in needs.get(one, ())} - found
    return found - {type_}
