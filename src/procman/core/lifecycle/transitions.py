"""What happens next to one instance: State × Event → State, Actions.

An instance has two axes, as in runit and s6: `state` is what *is*, `wanted` is what *should be*. Restart, scale and
shutdown are each a change of `wanted`. An instance waits for one thing at a time, so it has one `deadline`.

| state    | meaning                                     | what its deadline means         |
|----------|---------------------------------------------|---------------------------------|
| WAITING  | not started yet: waits for a dependency     | give up waiting                 |
| STARTING | launched, not yet spawned or not yet ready  | must be ready by then, or none  |
| RUNNING  | up and ready                                | the next health probe, or none  |
| STOPPING | told to stop                                | half of the grace, then its end |
| BACKOFF  | died; will be restarted                     | restart                         |
| EXITED   | down, at rest                               | –                               |
| FAILED   | down, gave up                               | –                               |

These functions are pure: the caller passes the time as `fact.now`, and the engine performs the actions they return.
"""

from __future__ import annotations

from procman.core.lifecycle.instance import ALIVE, DOWN, Action, Event, Fact, Instance, State
from procman.core.model.status import CANNOT_RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = (
    "ALIVE",
    "DOWN",
    "TABLE",
    "Action",
    "Event",
    "Fact",
    "ImpossibleEventError",
    "Instance",
    "State",
    "hold_up",
    "step",
)


class ImpossibleEventError(Exception):
    """The fact cannot happen in this state, so procman has a bug. The instance is left unchanged."""

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"{event!r} cannot happen to an instance that is {state}")


ENDED_UNREADY = "ended before it was ready"

Actions = tuple[str, ...]
NOTHING: Actions = ()
INFINITE = float("inf")


def step(instance: Instance, event: str, fact: Fact) -> Actions:
    """Apply `event` to `instance` and return the actions to perform, in order.

    Raises ImpossibleEventError, and changes nothing, if the event cannot happen in the instance's state.
    """
    return TABLE[instance.state, event](instance, fact)


def _ignore(_instance: Instance, _fact: Fact) -> Actions:
    return NOTHING


def _launch(instance: Instance, fact: Fact) -> Actions:
    """Begin a life, or wait for the dependencies that block it."""
    instance.wanted = True
    instance.killed = instance.condemned = instance.stopped = False
    instance.failure = instance.trouble = ""
    instance.failed_probes = 0
    instance.ready_at = None
    if fact.blocked:
        return _wait(instance, fact)
    instance.state = State.STARTING
    instance.deadline = None
    return (Action.LAUNCH,)


def _wait(instance: Instance, fact: Fact) -> Actions:
    if instance.state == State.WAITING:
        return NOTHING
    instance.state = State.WAITING
    _limit_wait(instance, fact.held_up, fact.now)
    return (Action.ANNOUNCE_WAITING,)


def hold_up(instance: Instance, held_up: bool, now: float) -> bool:
    """Suspend the time limit of a wait while the user holds what it waits for. Afterwards, the limit starts again.

    Return whether that has changed anything.
    """
    if instance.state != State.WAITING or instance.held_up is held_up:
        return False
    _limit_wait(instance, held_up, now)
    return True


def _limit_wait(instance: Instance, held_up: bool, now: float) -> None:
    limits = [dependency.timeout for dependency in instance.plan.depends_on if dependency.timeout is not None]
    instance.held_up = held_up
    instance.deadline = now + min(limits) if limits and not held_up else None


def _start(instance: Instance, fact: Fact) -> Actions:
    """Launch on request. A request resets the count of quick deaths; the end of a backoff does not."""
    instance.quick_deaths = 0
    return _launch(instance, fact) if instance.started is None else _relaunch(instance, fact)


def _relaunch(instance: Instance, fact: Fact) -> Actions:
    instance.restarts += 1
    return _launch(instance, fact)


def _rest(instance: Instance, _fact: Fact) -> Actions:
    """Come to rest from a state that has no child."""
    instance.wanted = False
    instance.stopped = True
    instance.state = State.EXITED
    instance.deadline = None
    return (Action.ANNOUNCE_CANCELLED,)


def _give_up(instance: Instance, fact: Fact) -> Actions:
    instance.failure = fact.reason or f"not started in time: {'; '.join(fact.blocked)}"
    return _fail(instance)


def _fail(instance: Instance) -> Actions:
    instance.wanted = False
    instance.state = State.FAILED
    instance.deadline = None
    return (Action.ANNOUNCE_FAILED,)


def _stop(instance: Instance, fact: Fact) -> Actions:
    instance.wanted = False
    return _begin_stopping(instance, fact)


def _restart(instance: Instance, fact: Fact) -> Actions:
    """Stop it and keep wanting it. That is all a restart is."""
    instance.wanted = True
    instance.quick_deaths = 0
    return _begin_stopping(instance, fact)


