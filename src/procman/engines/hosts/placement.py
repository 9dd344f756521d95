"""Which host an instance runs on: its number and its type decide, so that scaling moves nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RELEASE = "release"  # runs on the first host, whatever else is said


class Placement:
    """The rule that places instances on ``hosts``.

    ``types`` are the process types of the Procfile in their order. ``given`` holds the counts of each host, if the user
    has placed the instances; otherwise they go to the hosts by turns.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        types: Sequence[str],
        given: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.hosts = tuple(hosts)
        self.types = tuple(types)
        self.given = {host: dict(counts) for host, counts in (given or {}).items()}

    def host(self, type_: str, number: int) -> str:
        """Return the host of an instance."""
        if type_ == RELEASE:
            return self.hosts[0]
        slots = [host for host in self.hosts for _ in range(self.given.get(host, {}).get(type_, 0))]
        if number <= len(slots):
            return slots[number - 1]
        hosts = list(dict.fromkeys(slots)) or self.hosts
        # By the place in the Procfile, or else the first host would get every type with a single instance.
        first = self.types.index(type_) if type_ in self.types else 0
        return hosts[(number - len(slots) - 1 + first) % len(hosts)]

    def instances(self, counts: Mapping[str, int]) -> dict[str, str]:
        """Return the host of each instance, by name, in the order of the Procfile."""
        order = sorted(counts, key=lambda name: self.types.index(name) if name in self.types else len(self.types))
        return {
            f"{type_}.{number}": self.host(type_, number)
            for type_ in order
            if type_ != RELEASE
            for number in range(1, counts[type_] + 1)
        }
