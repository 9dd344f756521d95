"""An instance: its states, the events that can happen to it, and the actions that may follow."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus


class State:
    """What an instance is. Plain strings: importing `enum` costs a third of a bare interpreter's start."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    EXITED = "exited"
    FAILED = "failed"


class Event:
    """What can happen to an instance. Wishes are imperatives, facts are past participles."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    RESTART = "restart"
    SPAWNED = "spawned"
    SPAWN_FAILED = "spawn failed"
    READY = "ready"
    EXITED = "exited"
    TIMEOUT = "timeout"
    UNHEALTHY = "unhealthy"


class Action:
    """What the engine does for an instance, or announces about it (ANNOUNCE_…)."""

    LAUNCH = "launch"
    STOP = "stop"  # with the stop command or the stop signal
    STOP_REST = "stop rest"  # signal the processes that did not get the first stop signal
    KILL = "kill"
    PROBE = "probe"
    ANNOUNCE_WAITING = "waiting"
    ANNOUNCE_STARTED = "started"
    ANNOUNCE_READY = "ready"
    ANNOUNCE_UNHEALTHY = "unhealthy"
    ANNOUNCE_PAUSED = "paused"
    ANNOUNCE_RESUMED = "resumed"
    ANNOUNCE_STOPPING = "stopping"
    ANNOUNCE_RESTARTING = "restarting"
    ANNOUNCE_EXITED = "exited"
    ANNOUNCE_STOPPED = "stopped"
    ANNOUNCE_CANCELLED = "cancelled"
    ANNOUNCE_FAILED = "failed"


NOT_STARTED = "not started because "  # starts the `failure` of an instance whose dependencies did not come up
DOWN = frozenset({State.EXITED, State.FAILED})
ALIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})


class Instance:
    """One supervised slot, `web.1`, across all its lives. Times are seconds of a monotonic clock."""

    __slots__ = (
        "asked",
        "condemned",
        "crashes",
        "deadline",
        "delay",
        "ended",
        "failed_probes",
        "failure",
        "grace_left",
        "held",
        "held_up",
        "killed",
        "last",
        "last_failure",
        "paused",
        "pid",
        "plan",
        "quick_deaths",
        "ready_at",
        "restarts",
        "started",
        "state",
        "status",
        "stopped",
        "time_left",
        "trouble",
        "wanted",
    )

    def __init__(self, plan: InstancePlan) -> None:
        self.plan = plan
        self.state: str = State.EXITED
        self.wanted = False
        self.held = False  # the user stopped it by name, and may start it again
        self.held_up = False  # it waits, directly or not, for an instance that is held
        self.deadline: float | None = None
        self.paused = False  # the user has suspended it; its deadline is suspended with it:
        self.time_left: float | None = None  # seconds from the end of the pause to its deadline
        self.grace_left = 0.0  # seconds from the deadline of the first step of a stop to that of the second
        self.pid: int | None = None
        self.started: float | None = None
        self.ready_at: float | None = None  # when this life became ready, or None
        self.ended: float | None = None
        self.status: ExitStatus | None = None  # how this life ended
        self.last: ExitStatus | None = None  # how the latest life ended, also while a new one lasts
        self.last_failure = ""  # the `failure` of the latest life
        self.asked = False  # the latest life ended on request: it did not crash, and any signal came from us
        self.crashes = 0  # lives that have failed so far; `restarts` also counts those that the user requested
        self.failure = ""  # why it was not spawned, was condemned or gave up: part of a sentence
        self.trouble = ""  # why its last probe failed: part of a sentence; empty if it passed
        self.failed_probes = 0  # in a row
        self.condemned = False  # stopped for being unready or unhealthy; its end is treated like a death
        self.killed = False  # by us, at the end of its grace or on request
        self.stopped = False  # it is down because it was told to stop
        self.quick_deaths = 0
        self.restarts = 0
        self.delay = 0.0  # seconds of the current or latest backoff

    @property
    def name(self) -> str:
        """Return the instance's name, `web.1`."""
        return self.plan.name

    @property
    def at_rest(self) -> bool:
        """Whether it is down and procman will not restart it."""
        return self.state in DOWN

    @property
    def last_deadline(self) -> float | None:
        """When the whole grace ends, for one that is being stopped; else its deadline."""
        return None if self.deadline is None else self.deadline + self.grace_left

    def uptime(self, now: float) -> float:
        """Return how long this life has lasted, or the last one lasted, in seconds."""
        if self.started is None:
            return 0.0
        end = self.ended if self.pid is None and self.ended is not None else now
        return max(0.0, end - self.started)


class Fact:
    """The circumstances of an event: the time, and for a death its status and the factor for a backoff (`jitter`).

    `blocked` holds the reasons that keep the instance from starting; while there are any, a launch waits. `held_up`
    says that one of them is up to the user. `until` caps the deadline of a stop.
    """

    __slots__ = ("blocked", "held_up", "jitter", "now", "pid", "reason", "status", "until")

    def __init__(
        self,
        now: float,
        *,
        pid: int | None = None,
        status: ExitStatus | None = None,
        reason: str = "",
        jitter: float = 1.0,
        until: float | None = None,
    ) -> None:
        self.now = now
        self.until = until
        self.blocked: list[str] = []
        self.held_up = False
        self.pid = pid
        self.status = status
        self.reason = reason
        self.jitter = jitter


def sort_instances(instances: dict[str, Instance]) -> None:
    """Sort instances into the Procfile's order, in place: others hold a reference to this dictionary."""
    ordered = sorted(instances.values(), key=lambda one: (one.plan.index, one.plan.number))
    instances.clear()
    instances.update((instance.name, instance) for instance in ordered)
