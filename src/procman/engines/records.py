"""What engines say about an application, in the words of the local commands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

RUNNING = "running"  # up, and ready where that is known
STARTING = "starting"
WAITING = "waiting"  # for a place to run, an image, a volume
BACKOFF = "backoff"  # it will be started again
STOPPING = "stopping"
EXITED = "exited"  # down, and at rest
FAILED = "failed"  # down, and the engine gave up
UNKNOWN = "unknown"  # its machine does not answer
STATES = (RUNNING, STARTING, WAITING, BACKOFF, STOPPING, EXITED, FAILED, UNKNOWN)


def type_of(name: str) -> str:
    """Return the process type of an instance: ``web`` of ``web.1``."""
    return name.rpartition(".")[0] or name


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance as an engine sees it.

    ``name`` is that of the local commands: ``web.1``. ``state`` is one of ``STATES``. ``since`` is when that state
    began, in seconds since the epoch. ``exit`` says how its last life ended, as local ``ps`` does: "1", "SIGKILL".
    ``reason`` is what the engine says about its state, in a sentence. ``id`` is the engine's own name for it.
    """

    name: str
    state: str
    node: str = ""
    version: str = ""
    since: float | None = None
    restarts: int | None = None
    port: int | None = None
    exit: str = ""
    reason: str = ""
    id: str = ""

    @property
    def type(self) -> str:
        """The process type: ``web``."""
        return type_of(self.name)

    @property
    def number(self) -> int:
        """The number among the instances of its type; 0 if its name has none."""
        last = self.name.rpartition(".")[2]
        return int(last) if last.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of output. ``time`` is in seconds since the epoch, None if the engine does not say."""

    instance: str
    line: bytes
    time: float | None = None
    stream: str = "stdout"
    node: str = ""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What runs now: its version, and the count of each process type, stopped ones with 0.

    ``stopped`` are the counts that stopped types had. ``asked`` are those of types that a deployment was to start, and
    has not. ``restorable`` is whatever the engine needs to restore the version. ``has_run`` is false if neither this
    version nor one before it has come up, as far as the engine knows. ``unfinished`` is a later version that has not,
    and ``added`` are the process types that only that one has.
    """

    version: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    stopped: Mapping[str, int] = field(default_factory=dict)
    restorable: object = None
    has_run: bool = True
    unfinished: str = ""
    asked: Mapping[str, int] = field(default_factory=dict)
    added: tuple[str, ...] = ()

    def back_to(self, version: str, restorable: object, types: Collection[str]) -> Deployed:
        """Return this for a version that has not come up, after an earlier one that has: that one is restored.

        ``types`` are the process types of the earlier one.
        """
        added = tuple(name for name in self.counts if name not in types)
        return replace(self, version=version, restorable=restorable, has_run=True, unfinished=self.version, added=added)

    @property
    def restored(self) -> dict[str, int]:
        """The counts to which the version is restored."""
        return {name: count for name, count in self.counts.items() if name not in self.added}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a rollout: every instance, whether all is as it should be, and what has failed for good.

    ``groups`` is how many groups are still to come, if the engine changes one group of instances after the other.
    ``pause`` is after how many seconds the next look is worth it, 0 if that is unknown.
    """

    instances: tuple[InstanceState, ...]
    is_done: bool = False
    failed: tuple[InstanceState, ...] = ()
    groups: int = 0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an instance is in its state: a sentence, as local ``why`` prints it."""

    name: str
    state: str
    why: str
    node: str = ""
