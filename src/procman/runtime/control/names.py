"""Does the reading of names for one request: who is here, which groups there are, what the files know besides.

A request may have thousands of names: what they are compared with is looked up once for all of them.
"""

from __future__ import annotations

from procman.core.procfile.selection import is_pattern, matches
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from procman.config.plan_source import PlanSource
    from procman.core.lifecycle.transitions import Instance

MOST_PATTERNS = 100  # in one request, since each is compared with every instance


class NameResolver:
    """What names may mean at this moment. The files are read when a name asks for it, and once."""

    def __init__(self, instances: Mapping[str, Instance], plan_source: PlanSource) -> None:
        self._names = tuple(instances)
        self._plan_source = plan_source
        self._labels = {*instances, *(instance.plan.type for instance in instances.values())}
        self._here: dict[str, list[str]] = {}
        self.counts: dict[str, int] = {}  # of each process type that is here: the highest number
        for instance in instances.values():
            self.counts[instance.plan.type] = max(instance.plan.number, self.counts.get(instance.plan.type, 0))
            for group in instance.plan.groups:
                self._here.setdefault(group, []).append(instance.plan.type)
        self._groups: Mapping[str, tuple[str, ...]] | None = None
        self._types: Collection[str] | None = None

    @property
    def groups(self) -> list[str]:
        """The groups of those who are here."""
        return list(self._here)

    def is_here(self, word: str) -> bool:
        """Whether the word means any instance of this session."""
        if is_pattern(word):
            return any(matches(word, name) for name in self._names)
        return word in self._labels

    def expand(self, words: Iterable[str], absent: bool) -> list[str]:
        """The words, each once, with a group's name replaced by its process types; ``absent``: see ``members``.

        Raises UsageError for too many patterns.
        """
        wanted = list(dict.fromkeys(words))
        if sum(map(is_pattern, wanted)) > MOST_PATTERNS:
            raise UsageError(f"more than {MOST_PATTERNS} patterns at once", "name fewer, or the processes themselves")
        return [name for word in wanted for name in self.members(word, absent) or [word]]

    def members(self, group: str, absent: bool) -> list[str]:
        """The process types of a group; none for whatever else the word is.

        Those that the session has left out belong to it only where they are wanted, or where it has no other.
        """
        if "=" in group or is_pattern(group) or self.is_here(group):
            return []
        here = self._here.get(group, [])
        if here and not absent:
            return list(dict.fromkeys(here))
        if self._groups is None:
            self._groups = self._plan_source.groups()
        return list(dict.fromkeys([*here, *self._groups.get(group, ())]))

    def absence(self, name: str) -> str:
        """Why no instance of this process type is part of the session, in words; empty for a name that is no type."""
        if self._types is None:
            self._types = self._plan_source.types()
        return self._plan_source.absence(name) if name in self._types else ""
