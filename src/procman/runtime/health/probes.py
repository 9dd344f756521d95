"""Does: finds out whether instances are ready, and whether they stay healthy; a guest of the engine's.

It asks, the supervisor decides. Nothing here waits: sockets do not block, commands end as children do, and a log line
is noticed as it passes by.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import Action, State
from procman.core.model.checks import DELAY, EXEC, HTTP, LOG
from procman.runtime.health.attempts import Connection, Request, Run
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.checks import Check
    from procman.output.hub import Hub
    from procman.runtime.health.attempts import Attempt, LogLines
    from procman.runtime.processes.children import Children
    from procman.runtime.system.poller import Poller

FIRST_PAUSE = 0.05  # seconds after the first refusal; it doubles up to the interval of the check
FIRST_PAUSE_OF_COMMANDS = 0.25  # a process each time: less often


class Question:
    """What is being found out about one life of an instance. Times are seconds of the monotonic clock.

    ``due`` is when to ask next, ``overdue`` when to stop waiting for the answer under way.
    """

    __slots__ = ("attempt", "check", "due", "instance", "overdue", "pause", "pid")

    def __init__(self, instance: Instance, check: Check, now: float) -> None:
        self.instance = instance
        self.pid = instance.pid
        self.check = check
        self.attempt: Attempt | None = None
        self.due: float | None = now
        self.overdue: float | None = None
        self.pause = FIRST_PAUSE_OF_COMMANDS if check.kind == EXEC else FIRST_PAUSE

    @property
    def is_stale(self) -> bool:
        """Whether this life is over, or about to be."""
        return self.instance.pid != self.pid or self.instance.state not in (State.STARTING, State.RUNNING)

    @property
    def for_readiness(self) -> bool:
        """Whether it still has to become ready; else the question is about its health."""
        return self.instance.state == State.STARTING

    def drop(self) -> None:
        """Stop asking."""
        if self.attempt is not None:
            self.attempt.drop()
        self.attempt = self.due = self.overdue = None


class Probes(QuietComponent):
    """All questions under way, one an instance at most."""

    def __init__(self, supervisor: Supervisor, hub: Hub, children: Children) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._children = children
        self._questions: dict[str, Question] = {}
        self._lines: LogLines | None = None
        self._poller: Poller | None = None
        self._begin: dict[str, Callable[[Question], Attempt]] = {HTTP: self._request, EXEC: self._run}

    def open(self, poller: Poller) -> None:
        """The loop begins."""
        self._poller = poller

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Begin to ask when a life begins or its next health check is due; stop when it ends."""
        if action == Action.TELL_STARTED:
            self._forget(instance.name)
            if instance.plan.ready is not None and instance.state == State.STARTING:
                self._ask(instance, instance.plan.ready, now)
        elif action == Action.PROBE and instance.plan.health is not None:
            if instance.name not in self._questions:
                self._ask(instance, instance.plan.health, now)
        elif instance.name in self._questions and self._questions[instance.name].is_stale:
            self._forget(instance.name)

    def next_deadline(self) -> float | None:
        """When to ask next, or to stop waiting for an answer."""
        times = [time for question in self._questions.values() for time in (question.due, question.overdue)]
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> None:
        """Ask where it is time, and count silence as a failure where that is over."""
        if self._lines is not None and self._lines.is_idle:
            self._hub.remove(self._lines)
            self._lines = None
        for name, question in list(self._questions.items()):
            if question.is_stale:
                self._forget(name)
            elif question.overdue is not None and question.overdue <= now:
                self._no_answer(question)
            elif question.due is not None and question.due <= now:
                self._begin_attempt(question, now)

    # Asking -------------------------------------------------------------------------------------------------------

    def _ask(self, instance: Instance, check: Check, now: float) -> None:
        question = self._questions[instance.name] = Question(instance, check, now)
        if check.kind == DELAY:
            question.due = now + float(check.target)
        elif check.kind == LOG:
            question.due = None
            self._listen(question)

    def _listen(self, question: Question) -> None:
        from procman.runtime.health.attempts import LogLines

        if self._lines is None:
            self._lines = LogLines()
            self._hub.add(self._lines)
        self._lines.expect(question.instance.name, question.check.target, lambda words: self._heard(question, words))

    def _heard(self, question: Question, words: str) -> None:
        if words:
            self._supervisor.probed(question.instance, words)  # until its time is over
        else:
            self._answered(question, "")

    def _begin_attempt(self, question: Question, now: float) -> None:
        question.due = None
        if question.check.kind == DELAY:
            self._answered(question, "")
            return
        question.overdue = now + question.check.attempt
        attempt = self._begin.get(question.check.kind, self._connect)(question)
        if question.overdue is not None:  # it has not been answered at once
            question.attempt = attempt

    def _connect(self, question: Question) -> Attempt:
        assert self._poller is not None
        return Connection(self._poller, question.check.target, lambda words: self._answered(question, words))

    def _request(self, question: Question) -> Attempt:
        assert self._poller is not None
        return Request(self._poller, question.check.target, lambda words: self._answered(question, words))

    def _run(self, question: Question) -> Attempt:
        plan, command = question.instance.plan, question.check.target
        return Run(self._children.side_commands, plan, command, lambda words: self._answered(question, words))

    # Answers ------------------------------------------------------------------------------------------------------

    def _no_answer(self, question: Question) -> None:
        if question.attempt is not None:
            question.attempt.drop()
        self._answered(question, f"no answer within {question.check.attempt:g} s")

    def _answered(self, question: Question, words: str) -> None:
        """An attempt is over; ``words`` say what went wrong, and are empty when all is well."""
        question.attempt = question.overdue = None
        instance, now = question.instance, time.monotonic()
        if question.is_stale or self._questions.get(instance.name) is not question:
            return
        if question.for_readiness:
            self._readiness(question, words, now)
            return
        del self._questions[instance.name]
        if words:
            self._supervisor.unhealthy(instance, words, now)
        else:
            self._supervisor.probed(instance, "")

    def _readiness(self, question: Question, words: str, now: float) -> None:
        if not words:
            del self._questions[question.instance.name]
            self._supervisor.ready(question.instance, now)
            return
        self._supervisor.probed(question.instance, words)
        question.due = now + min(question.pause, question.check.interval)
        question.pause *= 2

    def _forget(self, name: str) -> None:
        question = self._questions.pop(name, None)
        if question is not None:
            question.drop()
        if self._lines is not None:
            self._lines.forget(name)
