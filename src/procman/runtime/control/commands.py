"""Does the changing: verbs that start, stop, restart and scale."""

from __future__ import annotations

import time

from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.transitions import Event, State
from procman.core.procfile.selection import changed_count, parse_change
from procman.errors import UsageError
from procman.runtime.control.tasks import OneByOne, Scaled, Task, UntilDown, UntilOver, UntilUp
from procman.runtime.reload import renew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.names import Census
    from procman.runtime.control.session import Desk


def start(desk: Desk, client: Client, request: Request) -> None:
    """Bring up what is down; a type that was left out gets its first instance, or as many as ``web=2`` says."""
    desk.require_going_on()
    census = desk.census()
    present = {name: None for name in request.names if "=" not in name and census.is_here(name)}
    chosen = desk.chosen(present) if present or not request.names else []
    counts = _asked_counts(desk, census, (name for name in request.names if name not in present))
    _renew(desk, client, [instance for instance in chosen if instance.pid is None])
    now = time.monotonic()
    added = _grow(desk, census, counts, now)
    for instance in chosen:
        if instance.pid is not None and instance.state != State.STOPPING:
            client.tell({"say": f"{instance.name} runs already, with pid {instance.pid}"})
    desk.supervisor.wish(Event.START, chosen, now)
    _engage(desk, request, UntilUp(client, desk.supervisor, list(dict.fromkeys([*chosen, *added]))))


def _asked_counts(desk: Desk, census: Census, words: Iterable[str]) -> dict[str, int]:
    counts = {}
    for word in words:
        if "=" not in word and not census.absence(word):
            desk.chosen((word,))  # refuses it, with the nearest name
        name, sign, number = parse_change(word if "=" in word else f"{word}=1")
        if sign != "=":
            raise UsageError(f'"{word}" is no count', "write web=2; procman scale changes counts")
        counts[name] = max(number, census.counts.get(name, 0))
    return counts


def _grow(desk: Desk, census: Census, counts: Mapping[str, int], now: float) -> list[Instance]:
    """Bring up so many of each type; raises UsageError, and changes nothing, when that cannot be."""
    if not counts:
        return []
    wanted = {**census.counts, **counts}
    plans = [plan for plan in desk.blueprint.instances(wanted, counts) if plan.type in counts]
    desk.make_room(len(plans))
    return desk.supervisor.add(plans, now)


def stop(desk: Desk, client: Client, request: Request) -> None:
    """Stop what is named, or without names the session."""
    now = time.monotonic()
    if not request.names:
        desk.supervisor.stop_all(ASKED, now)
        _engage(desk, request, UntilOver(client))
        return
    chosen = desk.chosen(request.names)
    desk.supervisor.hold(chosen, now)
    _engage(desk, request, UntilDown(client, chosen))


def restart(desk: Desk, client: Client, request: Request) -> None:
    """Stop and start again, all at once or one by one; what their files say now holds for the next lives."""
    desk.require_going_on()
    chosen = desk.chosen(request.names)
    _renew(desk, client, chosen)
    if request.rolling:
        desk.begin(OneByOne(client, desk.supervisor, chosen))
        return
    desk.supervisor.wish(Event.RESTART, chosen, time.monotonic())
    _engage(desk, request, UntilUp(client, desk.supervisor, chosen))


def _renew(desk: Desk, client: Client, chosen: Iterable[Instance]) -> None:
    for change in renew(desk.supervisor, desk.blueprint, chosen):
        desk.hub.say(change)
        client.tell({"say": change})


def scale(desk: Desk, client: Client, request: Request) -> None:
    """Have as many as asked for: the highest numbers leave, new ones get what `start -m` would have given them."""
    desk.require_going_on()
    census = desk.census()
    targets = _targets(desk, census, request.names)
    now = time.monotonic()
    more = {name: count for name, count in targets.items() if count > census.counts.get(name, 0)}
    kept = _grow(desk, census, more, now)
    here = list(desk.supervisor.instances.values())
    leaving = [i for i in here if i.plan.number > targets.get(i.plan.type, i.plan.number)]
    kept += [i for i in here if i.plan.number <= targets.get(i.plan.type, 0) and i not in kept]
    desk.supervisor.wish(Event.START, kept, now)
    desk.supervisor.retire(leaving, now)
    _engage(desk, request, Scaled(client, desk.supervisor, kept, leaving))


def _targets(desk: Desk, census: Census, words: Iterable[str]) -> dict[str, int]:
    targets: dict[str, int] = {}
    for word in words:
        whose, sign, number = parse_change(word)
        for name in census.members(whose, absent=True) or [whose]:
            here = census.counts.get(name, 0)
            if not here and not census.absence(name):
                desk.chosen((name,))  # refuses it, with the nearest name
            targets[name] = changed_count(sign, number, targets.get(name, here))
    if not targets:
        raise UsageError("scale what?", "write web=3, worker+1 or worker-1")
    return targets


def _engage(desk: Desk, request: Request, task: Task) -> None:
    if request.wait:
        desk.begin(task)
    else:
        task.client.finish()
