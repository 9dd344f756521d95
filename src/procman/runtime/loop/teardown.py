"""The end of one life, in the only order that loses no output and leaves no process.

1. The leader has ended and is a zombie, which pins the numbers of its group.
2. Its last output is read.
3. What is left of its group, and its escaped helpers, get the stop signal, then KILL.
4. It is reaped.
5. The supervisor is told.

So a restart never begins next to leftovers of the previous life, which would hold its port.
"""

from __future__ import annotations

from procman.core.lifecycle.transitions import State
from procman.core.model.status import ExitStatus
from procman.runtime.system.descendants import PEEKS, may_signal
from procman.runtime.system.procfs import descendants_of, is_zombie

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from procman.core.lifecycle.transitions import Instance
    from procman.runtime.loop.pumps import Pump, Pumps
    from procman.runtime.processes.children import Child, Children
else:
    import _signal as signal  # without the enums: see signals.py

LEFTOVER_GRACE = 0.25  # seconds for the leftovers of a crashed leader; a stopped instance has its own grace
DRAIN_LIMIT = 0.25  # seconds to read the last output of one child
STUCK_LIMIT = 5.0  # seconds after KILL until a process counts as stuck in the kernel
LOOK_INTERVAL = 0.05  # seconds between two looks at a group whose ends no signal reports
OUTPUT_LIMIT = 0.25  # seconds that a full output may delay the end of a child that is being stopped


def still_alive(pids: list[int]) -> str:
    """Return a sentence about processes that survive SIGKILL."""
    others = [pid for pid in pids if not may_signal(pid)]
    reason = "another user's: only that user or root can end it" if others else "stuck in the kernel"
    return f"still alive after SIGKILL, {reason}: pid {', '.join(map(str, pids))}"


class Teardown:
    """One ended leader on its way to being reaped. Times are seconds of the monotonic clock."""

    __slots__ = (
        "child",
        "deadline",
        "drained",
        "group_asked",
        "instance",
        "killed",
        "left",
        "look_at",
        "output_until",
        "pumps",
    )

    def __init__(self, child: Child, instance: Instance, pumps: list[Pump], now: float) -> None:
        self.child = child
        self.instance = instance
        self.pumps = pumps
        self.drained = False  # what the leader wrote is read; what its leftovers write must not delay anything
        self.output_until = now + OUTPUT_LIMIT
        self.group_asked = child.group_asked
        self.killed = False
        self.left: set[int] = set()  # the processes that it left behind, as far as they were seen
        self.deadline: float | None = None
        self.look_at: float | None = None


