"""Runs instances by the clock: at the times of a cron expression, or once in each period.

Times of a cron expression are moments of the wall clock. It can be set, and time passes while the machine is suspended,
so a timer of the system waits for them, which also says when the clock was set.
"""

from __future__ import annotations

import os
import time
from datetime import datetime

from procman.core.lifecycle.transitions import DOWN, Action, Event
from procman.core.model.schedule import QUEUE, REPLACE
from procman.core.text.values import format_duration
from procman.output.messages.sentences import last_end
from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.wall_timer import WallTimer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from typing import Protocol

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.schedule import Schedule
    from procman.output.hub import Hub
    from procman.runtime.system.poller import Poller

    class Timer(Protocol):
        """What waits for a moment of the wall clock: WallTimer."""

        fd: int

        def set(self, moment: float | None) -> None: ...
        def acknowledge(self) -> None: ...
        def close(self) -> None: ...


MISSED = 60.0  # seconds after which a run that is late was missed
CORRECTION = 3 * 3600.0  # seconds; a clock that goes further back was wrong before. Debian's cron has the same limit
LOOK_INTERVAL = 60.0  # seconds between two looks at the clock, where the system has no timer for it


class _Planned:
    """The next run of one instance. ``due`` and ``last`` are moments of the wall clock if ``rule`` has a cron
    expression, else of the monotonic one.
    """

    def __init__(self, rule: Schedule, due: float) -> None:
        self.rule = rule
        self.due = due
        self.last: float | None = None  # when the latest run was due
        self.queued = False  # run once more when the present run has ended
        self.follows = False  # and it has ended: its end is announced first
        self.limit: float | None = None  # when the present run has lasted too long


