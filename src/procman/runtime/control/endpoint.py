"""The path and the folder of a control socket: one socket for each Procfile and root, in a folder of the user's own.

The folder is locked while a session creates or removes a socket in it. Only connect(2) decides whether a socket is
alive: no pid is ever read from a file.
"""

from __future__ import annotations

import errno
import os
import time

from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

BACKLOG = 1024  # clients that may wait in the kernel's queue
CONNECT_TIMEOUT = 5.0  # seconds
CONNECT_RETRY_INTERVAL = 0.005  # seconds
SUFFIX = ".sock"
MAX_SWEPT = 100  # stale sockets that a new session looks at; each takes 20 µs
_NOT_LISTENING = (errno.ECONNREFUSED, errno.ENOENT, errno.ENOTSOCK, errno.EPROTOTYPE)
_S_IFMT = 0o170000
_S_IFDIR = 0o040000
_S_IFSOCK = 0o140000
_S_IFLNK = 0o120000
_MAX_PATH = 100  # bytes; the limit is 108 on Linux and 104 on macOS, with a NUL (unix(7))


class EndpointError(ProcmanError):
    """The socket cannot be created, or its folder is not safe. The session can do without it."""

    exit_code = 1


class SessionRunningError(Exception):
    """A session is listening already; ``connection`` is open to it."""

    def __init__(self, connection: socket) -> None:
        super().__init__("a session of this Procfile is running")
        self.connection = connection


def folders(environ: Mapping[str, str]) -> list[str]:
    """Return the folders of the user's sockets, the preferred one first, the one that is the same for all last.

    The terminals of one user may differ in XDG_RUNTIME_DIR. After `su` it may be another user's, which is skipped.
    """
    user = os.geteuid()
    runtimes = (environ.get("XDG_RUNTIME_DIR", "").rstrip("/"), f"/run/user/{user}")
    usable = [f"{runtime}/procman" for runtime in runtimes if runtime.startswith("/") and _belongs_to(runtime, user)]
    return list(dict.fromkeys((*usable, _shared_folder(user))))


def _shared_folder(user: int) -> str:
    return f"/tmp/procman-{user}"  # noqa: S108 (its owner and mode are checked before every use)


def _belongs_to(folder: str, user: int) -> bool:
    try:
        status = os.stat(folder)
    except OSError:
        return False
    return status.st_mode & _S_IFMT == _S_IFDIR and status.st_uid == user


def socket_paths(procfile: str, root: str, given: str | None, environ: Mapping[str, str]) -> list[str]:
    """Return the paths at which the session of ``procfile`` in ``root`` may listen: only ``given``, if that is set.

    For root these include the places of the users who own the Procfile and the folder.
    """
    if given:
        return [os.path.abspath(given)]
    name = session_name(os.path.realpath(root), os.path.realpath(procfile))
    users = _owners(root, procfile) if os.geteuid() == 0 else []
    others = [place for user in users for place in (f"/run/user/{user}/procman", _shared_folder(user))]
    return [f"{folder}/{name}{SUFFIX}" for folder in (*folders(environ), *others)]


def _owners(*paths: str) -> list[int]:
    """Return the owners of these files, other than root."""
    found: dict[int, None] = {}
    for path in paths:
        try:
            found[os.stat(path).st_uid] = None
        except OSError:
            continue
    found.pop(0, None)
    return list(found)


