"""What one process type waits for in another before it starts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STARTED = "started"
READY = "ready"
COMPLETED = "completed"
SUCCEEDED = "completed_successfully"
CONDITIONS = (STARTED, READY, COMPLETED, SUCCEEDED)

Edges = dict[str, tuple[str, ...]]  # a type → the types it depends on


class Dependency:
    """A process type that another one waits for, until all its instances meet `condition`.

    `timeout` is in seconds, or None. `healthy` means that the condition was written in Compose's word, so a health
    check also counts as a readiness check. `restart`: each later life of the type restarts the one that depends on it.
    """

    __slots__ = ("condition", "healthy", "restart", "timeout", "type")

    def __init__(
        self,
        type: str,  # noqa: A002 (the glossary's word)
        condition: str = READY,
        timeout: float | None = None,
        healthy: bool = False,
        restart: bool = False,
    ) -> None:
        self.type = type
        self.healthy = healthy
        self.condition = condition
        self.timeout = timeout
        self.restart = restart

    def __repr__(self) -> str:
        return f"Dependency({self.type!r}, {self.condition!r})"


def find_cycle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the nodes of one cycle in order, or an empty list if there is none."""
    left = {node: set(others) & edges.keys() for node, others in edges.items()}
    while leaves := [node for node, others in left.items() if not others]:
        for leaf in leaves:
            del left[leaf]
        for others in left.values():
            others.difference_update(leaves)
    if not left:
        return []
    path: list[str] = []
    node = next(iter(left))
    while node not in path:  # every node that is left has an edge to another one that is left
        path.append(node)
        node = next(other for other in edges[node] if other in left)
    return path[path.index(node) :]
