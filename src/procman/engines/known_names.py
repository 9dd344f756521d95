"""Checks the names of process types and instances that a user gives."""

from __future__ import annotations

from procman.core.procfile.selection import matches
from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.engines.interface import Target


def require_known(names: Iterable[str], there: Iterable[str], target: Target) -> None:
    """Raise UsageError for a name that is neither ``there`` nor of a process type of the Procfile."""
    known = tuple(dict.fromkeys((*target.types, *there)))
    for name in names:
        if not any(matches(name.partition(".")[0], one) for one in known):
            raise UsageError(f'there is no process "{name}" at {target.destination.name}', did_you_mean(name, known))
