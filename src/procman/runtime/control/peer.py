"""The state of the process at the other end of a control socket: a suspended session will not answer."""

from __future__ import annotations

import os

from procman.errors import ProcmanError
from procman.runtime.control.endpoint import peer_of
from procman.runtime.guardian.guardian import MANAGER_NAME, WATCHDOG_NAME
from procman.runtime.system.procfs import comm_of, parent_of, proc_is_ours, stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket


class SuspendedError(ProcmanError):
    """The session is suspended, for example by Ctrl-Z. It will not answer before it is resumed."""

    exit_code = 1


def require_awake(connection: socket) -> None:
    """Raise SuspendedError if the listening process is stopped (state T, proc(5)) and /proc shows it."""
    peer = peer_of(connection)
    if peer is None or not proc_is_ours() or stat_fields(peer[0])[:1] != [b"T"]:
        return
    pid = _visible_pid(peer[0])
    raise SuspendedError(
        f"the session in {_folder(peer[0])} is suspended (pid {pid})",
        f"fg in its terminal or kill -CONT {pid} resumes it",
    )


def _visible_pid(manager: int) -> int:
    """Return the process to resume: the guardian if there is one, since it resumes the manager, not vice versa."""
    if comm_of(manager) != f"{MANAGER_NAME}\n".encode():
        return manager
    parent = parent_of(manager)
    if parent and comm_of(parent) == f"{WATCHDOG_NAME}\n".encode():
        parent = parent_of(parent)
    return parent or manager


def _folder(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:  # the process of another user, and we are not root
        return "another user's folder"