class Teardowns:
    """All teardowns under way. `finished(child, instance)` is called for each when nothing of it is left."""

    def __init__(self, children: Children, pumps: Pumps, finished: Callable[[Child, Instance], None]) -> None:
        self._children = children
        self._pumps = pumps
        self._finished = finished
        self._under_way: dict[str, Teardown] = {}
        self._killed: dict[str, Teardown] = {}  # living leaders that got SIGKILL; their deadline is STUCK_LIMIT

    def begin(self, child: Child, instance: Instance, pumps: list[Pump], now: float) -> None:
        """Take over an ended leader."""
        self._killed.pop(child.name, None)
        if child.asked and not child.group_asked:  # immediately, and also where nothing shows what is left (macOS)
            child.group_asked = True
            self._children.send_stop(child, instance.plan.stop.signal_number)
        self._under_way[child.name] = Teardown(child, instance, pumps, now)

    def expect(self, child: Child, instance: Instance, pumps: list[Pump], now: float) -> None:
        """Give up a leader that has got SIGKILL unless it ends within STUCK_LIMIT."""
        killed = self._killed[child.name] = Teardown(child, instance, pumps, now)
        killed.deadline = now + STUCK_LIMIT
        if child.pty is not None and not may_signal(child.pid):
            for pump in pumps:
                self._pumps.hang_up(pump)

    def kill(self, name: str) -> None:
        """End the grace of an instance: what is left of it is killed at the next step."""
        if name in self._under_way:
            self._under_way[name].deadline = 0.0

    def stand_still(self, seconds: float) -> None:
        """Move every deadline on by the time for which everything was suspended."""
        for teardown in (*self._under_way.values(), *self._killed.values()):
            if teardown.deadline is not None:
                teardown.deadline += seconds

    def next_deadline(self) -> float | None:
        """Return when the time of some leftovers is over, or when a full output need not be waited for any longer."""
        if not self._under_way and not self._killed:  # nearly always, and called every turn
            return None
        under_way = [*self._under_way.values(), *self._killed.values()]
        outputs = (
            t.output_until for t in self._under_way.values() if not t.drained and t.instance.state == State.STOPPING
        )
        times = (time for t in under_way for time in (t.deadline, t.look_at) if time is not None)
        return min((*times, *outputs), default=None)

    def proceed(self, now: float) -> None:
        """Advance every teardown as far as possible now."""
        for killed in [one for one in self._killed.values() if one.deadline is not None and one.deadline <= now]:
            self._abandon(killed, now)
        if not self._under_way:
            return
        orphans = self._children.orphans()
        for teardown in list(self._under_way.values()):
            if not self._drained(teardown, now):
                continue
            leftovers = self._children.leftovers(teardown.child, orphans) if orphans or not PEEKS else []
            if not leftovers or self._given_up(teardown, leftovers, now):
                self._complete(teardown, now)
            else:
                self._stop(teardown, leftovers, now)

    def _drained(self, teardown: Teardown, now: float) -> bool:
        """Read the last output. An output that is too full delays the end of the leader for as long as it takes, or for
        OUTPUT_LIMIT if it is being stopped."""
        full = False
        for pump in teardown.pumps:
            full = not self._pumps.drain(pump, now + DRAIN_LIMIT) or full
        if not full or (teardown.instance.state == State.STOPPING and now >= teardown.output_until):
            teardown.drained = True
        return teardown.drained

    def _stop(self, teardown: Teardown, leftovers: list[int], now: float) -> None:
        teardown.look_at = None if PEEKS else now + LOOK_INTERVAL
        if teardown.instance.state != State.STOPPING:
            teardown.left.update(one for pid in leftovers for one in descendants_of(pid) if not is_zombie(one))
        overdue = teardown.deadline is not None and teardown.deadline <= now
        if not teardown.killed and (overdue or teardown.instance.killed):
            teardown.killed = True
            teardown.deadline = now + STUCK_LIMIT
        if teardown.killed:
            self._children.kill(teardown.child, leftovers)
            return
        number = teardown.instance.plan.stop.signal_number
        self._children.stop_leftovers(teardown.child, leftovers, number, group_too=not teardown.group_asked)
        teardown.group_asked = True
        if teardown.deadline is None and teardown.instance.state != State.STOPPING:
            teardown.deadline = now + LEFTOVER_GRACE

    def _report_daemon(self, teardown: Teardown) -> None:
        """Report what a program has left behind that ended by itself, with success."""
        status = teardown.child.status
        if not teardown.left or teardown.instance.state == State.STOPPING or status is None or not status.ok:
            return
        number = len(teardown.left)
        what, were = ("1 process", "was") if number == 1 else (f"{number} processes", "were")
        self._children.announce(
            f"{teardown.child.name} left {what} in the background, which {were} stopped; does it run as a daemon?"
        )

    def _given_up(self, teardown: Teardown, leftovers: list[int], now: float) -> bool:
        if not teardown.killed or teardown.deadline is None or teardown.deadline > now:
            return False
        self._note_stuck(teardown, leftovers)
        return True

    def _note_stuck(self, teardown: Teardown, pids: list[int]) -> None:
        self._children.spare(pids)
        self._children.announce(f"{teardown.child.name}: {still_alive(pids)}")

    def _abandon(self, killed: Teardown, now: float) -> None:
        """Continue without a leader that does not end: it hangs in the kernel, or has become another user's."""
        child = killed.child
        del self._killed[child.name]
        self._note_stuck(killed, [child.pid])
        for pump in killed.pumps:
            self._pumps.drain(pump, now + DRAIN_LIMIT)
            self._pumps.remove(pump)
        self._children.abandon(child)
        child.status = ExitStatus(signal=signal.SIGKILL)
        self._finished(child, killed.instance)

    def _complete(self, teardown: Teardown, now: float) -> None:
        for pump in teardown.pumps:
            self._pumps.drain(pump, now + DRAIN_LIMIT)  # the last output of the leftovers
            self._pumps.remove(pump)  # counts what could not be shown
        self._report_daemon(teardown)
        del self._under_way[teardown.child.name]
        self._children.reap(teardown.child)
        self._finished(teardown.child, teardown.instance)
