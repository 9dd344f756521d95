"""Does: brings instances up, a batch at a time, in pipes or on terminals.

The first batch does not wait for the loop: it is on its way while that is still being loaded. What the children write
meanwhile waits in their pipes.
"""

from __future__ import annotations

import os
import time

from procman.core.lifecycle.transitions import State
from procman.runtime.processes.children import SpawnError
from procman.runtime.system.descriptors import PER_INSTANCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import InstancePlan
    from procman.runtime.processes.children import Child, Children
    from procman.runtime.processes.pty import Window

BATCH = 32  # launches a turn, so that signals and output are looked at while a thousand instances come up
LOOP = 16  # descriptors: more than the loop takes until it runs, those included by which it is imported


class Launcher:
    """Spawns what the supervisor wants launched, and reports to it how that went.

    ``window`` is what children may fill of our terminal; None when they all have pipes.
    """

    def __init__(self, supervisor: Supervisor, children: Children, window: Window | None) -> None:
        self._supervisor = supervisor
        self._children = children
        self._window = window
        self._waiting: list[Instance] = []
        self._born: list[Child] = []

    @property
    def busy(self) -> bool:
        """Whether somebody waits to be launched."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Launch the first of those that start by themselves, and what they depend on.

        Where descriptors are scarce all of them wait: the loop has to find some for itself.
        """
        self._supervisor.start_all(time.monotonic())
        self._waiting += self._supervisor.take_launches()
        if self._children.limit.has_room(LOOP + PER_INSTANCE * min(BATCH, len(self._waiting))):
            self.launch_some()

    def add(self, instance: Instance) -> None:
        """Launch it with one of the next batches."""
        self._waiting.append(instance)

    def launch_some(self) -> None:
        """Launch the next batch."""
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        for instance in batch:
            self._launch(instance)

    def take_born(self) -> list[Child]:
        """The children that nobody reads from yet, once."""
        born, self._born = self._born, []
        return born

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
        self._born.append(child)
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
        return children.spawn(plan)  # no terminal to be had: a pipe shows as much
    try:
        return children.spawn(plan, pty)
    except SpawnError:
        os.close(pty.master)
        raise
    finally:
        pty.child_has_it()
