"""Decides nothing by itself: what a readiness or health check is."""

from __future__ import annotations

HTTP = "http"
TCP = "tcp"
LOG = "log"
EXEC = "exec"
DELAY = "delay"
KINDS = (HTTP, TCP, LOG, EXEC, DELAY)

ON_FAIL = ("restart", "fail", "none")

HERE = "localhost"
_HIGHEST_PORT = 65535


class Check:
    """How to find out whether an instance is ready, or healthy. All times in seconds.

    ``target`` is a URL, ``HOST:PORT``, a regular expression, a command, or a number of seconds, according to ``kind``;
    ``$PORT`` in it is filled in already. ``interval`` lies between two attempts, ``attempt`` is the limit of one.
    ``timeout`` (readiness only) is the time to become ready in, None for ever. ``threshold`` (health only) is how many
    failures in a row condemn the instance, ``on_fail`` what follows: "restart", "fail" or "none".
    """

    __slots__ = ("attempt", "interval", "kind", "on_fail", "target", "threshold", "timeout")

    def __init__(
        self,
        kind: str,
        target: str,
        interval: float = 1.0,
        timeout: float | None = None,
        attempt: float = 5.0,
        threshold: int = 3,
        on_fail: str = "restart",
    ) -> None:
        self.kind = kind
        self.target = target
        self.interval = interval
        self.timeout = timeout
        self.attempt = attempt
        self.threshold = threshold
        self.on_fail = on_fail

    def __repr__(self) -> str:
        return f"Check({self.kind!r}, {self.target!r})"

    @property
    def needs_port(self) -> bool:
        """Whether the target names the instance's own port."""
        return self.kind in (HTTP, TCP) and "$" in self.target

    def on_port(self, port: int | None) -> Check:
        """The same check with ``$PORT`` filled in; itself where there is none in it."""
        if not self.needs_port:
            return self
        text = "" if port is None else str(port)
        target = self.target.replace("${PORT}", text).replace("$PORT", text)
        return Check(self.kind, target, self.interval, self.timeout, self.attempt, self.threshold, self.on_fail)


# What a check connects to ------------------------------------------------------------


def tcp_target(value: object) -> str:
    """``HOST:PORT`` from a port, ``"$PORT"``, ``"HOST:PORT"`` or true (the process' own port).

    Raises ValueError with what would have been right, and after " | " a hint.
    """
    if value is True:
        return f"{HERE}:$PORT"
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("a port, or a text as in localhost:5432")
    host, port = split_host(value)
    _require_host(host)
    _require_port(port, "a port, or a text as in localhost:5432")
    return f"{host}:{port}"


def http_target(value: object) -> str:
    """A whole URL from ``/path``, ``:8080/path``, a port, or a URL; raises ValueError as `tcp_target` does."""
    if value is True:
        value = "/"
    if isinstance(value, int) and not isinstance(value, bool):
        value = f":{value}/"
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ValueError('a path or an address, as in "/health" or "http://localhost:8080/health"')
    if value.startswith("https:"):
        raise ValueError('an address that begins with http: | use exec = "curl --fail --silent URL" for https')
    if value.startswith("/"):
        value = f":$PORT{value}"
    if value.startswith(":"):
        value = f"http://{HERE}{value}"
    host, port, path = split_url(value)
    _require_host(host)
    _require_port(port, 'an address with a port from 1 to 65535, as in "http://localhost:8080/health"')
    return f"http://{host}:{port}{path}"


def split_url(url: str) -> tuple[str, str, str]:
    """Host, port and path of an ``http:`` URL; raises ValueError for anything else."""
    scheme, separator, rest = url.partition("://")
    if scheme != "http" or not separator:
        raise ValueError('a path or an address, as in "/health" or "http://localhost:8080/health"')
    place, slash, path = rest.partition("/")
    has_port = not place.endswith("]") if place.startswith("[") else ":" in place
    host, port = split_host(place) if has_port else (place, "80")
    return host, port, f"{slash or '/'}{path}"


def split_host(text: str) -> tuple[str, str]:
    """Host and port of ``HOST:PORT``; a port alone is one of this machine."""
    host, _, port = text.strip().rpartition(":")
    return host or HERE, port


def addresses(host: str) -> tuple[str, ...]:
    """The addresses to try, in order."""
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
        raise ValueError("localhost or an address | to ask another machine by its name, use exec") from None
