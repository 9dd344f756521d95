"""Does: looks at the process that listens at a control socket, before somebody waits for it in vain."""

from __future__ import annotations

import os

from procman.errors import ProcmanError
from procman.runtime.control.endpoint import peer_of
from procman.runtime.guardian.guardian import MANAGER_NAME, WATCHDOG_NAME
from procman.runtime.system.descendants import comm_of, parent_of, proc_is_ours, stat_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket


class SuspendedError(ProcmanError):
    """The session is stopped, as by Ctrl-Z: it will not answer before it is resumed."""

    exit_code = 1


def require_awake(connection: socket) -> None:
    """Raise SuspendedError when who listens is stopped (state T, proc(5)); where that cannot be seen, it is not."""
    peer = peer_of(connection)
    if peer is None or not proc_is_ours() or stat_fields(peer[0])[:1] != [b"T"]:
        return
    pid = _visible(peer[0])
    raise SuspendedError(
        f"the session in {_folder(peer[0])} is suspended (pid {pid})",
        f"fg in its terminal or kill -CONT {pid} resumes it",
    )


def _visible(manager: int) -> int:
    """Whom to wake: the guardian, if there is one, which wakes the manager; the other way round it would sleep on."""
    if comm_of(manager) != f"{MANAGER_NAME}\n".encode():
        return manager
    parent = parent_of(manager)
    if parent and comm_of(parent) == f"{WATCHDOG_NAME}\n".encode():
        parent = parent_of(parent)
    return parent or manager


def _folder(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:  # another user's, and we are not root
        return "a folder of somebody else"
