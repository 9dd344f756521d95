"""The verbs of the control socket: one row each, imported at its first use; errors become refusals."""

from __future__ import annotations

from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session

MAX_MESSAGE_LENGTH = 1000  # characters of a refusal


class Verb:
    """One verb: ``function`` is "module:function".

    ``while_attached``: it is allowed while the client is attached to a terminal. ``includes_absent``: a group means all
    its process types, including those that the session has left out.
    """

    __slots__ = ("function", "includes_absent", "while_attached")

    def __init__(self, function: str, *, while_attached: bool = False, includes_absent: bool = False) -> None:
        self.function = function
        self.while_attached = while_attached
        self.includes_absent = includes_absent

    def load(self) -> Callable[[Session, Client, Request], None]:
        """Import the function that answers this verb."""
        module, _, name = self.function.partition(":")
        found: Callable[[Session, Client, Request], None] = getattr(__import__(module, fromlist=[name]), name)
        return found


VERBS = {  # the fields of each: core/text/protocol.py
    "hello": Verb("procman.runtime.control.queries:hello"),
    "ps": Verb("procman.runtime.control.queries:ps"),
    "metrics": Verb("procman.runtime.control.measurements:metrics"),
    "why": Verb("procman.runtime.control.queries:why", includes_absent=True),
    "wait": Verb("procman.runtime.control.queries:wait"),
    "events": Verb("procman.runtime.control.queries:events"),
    "logs": Verb("procman.runtime.control.queries:logs"),
    "start": Verb("procman.runtime.control.commands:start", includes_absent=True),
    "ensure": Verb("procman.runtime.control.ensure:ensure", includes_absent=True),
    "stop": Verb("procman.runtime.control.commands:stop"),
    "restart": Verb("procman.runtime.control.commands:restart"),
    "scale": Verb("procman.runtime.control.commands:scale"),
    "signal": Verb("procman.runtime.control.signalling:signal"),
    "pause": Verb("procman.runtime.control.signalling:pause"),
    "resume": Verb("procman.runtime.control.signalling:resume"),
    "attach": Verb("procman.runtime.control.attachment:attach"),
    "keys": Verb("procman.runtime.control.attachment:keys", while_attached=True),
    "resize": Verb("procman.runtime.control.attachment:resize", while_attached=True),
    "leave": Verb("procman.runtime.control.attachment:leave", while_attached=True),
}


def handle(session: Session, client: Client, request: Request) -> None:
    """Answer a request, or begin a task that will."""
    verb = VERBS[request.verb]
    busy = client.task
    if busy is not None and not verb.while_attached:
        client.refuse("this connection is busy with another request", "open another one", hang_up=False)
        client.task = busy  # a refusal is a last record, which would end the answer to the other request
        return
    try:
        if request.names:  # not for typed keys, which have none and need no resolver
            request.names = tuple(session.resolver().expand(request.names, verb.includes_absent))
        verb.load()(session, client, request)
    except ProcmanError as error:
        client.refuse(_shortened(error.message), error.hint, error.exit_code, hang_up=False)
        session.forget(client)  # mistyped keys end the attachment: its answer is complete


def _shortened(message: str) -> str:
    """Cut the middle out of a message that is too long: it quotes the request, which may have any length."""
    half = MAX_MESSAGE_LENGTH // 2
    return message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[:half]}…{message[-half:]}"
