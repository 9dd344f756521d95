"""The environment of a child: merged layers of variables, and those that procman sets."""

from __future__ import annotations

from procman.core.model.plan import Environment
from procman.core.procfile.formation import port_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REAL = "environment"  # the source of the variables that procman inherited


class Layer:
    """Variables from one `source` (``environment``, ``.env`` …). `lines` maps names to lines, as far as known."""

    __slots__ = ("lines", "source", "values")

    def __init__(self, source: str, values: Mapping[str, str], lines: Mapping[str, int] | None = None) -> None:
        self.source = source
        self.values = values
        self.lines = lines or {}

    def location(self, name: str) -> str:
        """Return where the variable `name` is defined: ``.env:3``."""
        return f"{self.source}:{self.lines[name]}" if name in self.lines else self.source


def merge(layers: Iterable[Layer]) -> Environment:
    """Merge `layers`; a later one wins."""
    values: dict[str, str] = {}
    origin: dict[str, str] = {}
    given: dict[str, None] = {}
    for layer in layers:
        values.update(layer.values)
        origin.update({name: layer.location(name) for name in layer.values})
        if layer.source != REAL:
            given.update(dict.fromkeys(layer.values))
    return Environment(values, origin, tuple(given))


def shared_environment(environment: Environment, session: str, ports: dict[str, int]) -> dict[str, str]:
    """Return what all children of a session share: the layers, its id, the port of each type's first instance."""
    shared = {"PYTHONUNBUFFERED": "1", **environment.values}
    shared["PROCMAN_SESSION"] = session
    # If two names share a variable ("a-b" and "a_b"), the first one keeps it; `check` warns.
    shared.update((port_variable(name), str(port)) for name, port in reversed(ports.items()))
    return shared


def own_environment(process: str, instance: str, port: int | None) -> dict[str, str]:
    """Return the variables of one instance: its names, and PORT unless `port` is None."""
    own = {"PS": instance, "PROCMAN_INSTANCE": instance, "PROCMAN_PROCESS": process}
    if port is not None:
        own["PORT"] = str(port)
    return own
