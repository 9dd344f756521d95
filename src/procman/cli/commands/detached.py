"""The ``start`` that ``up`` runs in a session of its own: it reports through a pipe whether it starts.

Its stderr is the pipe, as long as it is starting. What it writes there is for the caller's stderr, but one of these
bytes says how it went: LISTENING, RUNNING (another session is there), or REFUSED, which a JSON object follows. Then the
caller connects, and only then is the first process started: so its request is answered, however short the session is.
The caller may be gone at any time, which must not matter.
"""

from __future__ import annotations

import io
import os
import select
import sys

from procman.errors import EXIT_OK, ProcmanError, UsageError
from procman.runtime.system.descriptors import replace_by_null

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from procman.cli.commands.socket_claim import SocketClaim
    from procman.cli.options.option import Invocation
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

LISTENING, RUNNING, REFUSED = b"\0", b"\1", b"\2"
NEEDS_SOCKET = (
    "a session in the background needs one: choose another place with --socket, or use procman start, which needs none"
)
CONNECT_LIMIT = 2000  # milliseconds for the caller to connect


class _CallerPipe(io.FileIO):
    """A pipe to a reader that may be gone."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write the data, or discard it if there is no reader."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def perform(invocation: Invocation) -> int:
    """Start a session, or report why there is none."""
    from procman.cli.commands.socket_claim import AlreadyRunningError  # late: the caller needs only the constants
    from procman.cli.commands.start import start
    from procman.cli.options.precedence import settle

    pipe = io.BufferedWriter(_CallerPipe(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(pipe, "utf-8", "backslashreplace", line_buffering=True)
    try:
        settings = settle(invocation)
        if settings.record == "auto":
            settings = settings.but(record="always")
        return start(settings, None, _claim, lambda: replace_by_null(2))
    except AlreadyRunningError:
        _report(RUNNING)
        return EXIT_OK
    except ProcmanError as error:
        import json

        record = {"error": error.message, "hint": error.hint, "code": error.exit_code}
        _report(REFUSED, json.dumps(record).encode())
        return error.exit_code


def _claim(settings: Settings, plan: Plan) -> SocketClaim:
    """Claim the socket. Raises UsageError if there is no place for it: nothing could reach the session."""
    from procman.cli.commands.socket_claim import enter

    claim = enter(settings.but(names=()), plan)
    if claim.endpoint is None:
        raise UsageError(claim.warning, NEEDS_SOCKET)
    _report(LISTENING)
    poll = select.poll()
    poll.register(2, 0)  # for its hang-up: the caller is gone
    poll.register(claim.endpoint.socket.fileno(), select.POLLIN)
    poll.poll(CONNECT_LIMIT)
    return claim


def _report(kind: bytes, record: bytes = b"") -> None:
    try:
        os.write(2, kind + record)
    except BrokenPipeError:
        pass  # the caller is gone
