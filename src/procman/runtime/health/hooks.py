"""Runs the user's commands for events: a process has failed, everything is ready, the session has ended.

What happened is in their environment only, so that no value is ever a part of a command.
"""

from __future__ import annotations

import time
from collections import deque

from procman.core.lifecycle.transitions import Action, State
from procman.core.model.plan import SYSTEM, InstancePlan
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.status import ExitStatus
    from procman.output.hub import Hub
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.side_commands import SideCommand

FAILED, READY, ENDED = "failed", "ready", "ended"
MOST_TIME = 30.0  # seconds that a command may take
LAST_TIME = 5.0  # seconds that those may take for which the end of the session waits
MOST_WAITING = 100  # events; more of them tell nothing new
POLL_INTERVAL = 0.02  # seconds, at the end, when no loop runs
_OF_AN_INSTANCE = ("PORT", "PS", "PROCMAN_INSTANCE", "PROCMAN_PROCESS")


class Hooks(QuietComponent):
    """The commands, by event. They run one after the other; none of them outlives the session."""

    def __init__(
        self, commands: Mapping[str, str], root: str, supervisor: Supervisor, hub: Hub, children: Children
    ) -> None:
        """``root`` is the folder of a command that belongs to no instance."""
        self._commands = commands
        self._root = root
        self._supervisor = supervisor
        self._hub = hub
        self._children = children
        self._waiting: deque[tuple[str, InstancePlan]] = deque(maxlen=MOST_WAITING)
        self._running: SideCommand | None = None
        self._event = ""  # of the command under way
        self._some_plan: InstancePlan | None = None  # of any instance: they share most of the environment
        self._overdue: float | None = None
        self._was_ready = False

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Note what a command is for."""
        self._some_plan = self._some_plan or instance.plan
        if action == Action.ANNOUNCE_FAILED:
            reason = instance.failure or (instance.status.words() if instance.status else "")
            self._add(FAILED, instance.plan, PROCMAN_REASON=reason, **_exit_status(instance.status))
        elif not self._was_ready and self._is_ready():
            self._was_ready = True
            self._add(READY, self._session_plan())

    def next_deadline(self) -> float | None:
        """Return when the command under way has taken too long; 0 if one waits to be started."""
        return self._overdue if self._running is not None else 0.0 if self._waiting else None

    def tick(self, now: float) -> None:
        """Start the next command, or kill one that takes too long."""
        if self._running is not None and self._overdue is not None and self._overdue <= now:
            self._give_up()
        if self._running is None and self._waiting:
            self._start(now, MOST_TIME)

    def stand_still(self, seconds: float) -> None:
        """Give the command under way the time for which everything was suspended."""
        if self._overdue is not None:
            self._overdue += seconds

    def close(self, now: float, code: int) -> None:
        """Finish what is under way, and run what is left and the command for the end: they share a few seconds."""
        stopping = self._supervisor.stopping
        words = {"PROCMAN_REASON": stopping.words if stopping else "", "PROCMAN_EXIT_STATUS": str(code)}
        self._add(ENDED, self._session_plan(), **words)
        end = now + LAST_TIME
        if self._running is not None:
            self._overdue = now + LAST_TIME / (1 + len(self._waiting))
        while self._running is not None or self._waiting:
            present = time.monotonic()
            if self._running is None:
                self._start(present, (end - present) / len(self._waiting))
            elif self._overdue is not None and self._overdue <= present:
                self._give_up()
            time.sleep(POLL_INTERVAL)
            self._children.side_commands.reap()

    def _is_ready(self) -> bool:
        states = {one.state for one in self._supervisor.instances.values()}
        return State.RUNNING in states and states <= {State.RUNNING, State.EXITED}

    def _add(self, event: str, plan: InstancePlan | None, **variables: str) -> None:
        if event in self._commands and plan is not None:
            self._waiting.append((event, _with_variables(plan, {"PROCMAN_EVENT": event, **variables})))

    def _start(self, now: float, limit: float) -> None:
        self._event, plan = self._waiting.popleft()

        def finished(status: ExitStatus, last_line: str) -> None:
            self._forget()
            if not status.ok:
                self._complain(f"{status.words()}{f': {last_line}' if last_line else ''}")

        self._overdue = now + limit
        running = self._children.side_commands.run(plan, self._commands[self._event], finished)
        self._running = running if self._overdue is not None else None
        if self._running is not None:
            self._children.spare([self._running.pid])  # the end of the session gives it some more time

    def _forget(self) -> None:
        """Note that the command under way is over."""
        if self._running is not None:
            pid = self._running.pid
            self._children.spared = tuple(one for one in self._children.spared if one != pid)
        self._running = self._overdue = None

    def _give_up(self) -> None:
        if self._running is not None:
            self._running.drop()
        self._forget()
        self._complain("took too long and was killed")

    def _complain(self, trouble: str) -> None:
        self._hub.announce(f"warning: the command for {self._event} {trouble}")

    def _session_plan(self) -> InstancePlan | None:
        """Return the plan for a command that belongs to no instance; None if nothing has ever happened."""
        some = self._some_plan
        if some is None:
            return None
        env = {name: value for name, value in some.env.items() if name not in _OF_AN_INSTANCE}
        return InstancePlan(SYSTEM, SYSTEM, 1, None, "", self._root, env, some.restart, some.stop)


def _with_variables(plan: InstancePlan, variables: Mapping[str, str]) -> InstancePlan:
    env = {**plan.env, **{name: value.replace("\0", "") for name, value in variables.items()}}
    return InstancePlan(plan.name, plan.type, plan.number, plan.port, "", plan.cwd, env, plan.restart, plan.stop)


def _exit_status(status: ExitStatus | None) -> dict[str, str]:
    return {} if status is None else {"PROCMAN_EXIT_STATUS": str(status.shell_code)}
