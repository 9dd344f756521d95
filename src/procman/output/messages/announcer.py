"""Shows: what happens to instances, as sentences of `system`."""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub


def seconds(value: float) -> str:
    """A time span as people say it: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 7 min``."""
    if value < 9.95:
        return f"{value:.1f} s"
    total = round(value)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


REMINDER_EVERY = 2.0  # seconds between two lines that say whom we wait for


def attempt(instance: Instance) -> str:
    """Which attempt comes next, where a failure spends one: `` (attempt 2 of 4)``."""
    attempts = instance.plan.restart.max_restarts - 1  # the last quick death of the budget is not followed by one
    spends = 0 < instance.quick_deaths <= attempts and not (instance.status and instance.status.ok)
    return f" (attempt {instance.quick_deaths} of {attempts})" if spends else ""


class Announcer:
    """Turns the supervisor's TELL actions into lines. A component of the engine, see runtime/loop/component.py."""

    def __init__(self, hub: Hub, supervisor: Supervisor) -> None:
        self._hub = hub
        self._supervisor = supervisor
        self._reminder: float | None = None
        self._lines_before: dict[str, int] = {}  # by instance: what its earlier lives have said
        self._tellers = {
            Action.TELL_WAITING: self._waiting,
            Action.TELL_STARTED: self._started,
            Action.TELL_READY: self._ready,
            Action.TELL_UNHEALTHY: self._unhealthy,
            Action.TELL_STOPPING: self._stopping,
            Action.TELL_RESTARTING: self._restarting,
            Action.TELL_EXITED: self._exited,
            Action.TELL_STOPPED: self._stopped,
            Action.TELL_CANCELLED: self._cancelled,
            Action.TELL_FAILED: self._failed,
        }

    def open(self, poller: object) -> None:
        """Nothing to do: there is no descriptor here."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Say what happened to `instance`; and once, behind its cause, that and why everything stops."""
        is_cause = action in (Action.TELL_EXITED, Action.TELL_FAILED)
        if not is_cause:
            self._tell_stop(now)
        if action in self._tellers:
            self._tellers[action](instance, now)
        if is_cause:
            self._tell_stop(now)

    def _tell_stop(self, now: float) -> None:
        if self._supervisor.stopping is not None and self._reminder is None:
            self._reminder = now + REMINDER_EVERY
            self._hub.announce(
                f"{self._supervisor.stopping.words}: stopping {_count(len(self._supervisor.waiting_for))}"
            )

    def next_deadline(self) -> float | None:
        """When to say again whom we wait for."""
        return self._reminder

    def tick(self, now: float) -> None:
        """Name those who have not stopped yet, every two seconds."""
        if self._reminder is not None and self._reminder <= now:
            self._reminder = now + REMINDER_EVERY
            self._still_waiting(now)

    def close(self, now: float, code: int) -> None:
        """The last words: a table, and one line."""
        from procman.output.messages.summary import Row, end_summary

        rows = [
            Row(i.name, _end_in_words(i), i.restarts, seconds(i.uptime(now)), self._hub.line_count(i.name))
            for i in self._supervisor.instances.values()
        ]
        for line in end_summary(rows, code, self._hub.room):
            self._hub.announce(line)

    def _still_waiting(self, now: float) -> None:
        waiting = self._supervisor.waiting_for
        if not waiting:
            self._hub.announce("still waiting for processes that have left their groups")
            return
        names = ", ".join(f"{i.name} (pid {i.pid})" for i in waiting[:8])
        more = f" and {len(waiting) - 8} more" if len(waiting) > 8 else ""
        ends = [i.deadline for i in waiting if i.deadline is not None]
        left = f"; KILL in {seconds(max(0.0, min(ends) - now))}" if ends else ""
        self._hub.announce(f"still waiting for {names}{more}{left}")

    def _started(self, instance: Instance, _now: float) -> None:
        port = f" on port {instance.plan.port}" if instance.plan.port is not None else ""
        self._lines_before[instance.name] = self._hub.line_count(instance.name)
        self._hub.began(instance.name, instance.pid or 0)
        self._hub.announce(f"{instance.name} started with pid {instance.pid}{port}")

    def _ready(self, instance: Instance, now: float) -> None:
        self._hub.announce(f"{instance.name} is ready after {seconds(instance.uptime(now))}")

    def _waiting(self, instance: Instance, _now: float) -> None:
        if instance.state == State.WAITING:
            self._hub.announce(f"{instance.name} waits: {'; '.join(self._supervisor.hindrances(instance))}")

    def _unhealthy(self, instance: Instance, _now: float) -> None:
        """It is condemned, or only suspected, as its plan says."""
        if instance.condemned:
            self._hub.announce(f"{instance.name} is {instance.failure}: it is asked to stop")
        else:
            self._hub.announce(f"{instance.name} is unhealthy: {instance.trouble}")

    def _stopping(self, instance: Instance, _now: float) -> None:
        if self._supervisor.stopping is None:
            self._hub.announce(f"{instance.name} is asked to stop")

    def _restarting(self, instance: Instance, _now: float) -> None:
        if self._supervisor.stopping is not None:  # since it was decided
            return
        when = "now" if instance.delay == 0 else f"in {seconds(instance.delay)}"
        failed = f"{instance.failure}; " if instance.failure else ""
        self._hub.announce(f"{instance.name} {failed}restarting {when}{attempt(instance)}")

    def _exited(self, instance: Instance, now: float) -> None:
        words = instance.status.words() if instance.status else "ended"
        text = f"{instance.name} {words} after {seconds(instance.uptime(now))}"
        if instance.status and not instance.plan.restart.is_success(instance.status.shell_code):
            text = f"{self._hub.palette.failure}{text}{self._hub.palette.reset}"
        self._hub.announce(text)

    def _stopped(self, instance: Instance, now: float) -> None:
        if instance.status is None:
            self._hub.announce(f"{instance.name} stopped before it was started")
            return
        words = instance.status.words(asked=True)
        self._hub.announce(f"{instance.name} stopped ({words}) after {seconds(instance.uptime(now))}")

    def _cancelled(self, instance: Instance, _now: float) -> None:
        if self._supervisor.stopping is None:
            self._hub.announce(f"{instance.name} will not be started again")

    def _said(self, name: str) -> int:
        """How many lines this life has said; the words of earlier ones explain nothing any more."""
        return self._hub.line_count(name) - self._lines_before.get(name, 0)

    def _failed(self, instance: Instance, now: float) -> None:
        from procman.output.messages.summary import LAST_LINES, failure_card, headline

        if instance.started is None:  # what it depends on did not come up: it has nothing to show
            self._hub.announce(headline(instance.name, str(instance.failure), self._hub.palette))
            return
        lines = failure_card(
            instance.name,
            _failure_in_words(instance),
            seconds(instance.uptime(now)),
            self._hub.last_lines(instance.name, min(LAST_LINES, self._said(instance.name))),
            self._hub.palette,
        )
        for line in lines:
            self._hub.announce(line)


