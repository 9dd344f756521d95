"""Finds out whether the process that answers a check belongs to the instance that is checked.

It does so only when a check would pass for the first time in a life, since reading the kernel's tables takes
milliseconds.
"""

from __future__ import annotations

from procman.core.procfile.command import is_container_client
from procman.runtime.system.listeners import all_inodes, holders, is_local, listening_inodes, owner_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.children import Children


class Owners:
    """What is known about the processes that answer at ports."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._trusted: dict[tuple[str, int], int] = {}  # by instance and port: the child that it belonged to
        self._names: dict[frozenset[int], str] = {}  # by sockets: what holds them

    def stranger(self, plan: InstancePlan, connection: socket.socket) -> str:
        """Return what answers at the other side if that is not a process of the instance; else an empty string.

        The result is empty as well if the system does not say.
        """
        address, port = connection.getpeername()[:2]
        return self._stranger(
            plan, port, lambda: listening_inodes(address, port) if is_local(connection) else frozenset()
        )

    def stranger_at_port(self, plan: InstancePlan) -> str:
        """Return what listens on the port of the instance, at any address, if no process of the instance does."""
        port = plan.port
        return "" if port is None else self._stranger(plan, port, lambda: all_inodes(port))

    def _stranger(self, plan: InstancePlan, port: int, look: Callable[[], frozenset[int]]) -> str:
        child = self._children.of(plan.name)
        if child is None or self._trusted.get((plan.name, port)) == child.pid:
            return ""
        inodes = look()
        if inodes and not holders(self._children.tree(child), inodes) and not is_container_client(plan.command):
            return self._name(inodes)
        self._trusted[plan.name, port] = child.pid
        return ""

    def forget(self, name: str) -> None:
        """Look again at the next success: the instance did not answer, so another process may have its port."""
        for key in [key for key in self._trusted if key[0] == name]:
            del self._trusted[key]

    def _name(self, inodes: frozenset[int]) -> str:
        if inodes not in self._names:
            self._names[inodes] = owner_of(inodes)
        return self._names[inodes]
