"""The names in one request: instances, process types, patterns, groups, and types that the session has left out.

A request may have thousands of names, so what they are compared with is looked up once for all of them.
"""

from __future__ import annotations

from procman.core.procfile.selection import is_pattern, matches
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from procman.config.plan_source import PlanSource
    from procman.core.lifecycle.transitions import Instance

MAX_PATTERNS = 100  # per request, since each is compared with every instance


class NameResolver:
    """Resolves names at this moment. It reads the files when a name needs them, and only once."""

    def __init__(self, instances: Mapping[str, Instance], plan_source: PlanSource) -> None:
        self._names = tuple(instances)
        self._plan_source = plan_source
        self._labels = {*instances, *(instance.plan.type for instance in instances.values())}
        self._types_of_group: dict[str, list[str]] = {}  # in this session
        self.counts: dict[str, int] = {}  # process type → the highest number among its instances
        for instance in instances.values():
            self.counts[instance.plan.type] = max(instance.plan.number, self.counts.get(instance.plan.type, 0))
            for group in instance.plan.groups:
                self._types_of_group.setdefault(group, []).append(instance.plan.type)
        self._groups: Mapping[str, tuple[str, ...]] | None = None
        self._types: Collection[str] | None = None

    @property
    def groups(self) -> list[str]:
        """The groups of the session's instances."""
        return list(self._types_of_group)

    def is_here(self, word: str) -> bool:
        """Return whether the word means at least one instance of this session."""
        if is_pattern(word):
            return any(matches(word, name) for name in self._names)
        return word in self._labels

    def expand(self, words: Iterable[str], absent: bool) -> list[str]:
        """Return each word once, and the process types of a group instead of its name. ``absent``: see ``members``.

        Raises UsageError for too many patterns.
        """
        wanted = list(dict.fromkeys(words))
        if sum(map(is_pattern, wanted)) > MAX_PATTERNS:
            raise UsageError(f"more than {MAX_PATTERNS} patterns at once", "name fewer, or the processes themselves")
        return [name for word in wanted for name in self.members(word, absent) or [word]]

    def members(self, group: str, absent: bool) -> list[str]:
        """Return the process types of a group, or none if the word is not a group.

        Types that the session has left out are included if ``absent``, or if the group has no others.
        """
        if "=" in group or is_pattern(group) or self.is_here(group):
            return []
        present = self._types_of_group.get(group, [])
        if present and not absent:
            return list(dict.fromkeys(present))
        if self._groups is None:
            self._groups = self._plan_source.groups()
        return list(dict.fromkeys([*present, *self._groups.get(group, ())]))

    def absence(self, name: str) -> str:
        """Return why the session has no instance of a process type, or an empty string if there is no such type."""
        if self._types is None:
            self._types = self._plan_source.types()
        return self._plan_source.absence(name) if name in self._types else ""
