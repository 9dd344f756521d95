"""The listening sockets that procman opens for an instance and keeps open over all of its lives."""

from __future__ import annotations

from procman.core.model.checks import split_host

MOST_SOCKETS = 16  # of one process
DEFAULT_HOLD = 10.0  # seconds
CONNECTION = "connection"
OWN_ADDRESS = "127.0.0.1:$PORT"  # what `listen = true` means
LONGEST_PATH = 107  # bytes of a Unix socket's path: sun_path of unix(7), without the final NUL
_PORTS = ("$PORT", "${PORT}")
_INSTANCE = "{instance}"


class ListeningSocket:
    """One socket: the name that the process knows it by, and its address.

    The address is ``HOST:PORT``, or a path that contains a slash. In the plan of an instance it is complete, so it
    identifies the socket: a path is absolute, and ``$PORT`` and ``{instance}`` are replaced.
    """

    __slots__ = ("address", "name")

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    @property
    def is_path(self) -> bool:
        """Whether it is a Unix socket."""
        return "/" in self.address

    @property
    def host(self) -> str:
        """The address to bind a TCP socket to."""
        host = split_host(self.address)[0].strip("[]")
        return "127.0.0.1" if host == "localhost" else host

    @property
    def port(self) -> int | None:
        """The port of a TCP socket; None for a path, and while ``$PORT`` is not replaced."""
        text = "" if self.is_path else split_host(self.address)[1]
        return int(text) if text.isdigit() else None

    @property
    def needs_port(self) -> bool:
        """Whether it is on the port of the instance."""
        return not self.is_path and split_host(self.address)[1] in _PORTS

    @property
    def is_numbered(self) -> bool:
        """Whether each instance has an address of its own."""
        return self.needs_port or _INSTANCE in self.address

    def of(self, instance: str, type_: str, port: int | None) -> ListeningSocket:
        """Return the socket of one instance. The name of a single socket may be empty: then it is the type's."""
        address = self.address.replace(_INSTANCE, instance)
        if self.needs_port:
            address = f"{split_host(self.address)[0]}:{port}"
        return ListeningSocket(self.name or type_, address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ListeningSocket) and (self.name, self.address) == (other.name, other.address)

    def __hash__(self) -> int:
        return hash((self.name, self.address))

    def __repr__(self) -> str:
        return f"ListeningSocket({self.name!r}, {self.address!r})"


class Listen:
    """The sockets of one instance, in the order of their descriptors, and when they are open.

    `is_shared`: all instances of the type have the same ones. `is_borrower`: its port is that of the first instance.
    `on_connection`: the first connection starts it. They are closed during a backoff longer than `hold` seconds.
    """

    __slots__ = ("hold", "is_borrower", "is_shared", "on_connection", "sockets")

    def __init__(
        self,
        sockets: tuple[ListeningSocket, ...],
        is_shared: bool = False,
        is_borrower: bool = False,
        on_connection: bool = False,
        hold: float = DEFAULT_HOLD,
    ) -> None:
        self.sockets = sockets
        self.is_shared = is_shared
        self.is_borrower = is_borrower
        self.on_connection = on_connection
        self.hold = hold

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the sockets."""
        return tuple(socket.address for socket in self.sockets)

    def __repr__(self) -> str:
        return f"Listen({self.addresses!r})"


def listen_address(value: str) -> str:
    """Return the address of a TCP or Unix socket. Raises ValueError, which says what is expected.

    A file name without a slash gets one: ``admin.sock`` is ``./admin.sock``.
    """
    import ipaddress

    text = value.strip()
    host, colon, port = text.rpartition(":")
    if "/" in text or not colon:
        if not text or text.endswith("/") or "\0" in text:
            raise ValueError("an address such as 127.0.0.1:$PORT, or the path of a Unix socket")
        return text if "/" in text else f"./{text}"
    if port not in _PORTS and not (port.isascii() and port.isdigit() and len(port) < 6 and 1 <= int(port) <= 65535):
        raise ValueError("an address such as 127.0.0.1:$PORT, with a port from 1 to 65535 or $PORT")
    try:
        if host != "localhost":
            ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise ValueError("an address of this machine, such as 127.0.0.1:$PORT or [::]:8080") from None
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
