"""Components of the engine that report events: as lines of ``system``, and as records for programs."""

from __future__ import annotations

import time

from procman.core.lifecycle.instance import NOT_STARTED
from procman.core.lifecycle.transitions import DOWN, Action, State
from procman.core.text.values import format_duration
from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND
from procman.output.messages.sentences import end_record, event_record, outcome, sentence
from procman.output.stamp import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub

REMINDER_INTERVAL = 2.0  # seconds between two lines that name what has not stopped yet
WAITING_SILENCE = 1.0  # seconds of waiting before it is announced: most dependencies are ready by then
MAX_NAMES = 8  # in such a line
_IN_USE = b"in use", b"EADDRINUSE"  # what programs say about a port that is taken
_CAUSES = (Action.ANNOUNCE_EXITED, Action.ANNOUNCE_FAILED)  # events that may be why the whole session stops
_STALE_WHILE_STOPPING = (Action.ANNOUNCE_STOPPING, Action.ANNOUNCE_RESTARTING, Action.ANNOUNCE_CANCELLED)


def _unknown(_about: object) -> str:
    """Return that nothing is known about it."""
    return ""


class Announcer:
    """Announces the supervisor's TELL actions. A component of the engine, see runtime/loop/component.py."""

    def __init__(
        self,
        hub: Hub,
        supervisor: Supervisor,
        taken_by: Callable[[int], str] = _unknown,
        launch_hint: Callable[[Instance], str] = _unknown,
    ) -> None:
        """``taken_by`` returns what listens on a port, ``launch_hint`` what to do about a command that cannot be run.

        Both may return an empty string.
        """
        self._hub = hub
        self._supervisor = supervisor
        self._taken_by = taken_by
        self._launch_hint = launch_hint
        self._reminder: float | None = None
        self._waiting: dict[str, float] = {}  # by instance: when to announce that it waits
        self._lines_before: dict[str, int] = {}  # by instance: lines of its earlier lives
        self.cards: dict[str, list[str]] = {}  # by instance: the lines that explain its latest failure

    def open(self, poller: object) -> None:
        """Do nothing: there is no descriptor here."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Announce what happened to ``instance``.

        The first event of a stopping session also announces the stop, after its cause and before everything else.
        """
        self._waiting.pop(instance.name, None)
        if action == Action.ANNOUNCE_WAITING:
            self._waiting[instance.name] = now + WAITING_SILENCE
            return
        cause = None if self._supervisor.stopping is None else self._supervisor.stopping.cause
        is_cause = action in _CAUSES if cause is None else (action, instance.name) == cause
        if not is_cause and cause is None:
            self._announce_stop(now)
        if action == Action.ANNOUNCE_FAILED:
            self._announce_failure(instance, now)
        elif action != Action.PROBE and not self._is_stale(action, instance):
            self._announce(action, instance, now)
        if is_cause:
            self._announce_stop(now)
        if action == Action.ANNOUNCE_FAILED and _cannot_run(instance) and (hint := self._launch_hint(instance)):
            self._hub.announce(f"hint: {hint}")

    def next_deadline(self) -> float | None:
        """Return when the next line is due, in seconds of the monotonic clock, or None."""
        due = [*self._waiting.values(), *([] if self._reminder is None else [self._reminder])]
        return min(due, default=None)

    def tick(self, now: float) -> None:
        """Name the instances that still wait after a second, and every two seconds those that have not stopped yet."""
        for name in [name for name, due in self._waiting.items() if due <= now]:
            del self._waiting[name]
            instance = self._supervisor.instances.get(name)
            if instance is not None and instance.state == State.WAITING:
                self._announce(Action.ANNOUNCE_WAITING, instance, now)
        if self._reminder is not None and self._reminder <= now:
            self._reminder = now + REMINDER_INTERVAL
            self._remind(now)

    def is_timing(self) -> bool:
        """Return False: no process is timed here."""
        return False

    def stand_still(self, seconds: float) -> None:
        """Do nothing: no deadline of a process is kept here."""

    def close(self, now: float, code: int) -> None:
        """Announce the end of the session: a table of those that did more than stop on request, and one line."""
        from procman.output.messages.summary import Row, end_summary

        rows = [
            Row(i.name, outcome(i), i.restarts, format_duration(i.uptime(now)), self._hub.line_count(i.name), i.crashes)
            for i in self._supervisor.instances.values()
        ]
        for line in end_summary(rows, code, self._hub.message_columns, self._hub.palette):
            self._hub.announce(line)

    def _announce(self, action: str, instance: Instance, now: float) -> None:
        if action == Action.ANNOUNCE_STARTED:
            self._lines_before[instance.name] = self._hub.line_count(instance.name)
            self._hub.child_started(instance.name, instance.pid or 0)
        text = sentence(action, instance, now, self._supervisor.hindrances)
        if action == Action.ANNOUNCE_EXITED and _exited_badly(instance):
            text = f"{self._hub.palette.failure}{text}{self._hub.palette.reset}"
        self._hub.announce(text)

    def _is_stale(self, action: str, instance: Instance) -> bool:
        """Whether the line has become pointless because the whole session stops."""
        return self._supervisor.stopping is not None and action in _STALE_WHILE_STOPPING

    def _announce_stop(self, now: float) -> None:
        if self._supervisor.stopping is not None and self._reminder is None:
            self._reminder = now + REMINDER_INTERVAL
            number = len(self._supervisor.waiting_for)
            stopping = f"stopping {number} process{'' if number == 1 else 'es'}" if number else "no process is left"
            self._hub.announce(f"{self._supervisor.stopping.words}: {stopping}")

    def _remind(self, now: float) -> None:
        waiting = self._supervisor.waiting_for
        if not waiting:
            self._hub.announce("still waiting for processes that have left their process groups")
            return
        # Those whose dependents have not ended yet have got no signal so far.
        waiting = [instance for instance in waiting if instance.state == State.STOPPING] or waiting
        names = ", ".join(f"{i.name} (pid {i.pid})" for i in waiting[:MAX_NAMES])
        more = f" and {len(waiting) - MAX_NAMES} more" if len(waiting) > MAX_NAMES else ""
        ends = [i.last_deadline for i in waiting if i.last_deadline is not None]
        left = f"; KILL in {format_duration(max(0.0, min(ends) - now))}" if ends else ""
        self._hub.announce(f"still waiting for {names}{more}{left}")

    def _announce_failure(self, instance: Instance, now: float) -> None:
        from procman.output.messages.summary import LAST_LINES, failure_card, headline

        title = sentence(Action.ANNOUNCE_FAILED, instance, now, self._supervisor.hindrances)
        if instance.started is None or instance.failure.startswith(
            NOT_STARTED
        ):  # a dependency did not come up, so it has no output to show
            self._show_card(instance, [headline(title, self._hub.palette)])
            return
        ran_for = format_duration(instance.uptime(now))
        # Only lines of this life, since what earlier lives wrote does not explain this failure.
        count = self._hub.line_count(instance.name) - self._lines_before.get(instance.name, 0)
        if instance.ended == instance.started:  # it could not be spawned, so its start was not announced either
            count = 0
        last_lines = self._hub.last_lines(instance.name, min(LAST_LINES, count))
        advice = [*self._taken_ports(instance, last_lines), *self._next_steps(instance)]
        card = failure_card(title, ran_for, last_lines, self._hub.palette, instance.quick_deaths, advice)
        self._show_card(instance, card)

    def _show_card(self, instance: Instance, card: list[str]) -> None:
        self.cards[instance.name] = card
        for line in card:
            self._hub.announce(line)

    def _taken_ports(self, instance: Instance, last_lines: Sequence[bytes]) -> Iterator[str]:
        """Yield what listens on the ports that it wanted: those of its checks, its own if its output mentions it."""
        text = b"\n".join(last_lines)
        if instance.plan.listen is not None and any(words in text for words in _IN_USE):
            yield "procman keeps its socket open (listen): the server has to accept on descriptor 3, not to bind"
            return
        own = instance.plan.port
        ports = {check.port for check in (instance.plan.ready, instance.plan.health) if check is not None}
        if own is not None and (str(own).encode() in text or any(words in text for words in _IN_USE)):
            ports.add(own)
        for port in sorted(port for port in ports if port is not None):
            if by := self._taken_by(port):
                yield f"port {port} is taken by {by}"

    def _next_steps(self, instance: Instance) -> list[str]:
        """Return how to start it again, if the session continues."""
        others = [one for one in self._supervisor.instances.values() if one.state not in DOWN]
        if self._supervisor.stopping is not None or not others:
            return []
        key = ", or press R" if self._hub.has_footer else ""
        return [f"start it again with `procman restart {instance.name}`{key}"]


