"""Decides nothing by itself: what a readiness or health check is."""

from __future__ import annotations

HTTP = "http"
TCP = "tcp"
LOG = "log"
EXEC = "exec"
DELAY = "delay"
KINDS = (HTTP, TCP, LOG, EXEC, DELAY)

ON_FAIL = ("restart", "fail", "none")


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
