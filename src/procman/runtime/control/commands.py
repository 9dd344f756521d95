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
    from procman.runtime.control.names import NameResolver
    from procman.runtime.control.session import Session


def start(session: Session, client: Client, request: Request) -> None:
    """Bring up what is down; a type that was left out gets its first instance, or as many as ``web=2`` says."""
    session.require_going_on()
    resolver = session.resolver()
    present = {name: None for name in request.names if "=" not in name and resolver.is_here(name)}
    chosen = session.chosen(present) if present or not request.names else []
    counts = _asked_counts(session, resolver, (name for name in request.names if name not in present))
    _renew(session, client, [instance for instance in chosen if instance.pid is None])
    now = time.monotonic()
    added = _grow(session, resolver, counts, now)
    for instance in chosen:
        if instance.pid is not None and instance.state != State.STOPPING:
            client.send({"say": f"{instance.name} runs already, with pid {instance.pid}"})
    session.supervisor.wish(Event.START, chosen, now)
    _engage(session, request, UntilUp(client, session.supervisor, list(dict.fromkeys([*chosen, *added]))))


def _asked_counts(session: Session, resolver: NameResolver, words: Iterable[str]) -> dict[str, int]:
    counts = {}
    for word in words:
        if "=" not in word and not resolver.absence(word):
            session.chosen((word,))  # refuses it, with the nearest name
        name, sign, number = parse_change(word if "=" in word else f"{word}=1")
        if sign != "=":
            raise UsageError(f'"{word}" is no count', "write web=2; procman scale changes counts")
        counts[name] = max(number, resolver.counts.get(name, 0))
    return counts


def _grow(session: Session, resolver: NameResolver, counts: Mapping[str, int], now: float) -> list[Instance]:
    """Bring up so many of each type; raises UsageError, and changes nothing, when that cannot be."""
    if not counts:
        return []
    wanted = {**resolver.counts, **counts}
    plans = [plan for plan in session.plan_source.instances(wanted, counts) if plan.type in counts]
    session.make_room(len(plans))
    return session.supervisor.add(plans, now)


def stop(session: Session, client: Client, request: Request) -> None:
    """Stop what is named, or without names the session."""
    now = time.monotonic()
    if not request.names:
        session.supervisor.stop_all(ASKED, now)
        _engage(session, request, UntilOver(client))
        return
    chosen = session.chosen(request.names)
    session.supervisor.hold(chosen, now)
    _engage(session, request, UntilDown(client, chosen))


def restart(session: Session, client: Client, request: Request) -> None:
    """Stop and start again, all at once or one by one; what their files say now holds for the next lives."""
    session.require_going_on()
    chosen = session.chosen(request.names)
    _renew(session, client, chosen)
    if request.rolling:
        session.begin(OneByOne(client, session.supervisor, chosen))
        return
    session.supervisor.wish(Event.RESTART, chosen, time.monotonic())
    _engage(session, request, UntilUp(client, session.supervisor, chosen))


def _renew(session: Session, client: Client, chosen: Iterable[Instance]) -> None:
    for change in renew(session.supervisor, session.plan_source, chosen):
        session.hub.announce(change)
        client.send({"say": change})


def scale(session: Session, client: Client, request: Request) -> None:
    """Have as many as asked for: the highest numbers leave, new ones get what `start -m` would have given them."""
    session.require_going_on()
    resolver = session.resolver()
    targets = _targets(session, resolver, request.names)
    now = time.monotonic()
    more = {name: count for name, count in targets.items() if count > resolver.counts.get(name, 0)}
    kept = _grow(session, resolver, more, now)
    here = list(session.supervisor.instances.values())
    leaving = [i for i in here if i.plan.number > targets.get(i.plan.type, i.plan.number)]
    kept += [i for i in here if i.plan.number <= targets.get(i.plan.type, 0) and i not in kept]
    session.supervisor.wish(Event.START, kept, now)
    session.supervisor.retire(leaving, now)
    _engage(session, request, Scaled(client, session.supervisor, kept, leaving))


def _targets(session: Session, resolver: NameResolver, words: Iterable[str]) -> dict[str, int]:
    targets: dict[str, int] = {}
    for word in words:
        whose, sign, number = parse_change(word)
        for name in resolver.members(whose, absent=True) or [whose]:
            here = resolver.counts.get(name, 0)
            if not here and not resolver.absence(name):
                session.chosen((name,))  # refuses it, with the nearest name
            targets[name] = changed_count(sign, number, targets.get(name, here))
    if not targets:
        raise UsageError("scale what?", "write web=3, worker+1 or worker-1")
    return targets


def _engage(session: Session, request: Request, task: Task) -> None:
    if request.wait:
        session.begin(task)
    else:
        task.client.finish()
