"""The loop. One thread sleeps until a child writes or ends, a signal arrives, or the nearest deadline is reached.

Each turn: perform → flush → finished? → wait → reap → wake. Any other order hangs: an action may end the run, and the
supervisor must decide about reaped children before the loop sleeps again.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.outcome import HUNG_UP, OUTPUT_CLOSED
from procman.core.lifecycle.transitions import Action
from procman.output.outlet import report_loss, write_stderr
from procman.runtime.loop.pumps import Pumps
from procman.runtime.loop.teardown import Teardowns, still_alive
from procman.runtime.system.descendants import kill_until_empty
from procman.runtime.system.poller import READ, WRITE, Poller, has_hung_up
from procman.runtime.system.signals import ignores_hang_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.output.outlet import Outlet
    from procman.runtime.loop.component import Component
    from procman.runtime.loop.pumps import Pump
    from procman.runtime.loop.signal_requests import SignalRequests
    from procman.runtime.processes.children import Child, Children
    from procman.runtime.processes.launcher import Launcher
else:
    import _signal as signal  # without the enums: see signals.py

LATE = 1.0  # seconds; a wait that lasts so much longer than it should means that procman was suspended meanwhile
SHORT_WAIT = 0.5  # seconds; the longest wait while the time of a process is measured, and what is late for it
LAST_FLUSH_LIMIT = 1.0  # seconds for the reader to take the rest of the output at the end


class Engine:
    """Performs the actions that the supervisor decides, and reports facts back to it."""

    def __init__(
        self,
        supervisor: Supervisor,
        children: Children,
        launcher: Launcher,
        hub: Hub,
        outlet: Outlet,
        signal_requests: SignalRequests,
        components: Sequence[Component] = (),
    ) -> None:
        self.supervisor = supervisor
        self._children = children
        self._launcher = launcher
        self._hub = hub
        self._outlet = outlet
        self._signal_requests = signal_requests
        self._components = components
        self._poller = children.poller = Poller()
        self._pumps = Pumps(hub, outlet)
        self._teardowns = Teardowns(children, self._pumps, self._report_end)
        self._next_deadlines: list[Callable[[], float | None]] = [
            supervisor.next_deadline,
            self._pumps.next_deadline,
            self._teardowns.next_deadline,
            children.next_deadline,
            hub.next_deadline,
            *(component.next_deadline for component in components),
        ]
        self._lives: dict[str, tuple[Child, list[Pump]]] = {}
        self._orphans_until: float | None = None
        self._output_blocked = False
        self._error_reported = False

    # The loop -----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Start what has not started, keep it running, and stop it; return the exit code of the run."""
        try:
            self._open()
            while True:
                self._perform()
                self._flush()
                if self._finished():
                    break
                self._wait()
                self._reap()
                self._wake()
        finally:
            stuck = kill_until_empty(self._children.spared)
        return self._end(stuck)

    def _open(self) -> None:
        self._signal_requests.on_suspended = self._stand_still
        self._signal_requests.open(self._poller)
        self._poller.add(self._pumps.fileno(), self._on_pumps)
        if self._outlet.pollable:
            self._poller.add(self._outlet.fileno(), self._on_outlet, 0)
        for component in self._components:
            component.open(self._poller)
        self._poll(0)  # handle earlier signals before more is launched

    def _poll(self, timeout: float | None) -> None:
        began = time.monotonic()
        callbacks = self._poller.ready(timeout)
        waited = time.monotonic() - began
        if timeout is not None and waited > timeout + (LATE if timeout > SHORT_WAIT else SHORT_WAIT):
            self._stand_still(waited)  # SIGSTOP, a frozen container: it began in this wait
        for callback in callbacks:
            callback()

    def _stand_still(self, seconds: float) -> None:
        """Move every deadline of a process on: what is suspended cannot meet one."""
        self.supervisor.stand_still(seconds)
        self._teardowns.stand_still(seconds)
        if self._orphans_until is not None:
            self._orphans_until += seconds
        for component in self._components:
            component.stand_still(seconds)

    def _on_pumps(self) -> None:
        """Do nothing yet: pumps are served once a turn, after everything else."""

    def _on_outlet(self) -> None:
        """Notice that there is room again, or that the reader is gone, which ends the run even if no child writes."""
        if has_hung_up(self._outlet.fileno()):
            self._poller.remove(self._outlet.fileno())
            terminal = self._outlet.kind == "terminal"
            if not (terminal and ignores_hang_up()):  # `nohup`: the run continues unseen
                self.supervisor.stop_all(HUNG_UP if terminal else OUTPUT_CLOSED, time.monotonic())

    def _perform(self) -> None:
        """Perform what was decided, and what is decided as a result."""
        self._adopt()
        self._perform_actions()
        if self._launcher.busy:
            self._launcher.launch_some()
            self._adopt()
            self._perform_actions()  # a start is announced before the child's first output

    def _adopt(self) -> None:
        """Register new children before further actions are performed, which may refer to them."""
        for child in self._launcher.take_spawned():
            on_output = None if child.pty is None else child.pty.on_output
            pumps = [self._pumps.add(fd, child.name, stream, on_output) for stream, fd in child.outputs]
            self._lives[child.name] = (child, pumps)

    def _perform_actions(self) -> None:
        while actions := self.supervisor.take_actions():
            stopped: list[Instance] = []
            for action, instance in actions:
                if action == Action.LAUNCH:
                    self._launcher.add(instance)
                elif action == Action.STOP:
                    stopped.append(instance)
                elif action == Action.STOP_REST:
                    self._stop_rest(instance)
                elif action == Action.KILL:
                    self._kill(instance)
                else:
                    self._notify(action, instance)
            self._stop(stopped)

    def _flush(self) -> None:
        """Write pending output; while the reader does not take it, wait for the reader and read no child."""
        try:
            self._outlet.flush()
        except BrokenPipeError:  # `| head`: end everything, quietly
            self.supervisor.stop_all(OUTPUT_CLOSED, time.monotonic())
        if self._outlet.error and not self._error_reported:
            self._error_reported = True
            write_stderr(f"procman: cannot write to standard output: {self._outlet.error}\n")
        if self._outlet.blocked != self._output_blocked:
            self._output_blocked = self._outlet.blocked
            self._poller.change(self._outlet.fileno(), WRITE if self._output_blocked else 0)
            self._poller.change(self._pumps.fileno(), 0 if self._output_blocked else READ)

    def _finished(self) -> bool:
        if self._launcher.busy or not self.supervisor.settled:
            return False
        if self._output_blocked and self.supervisor.stopping is None:  # a slow reader gets all before we end
            return False
        return not self._orphans_remain(time.monotonic())

    def _orphans_remain(self, now: float) -> bool:
        """Return whether orphans of ended instances are still using the grace that every process has."""
        if not self._children.orphans():
            return False
        self._children.stop_orphans(signal.SIGTERM)
        self._orphans_until = self._orphans_until or now + self._longest_grace()
        outcome = self.supervisor.outcome
        outcome.stopped_in_time = outcome.stopped_in_time and now < self._orphans_until  # otherwise they are killed now
        return outcome.stopped_in_time

    def _longest_grace(self) -> float:
        return max((i.plan.stop.grace for i in self.supervisor.instances.values()), default=0.0)

    def _wait(self) -> None:
        if self._launcher.busy or (self._pumps.backlog and not self._output_blocked):
            timeout: float | None = 0.0
        else:
            due = self._nearest_deadline()
            timeout = None if due is None else max(0.0, due - time.monotonic())
            if timeout is not None and timeout > SHORT_WAIT and self._is_timing():
                timeout = SHORT_WAIT  # a long wait would hide a suspension in it
        self._poll(timeout)

    def _is_timing(self) -> bool:
        is_orphaned = self._orphans_until is not None
        return is_orphaned or self.supervisor.is_timing() or any(one.is_timing() for one in self._components)

    def _nearest_deadline(self) -> float | None:
        nearest = self._orphans_until
        for next_deadline in self._next_deadlines:
            due = next_deadline()
            if due is not None and (nearest is None or due < nearest):
                nearest = due
        return nearest

    def _reap(self) -> None:
        if not self._signal_requests.child_ended:
            return
        self._signal_requests.child_ended = False
        now = time.monotonic()
        for child in self._children.newly_dead():
            _, pumps = self._lives.pop(child.name)
            self._teardowns.begin(child, self.supervisor.instances[child.name], pumps, now)
        self._children.reap_others()

    def _wake(self) -> None:
        """Serve the pumps, then everything whose deadline may have been reached."""
        if not self._output_blocked:
            self._pumps.serve()
            self._flush()  # lines are on their way before anything else happens
        now = time.monotonic()
        self._children.tick(now)
        self._teardowns.proceed(now)
        self.supervisor.tick(now)
        self._pumps.show_partials(now)
        for component in self._components:
            component.tick(now)

    # Actions --------------------------------------------------------------------------------------------------------

    def _stop(self, instances: list[Instance]) -> None:
        """Send each instance its stop signal, in parallel, and to the processes that have left their groups."""
        for instance in instances:
            if instance.name in self._lives:
                self._children.stop(self._lives[instance.name][0], instance.plan)
        if instances:
            all_of_them = self.supervisor.stopping is not None and not self.supervisor.holds_back
            self._children.stop_orphans(signal.SIGTERM, None if all_of_them else [i.name for i in instances])

    def _stop_rest(self, instance: Instance) -> None:
        if instance.name in self._lives:
            self._children.stop_rest(self._lives[instance.name][0], instance.plan)

    def _kill(self, instance: Instance) -> None:
        self._teardowns.kill(instance.name)
        if instance.name in self._lives:
            child, pumps = self._lives[instance.name]
            self._children.kill(child)
            self._teardowns.expect(child, instance, pumps, time.monotonic())

    def _report_end(self, child: Child, instance: Instance) -> None:
        assert child.status is not None
        self._lives.pop(child.name, None)  # still there if it was given up
        self.supervisor.exited(instance, child.status, time.monotonic())

    def _notify(self, action: str, instance: Instance) -> None:
        now = time.monotonic()
        for component in self._components:
            component.on_event(action, instance, now)

    def _end(self, stuck: list[int]) -> int:
        now = time.monotonic()
        if stuck:
            self._hub.announce(still_alive(stuck))
        code = self.supervisor.exit_code
        for component in self._components:
            component.close(now, code)
        self._hub.close()
        self._outlet.close(now + LAST_FLUSH_LIMIT)
        self._report_loss()
        return code

    def _report_loss(self) -> None:
        """Report on stderr how much output was not read, unless the reader left on purpose."""
        if self.supervisor.stopping is not OUTPUT_CLOSED:
            report_loss(self._outlet, self._pumps.dropped)
