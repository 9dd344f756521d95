"""Checks the names of process types and instances that a user gives."""

from __future__ import annotations

from procman.core.procfile.selection import matches
from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.engines.interface import Target


def require_known(names: Iterable[str], known: Iterable[str], target: Target) -> None:
    """Raise UsageError for a name or pattern that means none of the known types and instances."""
    present = tuple(known)
    for name in names:
        if not any(matches(name, one) for one in present):
            raise unknown(name, present, target)


def require_known_types(names: Iterable[str], known: Iterable[str], target: Target) -> None:
    """Raise UsageError for a name whose process type is neither known nor in the Procfile. Its number may be any."""
    require_known((name.partition(".")[0] for name in names), (*target.types, *known), target)


def unknown(name: str, known: Iterable[str], target: Target) -> UsageError:
    """Return the error for a name that means nothing at a destination."""
    present = tuple(known)
    types = dict.fromkeys(one.partition(".")[0] for one in present)
    message = f'there is no process "{name}" at {target.destination.name}'
    return UsageError(message, did_you_mean(name, tuple(dict.fromkeys((*types, *present)))))
