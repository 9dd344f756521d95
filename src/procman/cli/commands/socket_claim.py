"""The claim of ``start`` on a control socket: it listens there, or talks to the session that already does."""

from __future__ import annotations

import os
import sys
import time

from procman.errors import EXIT_FAILURE, ProcmanError, UsageError
from procman.runtime.control.endpoint import (
    Endpoint,
    EndpointError,
    SessionRunningError,
    claim,
    find,
    peer_of,
    socket_paths,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

REPLACE_TIMEOUT = 30.0  # seconds for the old session to release its socket after it has stopped
REPLACE_POLL_INTERVAL = 0.01  # seconds
_USED_WHEN_JOINING = ("procfile", "root", "socket", "names", "replace", "control", "format", "wait")  # settings


class OvertakenError(ProcmanError):
    """Another ``start --replace`` has taken the place of the session that this one stopped."""

    exit_code = EXIT_FAILURE


class AlreadyRunningError(UsageError):
    """A session of this Procfile is running."""


class SocketClaim:
    """The result of a claim: an ``endpoint`` to listen at, or None.

    Without an endpoint there may be a ``warning`` why, or the exit ``code`` if another session has done everything.
    """

    __slots__ = ("code", "endpoint", "warning")

    def __init__(self, endpoint: Endpoint | None = None, warning: str = "", code: int | None = None) -> None:
        self.endpoint = endpoint
        self.warning = warning
        self.code = code


def join(settings: Settings) -> int | None:
    """Let the running session start the named processes. Return None if there is no session, or no name.

    This happens before any file is read: names may be instances and patterns, which only a session knows.
    """
    if not settings.names or not settings.control or settings.replace:
        return None
    paths = socket_paths(settings.procfile, settings.root, settings.socket, os.environ)
    try:
        found = find(paths, settings.socket is not None)
    except EndpointError:
        return None
    return None if found is None else _join(found, settings)


def enter(settings: Settings, plan: Plan) -> SocketClaim:
    """Claim the socket.

    With ``replace``, a running session is stopped first; with names, it gets the request to start them.

    Raises UsageError if a session is running and the settings say neither.
    """
    if not settings.control:
        return SocketClaim()
    paths = socket_paths(plan.procfile_path, plan.root, settings.socket, os.environ)
    try:
        return SocketClaim(claim(paths, settings.socket is not None))
    except EndpointError as error:
        return SocketClaim(warning=error.message)
    except SessionRunningError as running:
        if settings.replace:
            return SocketClaim(_replace(running.connection, paths, settings))
        if settings.names:
            return SocketClaim(code=_join(running.connection, settings))
        raise _already_running(running.connection, plan) from None


def _already_running(connection: socket, plan: Plan) -> AlreadyRunningError:
    from procman.cli.control.connection import Connection

    about = Connection(connection).request({"verb": "hello"})
    state = f" and stopping: {about['stopping']}" if about.get("stopping") else ""
    return AlreadyRunningError(
        f"{plan.procfile_path} is already running (pid {about['pid']}){state}",
        "procman ps shows it, procman stop ends it, procman start --replace replaces it",
    )


def _replace(connection: socket, paths: list[str], settings: Settings) -> Endpoint:
    from procman.cli.control.connection import Connection, NoSessionError

    replaced = peer_of(connection)
    old = Connection(connection)
    sys.stderr.write(f"procman: stopping the session with pid {old.request({'verb': 'hello'})['pid']}\n")
    try:
        old.request({"verb": "stop"}, unlimited=True)
    except NoSessionError:
        pass  # it has ended in another way
    until = time.monotonic() + REPLACE_TIMEOUT
    while True:
        try:
            return claim(paths, settings.socket is not None)
        except SessionRunningError as running:
            listening = peer_of(running.connection)
            running.connection.close()
            if listening != replaced:
                raise OvertakenError("another procman start has taken its place", "procman ps shows it") from None
            if time.monotonic() > until:
                raise UsageError("the running session did not end", "procman ps shows it") from None
            time.sleep(REPLACE_POLL_INTERVAL)


def report_unused(settings: Settings) -> None:
    """Name the flags that a session that is already running cannot use."""
    unused = [
        place for name, place in settings.origin.items() if name not in _USED_WHEN_JOINING and place.startswith("--")
    ]
    if unused:
        ignored = " ".join(dict.fromkeys(unused))  # one flag may set several
        sys.stderr.write(f"procman: the running session keeps its settings; ignored: {ignored}\n")


def _join(connection: socket, settings: Settings) -> int:
    from procman.cli.control.connection import Connection, print_answer

    report_unused(settings)
    record = {"verb": "start", "names": list(settings.names), "wait": settings.wait}
    return print_answer(Connection(connection), record, as_json=settings.format == "json")