def session_name(root: str, procfile: str) -> str:
    """Return a short name for the session of this Procfile in this folder: FNV-1a, 64 bits, which needs no import."""
    value = 0xCBF29CE484222325
    for byte in f"{root}\0{procfile}".encode("utf-8", "surrogateescape"):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def is_safe(folder: str) -> bool:
    """Return whether this is a folder of ours that no other user may enter. Root also trusts the users' own places."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    owner = status.st_uid
    ours = owner == os.geteuid() or (os.geteuid() == 0 and owner == _user_of(folder))
    return ours and status.st_mode & _S_IFMT == _S_IFDIR and not status.st_mode & 0o077


def _user_of(folder: str) -> int | None:
    """Return the user whose place this is, going by its name, or None."""
    for start, end in (("/tmp/procman-", ""), ("/run/user/", "/procman")):  # noqa: S108 (see _shared_folder)
        user = folder.removeprefix(start).removesuffix(end)
        if folder == f"{start}{user}{end}" and user.isdecimal():
            return int(user)
    return None


def connect(path: str, timeout: float = CONNECT_TIMEOUT) -> socket | None:
    """Connect to the session at ``path``, or return None if there is none. ``timeout`` is in seconds.

    Raises EndpointError if one is listening but its queue is full, if we have no permission, or if another user is
    listening, who might send anything.
    """
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        _connect(connection, path, timeout)  # type: ignore[arg-type]  # see below
    except OSError as error:
        connection.close()
        if error.errno in _NOT_LISTENING:
            return None
        raise EndpointError(f"cannot connect to {path}: {(error.strerror or str(error)).lower()}") from None
    if os.geteuid() != 0 and not peer_is_allowed(connection):  # type: ignore[arg-type]
        connection.close()
        raise EndpointError(f"{path} belongs to another user, so procman does not connect to it")
    return connection  # type: ignore[return-value]  # the C half of socket.socket, which is cheap to import


def _connect(connection: socket, path: str, timeout: float) -> None:
    """Connect, with retries: where a blocking socket waits for room in the queue, one with a timeout gets EAGAIN."""
    until = time.monotonic() + timeout
    while True:
        try:
            connection.connect(path)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(CONNECT_RETRY_INTERVAL)


def _sweep(folder: str) -> None:
    """Remove the sockets of killed sessions. The folder is locked, so none of them is just about to listen."""
    for name in os.listdir(folder)[:MAX_SWEPT]:
        path = f"{folder}/{name}"
        if not name.endswith(SUFFIX):
            continue
        if os.path.islink(path):
            if not os.path.exists(path):
                os.unlink(path)
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
    """Connect to the session at one of ``paths``, or return None.

    Unless the user has ``given`` the path, its folder must be ours alone.
    """
    for path in paths:
        if given or is_safe(os.path.dirname(path)):
            connection = connect(path)
            if connection is not None:
                return connection
    return None


class Endpoint:
    """A listening socket at ``path``, for as long as the session lives. ``link`` leads to it, or is empty."""

    __slots__ = ("_identity", "link", "path", "socket")

    def __init__(self, path: str, listener: socket, identity: tuple[int, int, int]) -> None:
        self.path = path
        self.link = ""
        self.socket = listener
        self._identity = identity

    def close(self) -> None:
        """Stop listening and remove the socket, unless another session has replaced it."""
        self.socket.close()
        try:
            if self.link:
                with _Lock(os.path.dirname(self.link)), _Lock(os.path.dirname(self.path)):
                    self._remove()
            else:
                with _Lock(os.path.dirname(self.path)):
                    self._remove()
        except OSError:
            pass  # the next session replaces a stale socket

    def _remove(self) -> None:
        if _identity_of(self.path) != self._identity:
            return
        os.unlink(self.path)
        if self.link and os.readlink(self.link) == self.path:
            os.unlink(self.link)


class _Lock:
    """The lock of a folder of sockets, held by one session at a time while it creates or removes one."""

    __slots__ = ("_fd", "_folder")

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def take(self) -> None:
        """Wait until no other session holds it. Raises OSError if there is no such folder."""
        import fcntl

        self._fd = os.open(self._folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def release(self) -> None:
        """Let the next session have it."""
        os.close(self._fd)

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.release()


def claim(paths: list[str], given: bool) -> Endpoint:
    """Listen at the first of ``paths`` where that is possible, and replace a stale socket there.

    Unless the user has ``given`` the path, a link in the folder that is the same for all of the user's terminals leads
    to the socket. Raises SessionRunningError if a session answers at any of them, EndpointError if no socket can be
    created.
    """
    if given:
        return _claim_first(paths, paths, "")
    own = [path for path in paths if _user_of(os.path.dirname(path)) in (None, os.geteuid())]
    common = os.path.dirname(own[-1])
    try:
        _make_folder(common)
        lock = _Lock(common)
        lock.take()
    except (
        OSError,
        EndpointError,
    ):  # another user's, for example; the session is still found where the environment is the same
        return _claim_first(own[:-1] or own, paths, "")
    try:
        endpoint = _claim_first(own, paths, common)
        if endpoint.path != own[-1]:
            _link(endpoint, own[-1])
        return endpoint
    finally:
        lock.release()


def _claim_first(own: list[str], paths: list[str], common: str) -> Endpoint:
    """Listen at the first of ``own`` where that is possible. ``common`` is the folder that is locked already."""
    refusal: EndpointError | None = None
    given = own is paths
    for path in own:
        try:
            return _claim(path, paths, given, os.path.dirname(path) == common)
        except EndpointError as error:
            refusal = refusal or error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            refusal = refusal or EndpointError(f"no control socket at {path}: {reason}")
    assert refusal is not None
    raise refusal


def _claim(path: str, paths: list[str], given: bool, locked: bool) -> Endpoint:
    if len(os.fsencode(path)) > _MAX_PATH:
        raise EndpointError(f"no control socket at {path}: the path is too long for a socket")
    folder = os.path.dirname(path)
    if not given:
        _make_folder(folder)
    if locked:
        return _replace_stale(path, paths, given)
    with _Lock(folder):
        return _replace_stale(path, paths, given)


def _replace_stale(path: str, paths: list[str], given: bool) -> Endpoint:
    living = find(paths, given)
    if living is not None:
        raise SessionRunningError(living)
    _remove_stale(path)
    if not given:
        _sweep(os.path.dirname(path))
    return _listen(path)


def _link(endpoint: Endpoint, place: str) -> None:
    """Let ``place`` lead to the socket, for terminals whose XDG_RUNTIME_DIR is another or not set."""
    try:
        _remove_stale(place)
        os.symlink(endpoint.path, place)
        endpoint.link = place
    except (OSError, EndpointError):
        return  # it is found where the environment is the same


def common_folder() -> str:
    """Return the folder that is the same for all sessions of the user, and make it. Raises EndpointError and OSError
    if it cannot be used.
    """
    folder = _shared_folder(os.geteuid())
    _make_folder(folder)
    return folder


def _make_folder(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    if not is_safe(folder):
        raise EndpointError(f"no control socket: {folder} must be a folder owned by you, with mode 0700")


def _remove_stale(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if status.st_mode & _S_IFMT not in (_S_IFSOCK, _S_IFLNK):
        raise EndpointError(f"no control socket at {path}: it exists and is not a socket")
    os.unlink(path)


def _listen(path: str) -> Endpoint:
    import _socket

    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    before = os.umask(0o177)  # safe: with one thread no other file is created meanwhile
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
    return status.st_dev, status.st_ino, status.st_ctime_ns  # inode numbers are reused


def peer_is_allowed(connection: socket) -> bool:
    """Return whether the other side is our user or root. Where the system does not say, the folder's mode must do."""
    peer = peer_of(connection)
    return peer is None or peer[1] in (0, os.geteuid())


def peer_of(connection: socket) -> tuple[int, int] | None:
    """Return pid and uid of the other side (unix(7), SO_PEERCRED), or None where the system does not say."""
    import _socket
    import sys

    option = getattr(_socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(_socket.SOL_SOCKET, option, 12)  # struct ucred: pid, uid, gid
    order = sys.byteorder
    return int.from_bytes(credentials[:4], order), int.from_bytes(credentials[4:8], order)
