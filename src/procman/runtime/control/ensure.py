"""The verb behind ``procman up``: start what is missing, wait until everything is ready, and report all of it.

The last record of the answer has the rows of the instances, whether they are ready or not: the session may be over
before the client could request them.
"""

from __future__ import annotations

import time

from procman.core.lifecycle.outcome import failure_code
from procman.core.lifecycle.transitions import Action, State
from procman.core.model.plan import SYSTEM
from procman.errors import ProcmanError
from procman.output.messages.sentences import sentence, status_record
from procman.output.sanitize.escapes import without_color
from procman.runtime.control.commands import bring_up
from procman.runtime.control.tasks import (
    EXIT_NOT_DONE,
    UntilUp,
    has_completed,
    has_to_be_up,
    is_lost,
    is_stopped,
    is_up,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session

MAX_WARNINGS = 1000
_ON_THEIR_WAY = (State.WAITING, State.STARTING, State.RUNNING)


def ensure(session: Session, client: Client, request: Request) -> None:
    """Start what is missing of what the names mean, or of the session; answer when it is ready.

    What has ended by itself with success is not missing, nor is what only starts by name.
    """
    waiting = [one for one in session.supervisor.instances.values() if one.state == State.WAITING]
    if request.fresh:
        _send_warnings(session, client)
        chosen = session.chosen(request.names)
    else:
        newcomers = {} if request.names else _newcomers(session, client)
        if not request.names:
            _say_what_has_left(session, client)
        chosen = bring_up(session, client, request.names, lambda found: _missing(found, bool(request.names)), newcomers)
    chosen = [one for one in chosen if request.names or has_to_be_up(one)]
    _send_waits(session, client, [one for one in waiting if one in chosen])
    task = UntilEnsured(client, session, chosen, request.timeout)
    if request.wait:
        session.begin(task)
    else:
        task.finish()


def _newcomers(session: Session, client: Client) -> dict[str, int]:
    """Return the lines that are new in the Procfile. Files with a mistake do not end what runs, so it is a warning."""
    try:
        return session.plan_source.newcomers()
    except ProcmanError as error:
        client.send({"say": f"warning: {error.message}"})
        return {}


def _say_what_has_left(session: Session, client: Client) -> None:
    """Name the process types whose lines are no longer in the Procfile. They keep running until they are scaled."""
    listed = session.plan_source.types()  # none if it cannot be read, which has been said
    present = dict.fromkeys(one.plan.type for one in session.supervisor.instances.values())
    for name in present if listed else ():
        if name not in listed:
            hint = f"`procman scale {name}=0` removes it from this session"
            client.send({"say": f"warning: {name} is no longer in the Procfile; {hint}"})


def _send_waits(session: Session, client: Client, instances: Sequence[Instance]) -> None:
    """Send what the instances wait for that were waiting before the request: they do not announce it again."""
    hindrances = session.supervisor.hindrances
    for one in instances:
        client.send({"say": sentence(Action.ANNOUNCE_WAITING, one, time.monotonic(), hindrances)})


def _send_warnings(session: Session, client: Client) -> None:
    """Send the warnings of the start: a session in the background shows them nowhere else."""
    for line in session.hub.history.last(SYSTEM, MAX_WARNINGS):
        text = without_color(line + b"\n")[:-1].decode("utf-8", "replace")
        if text.startswith("warning:"):
            client.send({"say": text})


def _missing(instances: Sequence[Instance], named: bool) -> list[Instance]:
    return [
        one
        for one in instances
        if one.state not in _ON_THEIR_WAY and not has_completed(one) and (named or has_to_be_up(one))
    ]


class UntilEnsured(UntilUp):
    """Waits until the instances are ready. If the session ends instead, the answer follows at its very end."""

    def __init__(self, client: Client, session: Session, instances: Sequence[Instance], timeout: float | None) -> None:
        super().__init__(client, session.supervisor, instances, timeout)
        self._session = session
        self._over = False

    def check(self, now: float) -> bool:
        """See Task.check."""
        if self._supervisor.stopping is not None:
            self.deadline = None
            return False
        return super().check(now)

    def refuse(self, message: str, hint: str, code: int) -> None:
        """Send the last record with the reason, what failed, and the exit code of the first failure."""
        lost = sorted((one for one in self.instances if is_lost(one) and not is_stopped(one)), key=_when_lost)
        if lost and code == EXIT_NOT_DONE:
            code = failure_code(lost[0])
        cards = [card for one in lost if (card := self._session.cards.get(one.plan.name))]
        self.client.finish({**self._report(), "error": message, "hint": hint, "code": code, "cards": cards})

    def finish(self) -> bool:
        """See UntilUp.finish."""
        self.client.finish(self._report())
        return True

    def end(self, code: int) -> None:
        """See Task.end."""
        self._over = True
        now = time.monotonic()
        if all(is_up(one, now) for one in self.instances):
            self.finish()
            return
        stopping = self._supervisor.stopping
        self.refuse(f"the session has ended{f': {stopping.words}' if stopping else ''}", "", code or EXIT_NOT_DONE)

    def _report(self) -> dict[str, object]:
        now = time.monotonic()
        rows = [status_record(one, now, self._supervisor.is_paused(one)) for one in self.instances]
        ready = all(is_up(one, now) for one in self.instances)
        return {**self._session.about(), "ready": ready, "over": self._over, "instances": rows}


def _when_lost(instance: Instance) -> float:
    return instance.ended if instance.ended is not None else 0.0
