"""Asks who runs here already: ``start`` gets a place for its socket, or a session to speak to."""

from __future__ import annotations

import os
import sys
import time

from procman.errors import UsageError
from procman.runtime.control.endpoint import Endpoint, EndpointError, SessionRunningError, claim, find, socket_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket

    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

PATIENCE = 30.0  # seconds beyond a session's own grace until it is given up
_HERE = ("procfile", "root", "socket", "names", "replace", "control", "format", "wait")


class SocketClaim:
    """What `start` finds: a ``endpoint`` of its own, or None with a ``warning``; or ``code``, when all is done."""

    __slots__ = ("code", "endpoint", "warning")

    def __init__(self, endpoint: Endpoint | None = None, warning: str = "", code: int | None = None) -> None:
        self.endpoint = endpoint
        self.warning = warning
        self.code = code


def join(settings: Settings) -> int | None:
    """Ask the session that runs here to start what is named; None when there is none, or nothing is named.

    Asked before files are read: names may be instances and patterns, which only a session knows.
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
    """Claim the place. With names, a session that runs is asked to start these; with ``replace`` it is stopped first.

    Raises UsageError when there is one and nothing was said about it.
    """
    if not settings.control:
        return SocketClaim()
    paths = socket_paths(plan.procfile_path, plan.root, settings.socket, os.environ)
    try:
        return SocketClaim(claim(paths, settings.socket is not None))
    except EndpointError as error:
        return SocketClaim(warning=error.message)
    except SessionRunningError as living:
        if settings.replace:
            return SocketClaim(_replace(living.connection, paths, settings))
        if settings.names:
            return SocketClaim(code=_join(living.connection, settings))
        raise _refusal(living.connection, plan) from None


def _refusal(connection: socket, plan: Plan) -> UsageError:
    from procman.cli.control.connection import Connection

    about = Connection(connection).request({"verb": "hello"})
    state = f" and is stopping: {about['stopping']}" if about.get("stopping") else ""
    return UsageError(
        f"{plan.procfile_path} runs already, with pid {about['pid']}{state}",
        "procman ps shows it, procman stop ends it, procman start --replace does that first",
    )


def _replace(connection: socket, paths: list[str], settings: Settings) -> Endpoint:
    from procman.cli.control.connection import Connection, NoSessionError

    old = Connection(connection)
    sys.stderr.write(f"procman: stopping the session with pid {old.request({'verb': 'hello'})['pid']}\n")
    try:
        old.request({"verb": "stop"}, unlimited=True)
    except NoSessionError:
        pass  # it has ended in another way
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return claim(paths, settings.socket is not None)
        except SessionRunningError as living:
            living.connection.close()
            if time.monotonic() > until:
                raise UsageError("the session that runs here does not end", "procman ps shows it") from None
            time.sleep(0.01)


def _join(connection: socket, settings: Settings) -> int:
    from procman.cli.control.connection import Connection, print_answer

    unused = [place for name, place in settings.origin.items() if name not in _HERE and place.startswith("--")]
    if unused:
        sys.stderr.write(
            f"procman: a session runs here already and keeps its settings: {' '.join(unused)} is not used\n"
        )
    record = {"verb": "start", "names": list(settings.names), "wait": settings.wait}
    return print_answer(Connection(connection), record, as_json=settings.format == "json")
