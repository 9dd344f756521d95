"""Waits until instances are as they should be, and reports each change on the way."""

from __future__ import annotations

from procman.engines.calls import Card, Pause, Report, now
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.records import RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from procman.engines.calls import Steps
    from procman.engines.interface import Engine
    from procman.engines.records import InstanceState, Look

INTERVAL = 0.5  # seconds between two looks, at most
CARD_LINES = 20
_FIRST = 0.1  # seconds
_GROWTH = 1.25


class NotReadyError(EngineError):
    """Instances did not come up, or not within the time. ``instances`` are those."""

    def __init__(self, message: str, instances: Iterable[InstanceState], hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message, hint, exit_code)
        self.instances = tuple(instances)


def wait(engine: Engine, wanted: Mapping[str, int], timeout: float) -> Steps[Look]:
    """Wait until all types in ``wanted`` have that many ready instances. Raises NotReadyError.

    Each new state of an instance is reported once. Each group of instances has the whole time.
    """
    end, groups = (yield from now()) + timeout, 0
    states: dict[str, tuple[str, str]] = {}
    pauses = growing()
    while True:
        look = yield from engine.look(wanted)
        for instance in look.instances:
            state = instance.state, instance.version
            if states.get(instance.name) != state:
                states[instance.name] = state
                pauses = growing()
                yield Report(instance=instance)
        if look.failed:
            raise NotReadyError(f"{names(look.failed)} did not come up", look.failed)
        if look.is_done:
            return look
        if look.groups < groups:
            end = (yield from now()) + timeout
        groups = look.groups
        if (yield from now()) >= end:
            late = _late(look, wanted)
            message = f"{names(late)} did not come up" if late else "the change was not complete"
            raise NotReadyError(f"{message} within {timeout:g} s", late, exit_code=EXIT_TIMEOUT)
        yield Pause(look.pause or next(pauses))


def growing(most: float = INTERVAL) -> Iterator[float]:
    """Yield the seconds between two looks: few at first, since most changes follow each other closely."""
    seconds = _FIRST
    while True:
        yield seconds
        seconds = min(most, seconds * _GROWTH)


def wait_or_explain(engine: Engine, wanted: Mapping[str, int], timeout: float) -> Steps[Look]:
    """Wait, and after a failure yield the cards of what did not come up. Raises NotReadyError."""
    try:
        return (yield from wait(engine, wanted, timeout))
    except NotReadyError as error:
        yield from cards(engine, error)
        raise


def cards(engine: Engine, error: NotReadyError) -> Steps[None]:
    """Yield a card for the first instance of each type that did not come up."""
    firsts = {instance.type: instance for instance in reversed(error.instances)}
    for instance in reversed(firsts.values()):
        lines = yield from engine.last_lines(instance, CARD_LINES)
        yield Card(instance, tuple(lines))


def _late(look: Look, wanted: Mapping[str, int]) -> list[InstanceState]:
    return [one for one in look.instances if one.state != RUNNING and one.number <= wanted.get(one.type, 0)]


def names(instances: Iterable[InstanceState]) -> str:
    """Return the names of instances for a sentence, at most five of them."""
    found = list(dict.fromkeys(instance.name for instance in instances))
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
