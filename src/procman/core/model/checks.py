"""Readiness and health checks, and the targets they connect to."""

from __future__ import annotations

HTTP = "http"
TCP = "tcp"
LOG = "log"
EXEC = "exec"
DELAY = "delay"
NOTIFY = "notify"
KINDS = (HTTP, TCP, LOG, EXEC, DELAY, NOTIFY)

ON_FAIL = ("restart", "fail", "none")

HERE = "localhost"
_HIGHEST_PORT = 65535


class Check:
    """How to find out whether an instance is ready or healthy. All times are in seconds.

    `kind` says what `target` is: a URL, ``HOST:PORT``, a regular expression, a command, or a number of seconds; it is
    empty for notify. In the plan of an instance ``$PORT`` in it is replaced. `interval` is the time between two
    attempts, `attempt` the limit of one, `initial_delay` the time before the first (None: none for readiness,
    `interval` for health). `timeout` (readiness only) is the time to become ready, None for no limit; `successes`
    attempts in a row must pass. `threshold` (health only) failures in a row condemn the instance; `on_fail` says what
    follows: "restart", "fail" or "none". `anyone`: the check passes whichever process answers. For http, `status`
    holds the good statuses (if it is empty, 200 to 399) and `headers` those of the request.
    """

    __slots__ = (
        "anyone",
        "attempt",
        "headers",
        "initial_delay",
        "interval",
        "kind",
        "on_fail",
        "status",
        "successes",
        "target",
        "threshold",
        "timeout",
    )

    def __init__(
        self,
        kind: str,
        target: str,
        interval: float = 1.0,
        timeout: float | None = None,
        attempt: float = 5.0,
        threshold: int = 3,
        on_fail: str = "restart",
        anyone: bool = False,
        initial_delay: float | None = None,
        successes: int = 1,
        status: tuple[int, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.kind = kind
        self.target = target
        self.interval = interval
        self.timeout = timeout
        self.attempt = attempt
        self.threshold = threshold
        self.on_fail = on_fail
        self.anyone = anyone
        self.initial_delay = initial_delay
        self.successes = successes
        self.status = status
        self.headers = headers

    def __repr__(self) -> str:
        return f"Check({self.kind!r}, {self.target!r})"

    @property
    def needs_port(self) -> bool:
        """Whether the target contains the instance's own port, ``$PORT``."""
        return self.kind in (HTTP, TCP) and "$" in self.target

    @property
    def port(self) -> int | None:
        """The port that the check connects to; None if it connects to none."""
        if self.kind not in (HTTP, TCP) or self.needs_port:
            return None
        text = split_url(self.target)[1] if self.kind == HTTP else split_host(self.target)[1]
        return int(text) if text.isdigit() else None

    @property
    def host_header(self) -> str:
        """The value of the header Host of an http check's request: its own, or the host and the port of the URL."""
        own = next((value for name, value in self.headers if name.lower() == "host"), "")
        return own or ":".join(split_url(self.target)[:2])

    @property
    def other_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of an http check's request without Host."""
        return tuple((name, value) for name, value in self.headers if name.lower() != "host")

    def on_port(self, port: int | None) -> Check:
        """Return the check with ``$PORT`` replaced; the same object if its target has none."""
        if not self.needs_port:
            return self
        text = "" if port is None else str(port)
        copy = Check.__new__(Check)
        for name in Check.__slots__:
            setattr(copy, name, getattr(self, name))
        copy.target = self.target.replace("${PORT}", text).replace("$PORT", text)
        return copy


# Targets. Only names and addresses of this machine: a name lookup would block the engine. -----------------------------


def tcp_target(value: object) -> str:
    """Return ``HOST:PORT`` for a port, ``"$PORT"``, ``"HOST:PORT"`` or true (the process's own port).

    Raises ValueError, which says what is expected and, after " | ", a hint.
    """
    if value is True:
        return f"{HERE}:$PORT"
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("a port, or an address such as localhost:5432")
    host, port = split_host(value)
    _require_host(host)
    _require_port(port, "a port, or an address such as localhost:5432")
    return f"{host}:{port}"


def http_target(value: object) -> str:
    """Return a full URL for ``/path``, ``:8080/path``, a port, or a URL; raises ValueError as `tcp_target` does."""
    if value is True:
        value = "/"
    if isinstance(value, int) and not isinstance(value, bool):
        value = f":{value}/"
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ValueError('a path or an address such as "/health" or "http://localhost:8080/health"')
    if value.startswith("https:"):
        raise ValueError('an address that starts with http: | use exec = "curl --fail --silent URL" for https')
    if value.startswith("/"):
        value = f":$PORT{value}"
    if value.startswith(":"):
        value = f"http://{HERE}{value}"
    host, port, path = split_url(value)
    _require_host(host)
    _require_port(port, 'an address with a port from 1 to 65535, such as "http://localhost:8080/health"')
    return f"http://{host}:{port}{path}"


def split_url(url: str) -> tuple[str, str, str]:
    """Return host, port and path of an ``http:`` URL; raises ValueError for anything else."""
    scheme, separator, rest = url.partition("://")
    if scheme != "http" or not separator:
        raise ValueError('a path or an address such as "/health" or "http://localhost:8080/health"')
    address, slash, path = rest.partition("/")
    has_port = not address.endswith("]") if address.startswith("[") else ":" in address
    host, port = split_host(address) if has_port else (address, "80")
    return host, port, f"{slash or '/'}{path}"


def split_host(text: str) -> tuple[str, str]:
    """Return host and port of ``HOST:PORT``; a port alone means this machine."""
    host, _, port = text.strip().rpartition(":")
    return host or HERE, port


def is_here(host: str) -> bool:
    """Whether the host of a check is this machine."""
    return host.strip("[]") in (HERE, "::1") or host.startswith("127.")


def addresses(host: str) -> tuple[str, ...]:
    """Return the addresses to try, in order."""
    return ("127.0.0.1", "::1") if host == HERE else (host.strip("[]"),)


def _require_port(port: str, wanted: str) -> None:
    if port in ("$PORT", "${PORT}"):
        return
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 1 <= int(port) <= _HIGHEST_PORT):
        raise ValueError(wanted)


def _require_host(host: str) -> None:
    import ipaddress

    if host == HERE:
        return
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise ValueError("localhost or an address | to check another machine by its name, use exec") from None
