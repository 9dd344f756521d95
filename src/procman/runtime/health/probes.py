"""Finds out whether instances are ready, and whether they stay healthy.

Probes report to the supervisor, which decides. Nothing here waits: sockets do not block, commands end as children do,
and a log line is noticed as it passes by.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import Action, State
from procman.runtime.health.attempts import ATTEMPTS, Tools
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.checks import Check
    from procman.output.hub import Hub
    from procman.runtime.health.attempts import Attempt
    from procman.runtime.processes.children import Children
    from procman.runtime.system.poller import Poller


class Probe:
    """One check of one life of an instance. Times are seconds of the monotonic clock.

    ``due`` is when the next attempt begins, ``overdue`` when the one under way has taken too long.
    """

    __slots__ = ("attempt", "check", "due", "instance", "kind", "overdue", "pause", "pid")

    def __init__(self, instance: Instance, check: Check, now: float) -> None:
        self.instance = instance
        self.pid = instance.pid
        self.check = check
        self.kind = ATTEMPTS[check.kind]
        self.attempt: Attempt | None = None
        self.due: float | None = now + self.kind.delay(check.target)
        self.overdue: float | None = None
        self.pause = self.kind.first_pause

    @property
    def is_stale(self) -> bool:
        """Whether this life is over, or about to be."""
        return self.instance.pid != self.pid or self.instance.state not in (State.STARTING, State.RUNNING)

    @property
    def for_readiness(self) -> bool:
        """Whether the instance still has to become ready; otherwise the check is about its health."""
        return self.instance.state == State.STARTING

    def drop(self) -> None:
        """Stop."""
        if self.attempt is not None:
            self.attempt.drop()
        self.attempt = self.due = self.overdue = None


class Probes(QuietComponent):
    """All probes under way, at most one per instance."""

    def __init__(self, supervisor: Supervisor, hub: Hub, children: Children) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._children = children
        self._probes: dict[str, Probe] = {}
        self._tools: Tools | None = None

    def open(self, poller: Poller) -> None:
        """Remember the poller."""
        self._tools = Tools(poller, self._children, self._hub)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Begin a probe when a life begins or its next health check is due; stop it when the life ends."""
        if action == Action.ANNOUNCE_STARTED:
            self._stop(instance.name)
            if instance.plan.ready is not None and instance.state == State.STARTING:
                self._start(instance, instance.plan.ready, now)
        elif action == Action.PROBE and instance.plan.health is not None:
            if instance.name not in self._probes:
                self._start(instance, instance.plan.health, now)
        elif instance.name in self._probes and self._probes[instance.name].is_stale:
            self._stop(instance.name)

    def next_deadline(self) -> float | None:
        """Return when the next attempt begins, or when one under way has taken too long."""
        times = [time for probe in self._probes.values() for time in (probe.due, probe.overdue)]
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> None:
        """Begin the attempts that are due, and fail those that are overdue."""
        if self._tools is not None:
            self._tools.release_idle()
        for name, probe in list(self._probes.items()):
            if probe.is_stale:
                self._stop(name)
            elif probe.overdue is not None and probe.overdue <= now:
                self._fail_overdue(probe)
            elif probe.due is not None and probe.due <= now:
                self._attempt(probe, now)

    # Attempts -----------------------------------------------------------------------------------------------------

    def _start(self, instance: Instance, check: Check, now: float) -> None:
        probe = self._probes[instance.name] = Probe(instance, check, now)
        if probe.kind.is_lasting:  # now, before the first output of the life
            self._attempt(probe, now)

    def _attempt(self, probe: Probe, now: float) -> None:
        assert self._tools is not None
        probe.due = None
        probe.overdue = now + probe.check.attempt
        attempt = probe.kind(
            self._tools, probe.instance.plan, probe.check, lambda trouble: self._on_answer(probe, trouble)
        )
        if probe.overdue is not None:  # there is no answer yet
            probe.attempt = attempt
            if probe.kind.is_lasting:
                probe.overdue = None

    def _stop(self, name: str) -> None:
        probe = self._probes.pop(name, None)
        if probe is not None:
            probe.drop()

    # Answers ------------------------------------------------------------------------------------------------------

    def _fail_overdue(self, probe: Probe) -> None:
        if probe.attempt is not None:
            probe.attempt.drop()
        self._on_answer(probe, f"no answer within {probe.check.attempt:g} s")

    def _on_answer(self, probe: Probe, trouble: str) -> None:
        """Report the answer of an attempt; ``trouble`` says what is wrong, and is empty if all is well."""
        probe.attempt = probe.overdue = None
        instance, now = probe.instance, time.monotonic()
        if probe.is_stale or self._probes.get(instance.name) is not probe:
            return
        if trouble and self._tools is not None:
            self._tools.owners.forget(instance.name)
        if probe.for_readiness:
            self._report_readiness(probe, trouble, now)
            return
        del self._probes[instance.name]
        if trouble:
            self._supervisor.unhealthy(instance, trouble, now)
        else:
            self._supervisor.probed(instance, "")

    def _report_readiness(self, probe: Probe, trouble: str, now: float) -> None:
        if not trouble:
            del self._probes[probe.instance.name]
            self._supervisor.ready(probe.instance, now)
            return
        self._supervisor.probed(probe.instance, trouble)
        if not probe.kind.is_lasting:
            probe.due = now + min(probe.pause, probe.check.interval)
            probe.pause *= 2
