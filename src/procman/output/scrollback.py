"""Shows again: the last lines of every instance, bounded in bytes."""

from __future__ import annotations

from procman.output.sink import Sink

LIMIT = 4096  # bytes an instance: twenty lines of a failure card; 1,000 instances stay under 8 MB


class Scrollback(Sink):
    """Remembers between ``limit`` and twice ``limit`` bytes of each instance's latest lines."""

    __slots__ = ("_kept", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._kept: dict[str, bytearray] = {}

    def publish(self, name: str, stream: str, lines: bytes) -> None:  # noqa: ARG002 (one file or memory for both)
        """Keep the end of these lines; a large chunk costs one small copy."""
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = bytearray()
        if len(lines) >= self.limit:
            kept[:] = lines[-self.limit - 1 :]
            return
        kept += lines
        if len(kept) > 2 * self.limit:
            del kept[: -self.limit - 1]

    def last(self, name: str, count: int) -> list[bytes]:
        """The latest lines of an instance, oldest first, at most ``count``, without their newlines."""
        kept = bytes(self._kept.get(name, b""))
        lines = kept.split(b"\n")[:-1]
        if len(kept) > self.limit and len(lines) > 1:
            del lines[0]  # it may have lost its beginning
        return lines[-count:] if count > 0 else []

    def forget(self, name: str) -> None:
        """Drop what is kept of an instance that will not come back."""
        self._kept.pop(name, None)
