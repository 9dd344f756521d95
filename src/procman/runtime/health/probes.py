"""Finds out whether instances are ready and whether they stay healthy.

Probes report to the supervisor, which decides. Nothing here waits: sockets do not block, commands end as children do,
and a log line is noticed as it passes by.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import Action, State
from procman.runtime.health.attempts import ATTEMPTS, Tools
from procman.runtime.health.holds import Holds
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


LAST_LOOK = 0.2  # seconds before the end of the time to become ready


class Probe:
    """One check of one life of an instance. Times are seconds of the monotonic clock.

    ``due`` is when the next attempt begins, ``overdue`` when the one under way has taken too long, ``last_look`` just
    before the time to become ready is over: a process that the user holds then gets that time once more. ``left``
    counts the attempts that still have to pass, one after the other, before it is ready.
    """

    __slots__ = ("attempt", "check", "due", "instance", "kind", "last_look", "left", "overdue", "pause", "pid")

    def __init__(self, instance: Instance, check: Check, now: float) -> None:
        self.instance = instance
        self.pid = instance.pid
        self.check = check
        self.kind = ATTEMPTS[check.kind]
        self.attempt: Attempt | None = None
        self.due: float | None = now + self.kind.delay(check.target)
        if self.for_readiness and check.initial_delay:
            self.due += check.initial_delay
        self.left = check.successes
        self.overdue: float | None = None
        self.pause = self.kind.first_pause
        self.last_look: float | None = None
        if self.for_readiness and instance.deadline is not None:
            self.last_look = max(now, instance.deadline - LAST_LOOK)

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
        self.attempt = self.due = self.overdue = self.last_look = None


class Probes(QuietComponent):
    """All probes under way, at most one per instance."""

    def __init__(self, supervisor: Supervisor, hub: Hub, children: Children) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._children = children
        self._holds = Holds(supervisor, hub, children)
        self._held: dict[str, int] = {}  # instances that are known to be held: their pids
        self._probes: dict[str, Probe] = {}
        self._tools: Tools | None = None

    def open(self, poller: Poller) -> None:
        """Remember the poller."""
        self._tools = Tools(poller, self._children, self._hub)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Begin a probe when a life begins or its next health check is due; stop it when the life ends."""
        if action == Action.ANNOUNCE_STARTED:
            self._stop(instance.name)
            if instance.plan.notifies and self._tools is not None:
                self._tools.notifications.begin(instance.name)
            if instance.plan.ready is not None and instance.state == State.STARTING:
                self._start(instance, instance.plan.ready, now)
        elif action == Action.PROBE and instance.plan.health is not None:
            if instance.name not in self._probes:
                self._start(instance, instance.plan.health, now)
        elif instance.name in self._probes and self._probes[instance.name].is_stale:
            self._stop(instance.name)

    def next_deadline(self) -> float | None:
        """Return when the next attempt begins, or when one under way has taken too long."""
        times = [time for probe in self._probes.values() for time in (probe.due, probe.overdue, probe.last_look)]
        return min((time for time in times if time is not None), default=None)

    def is_timing(self) -> bool:
        """Return whether an attempt is under way."""
        return any(probe.overdue is not None for probe in self._probes.values())

    def stand_still(self, seconds: float) -> None:
        """Give the attempts under way the time for which everything was suspended."""
        for probe in self._probes.values():
            probe.due = None if probe.due is None else probe.due + seconds
            probe.overdue = None if probe.overdue is None else probe.overdue + seconds
            probe.last_look = None if probe.last_look is None else probe.last_look + seconds

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
            elif probe.last_look is not None and probe.last_look <= now:
                self._look(probe)

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
        if trouble and not self._is_held(instance, f"fails its health check: {trouble}"):
            self._supervisor.unhealthy(instance, trouble, now)
        else:
            self._supervisor.probed(instance, trouble)

    def _is_held(self, instance: Instance, trouble: str) -> bool:
        """Return whether the user holds the process; say so once."""
        reason = self._holds.reason(instance)
        if not reason:
            self._held.pop(instance.name, None)
        elif self._held.get(instance.name) != instance.pid:
            self._held[instance.name] = instance.pid or 0
            self._hub.announce(f"{instance.name} {trouble}; procman leaves it alone, because {reason}")
        return bool(reason)

    def _look(self, probe: Probe) -> None:
        """Give a process that the user holds the time to become ready once more."""
        probe.last_look = None
        timeout, instance = probe.check.timeout, probe.instance
        if timeout is None or instance.deadline is None:
            return
        if self._is_held(instance, f"is not ready after {timeout:g} s"):
            self._supervisor.postpone(instance, timeout)
            probe.last_look = instance.deadline - LAST_LOOK

    def _report_readiness(self, probe: Probe, trouble: str, now: float) -> None:
        probe.left = probe.check.successes if trouble else probe.left - 1
        if not probe.left:
            del self._probes[probe.instance.name]
            self._supervisor.ready(probe.instance, now)
            return
        self._supervisor.probed(probe.instance, trouble)
        if not probe.kind.is_lasting:
            probe.due = now + min(probe.pause, probe.check.interval)
            probe.pause *= 2
