"""Does what a request says: finds the verb, which is imported at its first use, and turns errors into refusals."""

from __future__ import annotations

from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session

    Verb = Callable[[Session, Client, Request], None]

FUNCTIONS = {  # a verb → the function that answers it
    "hello": "procman.runtime.control.queries:hello",
    "ps": "procman.runtime.control.queries:ps",
    "why": "procman.runtime.control.queries:why",
    "wait": "procman.runtime.control.queries:wait",
    "events": "procman.runtime.control.queries:events",
    "logs": "procman.runtime.control.queries:logs",
    "start": "procman.runtime.control.commands:start",
    "stop": "procman.runtime.control.commands:stop",
    "restart": "procman.runtime.control.commands:restart",
    "scale": "procman.runtime.control.commands:scale",
    "signal": "procman.runtime.control.signalling:signal",
    "pause": "procman.runtime.control.signalling:pause",
    "resume": "procman.runtime.control.signalling:resume",
    "attach": "procman.runtime.control.attachment:attach",
    "keys": "procman.runtime.control.attachment:keys",
    "resize": "procman.runtime.control.attachment:resize",
    "leave": "procman.runtime.control.attachment:leave",
}
WHILE_ATTACHED = ("keys", "resize", "leave")
LONGEST = 1000  # characters of a refusal
CONCERNS_ABSENT = ("start", "why")  # verbs that mean all of a group, also what the session has left out


def obey(session: Session, client: Client, request: Request) -> None:
    """Answer, or begin to."""
    if client.task is not None and request.verb not in WHILE_ATTACHED:
        client.refuse("something is under way on this connection", "open another one", hang_up=False)
        return
    try:
        if request.names:  # each key that is typed comes by here
            request.names = tuple(session.resolver().spread(request.names, request.verb in CONCERNS_ABSENT))
        _find(request.verb)(session, client, request)
    except ProcmanError as error:
        client.refuse(_brief(error.message), error.hint, error.exit_code, hang_up=False)


def _brief(message: str) -> str:
    """What was asked for is quoted, whatever its length."""
    return message if len(message) <= LONGEST else f"{message[: LONGEST // 2]}…{message[-LONGEST // 2 :]}"


def _find(verb: str) -> Verb:
    from importlib import import_module

    module, _, name = FUNCTIONS[verb].partition(":")
    found: Verb = getattr(import_module(module), name)
    return found