def _count(number: int) -> str:
    return f"{number} process{'es' if number != 1 else ''}"


def _failure_in_words(instance: Instance) -> str:
    if instance.failure and instance.pid is None:
        return instance.failure
    return instance.status.words() if instance.status else "gave up"


def _end_in_words(instance: Instance) -> str:
    if instance.state == State.FAILED:
        return f"failed: {_failure_in_words(instance).removeprefix('exited with ')}"  # the column is narrow
    if instance.status is None:
        return "not started"
    return instance.status.words(asked=True)


class Events:
    """Tells the hub of every change. A component of the engine, see runtime/loop/component.py."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def open(self, poller: object) -> None:
        """Nothing to do: there is no descriptor here."""

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Pass a change on: ``action`` is the event's name, "started" or "exited"."""
        if action != "probe":  # not a change, but something to do
            delay = {"delay": round(instance.delay, 3)} if action == "restarting" else {}
            self._hub.event(action, instance.name, **_fields(instance, now), **delay)

    def next_deadline(self) -> float | None:
        """Never by itself."""
        return None

    def tick(self, now: float) -> None:
        """Nothing to do between two changes."""

    def close(self, now: float, code: int) -> None:
        """The last record is that of the whole run."""
        self._hub.event("ended", "system", exit_status=code)


def _fields(instance: Instance, now: float) -> dict[str, object]:
    """What is worth a field; times are seconds."""
    fields: dict[str, object] = {"pid": instance.pid, "port": instance.plan.port, "restarts": instance.restarts}
    fields["uptime"] = round(instance.uptime(now), 3)
    if instance.status is not None and instance.pid is None:
        fields["code"] = instance.status.code
        fields["signal"] = instance.status.signal
    if instance.failure:
        fields["failure"] = instance.failure
    return fields
