"""Decides nothing by itself: one instance, what can be and happen to it, and what may be done about it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan
    from procman.core.model.status import ExitStatus


class State:
    """What an instance is. Plain words, no enum: importing `enum` costs a third of a bare interpreter's start."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    EXITED = "exited"
    FAILED = "failed"


class Event:
    """Wishes are imperatives, facts past participles."""

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
    """What the engine shall do, or tell, about an instance."""

    LAUNCH = "launch"
    ASK = "ask"
    KILL = "kill"
    PROBE = "probe"
    TELL_WAITING = "waiting"
    TELL_STARTED = "started"
    TELL_READY = "ready"
    TELL_UNHEALTHY = "unhealthy"
    TELL_STOPPING = "stopping"
    TELL_RESTARTING = "restarting"
    TELL_EXITED = "exited"
    TELL_STOPPED = "stopped"
    TELL_CANCELLED = "cancelled"
    TELL_FAILED = "failed"


DOWN = frozenset({State.EXITED, State.FAILED})
ALIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})


class Instance:
    """One supervised slot, `web.1`, across all its lives. Times are seconds of a monotonic clock."""

    __slots__ = (
        "condemned",
        "deadline",
        "delay",
        "ended",
        "failed_probes",
        "failure",
        "killed",
        "pid",
        "plan",
        "quick_deaths",
        "ready_at",
        "restarts",
        "started",
        "state",
        "status",
        "trouble",
        "wanted",
    )

    def __init__(self, plan: InstancePlan) -> None:
        self.plan = plan
        self.state: str = State.EXITED
        self.wanted = False
        self.deadline: float | None = None
        self.pid: int | None = None
        self.started: float | None = None
        self.ready_at: float | None = None  # since when this life is ready, or None
        self.ended: float | None = None
        self.status: ExitStatus | None = None
        self.failure = ""  # why it could not be spawned, or was condemned, or given up, in words
        self.trouble = ""  # what its last probe said, in words; empty when it passed
        self.failed_probes = 0  # in a row
        self.condemned = False  # stopped by us as unfit: its end is judged like a death
        self.killed = False  # the grace was over
        self.quick_deaths = 0
        self.restarts = 0
        self.delay = 0.0  # of the backoff under way, in seconds

    @property
    def name(self) -> str:
        """The instance's name, `web.1`."""
        return self.plan.name

    @property
    def at_rest(self) -> bool:
        """Whether it is down and nobody wants it up."""
        return self.state in DOWN

    def uptime(self, now: float) -> float:
        """How long this life lasts, or the last one lasted, in seconds."""
        if self.started is None:
            return 0.0
        end = self.ended if self.pid is None and self.ended is not None else now
        return max(0.0, end - self.started)


class Fact:
    """What comes with an event: the clock, and for a death its status and the jitter for a backoff.

    ``blocked``: what keeps it from starting, in words; a launch has to wait then. ``until``: a deadline above its own.
    """

    __slots__ = ("blocked", "jitter", "now", "pid", "reason", "status", "until")

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
        self.pid = pid
        self.status = status
        self.reason = reason
        self.jitter = jitter


def put_in_order(instances: dict[str, Instance]) -> None:
    """Put them in the Procfile's order again, in place: others hold this very dictionary."""
    everybody = sorted(instances.values(), key=lambda one: (one.plan.index, one.plan.number))
    instances.clear()
    instances.update((instance.name, instance) for instance in everybody)