def _cannot_run(instance: Instance) -> bool:
    """Whether the shell, or the system, could not run the command of an instance that has failed."""
    return instance.status is not None and instance.status.shell_code in (EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND)


def _exited_badly(instance: Instance) -> bool:
    return instance.status is not None and not instance.plan.restart.is_success(instance.status.shell_code)


class EventReporter:
    """Passes every event to the hub as a record (``--format json``). A component of the engine."""

    def __init__(self, hub: Hub, supervisor: Supervisor, clock: Callable[[], float] = time.time) -> None:
        self._hub = hub
        self._supervisor = supervisor
        self._clock = clock

    def open(self, poller: object) -> None:
        """Do nothing: there is no descriptor here."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Pass an event on. A probe is a request, not an event."""
        if action != Action.PROBE:
            moment = utc(self._clock())
            self._hub.record(event_record(action, instance, now, moment, self._supervisor.hindrances))

    def next_deadline(self) -> float | None:
        """Return None: no event is due by time."""
        return None

    def tick(self, now: float) -> None:
        """Do nothing between two events."""

    def is_timing(self) -> bool:
        """Return False: no process is timed here."""
        return False

    def stand_still(self, seconds: float) -> None:
        """Do nothing: no deadline of a process is kept here."""

    def close(self, now: float, code: int) -> None:
        """Pass the record of the session's end on."""
        self._hub.record(end_record(code, utc(self._clock())))
