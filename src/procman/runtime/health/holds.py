"""Decides whether the user holds a process: if so, a failing check is reported, but has no consequences.

A request that is held at a breakpoint gets no answer, and that must not cost the user the debugger.
"""

from __future__ import annotations

from procman.core.text.prompts import debugger_prompt
from procman.runtime.system.procfs import stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.runtime.processes.children import Children

STOPPED, TRACED = b"T", b"t"  # states of proc(5)


class Holds:
    """Finds out what the user is doing with an instance. Used only when one of its checks has failed."""

    def __init__(self, supervisor: Supervisor, hub: Hub, children: Children) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._children = children

    def reason(self, instance: Instance) -> str:
        """Return why the instance is to be left alone, as a clause; empty if nothing holds it."""
        if self._supervisor.is_paused(instance):
            return "it is paused"
        unfinished = self._hub.history.unfinished(instance.name)
        if prompt := debugger_prompt(unfinished):
            return f"it is waiting at {prompt}"
        if instance.name in self._hub.taps:
            if not instance.plan.primary:
                return "a client is attached"
            if unfinished.strip():
                return "it has the terminal and is waiting at an unfinished line"
        return self._stopped(instance)

    def _stopped(self, instance: Instance) -> str:
        child = self._children.of(instance.name)
        states = {state for pid in (self._children.tree(child) if child else ()) for state in stat_fields(pid)[:1]}
        if TRACED in states:
            return "a debugger has stopped it"
        return "it is stopped by a signal" if STOPPED in states else ""
