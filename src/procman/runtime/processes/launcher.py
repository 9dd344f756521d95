"""Starts instances, a batch at a time, on pipes or on terminals.

The first batch does not wait for the loop: it starts while the loop is still being imported. Output that the children
write meanwhile waits in their pipes.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import State
from procman.runtime.processes.spawn import SpawnError
from procman.runtime.system.descriptors import PER_INSTANCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.children import Child, Children
    from procman.runtime.processes.pty import Window

BATCH_SIZE = 32  # launches per turn, so that signals and output are handled while a thousand instances start
LOOP_DESCRIPTORS = 16  # more than the loop needs until it runs, including those that its import needs


class Launcher:
    """Spawns what the supervisor wants launched, and reports the result to it.

    ``window`` is the part of our terminal that children may fill; None if they all have pipes.
    """

    def __init__(self, supervisor: Supervisor, children: Children, window: Window | None) -> None:
        self._supervisor = supervisor
        self._children = children
        self._window = window
        self._waiting: list[Instance] = []
        self._spawned: list[Child] = []

    @property
    def busy(self) -> bool:
        """Whether instances wait to be launched."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Launch the first batch of the instances that start by themselves.

        If descriptors are scarce, all of them wait: the loop needs some for itself.
        """
        self._supervisor.start_all(time.monotonic())
        self._waiting += self._supervisor.take_launches()
        if self._children.limit.has_room(LOOP_DESCRIPTORS + PER_INSTANCE * min(BATCH_SIZE, len(self._waiting))):
            self.launch_some()

    def add(self, instance: Instance) -> None:
        """Launch the instance with one of the next batches."""
        self._waiting.append(instance)

    def launch_some(self) -> None:
        """Launch the next batch."""
        batch, self._waiting = self._waiting[:BATCH_SIZE], self._waiting[BATCH_SIZE:]
        for instance in batch:
            self._launch(instance)

    def take_spawned(self) -> list[Child]:
        """Return the children spawned since the last call."""
        spawned, self._spawned = self._spawned, []
        return spawned

    def _launch(self, instance: Instance) -> None:
        now = time.monotonic()
        if instance.state != State.STARTING:
            self._supervisor.spawn_failed(instance, "stopped before it was started", None, now)
            return
        try:
            child = self._spawn(instance)
        except SpawnError as error:
            self._supervisor.spawn_failed(instance, error.reason, error.status, now)
            return
        self._spawned.append(child)
        self._supervisor.spawned(instance, child.pid, now)

    def _spawn(self, instance: Instance) -> Child:
        window = self._window and self._window.of(instance.plan)
        if window is None:
            return self._children.spawn(instance.plan)
        return _spawn_on_terminal(self._children, instance.plan, window)


def _spawn_on_terminal(children: Children, plan: InstancePlan, window: Window) -> Child:
    """Start one life of ``plan`` on a terminal of its own. Raises SpawnError."""
    from procman.runtime.processes.pty import open_pty

    try:
        pty = open_pty(window)
    except OSError:
        return children.spawn(plan)  # the system has no free terminal; a pipe shows as much
    try:
        return children.spawn(plan, pty)  # closes the terminal if it fails
    finally:
        pty.close_slave()
