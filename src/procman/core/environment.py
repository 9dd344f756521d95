"""Decides which environment a child gets: layers of mappings, the later wins, then our own variables."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Layer:
    """Variables from one ``source`` (``environment``, ``.env`` …); ``lines`` says where in it, if known."""

    __slots__ = ("lines", "source", "values")

    def __init__(self, source: str, values: Mapping[str, str], lines: Mapping[str, int] | None = None) -> None:
        self.source = source
        self.values = values
        self.lines = lines or {}


class Environment:
    """Merged layers: each variable's value, and the source it came from."""

    __slots__ = ("origin", "values")

    def __init__(self, values: dict[str, str], origin: dict[str, str]) -> None:
        self.values = values
        self.origin = origin


def merge(layers: Iterable[Layer]) -> Environment:
    """Lay ``layers`` over one another; the later wins."""
    raise NotImplementedError