class Scheduler(QuietComponent):
    """The next runs of all instances with a schedule. ``clock`` is the wall clock in seconds since 1970."""

    def __init__(
        self,
        supervisor: Supervisor,
        hub: Hub,
        clock: Callable[[], float] = time.time,
        timer: Timer | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._clock = clock
        self._timer: Timer = timer or WallTimer()
        self._look_at: float | None = None  # on the monotonic clock, where there is no timer
        self._planned: dict[str, _Planned] = {}

    def open(self, poller: Poller) -> None:
        """Plan the first runs, and announce them."""
        self._supervisor.awaited_by.append(self._is_awaiting)
        if self._timer.fd != -1:
            poller.add(self._timer.fd, self._on_timer)
        now = time.monotonic()
        for instance in self._supervisor.instances.values():
            if instance.plan.schedule is not None:
                self._plan(instance, instance.plan.schedule, now)
                self._hub.announce(f"{instance.name} runs {self._when(instance)}")
        self._set_timer()

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Note that a run began or ended, and follow a schedule that was reloaded."""
        rule, planned = instance.plan.schedule, self._planned.get(instance.name)
        if planned is not None and (rule is None or rule is not planned.rule):
            del self._planned[instance.name]
            planned = None
        if rule is None:
            return
        if planned is None:
            planned = self._plan(instance, rule, now)
            self._set_timer()
        if action == Action.ANNOUNCE_STARTED:
            planned.limit = None if rule.timeout is None else now + rule.timeout
        elif instance.state in DOWN:
            planned.limit = None
            planned.follows = planned.queued
            planned.queued = False

    def next_deadline(self) -> float | None:
        """Return when a period ends, a run has lasted too long, or the clock has to be looked at."""
        if any(one.follows for one in self._planned.values()):
            return 0.0
        ends = (one.due for one in self._planned.values() if one.rule.every is not None)
        limits = (one.limit for one in self._planned.values() if one.limit is not None)
        return min((*ends, *limits, *(() if self._look_at is None else (self._look_at,))), default=None)

    def tick(self, now: float) -> None:
        """Start what is due, and stop what has lasted too long."""
        due = self.next_deadline()
        if due is None or due > now:
            return
        for name, planned in list(self._planned.items()):
            instance = self._supervisor.instances.get(name)
            if instance is None:
                del self._planned[name]
                continue
            if planned.limit is not None and planned.limit <= now:
                planned.limit = None
                limit = format_duration(planned.rule.timeout or 0.0)
                self._supervisor.overdue(instance, f"overdue: it has run for {limit}", now)
            if planned.follows:
                planned.follows = False
                self._run(instance, planned, now)
            if planned.rule.every is not None and planned.due <= now:
                on_time = planned.due + planned.rule.every
                planned.due = on_time if on_time > now else now + planned.rule.every  # suspended: one run is enough
                self._run(instance, planned, now)
        if self._look_at is not None and self._look_at <= now:
            self._look()

    def stand_still(self, seconds: float) -> None:
        """Give the runs the time for which everything was suspended."""
        for planned in self._planned.values():
            planned.limit = None if planned.limit is None else planned.limit + seconds

    def close(self, now: float, code: int) -> None:
        """Close the timer."""
        self._timer.close()

    def remark(self, instance: Instance) -> dict[str, object]:
        """Return the state of an instance that waits for its time, its next run, and a clause for `why`."""
        planned = self._planned.get(instance.name)
        if planned is None or instance.held:
            return {}
        record: dict[str, object] = {"next": round(self._moment(planned), 3)}
        if not self._is_awaiting(instance):
            return {**record, "why": f"the next run is {self._when(instance)}"}
        ended = last_end(instance)
        before = f"; last run: {ended}" if ended else ""
        why = f"it runs {self._when(instance)}; `procman start {instance.name}` runs it now{before}"
        return {**record, "state": "scheduled", "why": why}

    # Times ------------------------------------------------------------------------------------------------------------

    def _plan(self, instance: Instance, rule: Schedule, now: float) -> _Planned:
        due = now + rule.every if rule.every is not None else self._next(rule, None)
        planned = self._planned[instance.name] = _Planned(rule, due)
        return planned

    def _next(self, rule: Schedule, last: float | None) -> float:
        """Return the first time of a cron expression that is after now, and after the latest run.

        So when the clock goes back, nothing runs twice. If it goes back far, it was wrong, and the latest run with it.
        """
        from cronsim import CronSim

        after = self._clock()
        if last is not None and after >= last - CORRECTION:
            after = max(after, last)
        moments = CronSim(rule.cron, datetime.fromtimestamp(after, zone(rule.timezone)))
        # Where an hour comes twice, a time of a day is that of the first one, which may be over.
        return next(found for moment in moments if (found := moment.timestamp()) > after)

    def _moment(self, planned: _Planned) -> float:
        """Return when the next run is, in seconds since 1970."""
        return planned.due if planned.rule.every is None else self._clock() + planned.due - time.monotonic()

    def _when(self, instance: Instance) -> str:
        planned = self._planned[instance.name]
        moment = self._moment(planned)
        left = format_duration(max(0.0, moment - self._clock()))
        if planned.rule.every is not None:
            return f"in {left}, {planned.rule.words}"
        at = datetime.fromtimestamp(moment, zone(planned.rule.timezone))
        return f"at {at:%Y-%m-%d %H:%M}{f' {at:%Z}' if planned.rule.timezone else ''}, in {left}"

    def _set_timer(self) -> None:
        due = min((one.due for one in self._planned.values() if one.rule.every is None), default=None)
        self._timer.set(due)
        if self._timer.fd == -1:
            wait = None if due is None else min(max(0.0, due - self._clock()), LOOK_INTERVAL)
            self._look_at = None if wait is None else time.monotonic() + wait

    def _on_timer(self) -> None:
        self._timer.acknowledge()
        self._look()

    def _look(self) -> None:
        """Start what is due by the wall clock, and plan all times again: the clock may have been set."""
        wall, now = self._clock(), time.monotonic()
        for name, planned in list(self._planned.items()):
            instance = self._supervisor.instances.get(name)
            if instance is None or planned.rule.every is not None:
                continue
            due, rule = planned.due, planned.rule
            if due <= wall:
                planned.last = due
            planned.due = self._next(rule, planned.last)
            if due <= wall:
                if wall - due <= MISSED or rule.catch_up:
                    self._run(instance, planned, now)
                else:
                    late = format_duration(wall - due)
                    self._hub.announce(f"{name} missed a run {late} ago, as the machine slept or its clock was set")
        self._set_timer()

    # Runs -------------------------------------------------------------------------------------------------------------

    def _run(self, instance: Instance, planned: _Planned, now: float) -> None:
        """Start a run, unless the user stopped the instance by name, or the previous one is not over."""
        if instance.held or self._supervisor.stopping is not None:
            return
        if instance.state in DOWN:
            self._start(instance, now)
        elif planned.rule.overlap == REPLACE:
            self._hub.announce(f"{instance.name} is still running and is restarted, as it is scheduled")
            self._supervisor.wish_by_itself(Event.RESTART, [instance], now)
        elif planned.rule.overlap == QUEUE:
            planned.queued = True
            self._hub.announce(f"{instance.name} is still running; the run that is due now follows")
        else:
            self._hub.announce(f"{instance.name} is still running; the run that is due now is skipped")

    def _start(self, instance: Instance, now: float) -> None:
        self._supervisor.wish_by_itself(Event.START, [instance], now)

    def _is_awaiting(self, instance: Instance) -> bool:
        """Return whether the clock will start the instance, so that the session is not over."""
        return instance.name in self._planned and instance.state in DOWN and not instance.held


def zone(name: str) -> tzinfo:
    """Return a time zone by its name; without one, that of this machine."""
    from datetime import UTC
    from zoneinfo import ZoneInfo

    name = name or os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file)
    except (KeyError, ValueError, OSError):
        return UTC
