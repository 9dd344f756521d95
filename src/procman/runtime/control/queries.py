"""Verbs that only answer: they change nothing."""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import State
from procman.core.text.protocol import DEFAULT_LINES
from procman.output.messages.sentences import explanation, status_record
from procman.runtime.control.tasks import Events, UntilUp, has_to_be_up, is_meant
from procman.runtime.system.procfs import stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session


def hello(session: Session, client: Client, _request: Request) -> None:
    """Describe the session."""
    client.finish(session.about())


def ps(session: Session, client: Client, request: Request) -> None:
    """Return the status of the instances, in the order of the Procfile."""
    now = time.monotonic()
    rows = []
    orphans = session.children.orphans()
    for instance in session.chosen(request.names):
        row = status_record(instance, now, session.supervisor.is_paused(instance))
        rows.append({**row, **session.remark(instance)[0]})
        if _is_stopped(session, instance, orphans):
            rows[-1]["state"] = "stopped"
    client.finish({**session.about(), "instances": rows})


def _is_stopped(session: Session, instance: Instance, orphans: list[int]) -> bool:
    """Return whether a signal from outside has stopped a process of the instance: SIGSTOP, or SIGTTIN for reading."""
    if instance.paused or instance.state not in (State.STARTING, State.RUNNING):
        return False
    child = session.children.of(instance.name)
    if child is None:
        return False
    return any(stat_fields(pid)[:1] == [b"T"] for pid in session.children.tree(child, orphans))


def why(session: Session, client: Client, request: Request) -> None:
    """Explain the state of instances, and why a process type has none."""
    now = time.monotonic()
    resolver = session.resolver()
    absences = {name: resolver.absence(name) for name in request.names if not resolver.is_here(name)}
    absent = {name: words for name, words in absences.items() if words}
    rows: list[dict[str, object]] = [{"name": name, "state": "absent", "why": absent[name]} for name in absent]
    present = [name for name in request.names if name not in absent]
    orphans = session.children.orphans()
    for instance in session.chosen(present) if present or not request.names else []:
        paused = session.supervisor.is_paused(instance)
        hindrances = session.supervisor.hindrances(instance)
        words = explanation(instance, now, session.supervisor.is_held(instance), paused, hindrances)
        fields, clause = session.remark(instance)
        words = clause if "state" in fields else "; ".join(filter(None, (words, clause)))
        row = {**status_record(instance, now, paused), **fields, "why": words}
        if _is_stopped(session, instance, orphans):
            resume = f"`procman resume {instance.name}` resumes it"
            row = {**row, "state": "stopped", "why": f"stopped by a signal, such as SIGSTOP or SIGTTIN; {resume}"}
        rows.append(row)
    client.finish({"instances": rows})


def wait(session: Session, client: Client, request: Request) -> None:
    """Answer when the instances are ready.

    Without names, do not wait for what starts only by name, unless it has started.
    """
    chosen = session.chosen(request.names)
    if not request.names:
        chosen = [one for one in chosen if has_to_be_up(one)]
    session.begin(UntilUp(client, session.supervisor, chosen, request.timeout, announces=False))


def events(session: Session, client: Client, request: Request) -> None:
    """Send every event from now on."""
    session.chosen(request.names)
    session.begin(Events(client, request.names))


def logs(session: Session, client: Client, request: Request) -> None:
    """Send output from the history, and with ``follow`` live output, too. ``system`` means procman's own lines.

    The first record says what the history has: up to which position lines of these instances are ``lost``, and at most
    how many bytes of them are ``missing`` that the client asked for; and where the latest two ``lives`` began. With
    ``lines``, some more may come: those that alternate with the last ones of another instance. With ``before``, the
    last ones are those before that position, and some lines after it may come, too.
    """
    from procman.runtime.control.log_stream import Follower, recalled

    if any(name != "system" for name in request.names):
        session.chosen(name for name in request.names if name != "system")  # refuses unknown names
    history, after = session.hub.history, request.after or 0
    limited = request.lines is not None or request.since is not None or request.after is not None
    since = None if request.since is None else time.time() - request.since

    def is_chosen(name: str) -> bool:
        return is_meant(request.names, name)

    entries = history.recall(is_chosen, since, request.lines if limited else DEFAULT_LINES, after, request.before)
    lost, missing = history.lost(is_chosen, after)
    cursor = f"{session.plan_source.session}:{history.position}"
    head = {"cursor": cursor, "lost": lost, "missing": missing, "lives": history.lives(is_chosen)}
    last = {"live": True} if request.follow else {"done": True, "code": 0, "cursor": cursor}
    client.feed(recalled(head, entries, last))
    if request.follow:
        session.begin(Follower(client, session.hub, request.names))
