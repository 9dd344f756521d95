"""Does: finds and makes the place of a control socket: a folder of ours, one socket for each Procfile and folder.

The folder is locked while somebody makes or removes a socket in it, and connect(2) alone decides whether a socket is
alive: no pid is ever read from a file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from procman.core.text.protocol import session_name
from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

BACKLOG = 1024  # clients that may wait to be let in
PATIENCE = 5.0  # seconds for a session to answer
SUFFIX = ".sock"
SWEPT = 100  # old sockets looked at by a new session, each 20 µs
_NOBODY = (errno.ECONNREFUSED, errno.ENOENT, errno.ENOTSOCK, errno.EPROTOTYPE)
_FOLDER = 0o040000  # S_IFDIR
_SOCKET = 0o140000  # S_IFSOCK
_KINDS = 0o170000
_LONGEST = 100  # bytes of a path; 108 on Linux, 104 on macOS, with a NUL (unix(7))


class EndpointError(ProcmanError):
    """There is no place for the socket, or it is not safe; the session can do without."""

    exit_code = 1


class SessionRunningError(Exception):
    """Somebody answers at this place; ``connection`` is open to him."""

    def __init__(self, connection: socket) -> None:
        super().__init__("a session of this Procfile is running")
        self.connection = connection


def folders(environ: Mapping[str, str]) -> list[str]:
    """Where sessions of ours may be, the preferred one first: terminals of one user may differ in XDG_RUNTIME_DIR."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    shared = f"/tmp/procman-{os.geteuid()}"  # noqa: S108 (its owner and mode are checked before every use)
    return [f"{runtime}/procman", shared] if runtime.startswith("/") and os.path.isdir(runtime) else [shared]


def socket_paths(procfile: str, root: str, given: str | None, environ: Mapping[str, str]) -> list[str]:
    """The paths at which the session of ``procfile`` in ``root`` may listen; only ``given`` if there is one."""
    if given:
        return [os.path.abspath(given)]
    name = session_name(os.path.realpath(root), os.path.realpath(procfile))
    return [f"{folder}/{name}{SUFFIX}" for folder in folders(environ)]


def is_safe(folder: str) -> bool:
    """Whether this is a folder of ours that nobody else may enter."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return status.st_mode & _KINDS == _FOLDER and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def connect(path: str, patience: float = PATIENCE) -> socket | None:
    """A connection to who listens at ``path``; None when nobody does.

    Raises EndpointError when somebody does who does not let us in: too many wait, or we may not.
    """
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(patience)
    try:
        _knock(connection, path, patience)  # type: ignore[arg-type]  # see below
    except OSError as error:
        connection.close()
        if error.errno in _NOBODY:
            return None
        raise EndpointError(f"{path} does not let us in: {(error.strerror or str(error)).lower()}") from None
    return connection  # type: ignore[return-value]  # the C half of socket.socket, which is cheap to import


def _knock(connection: socket, path: str, patience: float) -> None:
    """Connect. Where a blocking socket would wait for room in the queue, one with a timeout is told EAGAIN."""
    until = time.monotonic() + patience
    while True:
        try:
            connection.connect(path)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.005)


def _sweep(folder: str) -> None:
    """Remove what sessions have left that were killed. The folder is locked, so none of them is about to listen."""
    for name in os.listdir(folder)[:SWEPT]:
        path = f"{folder}/{name}"
        if not name.endswith(SUFFIX):
            continue
        try:
            living = connect(path, 0.0)
        except EndpointError:
            continue
        if living is not None:
            living.close()
        else:
            os.unlink(path)


def find(paths: list[str], given: bool) -> socket | None:
    """A connection to the session at one of ``paths``; a folder that is not ours alone is not trusted."""
    for path in paths:
        if given or is_safe(os.path.dirname(path)):
            connection = connect(path)
            if connection is not None:
                return connection
    return None


class Endpoint:
    """A listening socket at ``path``, for as long as the session lives."""

    __slots__ = ("_identity", "path", "socket")

    def __init__(self, path: str, listener: socket, identity: tuple[int, int, int]) -> None:
        self.path = path
        self.socket = listener
        self._identity = identity

    def leave(self) -> None:
        """Stop listening and remove the socket, unless somebody else's has taken its place."""
        self.socket.close()
        try:
            lock = _lock(os.path.dirname(self.path))
            try:
                if _identity_of(self.path) == self._identity:
                    os.unlink(self.path)
            finally:
                os.close(lock)
        except OSError:
            pass  # a stale socket is replaced by the next session


def claim(paths: list[str], given: bool) -> Endpoint:
    """Listen at the first of ``paths``. A stale socket is replaced.

    Raises SessionRunningError when somebody answers at any of them, EndpointError when no socket can be made.
    """
    try:
        return _claim(paths, given)
    except OSError as error:
        what = error.strerror or str(error)
        raise EndpointError(f"no control socket at {paths[0]}: {what.lower()}") from None


def _claim(paths: list[str], given: bool) -> Endpoint:
    path = paths[0]
    folder = os.path.dirname(path)
    if len(os.fsencode(path)) > _LONGEST:
        raise EndpointError(f"no control socket at {path}: the path is too long for a socket")
    if not given:
        _make(folder)
    lock = _lock(folder)
    try:
        living = find(paths, given)
        if living is not None:
            raise SessionRunningError(living)
        _remove_stale(path)
        if not given:
            _sweep(folder)
        return _listen(path)
    finally:
        os.close(lock)


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    if not is_safe(folder):
        raise EndpointError(f"no control socket: {folder} is not a folder of yours alone (mode 0700)")


def _lock(folder: str) -> int:
    fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _remove_stale(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if status.st_mode & _KINDS != _SOCKET:
        raise EndpointError(f"no control socket at {path}: there is something else")
    os.unlink(path)


def _listen(path: str) -> Endpoint:
    import _socket

    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    before = os.umask(0o177)  # we are one thread: nobody else makes a file meanwhile
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        return Endpoint(path, listener, _identity_of(path))  # type: ignore[arg-type]  # see connect
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)


def _identity_of(path: str) -> tuple[int, int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_ctime_ns  # numbers of inodes are given again


def peer_is_allowed(connection: socket) -> bool:
    """Whether the other side is ours or root's; where the system does not say, the folder's mode must do."""
    peer = peer_of(connection)
    return peer is None or peer[1] in (0, os.geteuid())


def peer_of(connection: socket) -> tuple[int, int] | None:
    """Pid and user of who connected, or of who listens (unix(7), SO_PEERCRED); None where the system does not say."""
    import _socket
    import sys

    option = getattr(_socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(_socket.SOL_SOCKET, option, 12)  # struct ucred: pid, uid, gid
    order = sys.byteorder
    return int.from_bytes(credentials[:4], order), int.from_bytes(credentials[4:8], order)