def _begin_stopping(instance: Instance, fact: Fact) -> Actions:
    end = fact.now + instance.plan.stop.grace
    if fact.until is not None:
        end = min(end, fact.until)
    instance.state = State.STOPPING
    instance.deadline = (fact.now + end) / 2 if instance.plan.stop.has_two_steps and fact.now < end < INFINITE else end
    instance.grace_left = max(0.0, end - instance.deadline) if end < INFINITE else 0.0
    return (Action.ANNOUNCE_STOPPING, Action.STOP) if instance.pid is not None else (Action.ANNOUNCE_STOPPING,)


def _kill(instance: Instance, _fact: Fact) -> Actions:
    instance.wanted = False
    return _begin_killing(instance)


def _overdue(instance: Instance, fact: Fact) -> Actions:
    """Signal the rest of the group at half of the grace, and kill at its end."""
    end = instance.last_deadline
    if not instance.grace_left or end is None or end <= fact.now:
        return _begin_killing(instance)
    instance.deadline = end
    instance.grace_left = 0.0
    return (Action.STOP_REST,) if instance.pid is not None else NOTHING


def _begin_killing(instance: Instance) -> Actions:
    instance.state = State.STOPPING
    instance.deadline = None
    instance.grace_left = 0.0
    instance.killed = True
    return (Action.KILL,) if instance.pid is not None else NOTHING


def _want_up(instance: Instance, _fact: Fact) -> Actions:
    instance.wanted = True
    instance.condemned = False
    return NOTHING


def _want_down(instance: Instance, _fact: Fact) -> Actions:
    instance.wanted = False
    return NOTHING


def _up(instance: Instance, fact: Fact) -> Actions:
    """Note that it was spawned. Without a readiness check an instance is ready as soon as it runs."""
    _note_life(instance, fact)
    ready = instance.plan.ready
    if ready is None:
        _begin_running(instance, fact)
    else:
        instance.deadline = None if ready.timeout is None else fact.now + ready.timeout
    return (Action.ANNOUNCE_STARTED,)


def _ready(instance: Instance, fact: Fact) -> Actions:
    _begin_running(instance, fact)
    return (Action.ANNOUNCE_READY,)


def _begin_running(instance: Instance, fact: Fact) -> None:
    instance.state = State.RUNNING
    instance.ready_at = fact.now
    instance.trouble = ""
    _plan_probe(instance, fact)
    health = instance.plan.health
    if health is not None and health.initial_delay is not None:
        instance.deadline = fact.now + health.initial_delay


def _plan_probe(instance: Instance, fact: Fact) -> None:
    health = instance.plan.health
    instance.deadline = None if health is None else fact.now + health.interval


def _probe(instance: Instance, fact: Fact) -> Actions:
    _plan_probe(instance, fact)
    return (Action.PROBE,)


def _unready(instance: Instance, fact: Fact) -> Actions:
    """Condemn a life that was not ready in time: it failed, whatever its exit code will be."""
    limit = instance.plan.ready.timeout if instance.plan.ready else None
    after = f" after {limit:g} s" if limit is not None else ""
    said = f": {instance.trouble}" if instance.trouble else ""
    return _condemn(instance, fact, f"not ready{after}{said}")


def _unhealthy(instance: Instance, fact: Fact) -> Actions:
    return _condemn(instance, fact, fact.reason)


def _condemn(instance: Instance, fact: Fact, reason: str) -> Actions:
    """Stop it; the restart policy will treat its end like a death."""
    _begin_stopping(instance, fact)
    instance.condemned = True
    instance.failure = reason
    return (Action.ANNOUNCE_UNHEALTHY, Action.STOP) if instance.pid is not None else (Action.ANNOUNCE_UNHEALTHY,)


def _note_pid(instance: Instance, fact: Fact) -> Actions:
    """Stop or kill a child whose instance was stopped after the launch was decided and before it was performed."""
    _note_life(instance, fact)
    return (Action.KILL,) if instance.killed else (Action.STOP,)


def _note_life(instance: Instance, fact: Fact) -> None:
    instance.pid = fact.pid
    instance.started = fact.now
    instance.ended = None
    instance.status = None


def _note_death(instance: Instance, fact: Fact) -> None:
    instance.pid = None
    instance.ended = fact.now
    instance.status = fact.status
    _note_end(instance, fact, asked=instance.state == State.STOPPING)


def _note_end(instance: Instance, fact: Fact, asked: bool) -> None:
    success = fact.status is None or instance.plan.restart.is_success(fact.status.shell_code)
    instance.last, instance.last_failure = fact.status, instance.failure
    instance.asked = asked
    instance.crashes += instance.condemned or not (asked or success)


def _fail_start(instance: Instance, fact: Fact) -> Actions:
    """Handle a failed spawn. `fact.status` is 126 or 127, as in a shell, or None when a retry may help."""
    instance.failure = fact.reason
    instance.started = instance.ended = fact.now
    instance.status = fact.status
    _note_end(instance, fact, asked=False)
    if not instance.wanted:
        return _rest(instance, fact)
    if fact.status is not None:
        return _fail(instance)
    return _quick_death(instance, fact)


def _not_spawned(instance: Instance, fact: Fact) -> Actions:
    """Handle a failed spawn of an instance that was stopped meanwhile."""
    instance.failure = fact.reason
    return _stopped(instance, fact)


