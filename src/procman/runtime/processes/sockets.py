"""The sockets that procman has open for instances: those that they listen on, and those that they notify it by."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.kept_sockets import KeptSockets
    from procman.runtime.processes.notify_sockets import NotifySockets
    from procman.runtime.processes.spawn import FileAction
    from procman.runtime.system.descriptors import DescriptorLimit


class Sockets:
    """Both kinds; each is loaded when the first one is opened."""

    def __init__(self, limit: DescriptorLimit) -> None:
        self._limit = limit
        self._kept: KeptSockets | None = None
        self._notify: NotifySockets | None = None

    def equip(self, plan: InstancePlan, env: dict[str, str], actions: list[FileAction]) -> str:
        """Add what the next life of an instance needs to get its sockets; return what goes before its command.

        Raises SpawnError if one cannot be opened.
        """
        if plan.notifies:
            self.notify.equip(plan, env)
        return "" if plan.listen is None else self.kept.equip(plan, env, actions)

    @property
    def kept(self) -> KeptSockets:
        """The sockets that instances listen on."""
        if self._kept is None:
            from procman.runtime.processes.kept_sockets import KeptSockets

            self._kept = KeptSockets(self._limit)
        return self._kept

    @property
    def notify(self) -> NotifySockets:
        """The sockets that instances notify procman by."""
        if self._notify is None:
            from procman.runtime.processes.notify_sockets import NotifySockets

            self._notify = NotifySockets()
        return self._notify
