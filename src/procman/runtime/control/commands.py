"""Verbs that change what is running: start, stop, restart and scale."""

from __future__ import annotations

import time

from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.transitions import Event, State
from procman.core.procfile.selection import changed_count, parse_change
from procman.errors import UsageError
from procman.runtime.control.tasks import OneByOne, Scaled, Task, UntilDown, UntilOver, UntilUp
from procman.runtime.reload import plans_on_free_ports, reload_plans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.names import NameResolver
    from procman.runtime.control.session import Session


def start(session: Session, client: Client, request: Request) -> None:
    """Start what is down. A process type that was left out gets one instance, or as many as ``web=2`` says."""
    chosen = bring_up(session, client, request.names, lambda instances: instances)
    _begin(session, request, UntilUp(client, session.supervisor, chosen))


def bring_up(
    session: Session,
    client: Client,
    names: Sequence[str],
    select: Callable[[list[Instance]], list[Instance]],
    newcomers: Mapping[str, int] | None = None,
) -> list[Instance]:
    """Start what the names mean, all if there are none, as far as ``select`` chooses it; return all that they mean.

    Process types that were left out, ``newcomers``, and missing instances, are added. Raises UsageError.
    """
    session.require_not_stopping()
    resolver = session.resolver()
    present = {name: None for name in names if "=" not in name and resolver.is_here(name)}
    chosen = session.chosen(present) if present or not names else []
    counts = _requested_counts(session, resolver, (name for name in names if name not in present))
    counts.update(newcomers or {})
    selected = select(chosen)
    _reload(session, client, [instance for instance in selected if instance.pid is None])
    now = time.monotonic()
    added = _grow(session, _speaker(session, client), resolver, counts, now)
    for instance in selected:
        if instance.pid is not None and instance.state != State.STOPPING:
            client.send({"say": f"{instance.name} is already running (pid {instance.pid})"})
    session.supervisor.wish(Event.START, selected, now)
    return list(dict.fromkeys([*chosen, *added]))


def _requested_counts(session: Session, resolver: NameResolver, words: Iterable[str]) -> dict[str, int]:
    counts = {}
    for word in words:
        if "=" not in word and not resolver.absence(word):
            session.chosen((word,))  # raises UsageError, with the nearest name
        name, _, number = parse_change(word if "=" in word else f"{word}=1")
        counts[name] = max(number, resolver.counts.get(name, 0))
    return counts


def _grow(
    session: Session, say: Callable[[str], None], resolver: NameResolver, counts: Mapping[str, int], now: float
) -> list[Instance]:
    """Add instances until each type has its count. Raises UsageError, without any change, if that is impossible."""
    names = {f"{name}.{number}" for name, count in counts.items() for number in range(1, count + 1)}
    return _add(session, say, {**resolver.counts, **counts}, counts, names, now)


def _add(
    session: Session,
    say: Callable[[str], None],
    counts: Mapping[str, int],
    types: Collection[str],
    names: Collection[str],
    now: float,
    held_too: bool = True,
) -> list[Instance]:
    """Start the instances of these names, of a formation of ``counts``; return them. ``held_too``: see Supervisor."""
    if not names:
        return []
    plans, warnings = plans_on_free_ports(session.supervisor, session.plan_source, counts, types, names)
    for warning in warnings:
        say(warning)
    session.make_room(len(plans))
    session.plan_source.note(types)
    return session.supervisor.add(plans, now, held_too)


def stop(session: Session, client: Client, request: Request) -> None:
    """Stop the named instances, or without names the session."""
    now = time.monotonic()
    if not request.names:
        session.supervisor.stop_all(ASKED, now)
        _begin(session, request, UntilOver(client))
        return
    chosen = session.chosen(request.names)
    session.supervisor.hold(chosen, now)
    _begin(session, request, UntilDown(client, chosen))


def restart(session: Session, client: Client, request: Request) -> None:
    """Restart instances, together or one by one. Their next lives follow the current contents of the files."""
    session.require_not_stopping()
    chosen = session.chosen(request.names)
    _reload(session, client, chosen, one_by_one=request.rolling)
    if request.rolling:
        session.begin(OneByOne(client, session.supervisor, chosen))
        return
    session.supervisor.wish(Event.RESTART, chosen, time.monotonic())
    _begin(session, request, UntilUp(client, session.supervisor, chosen))


def _reload(session: Session, client: Client, chosen: Iterable[Instance], one_by_one: bool = False) -> None:
    say = _speaker(session, client)
    for change in reload_plans(session.supervisor, session.plan_source, chosen, one_by_one=one_by_one):
        say(change)


def _speaker(session: Session, client: Client) -> Callable[[str], None]:
    """Return a function that announces a sentence to the user and to the client."""

    def say(sentence: str) -> None:
        session.hub.announce(sentence)
        client.send({"say": sentence})

    return say


def scale(session: Session, client: Client, request: Request) -> None:
    """Change counts: the highest numbers leave, and new instances get what ``start -m`` would have given them."""
    session.require_not_stopping()
    targets = _targets(session, session.resolver(), request.names)
    kept, leaving = resize(session, targets, _speaker(session, client))
    _begin(session, request, Scaled(client, session.supervisor, kept, leaving))


def resize(
    session: Session, targets: Mapping[str, int], say: Callable[[str], None]
) -> tuple[list[Instance], list[Instance]]:
    """Give each type its number of instances; return those that stay and those that leave. Raises UsageError."""
    resolver, now = session.resolver(), time.monotonic()
    more = {name: count for name, count in targets.items() if count > resolver.counts.get(name, 0)}
    kept = _grow(session, say, resolver, more, now)
    present = list(session.supervisor.instances.values())
    kept += [i for i in present if i.plan.number <= targets.get(i.plan.type, 0) and i not in kept]
    session.supervisor.wish(Event.START, kept, now)
    return kept, _shrink(session, targets, now)


def resize_by_itself(session: Session, type_: str, count: int, say: Callable[[str], None]) -> None:
    """Give a type its number of instances. Those that are there, even failed ones, stay as they are."""
    instances, now = session.supervisor.instances, time.monotonic()
    names = [f"{type_}.{number}" for number in range(1, count + 1)]
    missing = [name for name in names if name not in instances or session.supervisor.is_leaving(instances[name])]
    counts = {**session.resolver().counts, type_: count}
    _add(session, say, counts, [type_], missing, now, held_too=False)
    _shrink(session, {type_: count}, now)


def _shrink(session: Session, targets: Mapping[str, int], now: float) -> list[Instance]:
    """Let instances leave that have higher numbers than the count of their type; return them."""
    present = session.supervisor.instances.values()
    leaving = [one for one in present if one.plan.number > targets.get(one.plan.type, one.plan.number)]
    session.supervisor.retire(leaving, now)
    return leaving


def _targets(session: Session, resolver: NameResolver, words: Iterable[str]) -> dict[str, int]:
    targets: dict[str, int] = {}
    for word in words:
        type_or_group, sign, number = parse_change(word)
        for name in resolver.members(type_or_group, absent=True) or [type_or_group]:
            present = resolver.counts.get(name, 0)
            if not present and not resolver.absence(name):
                session.chosen((name,))  # raises UsageError, with the nearest name
            targets[name] = changed_count(sign, number, targets.get(name, present))
    if not targets:
        raise UsageError("missing process type and count", "write web=3, worker+1 or worker-1")
    return targets


def _begin(session: Session, request: Request, task: Task) -> None:
    if request.wait:
        session.begin(task)
    else:
        task.client.finish()