def _died(instance: Instance, fact: Fact) -> Actions:
    """Handle an exit that was not requested: the restart policy decides, unless the instance is no longer wanted.

    A life that ends before it was ready has failed, whatever its exit code.
    """
    _note_death(instance, fact)
    policy = instance.plan.restart
    success = fact.status is None or policy.is_success(fact.status.shell_code)
    if success and instance.wanted and instance.state == State.STARTING and instance.plan.ready is not None:
        instance.failure = instance.last_failure = ENDED_UNREADY
        instance.crashes += 1
        success = False
    if not instance.wanted or (success and policy.mode != "always"):
        return _rest_after_death(instance)
    return (Action.ANNOUNCE_EXITED, *_judge(instance, fact, success))


def _judge(instance: Instance, fact: Fact, success: bool) -> Actions:
    """Decide what follows a death. A life that was never ready counts as short, however long it lasted."""
    policy = instance.plan.restart
    if policy.mode == "never" or (instance.condemned and instance.plan.fails_unhealthy):
        return _fail(instance)
    if instance.ready_at is not None and instance.uptime(fact.now) >= policy.min_uptime:
        instance.quick_deaths = 0
        return _back_off(instance, fact, 0.0)
    if not instance.condemned and fact.status is not None and fact.status.code in CANNOT_RUN:
        return _fail(instance)
    return _quick_death(instance, fact, counts=not success)


def _rest_after_death(instance: Instance) -> Actions:
    instance.wanted = False
    instance.state = State.EXITED
    instance.deadline = None
    return (Action.ANNOUNCE_EXITED,)


def _quick_death(instance: Instance, fact: Fact, counts: bool = True) -> Actions:
    """Back off longer after each quick death, and fail once the budget is spent. A success does not count (`counts`)."""
    policy = instance.plan.restart
    instance.quick_deaths = min(instance.quick_deaths + 1, policy.max_restarts)
    if counts and instance.quick_deaths >= policy.max_restarts:
        return _fail(instance)
    return _back_off(instance, fact, policy.delay(instance.quick_deaths) * fact.jitter)


def _back_off(instance: Instance, fact: Fact, delay: float) -> Actions:
    instance.state = State.BACKOFF
    instance.delay = delay
    instance.deadline = fact.now + delay
    return (Action.ANNOUNCE_RESTARTING,)


def _stopped(instance: Instance, fact: Fact) -> Actions:
    """Handle the exit that was requested: restart if it is wanted, else rest."""
    _note_death(instance, fact)
    instance.deadline = None
    instance.grace_left = 0.0
    if instance.wanted and instance.condemned:
        return (Action.ANNOUNCE_EXITED, *_judge(instance, fact, success=False))
    if instance.wanted:
        return (Action.ANNOUNCE_STOPPED, *_relaunch(instance, fact))
    instance.stopped = True
    instance.state = State.EXITED
    return (Action.ANNOUNCE_STOPPED,)


_WISHES = (Event.START, Event.STOP, Event.KILL, Event.RESTART)
_FACTS = (Event.SPAWNED, Event.SPAWN_FAILED, Event.READY, Event.EXITED, Event.TIMEOUT, Event.UNHEALTHY)
_X = None  # impossible: the cell raises ImpossibleEventError, which names both

# fmt: off
_ROWS = {
    #                START      STOP         KILL      RESTART    SPAWNED     SPAWN_FAILED   READY     EXITED     TIMEOUT     UNHEALTHY
    State.WAITING:  (_launch,   _rest,       _rest,    _launch,   _X,         _X,            _X,       _X,        _give_up,   _X),
    State.STARTING: (_ignore,   _stop,       _kill,    _restart,  _up,        _fail_start,   _ready,   _died,     _unready,   _ignore),
    State.RUNNING:  (_ignore,   _stop,       _kill,    _restart,  _X,         _X,            _ignore,  _died,     _probe,     _unhealthy),
    State.STOPPING: (_want_up,  _want_down,  _kill,    _want_up,  _note_pid,  _not_spawned,  _ignore,  _stopped,  _overdue,   _ignore),
    State.BACKOFF:  (_start,    _rest,       _rest,    _start,    _X,         _X,            _X,       _X,        _relaunch,  _X),
    State.EXITED:   (_start,    _ignore,     _ignore,  _start,    _X,         _X,            _X,       _X,        _X,         _X),
    State.FAILED:   (_start,    _ignore,     _ignore,  _start,    _X,         _X,            _X,       _X,        _X,         _X),
}
# fmt: on


def _impossible(state: str, event: str) -> Callable[[Instance, Fact], Actions]:
    def refuse(_instance: Instance, _fact: Fact) -> Actions:
        raise ImpossibleEventError(state, event)

    return refuse


TABLE: dict[tuple[str, str], Callable[[Instance, Fact], Actions]] = {
    (state, event): cell or _impossible(state, event)
    for state, row in _ROWS.items()
    for event, cell in zip(_WISHES + _FACTS, row, strict=True)
}
