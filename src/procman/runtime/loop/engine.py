"""Does: the loop. One thread; asleep until a child writes, ends, a signal arrives or the nearest deadline comes.

Each turn: perform → flush → finished? → wait → reap → wake. Another order hangs: what was performed may end the run,
what was reaped must be decided upon before anything sleeps again.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.outcome import HUNG_UP, OUTPUT_CLOSED
from procman.core.lifecycle.transitions import Action
from procman.output.outlet import report_loss, write_stderr
from procman.runtime.loop.pumps import Pumps
from procman.runtime.loop.teardown import Teardowns
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

LAST_WORDS = 1.0  # seconds for the output to take what is owed to it at the end


class Engine:
    """Performs what the supervisor decides, and reports facts back to it."""

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
        self._poller = Poller()
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
        self._full = False
        self._error_told = False

    # The loop -----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Bring up what is not yet, keep it so, bring it down; returns the exit code of the run."""
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
            stuck = self._teardowns.stuck + kill_until_empty(self._children.spared)
        return self._end(stuck)

    def _open(self) -> None:
        self._signal_requests.open(self._poller)
        self._poller.add(self._pumps.fileno(), self._nothing)
        if self._outlet.pollable:
            self._poller.add(self._outlet.fileno(), self._look_at_reader, 0)
        for component in self._components:
            component.open(self._poller)
        self._hear(0)  # a signal that came before anybody listened, before more is launched

    def _hear(self, timeout: float | None) -> None:
        for callback in self._poller.ready(timeout):
            callback()

    def _nothing(self) -> None:
        """Pumps have their turn once a loop, after everything else."""

    def _look_at_reader(self) -> None:
        """There is room again, or the reader is gone: that ends everything even while nobody speaks."""
        if has_hung_up(self._outlet.fileno()):
            self._poller.remove(self._outlet.fileno())
            terminal = self._outlet.kind == "terminal"
            if not (terminal and ignores_hang_up()):  # `nohup`: the run goes on, unseen
                self.supervisor.stop_all(HUNG_UP if terminal else OUTPUT_CLOSED, time.monotonic())

    def _perform(self) -> None:
        """Do what was decided, and what is decided because of that."""
        self._adopt()
        self._obey()
        if self._launcher.busy:
            self._launcher.launch_some()
            self._adopt()
            self._obey()  # a start is told before the child's first words

    def _adopt(self) -> None:
        """Be there for those who were launched: what is decided next may concern them."""
        for child in self._launcher.take_born():
            hear = None if child.pty is None else child.pty.hear
            pumps = [self._pumps.add(fd, child.name, stream, hear) for stream, fd in child.outputs]
            self._lives[child.name] = (child, pumps)

    def _obey(self) -> None:
        while actions := self.supervisor.take_actions():
            asked: list[Instance] = []
            for action, instance in actions:
                if action == Action.LAUNCH:
                    self._launcher.add(instance)
                elif action == Action.STOP:
                    asked.append(instance)
                elif action == Action.KILL:
                    self._kill(instance)
                else:
                    self._tell(action, instance)
            self._ask(asked)

    def _flush(self) -> None:
        """Write what is owed; while the reader does not take it, wait for him and read no child."""
        try:
            self._outlet.flush()
        except BrokenPipeError:  # `| head`: end everything, quietly
            self.supervisor.stop_all(OUTPUT_CLOSED, time.monotonic())
        if self._outlet.error and not self._error_told:
            self._error_told = True
            write_stderr(f"procman: standard output cannot be written: {self._outlet.error}\n")
        if self._outlet.blocked != self._full:
            self._full = self._outlet.blocked
            self._poller.change(self._outlet.fileno(), WRITE if self._full else 0)
            self._poller.change(self._pumps.fileno(), 0 if self._full else READ)

    def _finished(self) -> bool:
        if self._launcher.busy or not self.supervisor.settled:
            return False
        return not self._orphans_remain(time.monotonic())

    def _orphans_remain(self, now: float) -> bool:
        """Whether helpers that belong to no instance any more still use the grace that everybody has."""
        if not self._children.orphans():
            return False
        self._children.ask_orphans(signal.SIGTERM)
        self._orphans_until = self._orphans_until or now + self._longest_grace()
        outcome = self.supervisor.outcome
        outcome.stopped_in_time = outcome.stopped_in_time and now < self._orphans_until  # else they are killed now
        return outcome.stopped_in_time

    def _longest_grace(self) -> float:
        return max((i.plan.stop.grace for i in self.supervisor.instances.values()), default=0.0)

    def _wait(self) -> None:
        if self._launcher.busy or (self._pumps.backlog and not self._full):
            timeout: float | None = 0.0
        else:
            due = self._nearest_deadline()
            timeout = None if due is None else max(0.0, due - time.monotonic())
        self._hear(timeout)

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
        self._children.reap_strangers()

    def _wake(self) -> None:
        """Let everything that waited for this moment have its turn."""
        if not self._full:
            self._pumps.serve()
            self._flush()  # a line is on its way before anything else is asked for
        now = time.monotonic()
        self._children.let_go(now)
        self._teardowns.proceed(now, self.supervisor.stopping is not None)
        self.supervisor.tick(now)
        self._pumps.show_partials(now)
        for component in self._components:
            component.tick(now)

    # Deeds ----------------------------------------------------------------------------------------------------------

    def _ask(self, instances: list[Instance]) -> None:
        """Send each its stop signal, all in parallel; and to what has left their groups."""
        for instance in instances:
            if instance.name in self._lives:
                self._children.stop(self._lives[instance.name][0], instance.plan)
        if instances:
            everybody = self.supervisor.stopping is not None and not self.supervisor.holds_back
            self._children.ask_orphans(signal.SIGTERM, None if everybody else [i.name for i in instances])

    def _kill(self, instance: Instance) -> None:
        self._teardowns.kill(instance.name)
        if instance.name in self._lives:
            self._children.kill(self._lives[instance.name][0])

    def _report_end(self, child: Child, instance: Instance) -> None:
        assert child.status is not None
        self.supervisor.exited(instance, child.status, time.monotonic())

    def _tell(self, action: str, instance: Instance) -> None:
        now = time.monotonic()
        for component in self._components:
            component.on_event(action, instance, now)

    def _end(self, stuck: list[int]) -> int:
        now = time.monotonic()
        if stuck:
            self._hub.announce(f"still there after SIGKILL, stuck in the kernel: pid {', '.join(map(str, stuck))}")
        code = self.supervisor.exit_code
        for component in self._components:
            component.close(now, code)
        self._hub.close()
        self._outlet.close(now + LAST_WORDS)
        self._complain()
        return code

    def _complain(self) -> None:
        """Say on stderr what nobody has read on stdout, unless its reader has left on purpose."""
        if self.supervisor.stopping is not OUTPUT_CLOSED:
            report_loss(self._outlet, self._pumps.dropped)
